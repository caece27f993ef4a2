"""The dense layer by hand and against PyTorch's linear."""

import numpy as np
import pytest

from cnntool.engine.linear import dense, dense_backward

X = np.array([[1.0, 2, 3], [4, 5, 6]], np.float32)
WEIGHT = np.array([[1.0, 0], [0, 1], [2, -1]], np.float32)
BIAS = np.array([10.0, 20], np.float32)
DY = np.array([[1.0, 2], [0, -1]], np.float32)


def test_forward_by_hand():
    y, _ = dense(X, WEIGHT, BIAS)
    assert y.tolist() == [[1 + 6 + 10, 2 - 3 + 20], [4 + 12 + 10, 5 - 6 + 20]]


def test_backward_by_hand():
    _, cache = dense(X, WEIGHT, BIAS)
    dx, dweight, dbias = dense_backward(DY, cache)
    assert dx.tolist() == [[1, 2, 2 - 2], [0, -1, 1]]
    assert dweight.tolist() == [[1, 2 - 4], [2, 4 - 5], [3, 6 - 6]]
    assert dbias.tolist() == [1, 1]


def test_without_a_bias_there_is_no_gradient_of_one():
    y, cache = dense(X, WEIGHT)
    assert y.tolist() == [[7, -1], [16, -1]]
    assert dense_backward(DY, cache)[2] is None


def test_dx_is_skipped_where_nobody_needs_it():
    _, cache = dense(X, WEIGHT, BIAS)
    dx, dweight, _ = dense_backward(DY, cache, need_dx=False)
    assert dx is None
    assert dweight.tolist() == dense_backward(DY, cache)[1].tolist()


@pytest.mark.parametrize("leading", [(), (1,), (4,), (2, 3), (0,)])
def test_any_leading_axes_are_one_batch(leading):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((*leading, 3)), rng.standard_normal((*leading, 2))
    weight = rng.standard_normal((3, 2))
    y, cache = dense(x, weight, BIAS)
    np.testing.assert_allclose(y, np.einsum("...i,io->...o", x, weight) + BIAS, rtol=1e-12)
    dx, dweight, dbias = dense_backward(dy, cache)
    np.testing.assert_allclose(dx, np.einsum("...o,io->...i", dy, weight), rtol=1e-12)
    axes = tuple(range(len(leading)))
    np.testing.assert_allclose(dweight, np.tensordot(x, dy, (axes, axes)), rtol=1e-12)
    np.testing.assert_allclose(dbias, dy.sum(axis=axes), rtol=1e-12)


def test_dtypes():
    assert dense(X.astype(np.float64), WEIGHT)[0].dtype == np.float64
    assert dense(X.astype(np.int64), WEIGHT, BIAS)[0].dtype == np.float32
    _, cache = dense(X, WEIGHT, BIAS.astype(np.float64))
    assert all(gradient.dtype == np.float32 for gradient in dense_backward(DY, cache))


def test_inputs_stay_as_they_are():
    arrays = X, WEIGHT, BIAS, DY
    before = [array.copy() for array in arrays]
    _, cache = dense(X, WEIGHT, BIAS)
    dense_backward(DY, cache)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, WEIGHT.T), r"x has shape \(2, 3\): weight \(2, 3\) takes \(\.\.\., 2\)"),
        ((X, WEIGHT[0]), r"weight has shape \(2,\): expected \(inputs, outputs\)"),
        ((X, WEIGHT, BIAS[:1]), r"bias has shape \(1,\): expected one value an output, \(2,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        dense(*arguments)


def test_a_gradient_of_another_shape_is_refused():
    _, cache = dense(X, WEIGHT, BIAS)
    with pytest.raises(ValueError, match=r"dy has shape \(2, 1\): expected \(2, 2\)"):
        dense_backward(DY[:, :1], cache)


@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5)])
def test_parity_with_pytorch(shape):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x, weight, bias = (
        rng.standard_normal(shape),
        rng.standard_normal((5, 6)),
        rng.standard_normal(6),
    )
    dy = rng.standard_normal((*shape[:-1], 6))
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    expected = torch.nn.functional.linear(leaves[0], leaves[1].T, leaves[2])
    expected.backward(torch.tensor(dy))
    y, cache = dense(x, weight, bias)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-12, atol=1e-12)
    for gradient, leaf in zip(dense_backward(dy, cache), leaves, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad, rtol=1e-12, atol=1e-12)
