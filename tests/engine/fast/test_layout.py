"""Where samples lie in memory changes no shape and no number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_geometry import geometries

from cnntool.engine import image_pooling, max_pooling, pooling
from cnntool.engine.fast.layout import (
    as_maps,
    as_planes,
    batch_last,
    in_layout_of,
    is_batch_last,
)


def maps(*shape, seed=0):
    """Whole numbers, so that there are ties; some are not there."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float64)


def test_a_layout_is_told_by_its_strides_alone():
    x = maps(3, 2, 4, 5)
    innermost = batch_last(x)
    assert innermost.strides == (8, 480, 120, 24)
    assert is_batch_last(innermost)
    assert not is_batch_last(x)
    assert not is_batch_last(batch_last(x[:1]))  # of one sample both are the same
    assert batch_last(innermost).base is innermost.base  # no second copy
    np.testing.assert_array_equal(innermost, x)


@pytest.mark.parametrize("layout", [np.asarray, batch_last])
def test_planes_are_the_maps_again(layout):
    x = layout(maps(3, 2, 4, 5))
    planes = as_planes(x)
    assert np.shares_memory(planes, x)
    np.testing.assert_array_equal(as_maps(planes, 3, 2), x)


def test_an_array_takes_the_layout_of_another():
    x, innermost = maps(3, 2, 4, 5), batch_last(maps(3, 2, 4, 5, seed=1))
    assert in_layout_of(innermost, x).strides == innermost.strides
    assert in_layout_of(x, innermost).strides == x.strides


POOLS = {
    "max": (max_pooling.max_pool2d, max_pooling.max_pool2d_backward),
    "average": (pooling.average_pool2d, pooling.average_pool2d_backward),
    "gaussian": (pooling.gaussian_pool2d, pooling.gaussian_pool2d_backward),
    "lp": (pooling.lp_pool2d, pooling.lp_pool2d_backward),
}


@given(
    geometries(), st.sampled_from(sorted(POOLS)), st.integers(2, 20), st.sampled_from([0, np.nan])
)
def test_pools_are_the_same_in_both_layouts(geometry, name, samples, odd):
    shape, windows = geometry
    pool, backward = POOLS[name]
    x = maps(samples, 2, *shape)
    x[0, 0, 0, 0] = odd
    (y, cache), (expected, expected_cache) = pool(batch_last(x), **windows), pool(x, **windows)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    dy = maps(*y.shape, seed=1)
    expected_dx = backward(dy, expected_cache)
    for gradient in (dy, batch_last(dy)):
        np.testing.assert_allclose(backward(gradient, cache), expected_dx, rtol=1e-12, atol=1e-12)
    assert is_batch_last(y) or 1 in (y.size / samples, samples)
    if name == "max":
        indices = max_pooling.max_pool2d_indices(cache)
        np.testing.assert_array_equal(indices, max_pooling.max_pool2d_indices(expected_cache))


@pytest.mark.parametrize("pool", [image_pooling.min_pool2d, image_pooling.median_pool2d])
def test_pools_of_images_are_the_same_in_both_layouts(pool):
    x = maps(12, 2, 7, 9)
    np.testing.assert_array_equal(pool(batch_last(x), 3, 2), pool(x, 3, 2))
