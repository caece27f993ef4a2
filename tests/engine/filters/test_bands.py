"""Band matrices against direct sums, and low-rank expansions against the singular values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.filters.direct import band_matrix, im2col_strips
from cnntool.engine.filters.separable import low_rank, right_band_matrix


def test_a_band_matrix_by_hand():
    bands = band_matrix(np.array([[[1.0], [2.0]]]), outputs=3, stride=1, dilation=1)
    np.testing.assert_array_equal(bands, [[1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2]])


def test_stride_and_dilation_by_hand():
    bands = band_matrix(np.array([[[1.0], [2.0]]]), outputs=2, stride=3, dilation=2)
    np.testing.assert_array_equal(bands, [[1, 0, 2, 0, 0, 0], [0, 0, 0, 1, 0, 2]])


def test_right_bands_keep_interleaved_channels_apart():
    pixels = np.array([[10.0, 1, 20, 2, 30, 3]])  # three pixels of two channels
    bands = right_band_matrix(np.array([1.0, -1.0]), outputs=2, stride=1, dilation=1, channels=2)
    np.testing.assert_array_equal(pixels @ bands, [[-10, -1, -10, -1]])


@given(
    rank=st.integers(1, 4),
    height=st.integers(4, 12),
    width=st.integers(4, 12),
    seed=st.integers(0, 99),
)
def test_low_rank_finds_exactly_the_rank(rank, height, width, seed):
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(height, rank)) @ rng.normal(size=(rank, width))
    factors = low_rank(kernel, 8, 1e-10)
    assert len(factors) == rank == np.linalg.matrix_rank(kernel, tol=1e-9)
    total = sum(np.outer(column, row) for column, row in factors)
    np.testing.assert_allclose(total, kernel, atol=1e-9)


def test_low_rank_gives_up_beyond_the_rank_it_may_have():
    assert low_rank(np.eye(5), 4, 1e-10) is None


def test_a_kernel_of_zeros_has_rank_zero():
    assert low_rank(np.zeros((3, 3)), 2, 1e-10) == []


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_the_rank_does_not_depend_on_the_scale(scale):
    assert len(low_rank(scale * np.outer([1, 2, 1], [1, 0, -1]), 3, 1e-7)) == 1


@pytest.mark.parametrize(("strip_step", "row_step"), [(5, 2), (4, 2), (3, 1), (8, 2), (12, 2)])
def test_strips_are_the_formula_of_their_docstring(strip_step, row_step):
    rng = np.random.default_rng(1)
    tile = rng.normal(size=(32, 16, 2)).astype(np.float32)
    strips, rows, taps, outputs, channels = shape = (3, 4, 3, 5, 2)
    steps = {"strip_step": strip_step, "row_step": row_step, "tap_step": 2, "column_step": 2}
    dtype = np.dtype(np.float64)
    unfolded = im2col_strips(tile, shape[:4], dtype, Scratch(), first_tap=1, **steps)
    assert unfolded.shape == (strips, rows * taps, outputs * channels)
    for s, j, k, o, c in np.ndindex(shape):
        found = unfolded[s, j * taps + k, o * channels + c]
        assert found == tile[s * strip_step + j * row_step, 1 + k * 2 + o * 2, c]
