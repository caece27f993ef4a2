"""Trainable subsampling: LeNet-5's formula, and PyTorch's average pooling with a factor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.engine.fast.layout import batch_last, is_batch_last
from cnntool.engine.pooling import subsample2d, subsample2d_backward


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_by_hand():
    x = np.array([[[[1.0, 2], [3, 6]]], [[[0, 0], [0, 4]]]])
    y, cache = subsample2d(x, np.array([2.0]), np.array([0.5]))
    assert y.ravel().tolist() == [6.5, 2.5]
    dx, dcoefficient, dbias = subsample2d_backward(np.array([1.0, 10]).reshape(2, 1, 1, 1), cache)
    assert dx[0].ravel().tolist() == [0.5] * 4
    assert (dcoefficient.tolist(), dbias.tolist()) == ([13], [11])


def test_it_is_lenets_sum_with_a_coefficient_four_times_as_large():
    x, coefficient, bias = drawn(2, 3, 6, 4), drawn(3, seed=1), drawn(3, seed=2)
    sums = x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]
    expected = coefficient[:, None, None] * sums + bias[:, None, None]
    np.testing.assert_allclose(subsample2d(x, 4 * coefficient, bias)[0], expected, rtol=1e-12)


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 4), st.integers(4, 9), st.integers(4, 9)),
    st.sampled_from([(2, None, 0), (3, 2, 1), ((2, 3), (1, 2), 0)]),
    st.booleans(),
)
def test_parity_with_pytorch(shape, windows, innermost):
    torch = pytest.importorskip("torch")
    x, coefficient, bias = drawn(*shape), drawn(shape[1], seed=1), drawn(shape[1], seed=2)
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, coefficient, bias)]
    pooled = torch.nn.functional.avg_pool2d(leaves[0], *windows, count_include_pad=False)
    expected = pooled * leaves[1][:, None, None] + leaves[2][:, None, None]
    dy = drawn(*expected.shape, seed=3)
    expected.backward(torch.tensor(dy))
    lay = batch_last if innermost else np.asarray
    y, cache = subsample2d(lay(x), coefficient, bias, *windows)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-10, atol=1e-10)
    for gradient in (dy, lay(dy)):
        for ours, leaf in zip(subsample2d_backward(gradient, cache), leaves, strict=True):
            np.testing.assert_allclose(ours, leaf.grad, rtol=1e-10, atol=1e-10)


def test_dtype_and_layout_stay():
    x = batch_last(drawn(16, 2, 4, 4).astype(np.float32))
    y, cache = subsample2d(x, np.ones(2, np.float32), np.zeros(2, np.float32))
    dx, *others = subsample2d_backward(y, cache)
    assert is_batch_last(y)
    assert is_batch_last(dx)
    assert {array.dtype.name for array in (y, dx, *others)} == {"float32"}


@pytest.mark.parametrize("name", ["coefficient", "bias"])
def test_one_value_a_map_is_needed(name):
    given_ = {"coefficient": np.ones(2), "bias": np.ones(2), name: np.ones(3)}
    with pytest.raises(ValueError, match=rf"{name} has shape \(3,\): .* \(2,\)"):
        subsample2d(np.ones((1, 2, 4, 4)), **given_)
