"""Convolution with the samples innermost against PyTorch, in blocks and runs of any size."""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from convolutions import infinite_scratch, layer_by_torch
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.fast import blocks, row_windows
from cnntool.engine.fast import samples_innermost as layer_way
from cnntool.engine.fast.layout import batch_last
from cnntool.engine.windows import plan_axes


def random(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@contextmanager
def constants(**values):
    with ExitStack() as stack:
        for name, value in values.items():
            for module in (layer_way, row_windows):
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, value))
        row_windows.cut_rows.cache_clear()
        yield
    row_windows.cut_rows.cache_clear()


@st.composite
def layers(draw):
    groups = draw(st.integers(1, 3))
    maps, filters = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    sides = st.tuples(st.integers(0, 6), st.integers(0, 6))
    kernel, stride, dilation, padding, size = (
        draw(st.tuples(each, each))
        for each in (
            st.integers(1, 4),
            st.integers(1, 3),
            st.integers(1, 2),
            sides,
            st.integers(0, 8),
        )
    )
    size = [
        max(1, n, (k - 1) * d + 1 - sum(p))
        for n, k, d, p in zip(size, kernel, dilation, padding, strict=True)
    ]
    x_shape = draw(st.integers(2, 5)), groups * maps, *size
    return x_shape, (groups * filters, maps, *kernel), stride, dilation, padding, groups


@given(
    layers(),
    st.sampled_from([1 << 22, 2_000, 300]),
    st.sampled_from([0, 1 << 30]),
    st.sampled_from([0, 1 << 21]),
)
def test_any_geometry_in_any_blocks_and_runs_agrees_with_pytorch(
    layer, block_bytes, worth_a_run, sums_bytes
):
    x_shape, w_shape, stride, dilation, padding, groups = layer
    x, weight, bias = random(x_shape, w_shape, w_shape[:1])
    axes = plan_axes(x_shape[2:], w_shape[2:], stride, dilation, padding)
    settings = {"stride": stride, "dilation": dilation, "groups": groups}
    expected, dy, expected_dx, expected_dweight = layer_by_torch(
        x, weight, bias, lambda shape: random(shape)[0], padding, **settings
    )
    x, dy = (np.ascontiguousarray(a.transpose(1, 2, 3, 0)) for a in (x, dy))
    x, dy = x.transpose(3, 0, 1, 2), dy.transpose(3, 0, 1, 2)
    with (
        constants(
            COLUMNS_BYTES=block_bytes,
            FOLDED_BYTES=block_bytes,
            FEWEST_SAMPLES=1,
            WORTH_A_RUN=worth_a_run,
            SUMS_BYTES=sums_bytes,
        ),
        infinite_scratch(),
        patch.object(np, "empty", lambda *args: np.full(*args[:1], np.inf, *args[1:])),
        np.errstate(all="raise"),
    ):
        y = layer_way.correlate(x, weight, bias, axes, groups)
        dx = layer_way.input_gradient(dy, weight, axes, groups)
        dweight = layer_way.weight_gradient(dy, x, weight.shape, axes, groups)
    np.testing.assert_allclose(y, expected, atol=1e-10)
    np.testing.assert_allclose(dx, expected_dx, atol=1e-10)
    np.testing.assert_allclose(dweight, expected_dweight, atol=1e-10)


@pytest.mark.parametrize("padding", [((0, 9), (0, 0)), ((9, 0), (0, 0)), ((9, 9), (1, 1))])
def test_blocks_that_lie_wholly_in_the_padding_are_zero(padding):
    x, weight, bias = random((5, 2, 6, 7), (3, 2, 2, 2), (3,))
    axes = plan_axes(x.shape[2:], (2, 2), padding=padding)
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    read = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(2, 3))
    expected = np.einsum("ncijkl,fckl->nfij", read, weight)
    dy = random(expected.shape)[0]
    with constants(COLUMNS_BYTES=1, FEWEST_SAMPLES=1, WORTH_A_RUN=0):
        y = layer_way.correlate(batch_last(x), weight, bias, axes, 1)
        dweight = layer_way.weight_gradient(batch_last(dy), batch_last(x), weight.shape, axes, 1)
        dx = layer_way.input_gradient(batch_last(dy), weight, axes, 1)
    np.testing.assert_allclose(y, expected + bias[:, None, None], atol=1e-12)
    np.testing.assert_allclose(dweight, np.einsum("ncijkl,nfij->fckl", read, dy), atol=1e-12)
    np.testing.assert_allclose((dx * x).sum(), (dy * expected).sum(), rtol=1e-9)


@pytest.mark.parametrize("how", [{}, {"stride": (2, 1)}, {"stride": 2}, {"filters": 24}], ids=str)
def test_the_number_of_threads_changes_no_result(how):
    how = dict(how)
    filters = how.pop("filters", 8)
    x, weight = random((37, 4, 16, 16), (filters, 4, 5, 5), dtype=np.float32)
    axes = plan_axes(x.shape[2:], weight.shape[2:], padding=2, **how)
    dy = random((37, filters, *(axis.output_size for axis in axes)), dtype=np.float32)[0]
    x, dy = batch_last(x), batch_last(dy)
    results = []
    for threads in (1, 4, 4, 4):
        with (
            constants(
                SHARED_PRODUCTS=0, FEWEST_SAMPLES=4, COLUMNS_BYTES=1 << 14, FOLDED_BYTES=1 << 14
            ),
            patch.object(blocks, "SHARED_PRODUCTS", 0),
            patch.object(blocks, "available_cores", lambda threads=threads: threads),
        ):
            y = layer_way.correlate(x, weight, None, axes, 1)
            dx = layer_way.input_gradient(dy, weight, axes, 1)
            results.append([y, dx, layer_way.weight_gradient(dy, x, weight.shape, axes, 1)])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
