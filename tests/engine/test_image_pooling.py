"""Min and median pooling against windows cut by hand, NumPy and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_geometry import geometries, pool_by_hand

from cnntool.engine import medians, pool_windows
from cnntool.engine.image_pooling import median_pool2d, min_pool2d

SEEDS = st.integers(0, 1 << 30)


@given(geometries(), SEEDS)
def test_min_is_the_smallest_element_inside(geometry, seed):
    shape, windows = geometry
    x = np.random.default_rng(seed).standard_normal((2, 2, *shape))
    expected = pool_by_hand(x, lambda elements, _: elements.min(axis=-1), **windows)
    np.testing.assert_array_equal(min_pool2d(x, **windows), expected)


@given(geometries(), SEEDS, st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]))
def test_median_is_that_of_the_elements_inside(geometry, seed, dtype):
    shape, windows = geometry
    x = np.random.default_rng(seed).integers(0, 256, (2, 2, *shape)).astype(dtype)

    def median(elements, _):
        middle = np.median(elements, axis=-1)
        return middle if dtype is np.float32 else np.floor(middle + 0.5)

    y = median_pool2d(x, **windows)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, pool_by_hand(x, median, **windows))


@pytest.mark.parametrize("size", [3, 5, 7, 9, 11])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_odd_windows_are_scipys_median_filter(size, dtype):
    ndimage = pytest.importorskip("scipy.ndimage")
    image = np.random.default_rng(size).integers(0, 256, (23, 31)).astype(dtype)
    y = median_pool2d(image[None, None], size, stride=1, padding=size // 2)[0, 0]
    inside = slice(size // 2, -(size // 2))
    expected = ndimage.median_filter(image, size)
    np.testing.assert_array_equal(y[inside, inside], expected[inside, inside])


def test_half_rounds_up_without_overflow():
    for dtype, values, expected in (
        (np.uint8, [250, 255, 253, 252], 253),
        (np.uint8, [0, 0, 1, 1], 1),
        (np.int16, [-3, -3, -2, -2], -2),
        (np.uint16, [65535, 65534, 65535, 0], 65535),
    ):
        x = np.array(values, dtype).reshape(1, 1, 2, 2)
        assert median_pool2d(x, 2)[0, 0, 0, 0] == expected


@pytest.mark.parametrize("size", [2, 3, 9])
def test_a_nan_makes_its_window_nan(size):
    x = np.random.default_rng(0).standard_normal((1, 1, 2 * size, size))
    x[0, 0, 1, 0] = np.nan
    for pool in (median_pool2d, min_pool2d):
        y = pool(x, size)
        assert np.isnan(y[0, 0, 0, 0])
        assert np.isfinite(y[0, 0, 1, 0])


def test_blocks_and_threads_leave_no_seams(monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 17, 13), dtype=np.uint8)
    windows = {"kernel_size": 3, "stride": 1, "padding": 1}
    whole = median_pool2d(x, **windows), min_pool2d(x, **windows)
    monkeypatch.setattr(medians, "MOST_WINDOWS", 20)
    monkeypatch.setattr(pool_windows, "BLOCK_ELEMENTS", 40)
    monkeypatch.setattr(pool_windows, "COST", 1 << 26)
    monkeypatch.setattr(pool_windows, "available_cores", lambda: 3)
    np.testing.assert_array_equal(median_pool2d(x, **windows), whole[0])
    np.testing.assert_array_equal(min_pool2d(x, **windows), whole[1])
