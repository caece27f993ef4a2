"""What `cnntool explain bptt` says, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from text_models import write_text_models

from cnntool.cli.explain.bptt import _verdict
from cnntool.explain.recurrent import GradientFlow


@pytest.fixture
def bptt(cnntool, folder):
    write_text_models(folder)
    return lambda *options: cnntool("explain", "bptt", "chars.npz", "text.txt", *options)


def test_a_gain_makes_untrained_cells_vanish_and_explode(bptt):
    factors = {}
    for gain in ("0.5", "1", "2"):
        done = bptt("--compare", "rnn", "--gain", gain, "--json")
        trained, cell = json.loads(done.out)["cells"]
        factors[gain] = cell["factors"]["rnn1.h"], trained["factors"]["lstm1.h"]
    assert factors["0.5"][0] < 0.55
    assert factors["1"][0] < 1.03
    assert factors["2"][0] > 1.2
    assert len({own for _, own in factors.values()}) == 1
    assert "fresh rnn, gain 2" in bptt("--compare", "rnn", "--gain", "2").out.decode()


def test_what_is_gone_is_said(bptt):
    done = bptt("--compare", "rnn", "--gain", "1e-300", "--steps", "9")
    assert b"rnn1.h: nothing of it is left after " in done.out
    assert done.err == ""


def test_a_gain_needs_untrained_cells(bptt):
    done = bptt("--gain", "2")
    assert (done.code, done.out) == (2, b"")
    assert done.err == (
        "cnntool: --gain is of cells beside it: name them, such as with --compare rnn\n"
    )


@pytest.mark.parametrize("gain", ["0", "-1", "nan", "inf", "x", ""])
def test_what_is_no_gain_is_refused(bptt, gain):
    done = bptt("--compare", "rnn", "--gain", gain)
    assert (done.code, done.out) == (2, b"")
    assert done.err.count("\n") == 1


def test_a_binary_file_is_told_an_option_that_there_is(bptt, folder):
    (folder / "text.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    done = bptt()
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.endswith("and NUL; a text takes its --encoding\n")


def test_a_text_shorter_than_the_steps_is_refused(bptt, folder):
    (folder / "text.txt").write_text("ab\n", encoding="utf-8")
    done = bptt("--steps", "30")
    assert (done.code, done.out) == (1, b"")
    assert "text.txt has 3 tokens, and 30 steps back need 31" in done.err


@pytest.mark.parametrize(
    ("factor", "steps", "verdict"),
    [
        (0.99, 300, "a tenth every 229.1 steps: it vanishes"),
        (0.99, 30, "it keeps its size"),
        (1.01, 300, "it explodes"),
        (0.5, 2, "it vanishes"),
        (1.0, 1, "there is nothing to compare"),
    ],
)
def test_the_verdict_is_of_a_step_and_of_all_together(factor, steps, verdict):
    norms = np.array([0.0, *(float(factor) ** np.arange(steps))])
    assert _verdict("rnn1.h", GradientFlow("rnn", {"rnn1.h": norms})).endswith(verdict)


def test_what_is_left_is_of_the_gradient_at_the_output():
    """Of a state that the output reads that is k = 0, of others k = 1."""
    norms = 0.5 ** np.arange(21)
    flow = GradientFlow("lstm", {"lstm1.h": norms, "lstm1.c": np.array([0.0, *norms[:-1]])})
    assert _verdict("lstm1.h", flow).startswith("lstm1.h: x 0.500 a step, 9.5e-07 of it is left af")
    assert "9.5e-07 of it is left after 20 steps" in _verdict("lstm1.h", flow)
    assert "1.9e-06 of it is left after 19 steps" in _verdict("lstm1.c", flow)


def test_cells_that_learned_to_remember_show_what_gates_are_for(bptt):
    """Where an lstm and a gru recall what was long ago, their gradient has come all the way."""
    done = bptt("--compare", "rnn,lstm,gru", "--steps", "30", "--json")
    _, rnn, lstm, gru = json.loads(done.out)["cells"]
    for cell, path in ((lstm, "lstm1.c"), (gru, "gru1.h")):
        assert cell["recalled"] > 0.9
        assert cell["norms"][path][30] / cell["norms"][path][1] > 0.2
        ((_, kept),) = cell["kept"].items()
        assert kept > 0.85
    assert rnn["norms"]["rnn1.h"][30] / rnn["norms"]["rnn1.h"][0] < 0.01
    assert rnn["kept"]["rnn1"] < 0.5
    shown = bptt("--compare", "gru", "--steps", "12").out.decode()
    assert "gru that learned to remember" in shown
    assert "it keeps its size" in shown
    assert "gru1: on average reset 0." in shown
    assert "of the first tokens 12 steps later" in shown
