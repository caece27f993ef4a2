"""Kernels through the Fourier transform, against SciPy's direct sums in float64."""

from unittest.mock import patch

import numpy as np
import pytest
from borders import reference
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.filters import spectral
from cnntool.engine.filters.banks import filter_bank, plan_filter_bank
from cnntool.engine.filters.spectral import Spectral
from cnntool.imaging.kernels import build


@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 12)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    border=st.sampled_from(["reflect", "wrap", "constant"]),
    flip=st.booleans(),
    dtype=st.sampled_from(["uint8", "float32"]),
    seed=st.integers(0, 2**16),
)
def test_blocks_of_every_geometry_agree_with_direct_sums(
    shape, size, stride, dilation, border, flip, dtype, seed
):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape).astype(dtype)
    bank = rng.normal(size=size)
    options = {"stride": stride, "dilation": dilation, "border": border, "flip": flip}
    with patch.multiple(spectral, SIZES=(32,), FOURIER_NS=0, FOURIER_CALLS_NS=0):
        plan = plan_filter_bank(shape, bank, stride, dilation, dtype=image.dtype)
        assert isinstance(plan.method, Spectral)
        responses = filter_bank(image, bank, **options)
    for response, kernel in zip(responses, bank, strict=True):
        expected = reference(image, kernel, stride, dilation, border, 0, flip)
        np.testing.assert_allclose(
            response, expected, rtol=0, atol=2e-7 * 256 * max(1, np.abs(bank).sum())
        )


@pytest.mark.parametrize(("size", "is_large"), [(5, False), (31, True), (101, True)])
def test_large_kernels_of_full_rank_go_this_way(size, is_large):
    bank = np.random.default_rng(0).normal(size=(1, size, size))
    plan = plan_filter_bank((2000, 2000, 1), bank)
    assert isinstance(plan.method, Spectral) == is_large


def test_a_kernel_larger_than_the_largest_transform_is_left_to_products():
    bank = np.random.default_rng(0).normal(size=(1, 2, max(spectral.SIZES) + 1))
    assert not isinstance(plan_filter_bank((64, 5000, 1), bank).method, Spectral)


def sums_and_sizes(image, kernel):
    """Sums of products in long doubles, zeros outside, and of their sizes: SciPy's correlate leaves
    out weights below 2e-16."""
    height, width = image.shape
    padded = np.pad(image.astype(np.longdouble), [(n // 2, n - 1 - n // 2) for n in kernel.shape])
    found = np.zeros((2, height, width), np.longdouble)
    for (i, j), weight in np.ndenumerate(kernel.astype(np.longdouble)):
        products = weight * padded[i : i + height, j : j + width]
        found += products, abs(products)
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_faint_pixels_keep_their_digits_beside_one_that_is_a_thousand_million(dtype):
    """A transform would round all of them by a share of the largest."""
    image = np.ones((70, 60), dtype)
    image[12, 50] = 10**9
    y, x = np.mgrid[-20:21, -20:21]
    disc = (x * x + y * y <= 400) / np.count_nonzero(x * x + y * y <= 400)
    for kernel in (disc, np.random.default_rng(0).normal(size=(61, 61))):
        responses = filter_bank(image[..., None], kernel[None], border="constant")[0, ..., 0]
        assert responses.dtype == dtype
        sums, sizes = sums_and_sizes(image, kernel)
        rounding = 2 if dtype == "float32" else kernel.size / 8
        assert (abs(responses - sums) <= rounding * np.finfo(responses.dtype).eps * sizes).all()


@pytest.mark.parametrize("name", ["log", "dog", "gabor", "gaussian"])
def test_weights_that_are_the_difference_of_larger_ones_keep_their_digits(name):
    """Sums of outer products would give a large pixel under a faint weight the error of a large
    weight."""
    (kernel,) = build(name).bank
    image = np.ones((90, 90))
    image[40, 45] = 1e9
    sums, sizes = sums_and_sizes(image, kernel)
    for dtype in (np.float32, np.float64):
        pixels = image.astype(dtype)[..., None]
        responses = filter_bank(pixels, kernel[None], border="constant")[0, ..., 0]
        assert (abs(responses - sums) <= 16 * np.finfo(dtype).eps * sizes).all()
