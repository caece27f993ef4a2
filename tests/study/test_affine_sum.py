"""The sum that an answer is: for every layer and network, and where the answer turns."""

import numpy as np
import pytest
from layer_texts import EVERY_LAYER

from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.networks.zoo import LEAST_SIZE, ZOO
from cnntool.study.affine_sum import affine_sum, first_bend, smallest_turn
from cnntool.study.saliency import image_shares, token_shares

BENDS = ("tanh", "scaled-tanh", "sigmoid", "lp 2", "lp 3 stride 2 p 3")


def network_of(text, shape=(2, 7, 6), seed=0):
    """A network with biases, and with running means and variances of its own."""
    network = Network(parse_layers(text), shape)
    rng = np.random.default_rng(seed)
    network.initialise(rng)
    for path, array in network.params.items():
        if path.endswith("bias"):
            network.params[path] = rng.normal(0, 1, array.shape).astype(np.float32)
    for path, array in network.buffers.items():
        network.buffers[path] = rng.uniform(0.5, 2, array.shape).astype(np.float32)
    return network


def whole(text):
    """A layer in the middle of a network of maps."""
    features = "" if text in ("flatten", "dense 5") else "flatten; "
    return f"conv 2 3x3 pad 1; {text}; {features}dense 6; relu; dense 4"


def image(shape, seed=1):
    return np.random.default_rng(seed).standard_normal((1, *shape)).astype(np.float32)


STRAIGHT = [text for text in EVERY_LAYER if text not in (*BENDS, "columns", "places")]


@pytest.mark.parametrize("text", STRAIGHT)
def test_the_sum_is_the_score_for_every_layer(text):
    spec = f"conv 2 3x3 pad 1; {text}; dense 4" if "pyramid" in text else whole(text)
    network = network_of(spec)
    x = image((2, 7, 6))
    assert first_bend(network) is None
    for weights in (np.array([0, 1.0, 0, 0]), np.array([1.0, 0, -1, 0])):
        found = affine_sum(network, x, weights)
        assert found.error < 1e-9
        assert found.score == pytest.approx(network.predict(x)[0] @ weights, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in ZOO if name != "lenet5"])
def test_the_sum_is_the_score_for_every_network_of_the_zoo(name):
    side = LEAST_SIZE[name]
    shape = (3, side, side)
    extra = {"width": 0.05} if name == "alexnet" else {}
    network = network_of(ZOO[name](shape, 5, **extra), shape)
    found = affine_sum(network, image(shape), np.eye(5)[3])
    if first_bend(network) is None:
        assert found.error < 1e-9
    else:
        shares = image_shares(network, image(shape), np.eye(5)[3])
        assert shares.error < 1e-3


def test_what_a_layer_adds_is_its_bias_times_its_gradient():
    network = network_of("conv 3 3x3; batch-norm; relu; max 2; dense 4; relu; dense 3")
    x, weights = image((2, 7, 6)), np.eye(3)[1]
    found = affine_sum(network, x, weights)
    scores, caches = network.forward(x)
    grads = network.backward(np.broadcast_to(weights, scores.shape).astype(np.float32), caches)
    biases = {
        name: float((grads[f"{name}.bias"] * network.params[f"{name}.bias"]).sum())
        for name in ("conv1", "dense1", "dense2")
    }
    for name, added in biases.items():
        assert found.layers[name] == pytest.approx(added, rel=1e-4, abs=1e-6)
    mean, var = (network.buffers[f"norm1.running_{each}"] for each in ("mean", "var"))
    shift = network.params["norm1.bias"] - network.params["norm1.weight"] * mean / np.sqrt(
        var + 1e-5
    )
    assert found.layers["norm1"] == pytest.approx(
        float((grads["norm1.bias"] * shift).sum()), rel=1e-4
    )
    assert set(found.layers) == {"conv1", "norm1", "dense1", "dense2"}


def test_the_effective_filter_is_the_gradient_of_pytorch():
    torch = pytest.importorskip("torch")
    network = network_of("conv 3 3x3; relu; max 2; dense 4")
    x = image((2, 7, 6))
    given = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    p = {k: torch.tensor(v, dtype=torch.float64) for k, v in network.params.items()}
    y = torch.nn.functional.conv2d(given, p["conv1.weight"], p["conv1.bias"])
    y = torch.nn.functional.max_pool2d(torch.relu(y), 2).flatten(1)
    (y @ p["dense1.weight"] + p["dense1.bias"])[0, 2].backward()
    found = affine_sum(network, x, np.eye(4)[2])
    np.testing.assert_allclose(found.filter, given.grad[0], atol=1e-12)


@pytest.mark.parametrize("text", BENDS)
def test_a_layer_that_bends_is_named(text):
    name, layer = first_bend(network_of(f"conv 2 3x3; {text}; relu; dense 3"))
    assert str(layer) == str(parse_layers(text)[0])
    assert name[-1] == "1"
    assert first_bend(network_of("lp 2 p 1; dense 2")) is None


def test_a_linear_score_turns_where_geometry_says():
    network = network_of("flatten; dense 2", (1, 2, 2))
    weight = np.array([[2.0, 0], [0, 1], [0, 0], [0, 0]])
    network.params = {"dense1.weight": weight, "dense1.bias": np.zeros(2)}
    turn = smallest_turn(network, np.array([[[[3.0, 1], [0, 5]]]]), 1)
    assert turn.length == pytest.approx(5 / np.sqrt(5), rel=1e-9)  # (2, -1) · (3, 1) over its norm
    assert turn.linear == pytest.approx(1, rel=1e-9)
    assert (turn.to, turn.relus, turn.switched) == (1, 0, 0)


def test_a_turn_is_verified_by_the_network_and_is_the_nearest_on_its_way():
    network = network_of("conv 4 3x3; relu; max 2; dense 5; relu; dense 3")
    x = image((2, 7, 6))
    scores = network.predict(x)[0]
    turn = smallest_turn(network, x, int(scores.argsort()[-2]))
    wide = network.with_arrays(
        {k: v.astype(np.float64) for k, v in network.params.items()}, network.buffers
    )
    answers = [
        int(wide.predict(x + share * turn.step[None])[0].argmax())
        for share in (0, 0.25, 0.5, 0.75, 0.999, 1.0)
    ]
    assert answers == [int(scores.argmax())] * 5 + [turn.to]
    assert turn.relus == 4 * 5 * 4 + 5
    assert 0 <= turn.switched <= turn.relus


@pytest.mark.parametrize(
    "text", ["conv 3 3x3; tanh; dense 4", "conv 3 3x3; lp 2; sigmoid; dense 4"]
)
def test_integrated_gradients_are_complete(text):
    network, x = network_of(text), image((2, 7, 6))
    weights = np.array([1.0, 0, 0, -1])
    found = image_shares(network, x, weights)
    assert found.error < 1e-3
    assert found.score == pytest.approx(network.predict(x)[0] @ weights, rel=1e-4)
    assert found.baseline == pytest.approx(network.predict(0 * x)[0] @ weights, rel=1e-4)


def test_of_a_linear_network_they_are_the_products_of_the_sum():
    network, x = network_of("conv 3 3x3; average 2; dense 4"), image((2, 7, 6))
    shares = image_shares(network, x, np.eye(4)[0])
    np.testing.assert_allclose(
        shares.values, affine_sum(network, x, np.eye(4)[0]).products, atol=1e-12
    )


@pytest.mark.parametrize(
    ("text", "step"), [("lstm 5; last; dense 3", 0), ("gru 4 both; dense 3", 2)]
)
def test_the_shares_of_tokens_are_complete(text, step):
    network = Network(parse_layers(f"embedding 9 x 4; {text}"), (None,))
    network.initialise(np.random.default_rng(0))
    x = np.array([[3], [1], [4], [1]])
    weights = np.eye(3)[1]
    found = token_shares(network, x, np.array([4]), weights, step)
    assert found.values.shape == (4, 4)
    assert found.error < 1e-3
    scores = network.forward(x, lengths=np.array([4]))[0]
    score = scores[step, 0] if scores.ndim == 3 else scores[0]
    assert found.score == pytest.approx(float(score[1]), rel=1e-4)
