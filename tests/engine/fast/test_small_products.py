"""Products in tiles are the products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.fast import small_products
from cnntool.engine.fast.scratch import CACHE_LINE, Scratch, rows_of_lines
from cnntool.engine.fast.small_products import (
    TILE,
    multiply,
    multiply_across,
    multiply_along,
    multiply_over_pixels,
)

FEW = st.integers(1, 40)
MANY = st.one_of(st.integers(1, 700), st.sampled_from([TILE, 3 * TILE, 3 * TILE + 1]))


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


@given(FEW, FEW, MANY)
def test_across_and_along_many_places_of_any_number(rows, length, places):
    left, right, other = random(rows, length), random(length, places), random(1, places, length)[0]
    out = np.full((rows, places), np.inf)
    multiply_across(left, right, out=out)
    np.testing.assert_allclose(out, left @ right, atol=1e-12)
    np.testing.assert_allclose(multiply_along(out, other), out @ other, atol=1e-9)


@given(st.integers(1, 48), st.integers(1, 150), st.integers(1, 400))
def test_batches_in_tiles(rows, length, pixels):
    left, right = random(1, rows, length), random(2, 3, length, pixels)
    out = np.full((2, 3, rows, pixels), np.inf)
    multiply(left, right, out=out)
    np.testing.assert_allclose(out, left @ right, atol=1e-11)
    summed = multiply_over_pixels(right, out.swapaxes(2, 3))
    np.testing.assert_allclose(summed, (right @ out.swapaxes(2, 3)).sum(axis=1), atol=1e-9)


def test_large_products_are_made_whole(monkeypatch):
    monkeypatch.setattr(small_products, "SMALL_PRODUCT", 0)
    left, right = random(4, 8), random(8, 2 * TILE)
    out = np.empty((4, 2 * TILE))
    multiply_across(left, right, out=out)
    np.testing.assert_array_equal(out, left @ right)
    np.testing.assert_array_equal(multiply_along(out, right.T), out @ right.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_begin_with_cache_lines(dtype):
    for array in (
        rows_of_lines((3, 5, 17), np.dtype(dtype)),
        Scratch().lines("rows", (3, 5, 17), np.dtype(dtype)),
    ):
        assert array.shape == (3, 5, 17)
        start = array.__array_interface__["data"][0]
        assert [(start + step) % CACHE_LINE for step in (0, *array.strides[:-1])] == [0, 0, 0]
