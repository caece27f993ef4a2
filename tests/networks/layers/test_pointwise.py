"""Activations by their formulas, and what dropout draws."""

import math

import numpy as np
import pytest

from cnntool.networks.layers.core import ACTIVATIONS, Activation, Dropout
from cnntool.networks.layers.layer import Pass

X = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])


@pytest.mark.parametrize(
    ("name", "function", "derivative"),
    [
        ("relu", lambda x: max(x, 0.0), lambda x: float(x > 0)),
        ("tanh", math.tanh, lambda x: 1 - math.tanh(x) ** 2),
        (
            "scaled-tanh",
            lambda x: 1.7159 * math.tanh(2 * x / 3),
            lambda x: 1.7159 * 2 / 3 * (1 - math.tanh(2 * x / 3) ** 2),
        ),
        (
            "sigmoid",
            lambda x: 1 / (1 + math.exp(-x)),
            lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2,
        ),
    ],
)
def test_activations_are_their_formulas(name, function, derivative):
    layer = Activation(name)
    y, cache = layer.forward(X.copy(), {}, {}, Pass(training=True))
    np.testing.assert_allclose(y[0], [function(x) for x in X[0]], rtol=1e-7)
    dx, grads = layer.backward(np.full(X.shape, 3.0), cache)
    np.testing.assert_allclose(dx[0], [3 * derivative(x) for x in X[0]], rtol=1e-6)
    assert grads == {}


def test_every_activation_is_tested_here():
    assert set(ACTIVATIONS) == {"relu", "tanh", "scaled-tanh", "sigmoid"}


def test_dropout_keeps_the_mean_and_hands_gradients_to_those_kept():
    layer, x = Dropout(0.25), np.ones((100, 1000), np.float32)
    y, cache = layer.forward(x, {}, {}, Pass(training=True, rng=np.random.default_rng(0)))
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    dropped = np.mean(y == 0)
    assert abs(dropped - 0.25) < 5 * math.sqrt(0.25 * 0.75 / x.size)
    dx, _ = layer.backward(2 * x, cache)
    np.testing.assert_array_equal(dx, 2 * y)


def test_dropout_is_nothing_where_nothing_is_trained():
    y, cache = Dropout(0.5).forward(X, {}, {}, Pass())
    assert y is X
    assert Dropout(0.5).backward(X, cache)[0] is X
    with pytest.raises(ValueError, match="the pass needs an rng"):
        Dropout(0.5).forward(X, {}, {}, Pass(training=True))


@pytest.mark.parametrize("layer", [Activation("relu"), Dropout(0.5)], ids=str)
def test_they_keep_shapes_and_have_nothing_to_learn(layer):
    assert layer.output_shape((3, 4, 5)) == (3, 4, 5)
    assert layer.parameters((3, 4, 5)) == layer.buffers((3, 4, 5)) == {}
    assert layer.multiply_adds((3, 4, 5)) == layer.connections((3, 4, 5)) == 0
