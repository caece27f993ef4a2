"""Pooling layers, against numbers worked by hand and PyTorch's."""

import numpy as np
import pytest

from cnntool.networks.layers.layer import Pass
from cnntool.networks.layers.pools import AdaptivePool, PyramidPool, SlidingPool, Subsampling

X = np.array([[[[1.0, 2, 5, 6], [3, 4, 7, 9], [0, 0, 1, 1], [2, 0, 0, 3]]]])
DY = np.array([[[[1.0, 2], [3, 4]]]])


def through(layer, x, dy, params=None):
    y, cache = layer.forward(x, params or {}, {}, Pass(training=True))
    assert y.shape[1:] == layer.output_shape(x.shape[1:])
    return y, *layer.backward(dy, cache)


def test_max_hands_each_gradient_to_its_winner():
    y, dx, grads = through(SlidingPool("max", (2, 2)), X, DY)
    np.testing.assert_array_equal(y, [[[[4, 9], [2, 3]]]])
    np.testing.assert_array_equal(dx, [[[[0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]]]])
    assert grads == {}


def test_average_hands_each_gradient_to_all_alike():
    y, dx, _ = through(SlidingPool("average", (2, 2)), X, DY)
    np.testing.assert_array_equal(y, [[[[2.5, 6.75], [0.5, 1.25]]]])
    np.testing.assert_array_equal(dx, np.kron(DY[0, 0] / 4, np.ones((2, 2)))[None, None])


def test_lp_is_a_norm():
    x = np.array([[[[3.0, 0], [0, 4]]]])
    y, dx, _ = through(SlidingPool("lp", (2, 2)), x, np.ones((1, 1, 1, 1)))
    np.testing.assert_allclose(y, 5)
    np.testing.assert_allclose(dx, x / 5)  # of the norm: x / norm


def test_gaussian_weighs_by_the_distance_from_the_middle():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1], x[0, 0, 0, 0] = 1, 10
    y, dx, _ = through(SlidingPool("gaussian", (3, 3), sigma=1.0), x, np.ones((1, 1, 1, 1)))
    side = np.exp(-0.5)
    whole = (1 + 2 * side) ** 2
    np.testing.assert_allclose(y, (1 + 10 * side**2) / whole)
    np.testing.assert_allclose(dx[0, 0, 1], np.array([side, 1, side]) / whole)


def test_subsampling_is_lenet5s():
    params = {"weight": np.array([2.0]), "bias": np.array([-1.0])}
    y, dx, grads = through(Subsampling((2, 2)), X, DY, params)
    np.testing.assert_array_equal(y, [[[[4, 12.5], [0, 1.5]]]])
    np.testing.assert_array_equal(dx, np.kron(DY[0, 0] / 2, np.ones((2, 2)))[None, None])
    assert grads["weight"] == 2.5 + 2 * 6.75 + 3 * 0.5 + 4 * 1.25
    assert grads["bias"] == 10


def test_a_pyramid_is_its_levels_one_behind_the_other():
    y, dx, _ = through(PyramidPool((1, 2)), X, np.array([[1.0, 2, 3, 4, 5]]))
    np.testing.assert_array_equal(y, [[9, 4, 9, 2, 3]])
    np.testing.assert_array_equal(dx, [[[[0, 0, 0, 0], [0, 2, 0, 4], [0, 0, 0, 0], [4, 0, 0, 5]]]])


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 5)])
def test_adaptive_pools_are_those_of_pytorch(mode, size):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5))
    dy = np.random.default_rng(1).standard_normal((2, 3, *size))
    theirs = torch.tensor(x, requires_grad=True)
    names = {"max": "adaptive_max_pool2d", "average": "adaptive_avg_pool2d"}
    expected = getattr(torch.nn.functional, names[mode])(theirs, size)
    expected.backward(torch.tensor(dy))
    y, dx, _ = through(AdaptivePool(mode, size), x, dy)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-12)
    np.testing.assert_allclose(dx, theirs.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("layer", "shape", "output", "connections"),
    [
        (SlidingPool("max", (2, 2)), (6, 28, 28), (6, 14, 14), 6 * 14 * 14 * 4),
        (SlidingPool("max", (3, 3), (2, 2)), (4, 9, 7), (4, 4, 3), 4 * 4 * 3 * 9),
        (SlidingPool("average", (3, 3), (1, 1), (1, 1)), (1, 5, 5), (1, 5, 5), 25 * 9),
        (AdaptivePool("max", (1, 1)), (8, 5, 6), (8, 1, 1), 8 * 30),
        (AdaptivePool("average", (2, 3)), (2, 4, 6), (2, 2, 3), 2 * 24),
        (AdaptivePool("max", (2, 2)), (1, 5, 4), (1, 2, 2), 6 * 4),  # rows 0-2 and 2-4
        (AdaptivePool("max", (4, 4)), (1, 2, 2), (1, 4, 4), 16),  # each element four times
        (SlidingPool("max", (2, 2), padding=(1, 1)), (1, 4, 4), (1, 3, 3), 9 * 4),
        (PyramidPool((1, 2)), (3, 5, 4), (15,), 3 * (20 + 24)),
        (PyramidPool((2,)), (1, 3, 3), (4,), 16),  # rows and columns 0-1 and 1-2
        (Subsampling((2, 2)), (6, 28, 28), (6, 14, 14), 5880),  # S2 of the paper
        (Subsampling((2, 2)), (16, 10, 10), (16, 5, 5), 2000),  # S4
    ],
    ids=str,
)
def test_shapes_and_connections(layer, shape, output, connections):
    assert layer.output_shape(shape) == output
    assert layer.connections(shape) == connections


def test_only_subsampling_has_parameters_and_products():
    assert {
        k: (p.shape, p.start.value) for k, p in Subsampling((2, 2)).parameters((6, 8, 8)).items()
    } == {
        "weight": ((6,), 1.0),
        "bias": ((6,), 0.0),
    }
    assert Subsampling((2, 2)).multiply_adds((6, 28, 28)) == 6 * 14 * 14
    for layer in (SlidingPool("lp", (2, 2)), AdaptivePool("max", (1, 1)), PyramidPool((1, 2))):
        assert layer.parameters((6, 8, 8)) == {}
        assert layer.multiply_adds((6, 8, 8)) == 0


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (SlidingPool("max", (3, 3)), (1, 2, 5), "its window spans 3x3 and it got maps of 2x5"),
        (SlidingPool("max", (2, 2), padding=(2, 2)), (1, 8, 8), "use pad 1 or less"),
        (AdaptivePool("max", (1, 1)), (84,), "it takes maps, not 84 features"),
        (PyramidPool((1,)), (1,), "it takes maps, not 1 feature:"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_with_what_would(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
