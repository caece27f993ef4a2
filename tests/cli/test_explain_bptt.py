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
        "cnntool: --gain is of untrained cells: name them, such as with --compare rnn\n"
    )


@pytest.mark.parametrize("gain", ["0", "-1", "nan", "inf", "x", ""])
def test_what_is_no_gain_is_refused(bptt, gain):
    done = bptt("--compare", "rnn", "--gain", gain)
    assert (done.code, done.out) == (2, b"")
    assert done.err.count("\n") == 1


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
