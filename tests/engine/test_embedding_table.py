"""The embedding against a one-hot product, PyTorch and NumPy's own scatter."""

import numpy as np
import pytest

from cnntool.engine.linear import embedding, embedding_backward, embedding_backward_rows

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


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"table has shape \(2,\)"):
        embedding(np.array([0]), TABLE[0])
    _, cache = embedding(np.array([0, 1]), TABLE)
    with pytest.raises(ValueError, match=r"dy has shape \(2, 3\): expected \(2, 2\)"):
        embedding_backward(np.ones((2, 3)), cache)


def test_parity_with_pytorch():
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
