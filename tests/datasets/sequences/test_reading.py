"""Sets by their names: files, folders, stdin, parts; and what is wrong with a name."""

import io
import os
from types import SimpleNamespace

import pytest
from PIL import Image
from sample_files import notes, problem, read

from cnntool.choices import SAMPLE_FORMATS
from cnntool.datasets.sequences.reading import FORMATS, load_samples
from cnntool.datasets.sequences.samples import ReadOptions
from cnntool.errors import InputError, RequestError

FASTTEXT = "__label__a x\n__label__b y\n"


def files(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("_SLASH_", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_formats_are_those_that_the_option_offers():
    for task, formats in FORMATS.items():
        assert set(formats) <= set(SAMPLE_FORMATS[task])


def test_texts_come_from_stdin(monkeypatch):
    stream = SimpleNamespace(buffer=io.BytesIO(FASTTEXT.encode()), isatty=lambda: False)
    monkeypatch.setattr("sys.stdin", stream)
    samples = load_samples("-", "classifier")["train"]
    assert samples.name == "stdin"
    assert samples.places == ["stdin:1", "stdin:2"]


def test_texts_are_composed_but_never_folded(tmp_path):
    samples = read(tmp_path, "__label__e\u0301 x²\n__label__b e\u0301\n", "classifier")
    assert samples.inputs == ["x²", "é"]
    assert samples.answers == ["é", "b"]
    assert notes(samples, tmp_path) == [
        "data.txt: 2 texts put into Unicode's normal form C, which looks the same"
    ]
    samples = read(tmp_path, "e\u0301 X\nﬁ X\n", "tagger")
    assert samples.inputs == [("é", "ﬁ")]
    assert notes(samples, tmp_path)[0].startswith("data.txt: 1 word put into")
    samples = read(tmp_path, "a\te\u0301\n", "translator")
    assert samples.answers == [("é",)]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train.txt", "dev.txt", "test.txt"], ["train", "validation", "test"]),
        (["test.txt", "train.txt"], ["train", "test"]),
        (["eng.train", "eng.testa", "eng.testb"], ["train", "validation", "test"]),
        (["my_train-2019.tsv", "my_valid-2019.tsv"], ["train", "validation"]),
        (["test.txt"], ["test"]),
        (["train.txt", "other.txt"], ["train"]),
        (["contest.txt", "restraint.txt"], ["train"]),
    ],
)
def test_parts_are_known_by_the_names_of_files(tmp_path, names, parts):
    for name in names:
        (tmp_path / name).write_text(FASTTEXT)
    assert list(load_samples(str(tmp_path), "classifier")) == parts


def test_what_lies_beside_parts_is_named(tmp_path):
    files(tmp_path, train_DOT_txt=FASTTEXT, test_DOT_txt=FASTTEXT, notes_SLASH_a="?", README="?")
    parts = load_samples(str(tmp_path), "classifier")
    assert notes(parts["train"], tmp_path) == [
        f"{tmp_path}: notes/, README left out, beside train.txt and test.txt"
    ]
    assert parts["test"].notes == ()


def test_progress_is_told_in_bytes(tmp_path):
    files(tmp_path, a=FASTTEXT)
    steps = []
    load_samples(str(tmp_path / "a"), "classifier", advance=lambda *step: steps.append(step))
    assert steps == [(len(FASTTEXT), len(FASTTEXT))]


@pytest.mark.parametrize("task", SAMPLE_FORMATS)
def test_what_is_not_there_is_an_error(tmp_path, task):
    with pytest.raises(InputError, match=r"/none does not exist: name what a .* learns from"):
        load_samples(str(tmp_path / "none"), task)
    with pytest.raises(InputError, match="is in no format that a"):
        load_samples(str(tmp_path), task)


@pytest.mark.parametrize("task", ["classifier", "tagger", "translator"])
def test_pictures_and_arrays_are_no_texts(tmp_path, task):
    for name, said in (
        ("a.jpg", "is a picture, where a text is expected: train-cnn"),
        ("a.npy", "in an .npz with x"),
    ):
        (tmp_path / name).write_bytes(bytes(9))
        with pytest.raises(InputError, match=said):
            load_samples(str(tmp_path / name), task)


def test_a_set_that_is_nearly_named_is_suggested():
    with pytest.raises(InputError, match="adresses does not exist: did you mean 'addresses'"):
        load_samples("adresses", "tagger")


def test_a_set_that_is_built_in_beside_another_is_told_to_stand_alone():
    with pytest.raises(InputError, match="a set that is built in is named alone"):
        load_samples(["names", "names"], "classifier")


def test_a_set_of_another_task_is_an_error():
    with pytest.raises(InputError, match="names is a set for train-classifier, not for train-tagg"):
        load_samples("names", "tagger")


def test_a_format_of_another_task_is_refused(tmp_path):
    with pytest.raises(RequestError, match="--format 'conl' is no format of a tagger: did you mea"):
        load_samples(str(tmp_path), "tagger", ReadOptions(format="conl"))
    with pytest.raises(RequestError, match="--column 1: expected the number of the tags' column"):
        ReadOptions(column=1)


@pytest.mark.parametrize(
    ("task", "text", "how"),
    [
        ("classifier", FASTTEXT, {"label_column": "x"}),
        ("tagger", "a X\n", {"text_column": "1"}),
        ("tagger", '{"words": ["a"], "tags": ["X"]}\n', {"column": 2}),
        ("translator", "a\tb\n", {"group": "x"}),
    ],
)
def test_columns_of_what_has_none_are_refused(tmp_path, task, text, how):
    with pytest.raises(RequestError, match="for which it means nothing: leave it out"):
        read(tmp_path, text, task, **how)


def test_a_format_that_is_asked_for_but_not_there_is_said(tmp_path):
    assert problem(tmp_path, "a b\n", "tagger", format="jsonl").startswith("data.txt:1 is not JSON")
    assert "expected two files" in problem(tmp_path, "a\n", "translator", format="parallel")


def test_a_sentence_that_is_a_whole_file_is_said(tmp_path):
    samples = read(tmp_path, "a X\n" * 201, "tagger")
    assert notes(samples, tmp_path) == [
        "data.txt: no blank line parts sentences, so that all 201 words are one"
    ]


def test_a_fingerprint_tells_where_texts_end(tmp_path):
    prints = {
        read(tmp_path, text, "translator").fingerprint
        for text in ("a\tb c\n", "a b\tc\n", "a\tb\na c\tb\n", "a\tb\na\tc\n")
    }
    assert len(prints) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_in_folders_are_left_out_with_a_note_and_not_waited_for(tmp_path):
    for name in ("texts/good", "texts/bad", "said", "clips/one", "clips/two"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("good", "bad"):
        (tmp_path / f"texts/{name}/1.txt").write_text("a film\n")
    for name in ("said/a.png", "clips/one/1.png", "clips/two/1.png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    for name in ("a", "b"):
        (tmp_path / f"said/{name}.txt").write_text("a dog\n")
    (tmp_path / "clips/labels.csv").write_text("one,x,y\ntwo,y\n")
    for name in ("texts/good/2.txt", "said/b.png", "clips/one/2.png"):
        os.mkfifo(tmp_path / name)
    for folder, task, count, said in (
        ("texts", "classifier", 2, "1 pipe left out"),
        ("said", "captioner", 1, "b.png is no regular file"),
        ("clips", "tagger", 1, "2.png is no regular file"),
    ):
        samples = load_samples(str(tmp_path / folder), task)["train"]
        assert len(samples) == count
        assert any(said in note for note in samples.notes), samples.notes
