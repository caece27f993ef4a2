"""Pools of images (H, W, C) against the same pools of maps, and their memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_geometry import geometries

from cnntool.engine import pool_windows
from cnntool.engine.bin_pooling import (
    adaptive_pool2d,
    pool_image_to_size,
    pyramid_pool2d,
    pyramid_pool_image,
)
from cnntool.engine.image_pooling import median_pool2d, min_pool2d, pool_image
from cnntool.engine.max_pooling import max_pool2d
from cnntool.engine.pooling import average_pool2d, gaussian_pool2d, lp_pool2d

MAPS = {
    "max": lambda x, **windows: max_pool2d(x, **windows)[0],
    "min": min_pool2d,
    "median": median_pool2d,
    "average": lambda x, **windows: average_pool2d(x, **windows)[0],
    "lp": lambda x, **windows: lp_pool2d(x, p=3, mean=True, **windows)[0],
    "gaussian": lambda x, **windows: gaussian_pool2d(x, sigma=0.9, **windows)[0],
}
DTYPES = st.sampled_from([np.uint8, np.uint16, np.float32, np.float64])


@given(
    geometries(),
    st.integers(0, 1 << 30),
    DTYPES,
    st.sampled_from([1, 2, 3, 4, 9]),
    st.sampled_from([1, 2]),
)
def test_each_channel_is_pooled_like_a_map(geometry, seed, dtype, channels, threads):
    shape, windows = geometry
    image = np.random.default_rng(seed).integers(0, 256, (*shape, channels)).astype(dtype)
    x = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
    for mode, pool in MAPS.items():
        y = pool_image(image, mode, **windows, p=3, mean=True, sigma=0.9, threads=threads)
        expected = pool(x, **windows)
        assert y.dtype == expected.dtype, mode
        np.testing.assert_allclose(y.transpose(2, 0, 1)[None], expected, rtol=1e-5, err_msg=mode)


@pytest.mark.parametrize("mode", MAPS)
def test_blocks_and_threads_leave_no_seams(monkeypatch, mode):
    image = np.random.default_rng(0).integers(0, 256, (37, 23, 3), dtype=np.uint8)
    windows = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    whole = pool_image(image, mode, **windows)
    monkeypatch.setattr(pool_windows, "BLOCK_ELEMENTS", 40)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    in_pieces = pool_image(image, mode, **windows, threads=3)
    np.testing.assert_allclose(in_pieces, whole, rtol=1e-6)


def test_padding_counts_where_it_is_asked_to():
    image = np.full((3, 3, 2), 90, np.uint8)
    y = pool_image(image, "average", 3, 3, 1, count_include_pad=True)
    np.testing.assert_allclose(y[0, 0], 40)  # 4 of 9
    np.testing.assert_allclose(pool_image(image, "average", 3, 3, 1)[0, 0], 90)


def test_a_last_partial_window_is_kept_or_dropped():
    image = np.arange(25, dtype=np.float32).reshape(5, 5, 1)
    assert pool_image(image, "max", 2).shape == (2, 2, 1)
    partial = pool_image(image, "average", 2, ceil_mode=True)
    assert partial.shape == (3, 3, 1)
    assert partial[2, 2] == 24
    assert partial[2, 0] == 20.5


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 30)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    DTYPES,
    st.sampled_from([1, 3]),
)
def test_pools_to_a_size_are_adaptive(shape, output_size, dtype, channels):
    image = np.random.default_rng(0).integers(0, 256, (*shape, channels)).astype(dtype)
    x = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
    for mode in ("max", "average", "gaussian"):
        expected = adaptive_pool2d(x, output_size, mode)[0]
        y = pool_image_to_size(image, output_size, mode)
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.transpose(2, 0, 1)[None], expected, rtol=1e-5)
        features = pyramid_pool_image(image, (1, 2, 3), mode)
        np.testing.assert_allclose(features, pyramid_pool2d(x, (1, 2, 3), mode)[0][0], rtol=1e-5)
    smallest = pool_image_to_size(image, output_size, "min")
    expected = -adaptive_pool2d(-x.astype(np.float64), output_size)[0]
    np.testing.assert_array_equal(smallest.transpose(2, 0, 1)[None], expected)


def bins(size, count):
    """PyTorch's: from floor(i * size / count) up to ceil((i + 1) * size / count)."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 30)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([np.int8, np.uint16, np.float32, np.float64]),
    st.sampled_from([1, 2, 3.5, np.inf]),
    st.booleans(),
)
def test_a_norm_to_a_size_is_that_of_each_bin(shape, output_size, dtype, p, mean):
    image = np.random.default_rng(0).integers(-100, 100, (*shape, 2)).astype(dtype)
    before = image.copy()
    y = pool_image_to_size(image, output_size, "lp", p=p, mean=mean)
    assert y.dtype == (np.float64 if dtype == np.float64 else np.float32)
    features = pyramid_pool_image(image, (1, 2), "lp", p=p, mean=mean)
    assert features.shape == (2 * (1 + 4),)
    for channel in range(2):
        plane = image[..., channel].astype(np.float64)
        for i, rows in enumerate(bins(shape[0], output_size[0])):
            for j, columns in enumerate(bins(shape[1], output_size[1])):
                window = plane[rows, columns].ravel()
                expected = np.linalg.norm(window, p)
                if mean and p != np.inf:
                    expected /= window.size ** (1 / p)
                np.testing.assert_allclose(y[i, j, channel], expected, rtol=1e-5)
        whole = np.linalg.norm(plane.ravel(), p)
        whole /= plane.size ** (1 / p) if mean and p != np.inf else 1
        np.testing.assert_allclose(features[channel], whole, rtol=1e-5)
    np.testing.assert_array_equal(image, before)


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 30)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([np.uint8, np.float32]),
    st.integers(0, 1 << 30),
)
def test_a_median_to_a_size_is_that_of_each_bin(shape, output_size, dtype, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 2)).astype(dtype)
    before = image.copy()
    y = pool_image_to_size(image, output_size, "median")
    assert y.dtype == dtype
    for i, rows in enumerate(bins(shape[0], output_size[0])):
        for j, columns in enumerate(bins(shape[1], output_size[1])):
            expected = np.median(image[rows, columns].astype(float), axis=(0, 1))
            if dtype == np.uint8:
                expected = np.floor(expected + 0.5)
            np.testing.assert_array_equal(y[i, j], expected)
    np.testing.assert_array_equal(image, before)


def test_a_nan_is_the_median_of_its_bin_alone():
    image = np.ones((7, 7, 1), np.float32)
    image[0, 0] = np.nan
    y = pool_image_to_size(image, 3, "median")
    assert np.isnan(y[0, 0])
    np.testing.assert_array_equal(y.ravel()[1:], 1)


def test_no_power_of_a_norm_to_a_size_overflows_or_vanishes():
    for value in (1e300, 1e-300, 0.0, np.inf):
        image = np.full((70, 7, 1), value)
        np.testing.assert_allclose(
            pool_image_to_size(image, 2, "lp", p=200, mean=True), value, rtol=1e-12
        )
    image = np.ones((70, 70, 1))
    image[0, 0] = np.nan
    y = pool_image_to_size(image, 4, "lp", mean=True)
    assert np.isnan(y[0, 0])
    np.testing.assert_allclose(y.ravel()[1:], 1)


@pytest.mark.parametrize("mode", ["average", "lp", "max"])
def test_memory_of_pools_to_a_size_is_a_few_rows(mode):
    image = np.random.default_rng(0).integers(0, 256, (2000, 2001, 3), dtype=np.uint8)  # 12 MB
    pool_image_to_size(image[:300, :300], 7, mode, threads=2)
    tracemalloc.start()
    try:
        pool_image_to_size(image, 1, mode, threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


def test_the_average_of_many_pixels_keeps_its_digits():
    image = np.full((3000, 700, 1), 0.1, np.float32)
    for size in (1, 2, (3, 7)):
        average = pool_image_to_size(image, size, "average")
        np.testing.assert_allclose(
            average, np.float32(0.1), rtol=1e-6
        )  # one float32 sum is 3e-4 off


@pytest.mark.parametrize("mode", MAPS)
@pytest.mark.parametrize("kernel_size", [2, 7, (900, 40)])
def test_memory_beside_image_and_result_is_a_few_blocks(mode, kernel_size):
    image = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)  # 12 MB
    windows = {"kernel_size": kernel_size, "ceil_mode": True, "threads": 2}
    if mode == "median" and kernel_size == (900, 40):
        windows["kernel_size"] = (60, 40)
    pool_image(image[:300, :300], mode, **windows)
    tracemalloc.start()
    try:
        y = pool_image(image, mode, **windows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < y.nbytes + (24 << 20)


def test_views_are_pooled_like_copies():
    whole = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    view = whole[::-1, ::2, :3]
    for mode in MAPS:
        np.testing.assert_array_equal(pool_image(view, mode, 2), pool_image(view.copy(), mode, 2))
    np.testing.assert_array_equal(
        pool_image_to_size(view, 7, "average"), pool_image_to_size(view.copy(), 7, "average")
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda image: pool_image(image, "mean", 2),
            "mode is 'mean': expected one of max, average",
        ),
        (lambda image: pool_image(image, "lp", 2, p=0.5), "p is 0.5"),
        (lambda image: pool_image(image, "gaussian", 2, sigma=-1), "sigma is -1"),
        (lambda image: pool_image(image, "max", 7), "does not fit"),
        (
            lambda image: pool_image(image[0], "max", 2),
            r"an image has shape \(H, W, C\), not \(5, 3\)",
        ),
        (lambda image: pool_image_to_size(image, 0), "output_size is 0"),
        (lambda image: pool_image_to_size(image, 2, "mean"), "mode is 'mean'"),
        (lambda image: pool_image_to_size(image, 3, "gaussian", sigma=-1), "sigma is -1"),
        (lambda image: pool_image_to_size(image, 2, "lp", p=0.5), "p is 0.5"),
        (lambda image: pyramid_pool_image(image, ()), "levels is empty"),
    ],
)
def test_what_cannot_be_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((4, 5, 3)))
