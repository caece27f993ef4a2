"""How weights start: the variance that each rule promises, and what it is good for."""

import numpy as np
import pytest

from cnntool.networks.initialisation import Constant, Fans, variance
from cnntool.networks.layers.layer import Parameter
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers


def network_of(text, shape, rule, seed=0):
    made = Network(parse_layers(text), shape)
    return made.initialise(np.random.default_rng(seed), rule)


def growth(network, count=64, seed=1):
    """The mean square of the last output over that of the input."""
    x = np.random.default_rng(seed).standard_normal((count, *network.input_shape))
    return float(np.mean(np.square(network.predict(x.astype(np.float32)))))


@pytest.mark.parametrize(
    ("rule", "expected"), [("he", 2 / 300), ("glorot", 2 / 500), ("lecun", 1 / 300)]
)
def test_weights_have_the_variance_of_their_rule(rule, expected):
    assert variance(rule, 300, 200) == pytest.approx(expected)
    drawn = Parameter((300, 200), Fans(300, 200)).drawn(np.random.default_rng(0), rule)
    assert drawn.dtype == np.float32
    count, bound = drawn.size, np.sqrt(3 * expected)
    assert abs(drawn.mean()) < 5 * np.sqrt(expected / count)
    assert drawn.var() == pytest.approx(expected, rel=5 * np.sqrt(0.8 / count))  # var of x^2: 4/5
    assert 0.99 * bound < np.abs(drawn).max() <= bound


def test_what_no_input_reaches_starts_as_it_says():
    rng = np.random.default_rng(0)
    assert Parameter((3,)).drawn(rng, "he").tolist() == [0, 0, 0]
    assert Parameter((2,), Constant(1.0)).drawn(rng, "he").tolist() == [1, 1]
    with pytest.raises(KeyError):
        variance("xavier", 1, 1)


def test_lecuns_rule_keeps_the_variance_through_linear_layers():
    """Var y = fan_in Var w Var x; twenty layers of 400 vary by some sqrt(20 * 2 / 400)."""
    assert growth(network_of("dense 400; " * 20, (400,), "lecun")) == pytest.approx(1, rel=0.5)
    assert growth(network_of("dense 400; " * 20, (400,), "he")) > 2**19


def test_hes_rule_keeps_the_mean_square_through_relu():
    """Half of a symmetric variable's mean square is above 0, and 2 / fan_in makes up for it."""
    deep = "dense 400; relu; " * 20 + "dense 400"
    grown = [growth(network_of(deep, (400,), "he", seed), 16) for seed in range(16)]
    assert np.mean(grown) == pytest.approx(2, rel=0.5)  # one varies by some exp(sqrt(20 * 5 / 400))
    assert growth(network_of(deep, (400,), "lecun")) < 2**-18


def test_glorots_rule_is_between_forward_and_backward():
    """Forward Var y / Var x = 2 fan_in / (fan_in + fan_out), backward with fan_out: sum 2."""
    network = network_of("dense 100", (900,), "glorot")
    assert growth(network, 500) == pytest.approx(2 * 900 / 1000, rel=0.05)
    weight = network.params["dense1.weight"]
    dy = np.random.default_rng(2).standard_normal((500, 100))
    assert np.mean(np.square(dy @ weight.T)) == pytest.approx(2 * 100 / 1000, rel=0.05)
    assert growth(network_of("dense 400; " * 20, (400,), "glorot")) == pytest.approx(1, rel=0.5)


@pytest.mark.parametrize(
    "text",
    ["conv 64 3x3", "conv 64 3x3 groups 4", "conv 64 3x2 stride 2 dilation 2", "local 16 3x3"],
)
def test_convolutions_keep_the_variance_as_dense_layers_do(text):
    assert growth(network_of(text, (32, 12, 12), "lecun")) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    ("text", "fans", "expected"),
    [
        ("dense 200; relu", (100, 200), "he"),
        ("dense 200; batch-norm; dropout 0.1; relu", (100, 200), "he"),
        ("dense 200; tanh", (100, 200), "glorot"),
        ("dense 200; dense 200; relu", (100, 200), "glorot"),
        ("dense 200", (100, 200), "glorot"),
    ],
)
def test_without_a_rule_he_stands_before_relu_and_glorot_else(text, fans, expected):
    network = network_of(text, (100,), None)
    drawn = network.params["dense1.weight"]
    assert drawn.var() == pytest.approx(variance(expected, *fans), rel=0.05)


def test_the_same_seed_draws_the_same():
    one, two, other = (network_of("dense 5", (4,), "he", seed) for seed in (3, 3, 4))
    assert one.params["dense1.weight"].tolist() == two.params["dense1.weight"].tolist()
    assert one.params["dense1.weight"].tolist() != other.params["dense1.weight"].tolist()
