"""Medians by each of the ways against NumPy's, window by window."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntool.engine import median_pool2d, medians, pool_windows
from cnntool.engine.fast.threads import available_cores

RNG = np.random.default_rng(0)


def by_hand(x: np.ndarray, size, stride, padding, dilation=(1, 1)) -> np.ndarray:
    """numpy.median of what is inside of each window, integers rounded half up."""
    spans = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    sides = [
        (n + 2 * p - span) // s + 1
        for n, p, span, s in zip(x.shape, padding, spans, stride, strict=True)
    ]
    out = np.empty(sides)
    for i, j in np.ndindex(*sides):
        read = [
            [q for q in range(k * s - p, k * s - p + span, d) if 0 <= q < n]
            for k, s, p, span, d, n in zip(
                (i, j), stride, padding, spans, dilation, x.shape, strict=True
            )
        ]
        out[i, j] = np.median(x[np.ix_(*read)])
    return np.floor(out + 0.5) if x.dtype.kind in "iu" else out


def check(x: np.ndarray, size, stride=(1, 1), padding=(0, 0), dilation=(1, 1)) -> None:
    found = median_pool2d(x[None, None], size, stride, padding, dilation)[0, 0]
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, by_hand(x, size, stride, padding, dilation))


@pytest.mark.parametrize("values", ["noise", "two", "black", "white", "slope"])
@pytest.mark.parametrize("size", [(21, 21), (20, 22), (31, 15), (2, 201)])
def test_counting(values, size):
    x = {
        "noise": RNG.integers(0, 256, (40, 210)),
        "two": RNG.integers(0, 2, (40, 210)) * 255,
        "black": np.zeros((40, 210)),
        "white": np.full((40, 210), 255),
        "slope": np.add.outer(np.arange(40), np.arange(210)),
    }[values].astype(np.uint8)
    check(x, size, stride=(5, 7), padding=(size[0] // 2, size[1] // 2))
    check(x, size, stride=(3, 1))


@settings(max_examples=40)
@given(st.data())
def test_counting_and_partition_agree_with_each_other(data):
    """Of random windows; which of the two it is, the number of taps decides."""
    draw = data.draw
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    padding = tuple(draw(st.integers(0, side // 2)) for side in size)
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    levels = draw(st.sampled_from([2, 5, 256]))
    x = np.random.default_rng(draw(st.integers(0, 9))).integers(0, levels, (2, 2, 19, 23))
    x = x.astype(np.uint8)
    fewest = medians.FEWEST_COUNTED, medians.MOST_SORTED
    try:
        found = []
        for medians.FEWEST_COUNTED, medians.MOST_SORTED in ((1, 0), (10**6, 0), (10**6, 10**6)):
            if np.prod(size) <= 40 or medians.MOST_SORTED == 0:
                found.append(median_pool2d(x, size, stride, padding))
    finally:
        medians.FEWEST_COUNTED, medians.MOST_SORTED = fewest
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8", "?"])
@pytest.mark.parametrize("size", [(9, 9), (8, 9)])
def test_partition(kind, size):
    x = (RNG.standard_normal((30, 25)) * 99).astype(kind)
    if kind == "?":
        assert median_pool2d(x[None, None], size, 3).dtype == bool
        return
    check(x, size, stride=(2, 3), padding=(4, 4))
    check(x, size, dilation=(2, 1), padding=(3, 0))


def test_blocks_leave_no_seams(monkeypatch):
    x = RNG.integers(0, 256, (2, 3, 60, 41), dtype=np.uint8)
    whole = median_pool2d(x, 21, 1, 10)
    monkeypatch.setattr(medians, "COUNTED_INPUTS", 300)
    monkeypatch.setattr(medians, "MOST_GATHERED", 3000)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    np.testing.assert_array_equal(median_pool2d(x, 21, 1, 10), whole)
    monkeypatch.setattr(medians, "FEWEST_COUNTED", 10**6)
    np.testing.assert_array_equal(median_pool2d(x, 21, 1, 10), whole)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_wide_pictures_take_no_more_memory(kind):
    x = np.zeros((1, 1, 31, 20_000), kind)
    tracemalloc.start()
    found = median_pool2d(x, 31, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (1, 1, 1, 19_970)
    assert peak < 16_000_000 * available_cores()


@pytest.mark.parametrize("count", range(1, 65))
def test_the_network_brings_every_rank_to_its_wire(count):
    rng = np.random.default_rng(count)
    taps = list(rng.integers(0, 50, (count, 200)))
    ranks = (count - 1) // 2, count // 2
    low, high = medians._ordered(taps, ranks)
    expected = np.sort(taps, axis=0)
    np.testing.assert_array_equal(low, expected[ranks[0]])
    np.testing.assert_array_equal(high, expected[ranks[1]])
