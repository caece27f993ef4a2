"""Borders made up on the way, against NumPy's pad of the whole signal."""

import numpy as np
import pytest
from borders import NUMPY_MODE
from hypothesis import given
from hypothesis import strategies as st

from cnntool.signals import borders
from cnntool.signals.borders import with_borders


def whole(blocks) -> np.ndarray:
    return np.concatenate(list(blocks), axis=1)


@given(
    length=st.integers(1, 40),
    before=st.integers(0, 60),
    after=st.integers(0, 60),
    cuts=st.lists(st.integers(1, 39), max_size=5),
    border=st.sampled_from(sorted(NUMPY_MODE)),
    channels=st.integers(1, 2),
)
def test_blocks_with_borders_are_numpys_padded_signal(
    length, before, after, cuts, border, channels
):
    x = np.random.default_rng(length).normal(size=(channels, length))
    blocks = np.split(x, sorted(cut for cut in cuts if cut < length), axis=1)
    ours = whole(with_borders((b for b in blocks if b.shape[1]), before, after, border, 3.5))
    settings = {"constant_values": 3.5} if border == "constant" else {}
    expected = np.pad(x, ((0, 0), (before, after)), NUMPY_MODE[border], **settings)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("border", NUMPY_MODE)
@pytest.mark.parametrize("sides", [1, 2, 5, 12, 13, 30])
def test_blocks_of_one_sample_have_the_same_borders(border, sides):
    x = np.random.default_rng(0).normal(size=(1, 13))
    ours = whole(with_borders(iter(np.split(x, 13, axis=1)), sides, sides, border))
    np.testing.assert_array_equal(ours, np.pad(x, ((0, 0), (sides, sides)), NUMPY_MODE[border]))


@pytest.mark.parametrize(("before", "after"), [(3, 2), (150, 140)])
def test_wrap_reads_long_signals_back_from_disk(monkeypatch, before, after):
    monkeypatch.setattr(borders, "BLOCK", 8)
    x = np.arange(200.0).reshape(2, 100)
    ours = whole(with_borders(iter(np.split(x, 10, axis=1)), before, after, "wrap"))
    np.testing.assert_array_equal(ours, np.pad(x, ((0, 0), (before, after)), "wrap"))


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "mirror"])
def test_only_what_the_borders_repeat_is_read_ahead(border):
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield np.ones((1, 10))

    first = next(with_borders(blocks(), 25, 25, border))
    assert first.shape == (1, 25)
    assert taken <= 3


def test_nothing_has_no_borders():
    assert list(with_borders(iter([]), 3, 3)) == []
    assert list(with_borders(iter([]), 3, 3, "wrap")) == []
