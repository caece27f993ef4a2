"""Measuring texts: encodings, terminals without colour, and counts."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from text_models import text_of, write_text_models

from cnntool.cli import evaluation_texts
from cnntool.cli.evaluate import Asked, measure_text


@pytest.fixture
def evaluate(cnntool, folder):
    write_text_models(folder)
    return lambda *options, **stdin: cnntool("evaluate", *options, **stdin)


@pytest.mark.parametrize("model", ["words.npz", "chars.npz"])
def test_a_text_in_another_encoding_is_the_same_text(evaluate, model):
    Path("other.txt").write_text(text_of(9), encoding="utf-16")
    Path("same.txt").write_text(text_of(9), encoding="utf-8")
    refused = evaluate(model, "other.txt")
    assert (refused.code, refused.out) == (1, b"")
    assert "set --encoding utf-16" in refused.err
    found, same = (
        json.loads(evaluate(model, *options, "--json").out)
        for options in (["other.txt", "--encoding", "utf-16"], ["same.txt"])
    )
    assert found | {"text": ""} == same | {"text": ""}


@pytest.mark.parametrize("command", ["evaluate", "explain bptt", "generate"])
def test_what_is_no_encoding_is_refused(cnntool, evaluate, command):
    text = ["--prime", "-"] if command == "generate" else ["text.txt"]
    done = cnntool(*command.split(), "words.npz", *text, "--encoding", "utf-99", stdin=b"a")
    assert (done.code, done.out) == (2, b"")
    assert "--encoding 'utf-99' is no encoding of text: did you mean 'utf-8'?" in done.err


def test_a_beginning_is_read_in_another_encoding(cnntool, evaluate):
    options = ["chars.npz", "-n", "9", "--seed", "1", "-q", "--prime"]
    piped = cnntool(
        "generate", *options, "-", "--encoding", "utf-16", stdin="the dog".encode("utf-16")
    )
    assert piped.code == 0
    assert piped.out == cnntool("generate", *options, "the dog").out


def test_what_training_held_out_is_found_again(cnntool, folder):
    Path("text.txt").write_text(text_of(60), encoding="utf-8")
    small = ["--embed-size", "6", "--hidden-size", "8", "--batch-size", "4", "--processes", "1"]
    trained = json.loads(cnntool("train-lstm", "text.txt", *small, "-q", "--json").out)

    def measured(*options, **stdin):
        return json.loads(cnntool("evaluate", "model.npz", *options, "--json", "-q", **stdin).out)

    held, learned, every = (
        measured("text.txt", *part) for part in ([], ["--part", "train"], ["--part", "all"])
    )
    assert (held["part"], learned["part"], every["part"]) == ("validation", "train", "all")
    assert held["loss"] == pytest.approx(trained["best"]["validation_loss"], rel=1e-6)
    assert held["tokens"] + learned["tokens"] + 1 == every["tokens"]  # the first token of each
    assert [found["learned_from"] for found in (held, learned, every)] == [False, True, True]
    text = text_of(9, seed=5)
    other = measured("-", stdin=text.encode())
    assert (other["part"], other["learned_from"]) == ("all", False)
    nats = other["loss"] * other["tokens"] / len(text)
    assert other["bits_per_character"] == pytest.approx(nats / np.log(2), rel=1e-6)
    assert held["bits_per_character"] is None  # where a part of words begins is not known


@pytest.mark.parametrize(
    ("model", "options", "text", "code", "message"),
    [
        ("chars.npz", ["--part", "validation"], b"the cat\n", 2, "has no validation part"),
        ("chars.npz", [], b"a\0b\n", 1, "holds NUL in line 1, which text never does: a text takes"),
        ("broken.npz", [], b"the cat\n", 1, "gives numbers that are not finite"),
    ],
)
def test_what_cannot_be_measured_is_one_line(evaluate, model, options, text, code, message):
    with np.load("words.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["params/embedding.weight"][...] = arrays["params/lstm1.w_input"][...] = 1e38
    arrays["params/lstm1.w_hidden"][...] = -3e38  # infinity minus infinity
    np.savez("broken.npz", **arrays)
    done = evaluate(model, "-", *options, stdin=text)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_one_word_is_counted_as_one(evaluate):
    out = evaluate("words.npz", "-", stdin=b"the\n").out
    assert b"words.npz on -  1 word, all" in out


def test_bits_of_a_character_are_those_of_the_characters_that_were_predicted(evaluate):
    found = json.loads(evaluate("chars.npz", "-", "--json", stdin=b"a").out)
    assert found["tokens"] == 1  # the newline; the first character is given
    assert found["bits_per_character"] == found["bits_per_token"]


@pytest.mark.parametrize(
    ("settings", "is_json"),
    [
        ({"color_system": "truecolor"}, False),
        ({"color_system": "truecolor", "no_color": True}, True),
        ({"color_system": None}, True),
    ],
)
def test_surprisals_are_numbers_where_colours_are_not_seen(
    evaluate, monkeypatch, capsys, settings, is_json
):
    file = io.StringIO()
    screen = Console(file=file, force_terminal=True, width=80, **settings)
    monkeypatch.setattr(evaluation_texts, "console", lambda: screen)
    measure_text(Asked("words.npz", ("text.txt",), tokens=True, quiet=True))
    lines = capsys.readouterr().out.splitlines()
    assert bool(lines) == is_json
    assert bool(file.getvalue()) != is_json
    if is_json:
        assert json.loads(lines[1])["bits"] > 0


def test_characters_are_shown_in_quotes(cnntool, evaluate):
    out = cnntool("info", "chars.npz").out.decode()
    assert "<unk>, ' '," in out
    assert "'\\n'" in out
    assert "<unk>, the, " in cnntool("info", "words.npz").out.decode()


def test_a_terminal_obeys_nothing_of_a_text_that_is_coloured(cnntool, folder, monkeypatch):
    text = "\x1b[31mred\x1b[0m \x07bell\n" * 30
    Path("escape.txt").write_text(text, encoding="utf-8")
    assert cnntool("train-lstm", "escape.txt", "--level", "char", "-q").code == 0
    file = io.StringIO()
    screen = Console(file=file, force_terminal=True, color_system="truecolor", width=80)
    monkeypatch.setattr(evaluation_texts, "console", lambda: screen)
    measure_text(Asked("model.npz", ("escape.txt",), part="all", tokens=True, quiet=True))
    shown = re.sub(r"\x1b\[[\d;]*m", "", file.getvalue())
    assert r"\x1b[31mred\x1b[0m \x07bell↵" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
