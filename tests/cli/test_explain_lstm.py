"""What `cnntool explain lstm` shows and refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from processes import run_here
from sequence_models import write_sequence_models
from text_models import write_text_models

from cnntool.networks.model import load_trained


@pytest.fixture
def explain(cnntool, folder):
    write_text_models(folder)
    return lambda *options, **stdin: cnntool("explain", "lstm", *options, **stdin)


def test_the_last_state_is_that_of_the_model_that_read_the_text(explain):
    done = explain("words.npz", "--text", "the cat sat", "--unit", "3", "--json")
    trained = load_trained("words.npz", "rnn")
    ids = trained.vocabulary.encode("the cat sat")
    states = trained.network.forward(ids[:, None])[1].states
    h, c = states["lstm1.h"], states["lstm1.c"]
    last = json.loads(done.out)["tokens"][-1]
    np.testing.assert_allclose([last["h"], last["c"]], [h[0, 3], c[0, 3]], rtol=1e-6)


def test_a_text_from_stdin_is_read_as_one_that_is_typed(explain):
    piped = explain("words.npz", "--text", "-", "--json", stdin=b"the cat\r\nsat\n")
    assert piped.out == explain("words.npz", "--text", "the cat\nsat", "--json").out
    assert (piped.code, piped.err) == (0, "")


def test_other_models_are_told_what_shows_their_gates(explain, folder):
    write_sequence_models(folder, "tagger")
    done = explain("tagger.npz", "--text", "St")
    assert (done.code, done.out) == (1, b"")
    assert "tagger.npz is a tagger: expected a language model" in done.err
    assert "`cnntool visualize states tagger.npz`" in done.err
    assert done.err.count("\n") == 1


def test_no_other_model_is_told_what_refuses_it(explain, folder):
    write_sequence_models(folder, "series", "captioner")
    done = explain("series.npz", "--text", "1")
    assert done.err.endswith("series.npz is a classifier: expected a language model\n")
    done = explain("captioner.npz", "--text", "1")
    assert "`cnntool explore captioner.npz` shows what it makes of an image" in done.err
    assert run_here("explore", "captioner.npz").code == 0


def test_a_few_unknown_words_are_named_and_the_others_counted(explain):
    done = explain("words.npz", "--text", " ".join(f"zz{index}" for index in range(50)))
    assert done.code == 0
    assert done.err == (
        "50 words of --text unknown to the model: zz0, zz1, zz2, zz3, zz4, zz5, zz6, zz7 and 42 "
        "more\n"
    )


@pytest.mark.parametrize(
    ("options", "stdin", "code", "message"),
    [
        (["--text", ""], b"", 2, "--text has 0 tokens: expected 1 to 10,000, write a text"),
        (["--text", "a " * 10_001], b"", 2, "--text has 10,001 tokens"),
        (["--text", "-"], b"", 1, "stdin has 0 tokens"),
        (["--text", "-"], b"caf\xe9", 1, "is not UTF-8: convert it to UTF-8 with iconv\n"),
        (["--text", "-"], b"a\0b", 1, "text never does: convert it to UTF-8 with iconv\n"),
        (["--text", "the", "--unit", "8"], b"", 2, "words.npz has units 0 to 7"),
        (["--text", "the", "--layer", "2"], b"", 2, "words.npz has layer 1"),
    ],
)
def test_what_makes_no_sense_is_one_line(explain, options, stdin, code, message):
    done = explain("words.npz", *options, stdin=stdin)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert done.err.count("\n") == 1
