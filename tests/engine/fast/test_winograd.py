"""Winograd's minimal filtering against PyTorch, sums by definition, and exact whole numbers."""

from unittest.mock import patch

import numpy as np
import pytest
from convolutions import infinite_scratch, layer_by_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntool.engine import convolution
from cnntool.engine.convolution import conv2d, conv2d_backward
from cnntool.engine.fast import winograd
from cnntool.engine.fast.layout import batch_last
from cnntool.engine.windows import plan_axes

FLIP = (..., slice(None, None, -1), slice(None, None, -1))


def random(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def whole_numbers(*shape):
    return np.random.default_rng(0).integers(-9, 10, shape).astype(np.float64)


def by_definition(x, weight, padding):
    """Cross-correlation with 3 x 3 kernels, a tap at a time."""
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    height, width = x.shape[2] - 2, x.shape[3] - 2
    return sum(
        np.einsum("nchw,fc->nfhw", x[..., k : k + height, l : l + width], weight[..., k, l])
        for k in range(3)
        for l in range(3)  # noqa: E741
    )


@st.composite
def layers(draw):
    groups = draw(st.integers(1, 3))
    maps, filters = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * 2))
    size = [draw(st.integers(max(1, 3 - sum(sides)), 12)) for sides in padding]
    x_shape = draw(st.integers(1, 5)), groups * maps, *size
    return x_shape, (groups * filters, maps, 3, 3), padding, groups


block_bytes = st.sampled_from([(1 << 20, 3 << 20), (0, 30_000), (0, 3_000), (0, 0)])


@settings(deadline=None)
@given(layers(), block_bytes)
def test_any_geometry_in_blocks_of_any_size_agrees_with_pytorch(layer, size):
    x_shape, w_shape, padding, groups = layer
    x, weight, bias = random(x_shape, w_shape, w_shape[:1])
    axes = plan_axes(x_shape[2:], (3, 3), padding=padding)
    expected, dy, expected_dx, expected_dweight = layer_by_torch(
        x, weight, bias, lambda shape: random(shape)[0], padding, groups=groups
    )
    with patch.object(winograd, "BLOCK_BYTES", size), patch.object(winograd, "FEWEST_TILES", 2):
        y = winograd.correlate(x, weight, bias, axes, groups)
        dx = winograd.input_gradient(dy, weight, axes, groups)
        dweight = winograd.weight_gradient(dy, x, weight.shape, axes, groups)
    np.testing.assert_allclose(y, expected, atol=1e-11)
    np.testing.assert_allclose(dx, expected_dx, atol=1e-11)
    np.testing.assert_allclose(dweight, expected_dweight, atol=1e-11)


@pytest.mark.parametrize("size", [(1 << 20, 3 << 20), (0, 30_000)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 2), (3, 1))])
def test_whole_numbers_come_out_exactly(padding, size):
    x, weight = whole_numbers(3, 4, 13, 18), whole_numbers(5, 4, 3, 3)
    axes = plan_axes(x.shape[2:], (3, 3), padding=padding)
    expected = by_definition(x, weight, padding)
    dy = whole_numbers(*expected.shape)
    with patch.object(winograd, "BLOCK_BYTES", size), patch.object(winograd, "FEWEST_TILES", 2):
        y = winograd.correlate(x, weight, None, axes, 1)
        dx = winograd.input_gradient(dy, weight, axes, 1)
        dweight = winograd.weight_gradient(dy, x, weight.shape, axes, 1)
    np.testing.assert_array_equal(y, expected)
    whole = by_definition(dy, weight.swapaxes(0, 1)[FLIP], ((2, 2), (2, 2)))
    (top, _), (left, _) = padding
    np.testing.assert_array_equal(dx, whole[..., top : top + 13, left : left + 18])
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    read = np.lib.stride_tricks.sliding_window_view(padded, dy.shape[2:], axis=(2, 3))
    np.testing.assert_array_equal(dweight, np.einsum("nfhw,ncklhw->fckl", dy, read))


def test_a_deep_layer_goes_this_way_and_gives_what_the_other_one_does():
    x, weight, bias = random((4, 24, 32, 32), (24, 24, 3, 3), (24,), dtype=np.float32)
    ways = []
    for is_suited in (True, False):
        with patch.object(winograd, "suits", wraps=winograd.suits) as suits:
            if not is_suited:
                suits.side_effect = lambda *_: False
            with patch.object(winograd, "correlate", wraps=winograd.correlate) as correlate:
                y, cache = conv2d(x, weight, bias, padding=1)
                ways.append([y, *conv2d_backward(y, cache)])
            assert correlate.called == is_suited
    for ours, other in zip(*ways, strict=True):
        np.testing.assert_allclose(ours, other, rtol=0, atol=3e-6 * np.abs(other).max())


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "how"),
    [
        ((8, 32, 64, 64), (32, 32, 3, 3), {"stride": 2}),
        ((8, 32, 64, 64), (32, 32, 3, 3), {"stride": (1, 2)}),
        ((8, 32, 64, 64), (32, 32, 3, 3), {"stride": (2, 1)}),
        ((4, 24, 32, 32), (24, 24, 3, 3), {"dilation": 2}),
        ((4, 24, 32, 32), (24, 24, 3, 2), {}),
        ((4, 24, 32, 32), (24, 24, 5, 5), {}),
        ((4, 24, 32, 32), (24, 6, 3, 3), {"groups": 4}),  # of each group few maps
        ((1, 24, 8, 8), (24, 24, 3, 3), {}),  # little to do
        ((99, 64, 6, 6), (64, 64, 3, 3), {}),  # small maps, whose edges are much of them
    ],
)
def test_other_kernels_and_shallow_layers_go_the_other_way(x_shape, weight_shape, how):
    x, weight = random(x_shape, weight_shape)
    with patch.object(winograd, "correlate", side_effect=AssertionError):
        conv2d(x, weight, **how)


def test_the_number_of_threads_changes_no_result():
    x, weight = random((5, 24, 60, 60), (24, 24, 3, 3), dtype=np.float32)
    results = []
    for cores in (1, 2, 3):
        with (
            patch("cnntool.engine.fast.blocks.available_cores", lambda cores=cores: cores),
            patch.object(convolution, "available_cores", lambda cores=cores: cores),
        ):
            y, cache = conv2d(x, weight, padding=1)
            results.append([y, *conv2d_backward(y, cache)[:2]])
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, second)


def test_rounding_is_no_worse_than_im2col_s():
    x, weight = random((4, 64, 32, 32), (64, 64, 3, 3), dtype=np.float32)
    exact = conv2d(x.astype(np.float64), weight.astype(np.float64), padding=1)[0]
    error = {}
    for is_suited in (True, False):
        with patch.object(winograd, "suits", lambda *_, way=is_suited: way):
            error[is_suited] = np.sqrt(np.mean((conv2d(x, weight, padding=1)[0] - exact) ** 2))
    assert error[True] < 2 * error[False]


def test_scratch_memory_may_hold_anything():
    """Gaps between rows, maps and samples are never read as they were left."""
    x, weight = random((6, 9, 11, 13), (10, 9, 3, 3))
    axes = plan_axes(x.shape[2:], (3, 3), padding=1)
    with infinite_scratch(), np.errstate(all="raise"):
        y = winograd.correlate(x, weight, None, axes, 1)
        dweight = winograd.weight_gradient(y, x, weight.shape, axes, 1)
    np.testing.assert_allclose(y, by_definition(x, weight, ((1, 1), (1, 1))), atol=1e-12)
    assert np.isfinite(dweight).all()


def test_a_nan_stays_with_its_map():
    x, dy = random((2, 3, 8, 8), (2, 4, 6, 6))
    x[:, 1] = np.nan
    with np.errstate(all="ignore"):
        dweight = winograd.weight_gradient(dy, x, (4, 3, 3, 3), plan_axes((8, 8), (3, 3)), 1)
    assert np.isfinite(dweight[:, [0, 2]]).all()
    assert np.isnan(dweight[:, 1]).all()


def test_the_way_of_a_deep_layer_does_not_depend_on_how_its_maps_lie():
    x, weight = random((16, 48, 32, 32), (48, 48, 3, 3), dtype=np.float32)
    with patch.object(winograd, "correlate", wraps=winograd.correlate) as correlate:
        ours = [conv2d(layout(x), weight, padding=1)[0] for layout in (np.asarray, batch_last)]
    assert correlate.call_count == 2
    np.testing.assert_array_equal(*ours)


def test_partial_sums_are_few_where_the_weights_are_many():
    x, weight = random((16, 24, 32, 32), (24, 24, 3, 3), dtype=np.float32)
    axes = plan_axes(x.shape[2:], (3, 3), padding=1)
    expected = winograd.weight_gradient(x, x, weight.shape, axes, 1)
    with patch.object(winograd, "SUMS_BYTES", 0):
        ours = winograd.weight_gradient(x, x, weight.shape, axes, 1)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
