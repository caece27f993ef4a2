"""Locally connected layers: conv2d where all places are alike, PyTorch's unfold where not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine import local_convolution
from cnntool.engine.convolution import conv2d, conv2d_backward
from cnntool.engine.fast.layout import batch_last, is_batch_last
from cnntool.engine.local_convolution import local_conv2d, local_conv2d_backward

GEOMETRIES = [
    {},
    {"stride": 2},
    {"stride": (1, 2), "padding": 1},
    {"padding": (2, 0), "dilation": (1, 2)},
    {"stride": 3, "padding": 2, "dilation": 2},
]


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@st.composite
def layers(draw):
    """x, weight (F, C, kh, kw) of one place, and the geometry."""
    x = drawn(draw(st.integers(1, 20)), draw(st.integers(1, 3)), *draw(st.sampled_from(SIZES)))
    weight = drawn(draw(st.integers(1, 4)), x.shape[1], *draw(st.sampled_from(KERNELS)), seed=1)
    x = batch_last(x) if draw(st.booleans()) else x
    return x, weight, draw(st.sampled_from(GEOMETRIES))


SIZES, KERNELS = [(5, 5), (6, 9), (7, 5)], [(1, 1), (3, 2), (2, 3), (3, 3)]


@given(layers())
def test_with_all_places_alike_it_is_conv2d(layer):
    x, weight, geometry = layer
    bias = drawn(len(weight), seed=2)
    expected, expected_cache = conv2d(x, weight, bias, **geometry)
    places = expected.shape[2:]
    everywhere = np.broadcast_to(weight, (*places, *weight.shape))
    y, cache = local_conv2d(x, everywhere, np.broadcast_to(bias, (*places, len(bias))), **geometry)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    assert is_batch_last(y) == is_batch_last(x) or y[0].size == 1
    dy = drawn(*y.shape, seed=3)
    dx, dweight, dbias = local_conv2d_backward(dy, cache)
    found = dx, dweight.sum(axis=(0, 1)), dbias.sum(axis=(0, 1))
    for ours, shared in zip(found, conv2d_backward(dy, expected_cache), strict=True):
        np.testing.assert_allclose(ours, shared, rtol=1e-9, atol=1e-10)


@given(layers())
def test_parity_with_pytorch_where_every_place_has_its_own(layer):
    torch = pytest.importorskip("torch")
    x, weight, geometry = layer
    places = conv2d(x, weight, **geometry)[0].shape[2:]
    weight, bias = drawn(*places, *weight.shape), drawn(*places, len(weight), seed=2)
    leaves = [torch.tensor(np.array(array), requires_grad=True) for array in (x, weight, bias)]
    windows = torch.nn.functional.unfold(leaves[0], weight.shape[4:], **geometry)  # (N, K, P)
    matrices = leaves[1].reshape(windows.shape[2], weight.shape[2], -1)
    product = torch.einsum("pfk,nkp->nfp", matrices, windows)
    expected = product.reshape(*product.shape[:2], *places) + leaves[2].permute(2, 0, 1)
    dy = drawn(*expected.shape, seed=3)
    expected.backward(torch.tensor(dy))
    y, cache = local_conv2d(x, weight, bias, **geometry)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-9, atol=1e-10)
    for gradient in (dy, batch_last(dy)):
        for ours, leaf in zip(local_conv2d_backward(gradient, cache), leaves, strict=True):
            np.testing.assert_allclose(ours, leaf.grad, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("layout", [np.asarray, batch_last])
def test_blocks_of_one_row_give_the_same(layout, monkeypatch):
    x, weight = layout(drawn(40, 3, 9, 8)), drawn(9, 8, 4, 3, 3, 3, seed=1)
    y, cache = local_conv2d(x, weight, padding=1)
    whole = y, *local_conv2d_backward(y, cache)[:2]
    monkeypatch.setattr(local_convolution, "COLUMNS_BYTES", 1)
    y, cache = local_conv2d(x, weight, padding=1)
    for part, all_at_once in zip((y, *local_conv2d_backward(y, cache)[:2]), whole, strict=True):
        np.testing.assert_allclose(part, all_at_once, rtol=1e-12, atol=1e-12)


def test_dtype_stays_and_inputs_too():
    x, weight = drawn(2, 2, 4, 4).astype(np.float32), drawn(3, 3, 2, 2, 2, 2).astype(np.float32)
    before = x.copy(), weight.copy()
    y, cache = local_conv2d(x, weight)
    dx, dweight, dbias = local_conv2d_backward(y, cache)
    assert (y.dtype, dx.dtype, dweight.dtype, dbias) == (np.float32,) * 3 + (None,)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weight, before[1])
    assert local_conv2d_backward(y, cache, need_dx=False)[0] is None


@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        ((3, 3, 1, 2, 2, 2), (3, 3, 2), r"bias has shape \(3, 3, 2\): .* \(3, 3, 1\)"),
        ((4, 3, 1, 2, 2, 2), None, r"has \(4, 3\) places: a window of \(2, 2\) has \(3, 3\)"),
        ((3, 3, 1, 3, 2, 2), None, "takes x"),
        ((1, 2, 2, 2), None, "takes x"),
    ],
)
def test_what_does_not_fit_is_named(weight, bias, message):
    with pytest.raises(ValueError, match=message):
        local_conv2d(
            np.ones((1, 2, 4, 4)), np.ones(weight), None if bias is None else np.ones(bias)
        )
