"""`cnntool generate` of translators and captioners: what they might say, drawn."""

import json
from pathlib import Path

import pytest
from labelled_images import save_picture
from sequence_models import pictures, write_sequence_models


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder)
    return folder


def test_texts_are_drawn_as_often_as_asked_and_by_the_seed(cnntool, models):
    asked = ["generate", models / "translator.npz", "--text", "cab", "--count", 6, "-t", 2]
    one, same, other = (cnntool(*asked, "--seed", seed) for seed in (1, 1, 2))
    assert (one.code, one.err, len(one.lines)) == (0, "", 6)
    assert one.lines == same.lines != other.lines
    assert len(set(one.lines)) > 1
    assert "writes this text again" in cnntool(*asked).err
    first = cnntool("generate", models / "translator.npz", "--text", "cab", "-t", 2, "--seed", 1)
    assert first.lines == one.lines[:1]


def test_texts_that_were_broken_off_are_said_once(cnntool, models):
    asked = ["generate", models / "translator.npz", "--text", "cab", "--seed", 0, "-t", 1000]
    done = cnntool(*asked, "--count", 50, "--json")
    count = sum(not json.loads(line)["ended"] for line in done.lines)
    assert 0 < count < 50
    assert done.err.endswith(
        f": {count} of 50 texts broken off at 12 tokens, the most that it says\n"
    )
    assert cnntool(*asked, "--count", 50, "-q").err == ""


def test_without_chance_it_is_what_predict_says(cnntool, models, folder):
    path = models / "translator.npz"
    said = cnntool("predict", path, "-", stdin=b"cab").lines
    assert cnntool("generate", path, "--text", "cab", "-t", 0).lines == said
    done = cnntool("generate", path, "--text", "-", "-t", 0, "--json", stdin=b"cab\n")
    assert json.loads(done.out)["text"] == said[0]
    save_picture(folder / "a.png", pictures()[0][0][0])
    path = models / "captioner.npz"
    (line,) = cnntool("predict", path, "a.png").lines
    assert cnntool("generate", path, "a.png", "-t", 0).lines == [line.split("\t")[1]]


@pytest.mark.parametrize(
    ("model", "arguments", "code", "message"),
    [
        ("translator", [], 2, "takes texts: give one with --text"),
        ("translator", ["grey.png"], 2, "takes texts, not 'grey.png'"),
        ("translator", ["--text", "a", "--why"], 2, "--why is of no use here"),
        ("translator", ["--text", "a", "--length", "5"], 2, "--length is of no use here"),
        ("translator", ["--text", "a", "--encoding", "utf-8"], 2, "give --text - too"),
        ("captioner", ["--text", "a"], 2, "takes pictures"),
        ("captioner", ["none.png"], 1, "none.png does not exist"),
        ("classifier", [], 1, "which writes no text: use cnntool predict"),
    ],
)
def test_what_cannot_be_done_is_one_line(cnntool, models, model, arguments, code, message):
    done = cnntool("generate", models / f"{model}.npz", *arguments)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_language_model_draws_one_text_of_no_picture(cnntool, folder):
    (folder / "t.txt").write_text("to be or not to be\n" * 20)
    cnntool("train-lstm", "t.txt", "-o", "m.npz", "-q", "--hidden-size", 4, "--embed-size", 4)
    for option in (["--text", "a"], ["--count", 2], ["grey.png"]):
        done = cnntool("generate", "m.npz", *option)
        assert done.code == 2
        assert "m.npz is a text model" in done.err
