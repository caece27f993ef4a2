"""Whole-number kernels over 8-bit pixels: exact sums, against SciPy in whole numbers."""

from unittest.mock import patch

import numpy as np
import pytest
from borders import SCIPY_MODE
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cnntool.engine.filters import banks, shifting
from cnntool.engine.filters.banks import filter_bank, plan_filter_bank
from cnntool.engine.filters.shifting import Shifted, plan_shifted
from cnntool.engine.windows import plan_axis

CARD = np.random.default_rng(0).integers(0, 256, (40, 50, 1), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def shifts_that_cost_nothing():
    """Whatever can be shifted is, also where a product would be faster; else it is one product."""
    with patch.object(shifting, "SHIFT_NS", 0), patch.object(banks, "plan_separable") as separable:
        separable.return_value = None
        yield


def exact(image, kernel, dilation, border, constant):
    """scipy.ndimage on 64-bit integers, with the kernel spread by zeros."""
    spread = np.zeros([(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=True)], int)
    spread[:: dilation[0], :: dilation[1]] = kernel
    channels = [
        ndimage.correlate(image[..., c].astype(int), spread, mode=SCIPY_MODE[border], cval=constant)
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=2)


@given(
    shape=st.tuples(st.integers(4, 20), st.integers(4, 20), st.integers(1, 4)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    largest=st.integers(1, 4),
    unit=st.sampled_from([1.0, 1 / 9, 0.3, 2.0]),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    border=st.sampled_from(sorted(SCIPY_MODE)),
    constant=st.sampled_from([0, 255, -3]),
    is_outer=st.booleans(),
    elements=st.sampled_from([1 << 17, 50]),
    seed=st.integers(0, 2**16),
)
def test_whole_numbers_are_summed_exactly(
    shape, size, largest, unit, dilation, border, constant, is_outer, elements, seed
):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape, np.uint8)
    bank = rng.integers(-largest, largest + 1, size)
    if is_outer:
        bank = np.stack([np.outer(kernel[:, 0], kernel[0]) for kernel in bank])
    settings = {"dilation": dilation, "border": border, "constant": constant}
    with patch.object(shifting, "BLOCK_ELEMENTS", elements):
        responses = filter_bank(image, bank * unit, **settings)
    for response, kernel in zip(responses, bank, strict=True):
        expected = exact(image, kernel, **settings)
        np.testing.assert_allclose(response, unit * expected, rtol=2e-6, atol=2e-3 * (unit != 1))


@pytest.mark.parametrize(
    ("kernel", "sums", "unit"),
    [
        ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 2, 1.0),
        ([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], 2, 1.0),
        ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 1, 1.0),
        (np.full((3, 3), 1 / 9), 2, 1 / 9),
        (np.outer([1, 2, 1], [1, 2, 1]) / 16, 2, 1 / 16),
        ([[3, 10, 3]], 1, 1.0),
        (np.array([[0.3, 1.0]]), 1, 0.1),
        ([[0, 0], [0, 0]], 1, 1.0),
    ],
)
def test_how_a_kernel_becomes_sums(kernel, sums, unit):
    kernel = np.asarray(kernel, np.float32)
    axes = [plan_axis(9, size, padding="same") for size in kernel.shape]
    plan = plan_shifted(kernel[None], *axes)
    assert len(plan.sums[0]) == sums
    assert plan.units[0] == pytest.approx(unit)


@pytest.mark.parametrize(
    ("kernel", "stride"),
    [
        ([[1.0, np.pi]], 1),
        ([[100, 29]], 1),  # 129 * 255 would leave no room for half a range
        ([[1, 1]], 2),
        (np.ones((1, 65)), 1),
    ],
)
def test_other_kernels_are_left_to_products(kernel, stride):
    kernel = np.asarray(kernel, np.float32)
    axes = [plan_axis(99, size, stride, padding="same") for size in kernel.shape]
    assert plan_shifted(kernel[None], *axes) is None


@pytest.mark.parametrize("row", [[1, 2, 1], [1, 4, 6, 4, 1], [1, 1, 1, 1], [1, 2, 2, 1], [1, 0, 1]])
@pytest.mark.parametrize("column", [[1], [1, 2, 1], [-1, 0, 1], [-1, -2, -1], [-1, -2, 0, 2, 1]])
def test_a_row_and_then_a_column_are_summed_exactly(row, column):
    kernel = np.outer(column, row)
    axes = [plan_axis(40, size, padding="same") for size in kernel.shape]
    assert plan_shifted(kernel[None].astype(np.float32), *axes)
    for turned in (kernel, kernel.T):
        response = filter_bank(CARD, turned[None], border="reflect")[0]
        np.testing.assert_array_equal(response, exact(CARD, turned, (1, 1), "reflect", 0))


@pytest.mark.parametrize("pixel", [0, 255])
@pytest.mark.parametrize("kernel", [[[127]], [[-127]], [[100, -27]], [[-64, 63]]])
def test_the_largest_weights_do_not_overflow(pixel, kernel):
    image = np.full((3, 8, 1), pixel, np.uint8)
    response = filter_bank(image, np.array([kernel], np.float32), padding="valid")
    assert np.unique(response).tolist() == [pixel * np.sum(kernel)]


def test_only_8_bit_pixels_are_summed_this_way():
    bank = np.array([[[-1, 0, 1]]], np.float32)
    methods = [
        isinstance(plan_filter_bank(CARD.shape, bank, dtype=dtype).method, Shifted)
        for dtype in (np.uint8, np.uint16, np.float32)
    ]
    assert methods == [True, False, False]
