"""Tagged sentences and series, from every format that they come in."""

import json

import numpy as np
import pytest
from sample_files import notes, problem, read

from cnntool.datasets.sequences.reading import load_samples

WORDS = [("The", "1/2", "é漢"), ("#tag",)]
TAGS = [("DT", "CD", "B-X"), ("NN",)]


def lines(pattern, between="\n"):
    sentences = zip(WORDS, TAGS, strict=True)
    return between.join(
        "".join(pattern.format(w=w, t=t, i=i + 1) for i, (w, t) in enumerate(zip(*s, strict=True)))
        for s in sentences
    )


WRITTEN = {
    "conll by spaces": lines("{w} {t}\n"),
    "conll by tabs": lines("{w}\t{t}\n"),
    "conll with more between": lines("{w} -X- _ {t}\n", "\n\n \n"),
    "conllu": lines("{i}\t{w}\t_\t{t}\t_\t_\t_\t_\t_\t_\n"),
    "slashes": lines("{w}/{t} "),
    "json": "".join(
        json.dumps({"tokens": w, "ner_tags": t}) + "\n" for w, t in zip(WORDS, TAGS, strict=True)
    ),
    "csv": "Sentence #,Word,Tag\n1,The,DT\n,1/2,CD\n,é漢,B-X\n2,#tag,NN\n",
    "tsv": "token\ttag\tgroup\nThe\tDT\ta\n1/2\tCD\ta\n#tag\tNN\tb\né漢\tB-X\ta\n",
}


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_format_gives_back_what_was_written(tmp_path, format, end):
    samples = read(tmp_path, "\ufeff" + WRITTEN[format].replace("\n", end), "tagger")
    assert samples.form == "words"
    assert (samples.inputs, samples.answers) == (WORDS, TAGS)
    assert samples.places[0].endswith(f"data.txt:{1 + (format in ('csv', 'tsv'))}")


def test_all_formats_have_one_fingerprint(tmp_path):
    assert len({read(tmp_path, text, "tagger").fingerprint for text in WRITTEN.values()}) == 1


def test_documents_and_comments_are_left_out(tmp_path):
    text = (
        "-DOCSTART- -X- O O\n\n# id = 1\n# a word or two more\nU.N. NNP I-NP I-ORG\n# NN I-NP O\n"
        "-DOCSTART- -X- O O\nBonn NNP I-NP I-LOC\nand CC O O\n"
    )
    samples = read(tmp_path, text, "tagger")
    assert samples.inputs == [("U.N.", "#"), ("Bonn", "and")]
    assert samples.answers == [("I-ORG", "O"), ("I-LOC", "O")]
    assert notes(samples, tmp_path) == [
        "data.txt: 2 -DOCSTART- lines and 2 comments left out",
        "data.txt: columns 2 and 3 of 4 not read; --column names the tags'",
    ]
    samples = read(tmp_path, text, "tagger", column=2)
    assert samples.answers == [("NNP", "NN"), ("NNP", "CC")]
    assert samples.format == "CoNLL columns, column 2 the tag"


def test_words_written_as_one_are_left_out_of_conllu(tmp_path):
    rows = [
        "1-2\tau\t_\t_",
        "1\tà\tà\tADP",
        "2\tle\tle\tDET",
        "2.1\tx\tx\tX",
        "3\tchat\tchat\tNOUN",
    ]
    text = "# text = au chat\n" + "".join(row + "\tQ" + 5 * "\t_" + "\n" for row in rows)
    samples = read(tmp_path, text, "tagger")
    assert samples.inputs == [("à", "le", "chat")]
    assert samples.answers == [("ADP", "DET", "NOUN")]
    assert notes(samples, tmp_path) == [
        "data.txt: 2 lines of words written as one (1-2) or not at all (1.1) left out"
    ]
    assert read(tmp_path, text, "tagger", column=5).answers == [("Q", "Q", "Q")]


def test_of_several_slashes_the_last_counts(tmp_path):
    samples = read(tmp_path, "\n\tand/or/CC //./.\n", "tagger")
    assert samples.inputs == [("and/or", "//.")]
    assert samples.places == [f"{tmp_path}/data.txt:2"]


def test_a_word_may_hold_a_space_that_is_none_of_ascii(tmp_path):
    assert read(tmp_path, "10\u00a0000 CD\n\u00a0 SP\n", "tagger").inputs == [
        ("10\u00a0000", "\u00a0")
    ]


def test_rows_of_numbers_are_steps(tmp_path):
    text = "who,t,x,label,note\nann,0,1.5,walk,a\nann,1,-2,walk,b\nbob,0,3e1,sit,c\n"
    samples = read(tmp_path, text, "tagger", group="who")
    assert samples.form == "steps"
    assert [each.tolist() for each in samples.inputs] == [[[0, 1.5], [1, -2]], [[0, 30]]]
    assert samples.inputs[0].dtype == np.float32
    assert samples.answers == [("walk", "walk"), ("sit",)]
    assert notes(samples, tmp_path) == ["data.txt: column 'note' is not read"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a X\nb\n", "data.txt:2 has 1 column (b), where data.txt:1 has 2: every line has a word"),
        (
            "a X\nNew York X\n",
            "data.txt:2 has 3 columns (New York X), where data.txt:1 has 2: expected a word a line",
        ),
        ("a\tX\nb\t\n", "data.txt:2 has 1 column (b), where"),
        ("a/X b/Y\nc d/Z\n", "data.txt:2: 'c' is not WORD/TAG: add the tag"),
        ("a/X b/Y\nc/ d/Z\n", "data.txt:2: 'c/' is not WORD/TAG"),
        ('{"words": ["a"], "tags": ["X", "Y"]}\n', "data.txt:1 has 1 word and 2 tags: each word"),
        (
            '{"words": ["a"], "tags": ["X"]}\n{"words": ["a"]}\n',
            "data.txt:2: 'tags' is missing, exp",
        ),
        ('{"words": "a b", "tags": ["X"]}\n', "data.txt:1: 'words' is 'a b', expected a list"),
        ('{"words": ["a"]}\n', "data.txt has no tags: expected tags, labels, ner_tags"),
        (
            '{"words": [["a"]], "tags": [1]}\n',
            "data.txt:1: an item of 'words' is [\"a\"], expected",
        ),
        ("word,tag\na,X\n", "data.txt: name with --group the column (word, tag) that says which"),
        ("group,x,tag\n1,1,X\n1,nan,Y\n", "data.txt:3: 'x' is 'nan', expected a finite number"),
        ("group,x,tag\n1,1,X\n1,,Y\n", "data.txt:3: 'x' is '', expected a finite number"),
        ("group,x,tag\n1,1e39,X\n", "data.txt:2: 'x' is '1e39', expected a finite number"),
        (
            "group,x,tag\n1,a,X\n",
            "data.txt has neither a column of words (word, token, form or tex",
        ),
        ("group,word,tag\n1,a,X\n1,b,\n", "data.txt:3 has no 'tag'"),
        ("group,word,tag\n,a,X\n", "data.txt:2 has no 'group'"),
        ("1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n2\tb\n", "data.txt:2 has 2 columns, expected 10 parted by"),
        ("1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n", "data.txt has _ in column 4 of every word, which"),
        ("word\n", "data.txt is in no format that a tagger learns from"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    assert problem(tmp_path, text, "tagger").startswith(message)


def test_a_column_beyond_the_last_is_an_error(tmp_path):
    assert problem(tmp_path, "a X\n", "tagger", column=3) == "--column 3: data.txt has 2 columns"


def test_json_without_words_is_left_out(tmp_path):
    text = '{"words": [], "tags": []}\n{"words": ["a"], "tags": [7], "id": 1}\n'
    samples = read(tmp_path, text, "tagger")
    assert samples.answers == [("7",)]
    assert notes(samples, tmp_path) == [
        "data.txt: column 'id' is not read",
        "data.txt: 1 sentence without words left out",
    ]


def test_a_folder_without_parts_is_one_text(tmp_path):
    for name, text in {"ca01": "\n\ta/X b/Y\n", "ca2": "c/Z\n", "README": "what this is\n"}.items():
        (tmp_path / name).write_text(text)
    samples = load_samples(str(tmp_path), "tagger")["train"]
    assert samples.inputs == [("a", "b"), ("c",)]
    assert notes(samples, tmp_path) == [f"{tmp_path}: README left out, being in another format"]


def test_parts_by_the_names_of_files(tmp_path):
    for name in ("en-ud-train.conllu", "en-ud-dev.conllu", "en-ud-test.conllu", "LICENSE.txt"):
        (tmp_path / name).write_text(WRITTEN["conllu"], encoding="utf-8")
    parts = load_samples(str(tmp_path), "tagger")
    assert list(parts) == ["train", "validation", "test"]
    assert notes(parts["train"], tmp_path)[0] == (
        f"{tmp_path}: LICENSE.txt left out, beside en-ud-train.conllu, en-ud-dev.conllu and "
        "en-ud-test.conllu"
    )
