"""Pools of signals: those of maps one row high."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_geometry import numerical_gradient

from cnntool.engine.pooling import (
    average_pool1d,
    average_pool1d_backward,
    lp_pool1d,
    lp_pool1d_backward,
    max_pool1d,
    max_pool1d_backward,
    max_pool1d_indices,
)

PAIRS = [
    (max_pool1d, max_pool1d_backward),
    (average_pool1d, average_pool1d_backward),
    (lp_pool1d, lp_pool1d_backward),
]


def test_signals_by_hand():
    x = np.array([[[1.0, 3.0, 2.0, -4.0, 0.0]]])
    y, cache = max_pool1d(x, 2, 1)
    np.testing.assert_array_equal(y[0, 0], [3, 3, 2, 0])
    np.testing.assert_array_equal(max_pool1d_indices(cache)[0, 0], [1, 1, 2, 4])
    np.testing.assert_array_equal(
        max_pool1d_backward(np.ones_like(y), cache)[0, 0], [0, 2, 1, 0, 1]
    )
    np.testing.assert_array_equal(average_pool1d(x, 3, 2, (1, 0))[0][0, 0], [2, 1 / 3])
    np.testing.assert_array_equal(lp_pool1d(x, 2, 1, ceil_mode=True)[0][0, 0], [4, 6, 0])


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.booleans())
def test_signals_are_pytorchs(kernel_size, stride, padding, ceil_mode):
    torch = pytest.importorskip("torch")
    padding = min(padding, kernel_size // 2)
    x = np.random.default_rng(0).standard_normal((2, 3, 11))
    arguments = kernel_size, stride, padding
    ours = max_pool1d(x, *arguments, 2, ceil_mode)[0]
    theirs = torch.nn.functional.max_pool1d(torch.from_numpy(x), *arguments, 2, ceil_mode)
    np.testing.assert_array_equal(ours, theirs.numpy())
    ours = average_pool1d(x, *arguments, 1, ceil_mode, count_include_pad=True)[0]
    theirs = torch.nn.functional.avg_pool1d(torch.from_numpy(x), *arguments, ceil_mode)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize(("pool", "backward"), PAIRS)
def test_gradients_are_those_of_central_differences(pool, backward):
    rng = np.random.default_rng(0)
    x = rng.permutation(np.arange(1.0, 21)).reshape(1, 2, 10)
    windows = {"stride": 2, "padding": (1, 0), "dilation": 2, "ceil_mode": True}
    y, cache = pool(x, 3, **windows)
    dy = rng.standard_normal(y.shape)
    expected = numerical_gradient(lambda x: pool(x, 3, **windows)[0], x, dy, 1e-4)
    np.testing.assert_allclose(backward(dy, cache), expected, atol=1e-6)


def test_maps_are_refused():
    with pytest.raises(ValueError, match=r"expected \(N, C, L\)"):
        max_pool1d(np.zeros((1, 1, 4, 4)), 2)
