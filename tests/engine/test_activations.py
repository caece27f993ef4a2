"""Activations by hand, by their identities, at their limits and against PyTorch; and dropout."""

import math

import numpy as np
import pytest

from cnntool.engine.activations import (
    dropout,
    dropout_backward,
    relu,
    relu_backward,
    scaled_tanh,
    scaled_tanh_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from cnntool.engine.fast.layout import batch_last, is_batch_last

PAIRS = {
    "relu": (relu, relu_backward),
    "tanh": (tanh, tanh_backward),
    "scaled_tanh": (scaled_tanh, scaled_tanh_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
}
every_pair = pytest.mark.parametrize(("forward", "backward"), PAIRS.values(), ids=PAIRS)


def test_relu_by_hand_with_no_gradient_at_zero():
    y, cache = relu(np.array([-2.0, 0.0, -0.0, 3.0], np.float32))
    assert y.tolist() == [0, 0, 0, 3]
    assert relu_backward(np.array([5.0, 6, 7, 8]), cache).tolist() == [0, 0, 0, 8]


def test_tanh_by_hand():
    y, cache = tanh(np.array([0.0, math.log(3)]))
    np.testing.assert_allclose(y, [0, 0.8], rtol=1e-15)  # (3 - 1/3) / (3 + 1/3)
    np.testing.assert_allclose(tanh_backward(np.array([2.0, 1]), cache), [2, 0.36], rtol=1e-14)


def test_no_gradient_passes_where_relu_is_zero_whatever_it_is():
    x = np.array([-1.0, 0, -0.0, -np.inf, 2, 3, 4], np.float32)
    dy = np.array([np.inf, -np.inf, np.nan, np.nan, np.inf, -0.0, np.nan], np.float32)
    dx = relu_backward(dy, relu(x)[1])
    np.testing.assert_array_equal(dx, np.array([0, 0, 0, 0, np.inf, 0, np.nan], np.float32))
    assert np.signbit(dx).tolist() == [False] * 5 + [True, False]  # exactly dy, or exactly +0


def test_relu_goes_back_through_any_strides():
    x = np.random.default_rng(0).standard_normal((6, 4, 5, 3))
    for view in (x[::2], x.transpose(1, 2, 3, 0), x[..., ::-1]):
        y, cache = relu(view)
        dy = np.arange(y.size, dtype=float).reshape(y.shape)
        np.testing.assert_array_equal(relu_backward(dy, cache), np.where(view > 0, dy, 0))


def test_scaled_tanh_is_one_at_one_and_bends_most_there():
    y, cache = scaled_tanh(np.array([-1.0, 0, 1]))
    np.testing.assert_allclose(y, [-1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(scaled_tanh_backward(np.ones(3), cache)[1], 1.7159 * 2 / 3)
    x = np.linspace(0.5, 1.5, 1001)
    slopes = scaled_tanh_backward(np.ones(1001), scaled_tanh(x)[1])
    assert abs(x[np.diff(slopes).argmin()] - 1) < 0.02


def test_sigmoid_by_hand():
    y, cache = sigmoid(np.array([0.0, math.log(3)]))
    np.testing.assert_allclose(y, [0.5, 0.75], rtol=1e-15)
    expected = [0.5, 0.1875]
    np.testing.assert_allclose(sigmoid_backward(np.array([2.0, 1]), cache), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_sigmoid_is_stable_and_silent_for_any_input(dtype):
    x = np.array([-np.inf, -3e38, -1e4, -1000, 1000, 1e4, 3e38, np.inf], dtype)
    with np.errstate(all="raise"):
        y, cache = sigmoid(x)
        gradient = sigmoid_backward(np.ones(8, dtype), cache)
    assert y.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert gradient.tolist() == [0] * 8


@pytest.mark.parametrize(("dtype", "last"), [(np.float32, 88), (np.float64, 700)])
def test_small_probabilities_of_sigmoid_are_as_exact_as_large_ones(dtype, last):
    x = np.linspace(-last, 30, 400, dtype=dtype)
    exact = [math.exp(v) / (1 + math.exp(v)) for v in x.astype(float)]
    # exp amplifies the rounding of its argument by the argument.
    np.testing.assert_allclose(sigmoid(x)[0], exact, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.filterwarnings("error")
def test_tanh_saturates_silently():
    with np.errstate(all="raise"):
        y, cache = tanh(np.array([-np.inf, -1e4, 1e4, np.inf], np.float32))
    assert y.tolist() == [-1, -1, 1, 1]
    assert tanh_backward(np.ones(4), cache).tolist() == [0, 0, 0, 0]


@every_pair
def test_not_a_number_stays_one(forward, backward):
    y, _ = forward(np.array([np.nan, 1.0]))
    assert np.isnan(y).tolist() == [True, False]


@every_pair
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 1, 3, 4)])
def test_any_shape_and_dtype(forward, backward, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    before = x.copy()
    for dtype, kept in {
        np.float64: np.float64,
        np.float32: np.float32,
        np.int32: np.float32,
    }.items():
        y, cache = forward(x.astype(dtype))
        gradient = backward(np.ones(shape, dtype), cache)
        assert np.shape(y) == np.shape(gradient) == shape
        assert y.dtype == gradient.dtype == kept
    np.testing.assert_array_equal(x, before)


@every_pair
def test_the_way_back_writes_neither_into_dy_nor_into_the_cache(forward, backward):
    x = np.random.default_rng(0).standard_normal((3, 4))
    y, cache = forward(x)
    dy, kept = np.full((3, 4), 2.0), y.copy()
    first = backward(dy, cache)
    np.testing.assert_array_equal(first, backward(dy, cache))
    np.testing.assert_array_equal(dy, 2)
    np.testing.assert_array_equal(y, kept)


@every_pair
def test_a_gradient_of_another_shape_is_refused(forward, backward):
    _, cache = forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"dy has shape \(3,\): expected \(2, 3\)"):
        backward(np.ones(3), cache)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parity_with_pytorch(name, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x = (10 * rng.standard_normal((20, 30))).astype(dtype)
    x[0, :3] = 0, 1e4, -1e4
    dy = rng.standard_normal(x.shape).astype(dtype)
    leaf = torch.tensor(x, requires_grad=True)
    formulas = {"scaled_tanh": lambda x: 1.7159 * torch.tanh(2 * x / 3)}
    expected = formulas.get(name, getattr(torch, name, None))(leaf)
    expected.backward(torch.tensor(dy))
    forward, backward = PAIRS[name]
    y, cache = forward(x)
    close = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, expected.detach(), rtol=close)
    np.testing.assert_allclose(backward(dy, cache), leaf.grad, rtol=close, atol=close)


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
    rate, count = 5e-6, 8_000_000
    y, _ = dropout(np.ones(count, np.float32), rate, np.random.default_rng(4))
    assert 15 < np.count_nonzero(y == 0) < 65  # 40, give or take 4 standard deviations
    y, _ = dropout(np.ones(count, np.float32), 1 - rate, np.random.default_rng(5))
    assert 15 < np.count_nonzero(y) < 65


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


def test_dropout_refuses_a_gradient_of_another_shape():
    _, cache = dropout(X, 0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="dy has shape"):
        dropout_backward(X[0], cache)
