"""Dense layers and embeddings by hand, against PyTorch and by differences."""

import numpy as np
import pytest

from cnntool.engine.linear import (
    dense,
    dense_backward,
    embedding,
    embedding_backward,
    embedding_backward_rows,
)

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


TABLE = np.array([[0.0, 1], [10, 11], [20, 21], [30, 31]], np.float32)


def test_rows_by_hand():
    y, _ = embedding(np.array([[2, 0], [2, 3]]), TABLE)
    assert y.tolist() == [[[20, 21], [0, 1]], [[20, 21], [30, 31]]]


def test_the_gradients_of_equal_ids_add_up():
    _, cache = embedding(np.array([2, 0, 2]), TABLE)
    dy = np.array([[1.0, 2], [3, 4], [50, 60]], np.float32)
    assert embedding_backward(dy, cache).tolist() == [[3, 4], [0, 0], [51, 62], [0, 0]]
    rows, drows = embedding_backward_rows(dy, cache)
    assert rows.tolist() == [0, 2]
    assert drows.tolist() == [[3, 4], [51, 62]]


@pytest.mark.parametrize("ids", [[2, 0, 2], []])
def test_a_gradient_goes_where_it_is_asked_to(ids):
    vector = np.full(2 + TABLE.size, 7, np.float32)
    _, cache = embedding(np.array(ids, int), TABLE)
    dy = np.arange(2.0 * len(ids)).reshape(-1, 2)
    out = vector[1:-1].reshape(TABLE.shape)
    assert embedding_backward(dy, cache, out=out) is out
    expected = [[2, 3], [0, 0], [0 + 4, 1 + 5], [0, 0]] if ids else [[0, 0]] * 4
    assert vector.tolist() == [7, *np.ravel(expected), 7]


@pytest.mark.parametrize("out", [np.zeros((4, 3), np.float32), np.zeros((4, 2))])
def test_a_place_of_another_kind_is_refused(out):
    _, cache = embedding(np.array([0]), TABLE)
    with pytest.raises(ValueError, match=r"expected float32 \(4, 2\), as the table"):
        embedding_backward(np.ones((1, 2)), cache, out=out)


@pytest.mark.parametrize("shape", [(), (1,), (600,), (20, 30), (2, 3, 4), (0,), (0, 3)])
@pytest.mark.parametrize("vocabulary", [1, 65, 1000])
def test_it_is_the_one_hot_product(shape, vocabulary):
    rng = np.random.default_rng(0)
    ids, table = rng.integers(0, vocabulary, shape), rng.standard_normal((vocabulary, 5))
    one_hot = np.eye(vocabulary)[ids]
    y, cache = embedding(ids, table)
    np.testing.assert_array_equal(y, one_hot @ table)
    dy = rng.standard_normal(y.shape)
    axes = tuple(range(len(shape)))
    expected = np.tensordot(one_hot, dy, (axes, axes))
    np.testing.assert_allclose(embedding_backward(dy, cache), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_dtype_of_ids(dtype):
    table = np.arange(300.0).reshape(300, 1)
    y, cache = embedding(np.array([0, 127, 5, 127], dtype), table)
    assert y.ravel().tolist() == [0, 127, 5, 127]
    gradient = embedding_backward(np.ones((4, 1)), cache)
    assert gradient.sum() == 4
    assert gradient[127] == 2


def test_dtypes_and_inputs_that_stay_as_they_are():
    ids = np.array([3, 1, 3])
    y, cache = embedding(ids, TABLE)
    assert y.dtype == np.float32
    y[...] = -1
    assert TABLE[3].tolist() == [30, 31]
    assert embedding_backward(np.ones((3, 2)), cache).dtype == np.float32
    assert ids.tolist() == [3, 1, 3]
    assert embedding(ids, TABLE.astype(np.float64))[0].dtype == np.float64
    assert embedding(ids, TABLE.astype(np.int64))[0].dtype == np.float32


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 4], "id 4 is out of range: 4 rows of the table are 0 to 3"),
        ([0, -1, 9], "id -1 is out of range"),
        (np.array([255], np.uint8), "id 255 is out of range"),
        ([0.0, 1.0], "ids have dtype float64: expected integers"),
        ([True], "ids have dtype bool: expected integers"),
    ],
)
def test_ids_that_no_row_has_are_named(ids, message):
    with pytest.raises(ValueError, match=message):
        embedding(np.array(ids), TABLE)


def test_an_embedding_names_what_does_not_fit():
    with pytest.raises(ValueError, match=r"table has shape \(2,\)"):
        embedding(np.array([0]), TABLE[0])
    _, cache = embedding(np.array([0, 1]), TABLE)
    with pytest.raises(ValueError, match=r"dy has shape \(2, 3\): expected \(2, 2\)"):
        embedding_backward(np.ones((2, 3)), cache)


def test_an_embedding_and_its_gradient_are_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    ids, table = rng.integers(0, 65, (30, 20)), rng.standard_normal((65, 8), dtype=np.float32)
    dy = rng.standard_normal((30, 20, 8), dtype=np.float32)
    leaf = torch.tensor(table, requires_grad=True)
    expected = torch.nn.functional.embedding(torch.tensor(ids), leaf)
    expected.backward(torch.tensor(dy))
    y, cache = embedding(ids, table)
    np.testing.assert_array_equal(y, expected.detach())
    np.testing.assert_allclose(embedding_backward(dy, cache), leaf.grad, rtol=1e-5, atol=1e-5)
