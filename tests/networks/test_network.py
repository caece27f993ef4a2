"""Networks: shapes, layouts, the order they run in, and gradients of whole networks."""

import numpy as np
import pytest

from cnntool.errors import InputError, RequestError
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.networks.zoo import build

EVERY_KIND = [
    "conv 3 3x3 pad 1; tanh; max 2; dense 4",
    "conv 4 3x2 stride 2x1 dilation 1x2; relu; average 2 stride 1; dense 3",
    "conv 4 3x3 no-bias; batch-norm; relu; global-average; dense 3",
    "conv 2 2x2; sigmoid; conv 4 3x3 groups 2; scaled-tanh; gaussian 2; dense 2",
    "conv 2 2x2; conv 3 2x2 connections 10/01/11; tanh; lp 2 p 3; dense 2",
    "local 2 3x3; tanh; subsample 2; flatten; dense 3",
    "conv 3 3x3; tanh; adaptive-average 2; dropout 0.4; dense 3; tanh; dense 2",
    "conv 3 3x3; tanh; pyramid 1,2 average; dense 2",
    "dense 5; batch-norm; tanh; dense 2",
]


def network_of(text, shape=(2, 7, 6), dtype=np.float64):
    network = Network(parse_layers(text), shape).initialise(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for path, array in network.params.items():  # biases that are 0 would hide mistakes
        network.params[path] = (array + 0.1 * rng.normal(size=array.shape)).astype(dtype)
    network.buffers = {path: array.astype(dtype) for path, array in network.buffers.items()}
    return network


def images(count, shape=(2, 7, 6), seed=2):
    return np.random.default_rng(seed).normal(size=(count, *shape))


@pytest.mark.parametrize("count", [3, 17])  # samples outermost, and innermost
@pytest.mark.parametrize("text", EVERY_KIND)
def test_gradients_of_a_network_are_those_of_differences(text, count):
    network, x = network_of(text), images(count)

    def forward():
        return network.forward(x, training=True, rng=np.random.default_rng(5))

    y, caches = forward()
    dy = images(1, y.shape, seed=3)[0]
    grads = network.backward(dy, caches)
    assert grads.keys() == network.params.keys()
    rng = np.random.default_rng(4)
    for path, array in network.params.items():
        assert grads[path].shape == array.shape
        direction = rng.normal(size=array.shape)
        losses = []
        for step in (1e-6, -1e-6):
            network.params[path] = array + step * direction
            losses.append((forward()[0] * dy).sum())
        network.params[path] = array
        numeric = (losses[0] - losses[1]) / 2e-6
        np.testing.assert_allclose((grads[path] * direction).sum(), numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17])
@pytest.mark.parametrize("text", EVERY_KIND)
def test_the_ways_through_a_network_agree(text, count):
    network, x = network_of(text), images(count)
    y = network.predict(x)
    np.testing.assert_array_equal(y, network.forward(x)[0])
    np.testing.assert_allclose(y, network.outputs(x)[-1], rtol=1e-12)
    one_by_one = np.concatenate([network.predict(x[i : i + 1]) for i in range(count)])
    np.testing.assert_allclose(y, one_by_one, rtol=1e-9, atol=1e-12)


def test_relu_behind_the_pool_is_relu_before_it():
    """Whole numbers make ties, zeros and windows that are all negative."""
    network = Network(parse_layers("conv 3 2x2; relu; max 2; dense 3"), (1, 9, 9))
    rng = np.random.default_rng(0)
    network.params = {
        path: rng.integers(-2, 3, parameter.shape).astype(np.float64)
        for path, parameter in network.parameters().items()
    }
    assert network._order == (0, 2, 1, 3)
    x = rng.integers(-1, 2, (20, 1, 9, 9)).astype(np.float64)
    y, caches = network.forward(x)
    grads = network.backward(dy := rng.integers(-3, 4, y.shape).astype(np.float64), caches)
    network._order = (0, 1, 2, 3)
    as_written, caches = network.forward(x)
    np.testing.assert_array_equal(y, as_written)
    for path, grad in network.backward(dy, caches).items():
        np.testing.assert_array_equal(grads[path], grad)


@pytest.mark.parametrize(
    ("text", "takes_any"),
    [
        ("conv 4 3x3; global-average; dense 2", True),
        ("conv 4 3x3; pyramid 1,2; dense 2", True),
        ("conv 4 3x3; adaptive-max 2; dense 2", True),
        ("conv 4 3x3; max 2; dense 2", False),
        ("local 4 3x3; global-average; dense 2", False),
    ],
)
def test_images_of_any_size_go_where_a_pool_makes_the_size(text, takes_any):
    network = network_of(text)
    assert network.takes_any_size is takes_any
    other = images(3, (2, 12, 9))
    if takes_any:
        assert network.predict(other).shape == (3, 2)
        with pytest.raises(ValueError, match=r"expected \(N, 2, H, W\)"):
            network.predict(images(3, (1, 12, 9)))
    else:
        with pytest.raises(ValueError, match=r"expected \(N, 2, 7, 6\)"):
            network.predict(other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv 4 3x3; max 2; conv 4 5x5; dense 2", r"layer 3 \(conv 4 5x5\).*2x2.*smaller kernel"),
        ("dense 4; conv 2 3x3", r"layer 2 \(conv 2 3x3\).*4 features: move it before"),
        ("conv 4 3x3; max 9", r"layer 2 \(max 9\).*5x4"),
        ("conv 4 3x3 groups 3", "groups"),
        ("conv 2 3x3 connections 101/110", "2 filters, a column for each of 2 maps"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_what_would(text, words):
    with pytest.raises(RequestError, match=words):
        Network(parse_layers(text), (2, 7, 6))


def test_a_network_prints_a_line_a_layer():
    lines = str(build("lenet", (1, 28, 28), 10)).splitlines()
    assert len(lines) == 12  # the input's and eleven layers'
    assert " ".join(lines[1].split()) == "conv1 conv 6 5x5 pad 2 6 x 28 x 28 156"


def test_a_spec_builds_the_network_again():
    for name in ("small", "lenet", "lenet5", "alexnet"):
        network = build(name, (3, 32, 32), 7)
        assert Network(parse_layers(network.spec), (3, 32, 32)).layers == network.layers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "layers.txt does not exist: expected a text of layers such as"),
        ("folder", "layers.txt is a folder: expected a text of layers"),
        (b"PK\3\4 and more", "layers.txt is an .npz archive, not a text: expected"),
        (b"", "layers.txt is empty: expected a text of layers"),
        (b"\xff\xfe\0", "layers.txt is no text of layers: expected"),
        (b"#" * (1 << 21), "layers.txt is no text of layers: expected"),
    ],
)
def test_what_is_no_file_of_layers_is_called_what_it_is(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "layers.txt"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    missing = content is None or content == "folder"
    with pytest.raises(InputError if missing else RequestError) as raised:
        build("layers.txt", (1, 8, 8), 10)
    assert str(raised.value).startswith(message)


def test_a_file_of_layers_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "layers.txt"
    path.write_bytes("relu\ndense 10".encode("utf-8-sig"))
    assert build(str(path), (1, 8, 8), 10).spec == "relu; dense 10"
