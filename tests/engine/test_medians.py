"""Medians by each of the ways against NumPy's, window by window."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntool.engine import median_pool2d, medians, pool_windows, textbook
from cnntool.engine.fast import median_counts
from cnntool.engine.fast.threads import available_cores
from cnntool.engine.windows import plan_axis

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


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "f4"])
@pytest.mark.parametrize("size", [15, 51])
def test_large_odd_windows_are_scipys_median_filter(kind, size):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = (RNG.standard_normal((70, 64)) * 30).clip(-128, 127).astype(kind)
    y = median_pool2d(x[None, None], size, stride=1, padding=size // 2)[0, 0]
    inside = slice(size // 2, -(size // 2))
    expected = ndimage.median_filter(x, size)
    np.testing.assert_array_equal(y[inside, inside], expected[inside, inside])


@settings(max_examples=60)
@given(st.data())
def test_counting_partition_and_the_network_agree_with_each_other(data):
    """Of random windows; which of the three it is, the number of taps decides."""
    draw = data.draw
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = tuple(
        draw(st.integers(0, ((side - 1) * apart + 1) // 2))
        for side, apart in zip(size, dilation, strict=True)
    )
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    levels = draw(st.sampled_from([1, 2, 5, 256]))
    x = np.random.default_rng(draw(st.integers(0, 9))).integers(0, levels, (2, 2, 25, 27))
    x = x.astype(draw(st.sampled_from(["u1", "i2", "f4"])))
    windows = x, size, stride, padding, dilation
    with pytest.MonkeyPatch.context() as patch:
        if np.prod(size) <= 40:
            patch.setattr(medians, "MOST_SORTED", 40)
            found = median_pool2d(*windows)
        patch.setattr(medians, "MOST_SORTED", 0)
        with textbook():
            partitioned = median_pool2d(*windows)
        patch.setattr(median_counts, "is_suited", lambda *_: True)
        counted = median_pool2d(*windows)
    np.testing.assert_array_equal(counted, partitioned)
    if np.prod(size) <= 40:
        np.testing.assert_array_equal(found, partitioned)


@pytest.mark.parametrize("kernel_size", [(140, 3), (3, 300)])
def test_windows_higher_than_a_byte_counts_are_counted(kernel_size, monkeypatch):
    x = RNG.integers(0, 2, (1, 1, 300, 320)).astype(np.uint8) * 255
    x[..., 100:103], x[..., 103:106] = 0, 255  # columns of which all pixels come or go at once
    with textbook():
        expected = median_pool2d(x, kernel_size, (3, 1), (1, 1))
    monkeypatch.setattr(median_counts, "is_suited", lambda *_: True)  # which so few windows are not
    np.testing.assert_array_equal(median_pool2d(x, kernel_size, (3, 1), (1, 1)), expected)


def test_windows_that_reach_too_far_are_not_counted():
    """Places have 16 bits, and columns that are a dilation apart have counts of their own."""
    wide = pool_windows.plan_pool((1, 200_000), (1, 250), (300, 1), (0, 37_350), (1, 300))
    assert not median_counts.is_suited(np.dtype(np.float32), *wide)
    apart = pool_windows.plan_pool((99, 1000), (15, 15), 1, (7, 70_000), (1, 10_000))
    assert not median_counts.is_suited(np.dtype(np.uint8), *apart)
    near = pool_windows.plan_pool((99, 1000), (15, 15), 1, (7, 14), (1, 2))
    assert median_counts.is_suited(np.dtype(np.uint8), *near)


def test_windows_of_more_pixels_than_counts_have_room_for_are_not_counted():
    most, over = (pool_windows.plan_pool((500, 500), size, 1, size // 2, 1) for size in (181, 182))
    assert median_counts.is_suited(np.dtype(np.uint8), *most)
    assert not median_counts.is_suited(np.dtype(np.uint8), *over)
    long = pool_windows.plan_pool((300, 64_000), (1, 32_000), 1, (0, 16_000), 1)
    assert median_counts.is_suited(np.dtype(np.uint8), *long)
    assert not median_counts.is_suited(np.dtype(np.float32), *long)  # too many are put in order


def test_values_that_are_not_finite_are_ordered_like_any_other():
    x = RNG.standard_normal((1, 1, 60, 70)).astype(np.float32)
    x[0, 0, ::3, ::2] = np.inf
    x[0, 0, 1::3] = -np.inf
    x[0, 0, 40:, 60:] = np.nan
    with textbook():
        expected = median_pool2d(x, 21, 1, 10)
    np.testing.assert_array_equal(median_pool2d(x, 21, 1, 10), expected)
    assert np.isnan(expected).any()


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8", "?"])
@pytest.mark.parametrize("size", [(9, 9), (8, 9)])
def test_partition(kind, size):
    x = (RNG.standard_normal((30, 25)) * 99).astype(kind)
    if kind == "?":
        assert median_pool2d(x[None, None], size, 3).dtype == bool
        return
    check(x, size, stride=(2, 3), padding=(4, 4))
    check(x, size, dilation=(2, 1), padding=(3, 0))


@pytest.mark.parametrize("kind", ["u1", "f4"])
def test_blocks_leave_no_seams(monkeypatch, kind):
    x = RNG.integers(0, 256, (2, 3, 60, 41)).astype(kind)
    whole = median_pool2d(x, 21, 1, 10)
    monkeypatch.setattr(median_counts, "SIDE", 8)
    monkeypatch.setattr(median_counts, "LINES", 7)
    monkeypatch.setattr(median_counts, "LENGTH", 9)
    monkeypatch.setattr(median_counts, "MOST_COMPARED", 1000)
    monkeypatch.setattr(medians, "MOST_GATHERED", 3000)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    np.testing.assert_array_equal(median_pool2d(x, 21, 1, 10), whole)
    with textbook():
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


def test_tall_windows_are_counted_in_little_memory():
    plane = np.random.default_rng(0).integers(0, 256, (4097, 400), dtype=np.uint8)
    rows, columns = plan_axis(4097, 4095), plan_axis(400, 1)
    tiles = median_counts.tiles(plane.dtype, rows, columns)
    for (below, down, tall), (right, across, narrow) in (tiles[0], tiles[-1]):
        tracemalloc.start()
        try:
            low, high = median_counts.middle_two(plane[down, across], tall, narrow)
            assert tracemalloc.get_traced_memory()[1] < 12_000_000
        finally:
            tracemalloc.stop()
        windows = np.lib.stride_tricks.sliding_window_view(plane, 4095, axis=0)
        np.testing.assert_array_equal(low, np.median(windows[below, right], axis=-1))
        np.testing.assert_array_equal(high, low)
