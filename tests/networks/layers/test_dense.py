"""Dense layers and flattening, by hand, and alike in both layouts of maps."""

import numpy as np
import pytest

from cnntool.networks.initialisation import Fans
from cnntool.networks.layers.core import Dense, Flatten
from cnntool.networks.layers.layer import Pass

WAY = Pass(training=True)


def innermost(x):
    """The same maps with their samples innermost."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


def test_dense_by_hand():
    x, weight = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 0, 2], [0, 1, -1]])
    y, cache = Dense(3).forward(x, {"weight": weight, "bias": np.array([0.5, 0, 1])}, {}, WAY)
    np.testing.assert_array_equal(y, [[1.5, 2, 1], [3.5, 4, 3]])
    dx, grads = Dense(3).backward(np.array([[1.0, 1, 0], [0, 0, 2]]), cache)
    np.testing.assert_array_equal(dx, [[1, 1], [4, -2]])
    np.testing.assert_array_equal(grads["weight"], [[1, 1, 6], [2, 2, 8]])
    np.testing.assert_array_equal(grads["bias"], [1, 1, 2])


@pytest.mark.parametrize("count", [1, 5])
def test_maps_are_flattened_channel_by_channel_whatever_their_layout(count):
    x = np.arange(24.0 * count).reshape(count, 2, 3, 4)
    for given in (x, innermost(x)):
        y, cache = Flatten().forward(given, {}, {}, WAY)
        np.testing.assert_array_equal(y, x.reshape(count, 24))
        dx, grads = Flatten().backward(y, cache)
        np.testing.assert_array_equal(dx, x)
        assert grads == {}


def test_dense_over_maps_is_dense_over_them_flattened():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((5, 2, 3, 4)), rng.standard_normal((5, 3))
    params = {"weight": rng.standard_normal((24, 3)), "bias": rng.standard_normal(3)}
    for given in (x, innermost(x)):
        y, cache = Dense(3).forward(given, params, {}, WAY)
        np.testing.assert_allclose(y, x.reshape(5, 24) @ params["weight"] + params["bias"])
        dx, grads = Dense(3).backward(dy, cache)
        np.testing.assert_allclose(dx, (dy @ params["weight"].T).reshape(x.shape))
        np.testing.assert_allclose(grads["weight"], x.reshape(5, 24).T @ dy)
        np.testing.assert_allclose(grads["bias"], dy.sum(axis=0))


def test_no_gradient_of_the_input_where_none_is_needed():
    params = {"weight": np.ones((2, 3)), "bias": np.zeros(3)}
    _, cache = Dense(3).forward(np.ones((1, 2)), params, {}, WAY)
    assert Dense(3).backward(np.ones((1, 3)), cache, need_dx=False)[0] is None


def test_shapes_and_counts():
    assert Dense(84).output_shape((120, 1, 1)) == (84,)
    assert sum(p.count for p in Dense(84).parameters((120, 1, 1)).values()) == 10164  # F6
    assert (Dense(84).multiply_adds((120,)), Dense(84).connections((120,))) == (10080, 10164)
    weight = Dense(3).parameters((2, 4, 5))["weight"]
    assert (weight.shape, weight.start) == ((40, 3), Fans(40, 3))
    assert Flatten().output_shape((2, 3, 4)) == (24,)
    assert Flatten().parameters((2, 3, 4)) == {}
