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


@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 12)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    border=st.sampled_from(["reflect", "wrap", "constant"]),
    flip=st.booleans(),
    dtype=st.sampled_from(["uint8", "float32", "float64"]),
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
    rounding = 1e-12 if dtype == "float64" else 2e-7
    for response, kernel in zip(responses, bank, strict=True):
        expected = reference(image, kernel, stride, dilation, border, 0, flip)
        np.testing.assert_allclose(
            response, expected, rtol=0, atol=rounding * 256 * max(1, np.abs(bank).sum())
        )


@pytest.mark.parametrize(("size", "is_large"), [(5, False), (31, True), (101, True)])
def test_large_kernels_of_full_rank_go_this_way(size, is_large):
    bank = np.random.default_rng(0).normal(size=(1, size, size))
    plan = plan_filter_bank((2000, 2000, 1), bank)
    assert isinstance(plan.method, Spectral) == is_large


def test_a_kernel_larger_than_the_largest_transform_is_left_to_products():
    bank = np.random.default_rng(0).normal(size=(1, 2, max(spectral.SIZES) + 1))
    assert not isinstance(plan_filter_bank((64, 5000, 1), bank).method, Spectral)
