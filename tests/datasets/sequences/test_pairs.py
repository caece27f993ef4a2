"""Pairs of texts, from every format that they come in."""

import json

import pytest
from sample_files import notes, problem, read

from cnntool.datasets.sequences.reading import load_samples
from cnntool.errors import InputError

SOURCES = ["a cat", "two dogs", "é漢"]
TARGETS = ["eine Katze", "zwei Hunde", "x"]
PAIRS = list(zip(SOURCES, TARGETS, strict=True))
WRITTEN = {
    "tsv": "".join(f"{s}\t{t}\n" for s, t in PAIRS),
    "named tsv": "Target\tid\tSource\n" + "".join(f"{t}\t1\t{s}\n" for s, t in PAIRS),
    "jsonl": "".join(json.dumps({"src": s, "tgt": t}) + "\n" for s, t in PAIRS),
    "json lists": "".join(json.dumps({"source": s, "target": [t]}) + "\n" for s, t in PAIRS),
}


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_format_gives_back_what_was_written(tmp_path, format, end):
    samples = read(tmp_path, "\ufeff" + WRITTEN[format].replace("\n", end), "translator")
    assert samples.form == "text"
    assert samples.inputs == SOURCES
    assert samples.answers == [(target,) for target in TARGETS]


def parallel(tmp_path, sources, targets):
    for name, text in (("a.en", sources), ("a.de", targets)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return load_samples([str(tmp_path / "a.en"), str(tmp_path / "a.de")], "translator")["train"]


def test_two_files_go_line_by_line(tmp_path):
    samples = parallel(tmp_path, "\n".join(SOURCES), "\n".join(TARGETS))
    assert samples.inputs == SOURCES
    assert samples.answers == [(target,) for target in TARGETS]
    one = read(tmp_path, WRITTEN["tsv"], "translator")
    assert samples.fingerprint == one.fingerprint


def test_lines_of_two_files_stay_samples_of_their_own(tmp_path):
    samples = parallel(tmp_path, "a\n\na\n", "x\ny\nz\n")
    assert samples.inputs == ["a", "a"]
    assert samples.places == [f"{tmp_path}/a.en:1", f"{tmp_path}/a.en:3"]
    assert notes(samples, tmp_path) == ["a.en and a.de: 1 pair with an empty side left out"]


def test_the_first_line_without_another_is_named(tmp_path):
    with pytest.raises(InputError) as raised:
        parallel(tmp_path, "a\nb\n", "x\ny\nz z\nu\n")
    assert str(raised.value).replace(f"{tmp_path}/", "") == (
        "a.de:3 has no line beside it ('z z'): a.de has 4 lines, a.en 2; make them go line by line"
    )


def test_two_files_of_pairs_are_one_set(tmp_path):
    (tmp_path / "a").write_text("a\tx\n")
    (tmp_path / "b").write_text("b\ty\n")
    samples = load_samples([str(tmp_path / name) for name in "ab"], "translator")["train"]
    assert samples.inputs == ["a", "b"]


def test_parts_of_two_files_each(tmp_path):
    for part in ("train", "val", "test_2016", "test_2017"):
        for language in ("de", "en", "fr"):
            (tmp_path / f"{part}.{language}").write_text(f"{part} {language}\n")
    parts = load_samples(str(tmp_path), "translator")
    assert [(part.inputs, part.answers) for part in parts.values()] == [
        (["train de"], [("train en",)]),
        (["val de"], [("val en",)]),
        (["test_2016 de"], [("test_2016 en",)]),
    ]
    assert "test_2016.fr, test_2017.de" in parts["train"].notes[0]


def test_what_is_behind_the_second_tab_is_not_read(tmp_path):
    samples = read(tmp_path, "a\tx\nb\ty\tCC-BY\nc\tz\tCC-BY\n", "translator")
    assert samples.answers == [("x",), ("y",), ("z",)]
    assert notes(samples, tmp_path) == [
        "data.txt: what is behind the second tab is not read, in 2 lines, from line 2 on"
    ]


def test_targets_of_one_source_are_all_right(tmp_path):
    text = "e\u0301\tx\nb\ty\n\u00e9\tz\nb\ty\n\u00e9\t\n"
    samples = read(tmp_path, text, "translator")
    assert samples.inputs == ["é", "b"]
    assert samples.answers == [("x", "z"), ("y",)]
    assert notes(samples, tmp_path)[:3] == [
        "data.txt: 1 pair with an empty side left out",
        "data.txt: 1 source has several targets, any of which is right",
        "data.txt: 1 pair left out that came before",
    ]


NEW = "a AH0\na(2) EY1\nd'artagnan D AH0 # foreign french\n#1 N AH1 M\n# whole\n"
OLD = ";;; # CMUdict\nA  AH0\nA(1)  EY1\n!POINT  P OY1 N T\n"


def test_a_lexicon_has_other_ways_to_say_a_word_and_comments(tmp_path):
    samples = read(tmp_path, NEW, "translator")
    assert samples.inputs == ["a", "d'artagnan", "#1"]
    assert samples.answers == [("AH0", "EY1"), ("D AH0",), ("N AH1 M",)]
    assert notes(samples, tmp_path)[0] == "data.txt: 2 comments left out"
    samples = read(tmp_path, OLD, "translator")
    assert samples.inputs == ["A", "!POINT"]
    assert samples.answers == [("AH0", "EY1"), ("P OY1 N T",)]


def test_sentences_without_their_translations_are_no_lexicon(tmp_path):
    text = "Ein Hund rennt\nDer Mann singt\nEin Kind malt\nDer Hund malt\nWer singt\n"
    found = problem(tmp_path, text, "translator")
    assert found.startswith(
        "data.txt looks like sentences: expected two files that go line by line"
    )
    assert "name the file with their translations" in found
    assert len(read(tmp_path, text, "translator", format="lexicon")) == 3
    short = "the cat sat\na dog ran home\nwe eat now\nI like tea\nhe is ok\n"
    assert problem(tmp_path, short, "translator").startswith("data.txt looks like sentences")
    assert len(read(tmp_path, short, "translator", format="lexicon")) == 5
    ways = "a AH\na EY\nthe DH AH\nthe DH IY\n"
    assert read(tmp_path, ways, "translator").answers == [("AH", "EY"), ("DH AH", "DH IY")]


@pytest.mark.parametrize("order", ["touch\t{form}\t{tags}", "touch\t{tags}\t{form}"])
@pytest.mark.parametrize("tags", ["V;V.PTCP;PRS", "pos=V,tense=PRS", "V;IND(ARGNO1S)"])
def test_inflections_have_features_in_the_source(tmp_path, order, tags):
    text = order.format(form="touching", tags=tags) + "\n"
    samples = read(tmp_path, text, "translator")
    assert samples.inputs == [f"touch {tags}"]
    assert samples.answers == [("touching",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tx\nb y\n", "data.txt:2 has no tab ('b y'): expected a source, a tab and a target"),
        ("a AH\nb\n", "data.txt is in no format that a translator learns from"),
        ("A man walks along the boulevard\n", "data.txt is in no format"),
        ('{"source": "a"}\n', "data.txt has no target among source: name it with --label-column"),
        ('{"source": "a", "target": null}\n', "data.txt:1 has no 'target'"),
        ('{"source": "a", "target": ["x", ""]}\n', "data.txt:1 has no 'target'"),
        ("source\ttarget\n", "data.txt has names of columns (source, target) and no rows"),
        ("a\t\n", "data.txt holds no samples: expected source and target, parted by a tab"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    assert problem(tmp_path, text, "translator").startswith(message)


def test_a_pair_has_two_columns(tmp_path):
    for how in ({"text_column": "2", "label_column": "2"}, {"text_column": "1"}):
        text = "a\tb\n" if len(how) == 2 else "a\n"
        found = problem(tmp_path, text, "translator", format="tsv", **how)
        assert "expected a source and a target in columns of their own" in found


def test_a_word_without_symbols_is_an_error(tmp_path):
    found = problem(tmp_path, "a AH\nb\n", "translator", format="lexicon")
    assert found == "data.txt:2: 'b' has no symbols behind it: expected WORD P P P"
