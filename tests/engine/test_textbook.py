"""The one switch of all fast ways: results agree with and without."""

import threading

import numpy as np
import pytest
from operations import OPERATIONS

from cnntool.engine import losses, max_pooling, textbook
from cnntool.engine.cells import gru, lstm, rnn
from cnntool.engine.fast import is_textbook, samples_innermost, winograd

ROUNDING = {np.float32: 1e-5, np.float64: 1e-12}


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_results_agree_with_and_without_fast_ways(operation, dtype):
    arrays = operation.arrays(dtype)
    fast = operation.results(*arrays)
    with textbook():
        plain = operation.results(*arrays)
    assert len(fast) == len(plain) > 0
    for ours, expected in zip(fast, plain, strict=True):
        assert (ours.shape, ours.dtype) == (expected.shape, expected.dtype)
        limit = ROUNDING[dtype] * max(1, np.abs(expected).max())
        np.testing.assert_allclose(ours, expected, rtol=0, atol=limit)


def test_no_fast_way_runs_while_all_are_off(monkeypatch):
    def run(*_, **__):
        raise AssertionError("a fast way")

    for module, names in {
        samples_innermost: ("convolve", "gradients"),
        winograd: ("convolve", "gradients"),
        max_pooling: ("largest_with_places",),
        rnn: ("_run",),
        lstm: ("_run", "_run_back"),
        gru: ("_run", "_run_back"),
        losses: ("_scored",),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, run)
    with textbook():
        for operation in OPERATIONS:
            operation.results(*operation.arrays(np.float32))


def test_the_switch_holds_on_all_threads_and_ends_with_the_outermost_block():
    seen = []
    with textbook():
        with textbook():
            pass
        thread = threading.Thread(target=lambda: seen.append(is_textbook()))
        thread.start()
        thread.join()
    assert seen == [True]
    assert not is_textbook()


def test_the_switch_is_back_after_an_error():
    with pytest.raises(KeyError), textbook():
        raise KeyError
    assert not is_textbook()
