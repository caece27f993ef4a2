"""Products cut into tiles are the products in one piece."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.fast import products
from cnntool.engine.fast.products import (
    column_tiles,
    multiplier,
    multiply,
    multiply_over_pixels,
    multiply_over_rows,
    multiply_rows,
)

sizes = st.tuples(
    st.integers(1, 3),  # groups
    st.sampled_from([1, 3, 6, 16, 24]),
    st.sampled_from([1, 7, 25, 48, 150]),
    st.sampled_from([1, 63, 64, 200, 1000]),
)


def integers(*shape, seed=0):
    """Small whole numbers: every order of summation gives the same, even in float32."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)


@pytest.fixture(params=[True, False], autouse=True, scope="module")
def tiles(request):
    """With tiles so small that there are many, or with none."""
    with (
        patch.object(products, "multiplies_unpacked", lambda: request.param),
        patch.object(products, "SMALL_PRODUCT", 20_000),
        patch.object(products, "SMALL_RESULT", 400),
    ):
        yield


@given(sizes)
def test_a_product_is_exact(size):
    groups, m, k, pixels = size
    left, right = integers(groups, m, k), integers(groups, k, pixels, seed=1)
    out = np.empty((groups, m + 1, pixels), np.float32)[:, :m]  # in part of something larger
    expected = np.einsum("gmk,gkp->gmp", left, right)
    np.testing.assert_array_equal(multiply(left, right, out), expected)
    turned = np.ascontiguousarray(left.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_array_equal(multiply(turned, right, out), expected)


@given(sizes)
def test_a_sum_over_pixels_is_exact(size):
    groups, m, k, pixels = size
    left, right = integers(groups, m, pixels), integers(groups, k, pixels, seed=1)
    wide = np.empty((groups, m, pixels + 5), np.float32)
    wide[:, :, :pixels] = left
    expected = np.einsum("gmp,gkp->gmk", left, right)
    np.testing.assert_array_equal(multiply_over_pixels(wide[:, :, :pixels], right), expected)


matrix_sizes = st.tuples(
    st.sampled_from([0, 1, 7, 64, 600]),  # rows
    st.sampled_from([1, 6, 25, 48]),
    st.sampled_from([1, 3, 32, 64, 96]),
)


@given(matrix_sizes)
def test_a_product_of_many_rows_is_exact(size):
    n, k, p = size
    wide, right = integers(n, k + 3), integers(k, p, seed=1)
    left = wide[:, 1 : k + 1]  # part of something larger
    np.testing.assert_array_equal(multiply_rows(left, right), np.einsum("nk,kp->np", left, right))


@given(matrix_sizes)
def test_a_sum_over_rows_is_exact(size):
    n, m, p = size
    left, right = integers(n, m), integers(n, p, seed=1)
    expected = np.einsum("nm,np->mp", left, right)
    np.testing.assert_array_equal(multiply_over_rows(left, right), expected)
    out = np.full((m, p + 2), np.nan, np.float32)
    multiply_over_rows(left, right, out=out[:, 1:-1])
    np.testing.assert_array_equal(out[:, 1:-1], expected)
    assert np.isnan(out[:, [0, -1]]).all()


@given(matrix_sizes)
def test_a_product_made_again_and_again_is_exact(size):
    n, k, p = size
    right = integers(p, k, seed=1).T
    out = np.empty((n, p), np.float32)
    into_out = multiplier(column_tiles(right, n), out)
    for seed in (2, 3):
        left = integers(n, k, seed=seed)
        into_out(left)
        np.testing.assert_array_equal(out, np.einsum("nk,kp->np", left, right))
