import numpy as np
import pytest

from cnntool.engine import time_pool, time_pool_backward

X = np.array([[[1.0, 5.0], [7.0, -1.0]], [[3.0, 2.0], [9.0, 9.0]], [[2.0, 5.0], [9.0, 9.0]]])


@pytest.mark.parametrize(
    ("mode", "expected", "gradient"),
    [
        ("first", [[1, 5], [7, -1]], [[[1, 2], [3, 4]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]),
        ("last", [[2, 5], [7, -1]], [[[0, 0], [3, 4]], [[0, 0], [0, 0]], [[1, 2], [0, 0]]]),
        (
            "mean",
            [[2, 4], [7, -1]],
            [[[1 / 3, 2 / 3], [3, 4]], [[1 / 3, 2 / 3], [0, 0]], [[1 / 3, 2 / 3], [0, 0]]],
        ),
        ("max", [[3, 5], [7, -1]], [[[0, 2], [3, 4]], [[1, 0], [0, 0]], [[0, 0], [0, 0]]]),
    ],
)
def test_sequences_of_three_steps_and_one_by_hand(mode, expected, gradient):
    y, cache = time_pool(X, mode, lengths=np.array([3, 1]))
    np.testing.assert_allclose(y, expected)
    dx = time_pool_backward(np.array([[1.0, 2.0], [3.0, 4.0]]), cache)
    np.testing.assert_allclose(dx, gradient)


@pytest.mark.parametrize("mode", ["first", "last", "mean", "max"])
def test_what_stands_behind_an_end_counts_nowhere(mode):
    lengths = np.array([3, 0])
    padded = np.concatenate([X, np.full((2, 2, 2), np.nan)])
    padded[:, 1] = np.nan
    y, cache = time_pool(padded, mode, lengths=lengths)
    np.testing.assert_array_equal(y[0], time_pool(X[:, :1], mode)[0][0])
    np.testing.assert_array_equal(y[1], 0)
    dx = time_pool_backward(np.ones((2, 2)), cache)
    assert (dx[3:] == 0).all()
    assert (dx[:, 1] == 0).all()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="mode is 'middle': expected first, last, mean, max"):
        time_pool(X, "middle")
    with pytest.raises(ValueError, match="expected 0 to 3"):
        time_pool(X, "mean", lengths=np.array([4, 1]))
    with pytest.raises(ValueError, match="dy has shape"):
        time_pool_backward(np.ones((3, 2)), time_pool(X, "mean")[1])
    assert time_pool(X[:0], "max")[0].tolist() == [[0, 0], [0, 0]]
