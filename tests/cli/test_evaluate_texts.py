"""Measuring texts: encodings, terminals without colour, and counts."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from text_models import text_of, write_text_models

from cnntool.cli import text_evaluation


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
    monkeypatch.setattr(text_evaluation, "console", lambda: screen)
    text_evaluation.evaluate_language_model(
        "words.npz", "text.txt", None, None, as_json=False, tokens=True, quiet=True
    )
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
