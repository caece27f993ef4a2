"""Dropout: which elements, how many, and what becomes of the others."""

import numpy as np
import pytest

from cnntool.engine.activations import dropout, dropout_backward
from cnntool.engine.fast.layout import batch_last, is_batch_last

X = np.random.default_rng(0).standard_normal((8, 4, 6, 5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", [np.asarray, batch_last])
def test_elements_are_zero_or_scaled_and_the_gradient_passes_where_they_were_kept(dtype, layout):
    x = layout(X.astype(dtype))
    y, cache = dropout(x, 0.3, np.random.default_rng(1))
    kept = y != 0
    assert (y.dtype, is_batch_last(y)) == (dtype, is_batch_last(x))
    assert 0.6 < kept.mean() < 0.8
    scale = dtype(1 / 0.7)
    np.testing.assert_array_equal(y, np.where(kept, x * scale, 0))
    dy = layout(np.ones_like(X, dtype))
    np.testing.assert_array_equal(dropout_backward(dy, cache), np.where(kept, scale, 0))
    np.testing.assert_array_equal(x, X.astype(dtype))


@pytest.mark.parametrize("rate", [0.001, 0.1, 1 / 3, 0.5, 0.9, 0.9999])
def test_the_rate_is_met_and_the_mean_stays(rate):
    count = 2_000_000
    y, _ = dropout(np.ones(count, np.float32), rate, np.random.default_rng(2))
    dropped = np.count_nonzero(y == 0)
    assert abs(dropped - count * rate) < 4 * (count * rate * (1 - rate)) ** 0.5
    assert y.mean(dtype=np.float64) == pytest.approx((count - dropped) / count / (1 - rate))


def test_rates_finer_than_a_draw_of_16_bits_are_met_too():
    """65,536 levels alone would drop nothing at a rate of 1 in 200,000."""
    rate, count = 5e-6, 20_000_000
    y, _ = dropout(np.ones(count, np.float32), rate, np.random.default_rng(4))
    assert 60 < np.count_nonzero(y == 0) < 140  # 100, give or take 4 standard deviations
    y, _ = dropout(np.ones(count, np.float32), 1 - rate, np.random.default_rng(5))
    assert 60 < np.count_nonzero(y) < 140


def test_neighbours_and_calls_are_independent():
    rng = np.random.default_rng(3)
    first, second = (dropout(np.ones(10**6), 0.5, rng)[0] > 0 for _ in range(2))
    for other in (second, np.roll(first, 1), np.roll(first, 4)):
        assert abs((first & other).mean() - 0.25) < 0.002


def test_the_generator_decides():
    y, _ = dropout(X, 0.5, np.random.default_rng(1))
    np.testing.assert_array_equal(y, dropout(X, 0.5, np.random.default_rng(1))[0])
    assert (y != dropout(X, 0.5, np.random.default_rng(2))[0]).any()


def test_a_rate_of_zero_keeps_everything():
    np.testing.assert_array_equal(dropout(X, 0, np.random.default_rng(0))[0], X)


def test_what_is_dropped_is_zero_whatever_it_was():
    odd = np.tile([np.inf, np.nan, -np.inf], 100)
    with np.errstate(all="raise"):
        y, cache = dropout(odd, 0.5, np.random.default_rng(0))
        dx = dropout_backward(odd, cache)
    for found in (y, dx):
        np.testing.assert_array_equal(found, np.where(cache.kept, odd, 0))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 7), (1, 2, 3, 4)])
def test_any_shape(shape):
    y, cache = dropout(np.ones(shape, np.float32), 0.5, np.random.default_rng(0))
    assert np.shape(y) == np.shape(dropout_backward(np.ones(shape), cache)) == shape
    assert y.dtype == np.float32


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match=f"rate is {rate}: it must be at least 0, below 1"):
        dropout(X, rate, np.random.default_rng(0))


def test_a_gradient_of_another_shape_is_refused():
    _, cache = dropout(X, 0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="dy has shape"):
        dropout_backward(X[0], cache)
