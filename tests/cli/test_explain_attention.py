"""What `cnntool explain attention` and `explain beam` show and refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from sequence_models import pictures, write_sequence_models
from trained_models import darkness_model

from cnntool.networks.decoding import beams
from cnntool.networks.model import load_sequence_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder, "translator", "captioner", "tagger", "series")
    return folder


@pytest.fixture
def explain(cnntool, folder, trained):
    for path in trained.iterdir():
        (folder / path.name).symlink_to(path)
    Image.fromarray(pictures()[0][0][0]).save("square.png")
    return lambda *words, **stdin: cnntool("explain", *words, **stdin)


def report(done):
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_the_rows_are_the_steps_of_the_text_and_add_up(explain):
    found = report(explain("attention", "translator.npz", "--text", "cab", "--json"))
    assert found["steps"] == ["c", "a", "b", "(end)"]
    assert sum(found["weights"]) == pytest.approx(1, abs=1e-6)
    weights = np.exp(found["scores"]) / np.exp(found["scores"]).sum()
    np.testing.assert_allclose(found["weights"], weights, rtol=1e-5)
    np.testing.assert_allclose(found["context"], weights @ found["keys"], rtol=1e-4, atol=1e-6)
    assert found["token"] == found["says"][0] == found["next"][0]["token"]
    shown = explain("attention", "translator.npz", "--text", "cab").out.decode()
    for weight in found["weights"]:
        assert f"{weight:.4f}" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_picture_is_looked_at_place_by_place(explain):
    found = report(explain("attention", "captioner.npz", "square.png", "--step", "2", "--json"))
    assert found["steps"][-1] == "row 2, column 2"
    assert explain("attention", "captioner.npz", "square.png").code == 0


def test_the_winner_is_that_of_the_beam_and_is_marked(explain):
    found = report(explain("beam", "translator.npz", "--text", "cab", "--beam", "2", "--json"))
    model = load_sequence_model("translator.npz")
    x, lengths = model.reader.rows(["cab"]).take(np.array([0]))
    best = beams(model.joined, x, lengths, model.writer.end, model.longest, 2)[0][0]
    assert found["found"][0]["text"] == model.writer.text(best.ids)
    assert found["found"][0]["score"] == pytest.approx(best.score)
    marked = [each for step in found["steps"] for each in step if each["best"]]
    assert marked[-1]["tokens"] == found["found"][0]["tokens"]
    lines = explain("beam", "translator.npz", "--text", "cab", "--beam", "2").lines
    assert sum(line.startswith("* ") for line in lines) == len(marked) + 1
    assert max(map(len, lines)) <= 80
    assert any("dropped, below -" in line for line in lines)


def test_a_text_from_stdin_is_read_as_one_that_is_typed(explain):
    piped = explain("attention", "translator.npz", "--text", "-", "--json", stdin=b"cab\n")
    assert piped.out == explain("attention", "translator.npz", "--text", "cab", "--json").out


def test_letters_that_are_unknown_are_named(explain):
    done = explain("beam", "translator.npz", "--text", "cäb 水")
    assert done.code == 0
    assert done.err == "3 characters of --text unknown to the model: ä, ' ', 水\n"
    assert max(map(len, done.lines)) <= 80


@pytest.mark.parametrize("subject", ["attention", "beam"])
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["translator.npz"], 2, "takes texts: give one with --text"),
        (["translator.npz", "square.png"], 2, "takes texts, not 'square.png'"),
        (["translator.npz", "--text", ""], 2, "--text has 0 characters: expected 1 to 10,000"),
        (["translator.npz", "--text", "-"], 1, "stdin has 0 characters"),
        (["captioner.npz"], 2, "takes pictures: name one"),
        (["captioner.npz", "--text", "cab"], 2, "takes pictures, not 'cab': name one"),
        (["captioner.npz", "square.png", "--text", "a"], 2, "takes pictures, not 'a': name one"),
        (["translator.npz", "square.png", "--text", "a"], 2, "takes texts, not 'square.png'"),
        (["captioner.npz", "missing.png"], 1, "missing.png"),
        (["captioner.npz", "translator.npz"], 1, "translator.npz"),
        (["tagger.npz", "--text", "a"], 1, "is a tagger, which says no text"),
        (["missing.npz", "--text", "a"], 1, "missing.npz"),
    ],
)
def test_what_makes_no_sense_is_one_line(explain, subject, words, code, message):
    done = explain(subject, *words)
    assert (done.code, done.out) == (code, b""), done.err
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("subject", ["attention", "beam"])
def test_only_what_says_texts_is_expected_in_place_of_an_image_model(explain, folder, subject):
    darkness_model(folder / "dark.npz")
    done = explain(subject, "dark.npz", "--text", "a")
    assert (done.code, done.out) == (1, b"")
    assert done.err == "cnntool: dark.npz is an image model: expected a translator or captioner\n"


def test_a_step_beyond_what_is_said_is_one_line(explain):
    done = explain("attention", "translator.npz", "--text", "cab", "--step", "99")
    assert (done.code, done.out) == (2, b"")
    assert "--step 99: translator.npz says" in done.err
