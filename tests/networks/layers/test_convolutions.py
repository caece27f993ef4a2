"""Convolution layers, against numbers worked by hand and PyTorch's."""

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.networks.layers.convolutions import (
    LENET5_TABLE,
    Convolution,
    LocallyConnected,
    Window,
    read_connections,
)
from cnntool.networks.layers.layer import Pass
from cnntool.networks.model import network_of
from cnntool.networks.model_file import Header, Model
from cnntool.networks.zoo import build

X = np.arange(1.0, 10).reshape(1, 1, 3, 3)
KERNEL = np.array([[[[1.0, 0], [0, -1]]]])


def through(layer, x, dy, params):
    y, cache = layer.forward(x, params, {}, Pass(training=True))
    assert y.shape[1:] == layer.output_shape(x.shape[1:])
    return y, *layer.backward(dy, cache)


def drawn(layer, shape, seed=0):
    rng = np.random.default_rng(seed)
    return {k: rng.standard_normal(p.shape) for k, p in layer.parameters(shape).items()}


def test_a_kernel_over_nine_pixels_by_hand():
    layer = Convolution(1, Window((2, 2)))
    params = {"weight": KERNEL, "bias": np.array([10.0])}
    y, dx, grads = through(layer, X, np.ones((1, 1, 2, 2)), params)
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), 6))  # 1 - 5 + 10 and so on
    np.testing.assert_array_equal(dx, [[[[1, 1, 0], [1, 0, -1], [0, -1, -1]]]])
    np.testing.assert_array_equal(grads["weight"], [[[[12, 16], [24, 28]]]])  # sums of windows
    assert grads["bias"] == 4


def test_without_a_bias_there_is_none():
    layer = Convolution(1, Window((2, 2)), has_bias=False)
    assert layer.parameters((1, 3, 3)).keys() == {"weight"}
    y, _, grads = through(layer, X, np.ones((1, 1, 2, 2)), {"weight": KERNEL})
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), -4))
    assert grads.keys() == {"weight"}


def test_locally_connected_has_kernels_of_its_own_at_each_place():
    layer = LocallyConnected(1, Window((2, 2)))
    params = drawn(layer, (1, 3, 3))
    dy = np.array([[[[1.0, 2], [3, 4]]]])
    y, dx, grads = through(layer, X, dy, params)
    expected = np.zeros((3, 3))
    for i in range(2):
        for j in range(2):
            window, weight = X[0, 0, i : i + 2, j : j + 2], params["weight"][i, j, 0, 0]
            total = (window * weight).sum() + params["bias"][i, j, 0]
            np.testing.assert_allclose(y[0, 0, i, j], total)
            np.testing.assert_allclose(grads["weight"][i, j, 0, 0], dy[0, 0, i, j] * window)
            expected[i : i + 2, j : j + 2] += dy[0, 0, i, j] * weight
    np.testing.assert_allclose(dx[0, 0], expected)
    np.testing.assert_array_equal(grads["bias"][..., 0], dy[0, 0])


def lenet5():
    network = build("lenet5", (1, 32, 32), 10).initialise(np.random.default_rng(0))
    header = Header(network.spec, (1, 32, 32), {}, tuple("0123456789"), 0)
    return network, Model(header, network.params, network.buffers)


def test_weights_of_what_is_not_connected_are_0():
    """So that who reads them without the table has the same network."""
    torch = pytest.importorskip("torch")
    network, _ = lenet5()
    weight = network.params["conv2.weight"]
    is_connected = (weight != 0).any(axis=(2, 3))
    assert is_connected.sum() == 60  # LeCun et al. 1998, table I
    assert is_connected[0].tolist() == [True, True, True, False, False, False]
    layer, x = network.layers[4], np.random.default_rng(1).random((2, 6, 14, 14), np.float32)
    params = {"weight": weight, "bias": network.params["conv2.bias"]}
    found, _ = layer.forward(x, params, {}, Pass())
    wanted = torch.nn.functional.conv2d(*map(torch.tensor, (x, weight, params["bias"])))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_model_that_has_other_weights_there_is_read_without_them():
    """As files of format 1 are."""
    network, model = lenet5()
    there = network.params["conv2.weight"] != 0
    model.params["conv2.weight"] = model.params["conv2.weight"] + ~there
    read = network_of(model)
    np.testing.assert_array_equal(read.params["conv2.weight"] != 0, there)


def test_a_table_cuts_connections_that_stay_cut():
    layer = Convolution(3, Window((2, 2)), table=((True, False), (False, True), (True, True)))
    x, params = np.ones((1, 2, 3, 3)), {"weight": np.ones((3, 2, 2, 2)), "bias": np.zeros(3)}
    y, dx, grads = through(layer, x, np.ones((1, 3, 2, 2)), params)
    assert y[0, :, 0, 0].tolist() == [4, 4, 8]
    assert dx[0, :, 1, 1].tolist() == [8, 8]  # each map is seen by two filters, in four windows
    assert grads["weight"][0, 1].tolist() == grads["weight"][1, 0].tolist() == [[0, 0], [0, 0]]
    assert grads["weight"][2].min() == 4


@pytest.mark.parametrize(
    ("window", "groups"),
    [
        (Window((3, 3)), 1),
        (Window((3, 2), (2, 1), (1, 0)), 1),
        (Window((3, 3), padding=(1, 1)), 2),
        (Window((2, 3), dilation=(2, 1)), 4),
    ],
    ids=str,
)
def test_convolution_is_pytorchs(window, groups):
    torch = pytest.importorskip("torch")
    layer = Convolution(8, window, groups)
    x = np.random.default_rng(1).standard_normal((2, 4, 9, 8))
    params = drawn(layer, x.shape[1:])
    theirs = {"x": x, **params}
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in theirs.items()}
    settings = window.stride, window.padding, window.dilation, groups
    expected = torch.nn.functional.conv2d(*theirs.values(), *settings)
    dy = np.random.default_rng(2).standard_normal(expected.shape)
    expected.backward(torch.tensor(dy))
    y, dx, grads = through(layer, x, dy, params)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-10, atol=1e-12)
    for found, name in ((dx, "x"), (grads["weight"], "weight"), (grads["bias"], "bias")):
        np.testing.assert_allclose(found, theirs[name].grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "window",
    [Window((3, 2), (2, 1), (1, 0)), Window((2, 3), dilation=(2, 1)), Window((2, 2), (3, 3))],
    ids=str,
)
def test_locally_connected_with_one_kernel_everywhere_is_pytorchs_convolution(window):
    torch = pytest.importorskip("torch")
    layer = LocallyConnected(3, window)
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 4, 7, 6)), rng.standard_normal((3, 4, *window.size))
    height, width = layer.output_shape(x.shape[1:])[1:]
    weight = np.broadcast_to(kernel, (height, width, *kernel.shape)).copy()
    theirs, tensor = torch.tensor(x, requires_grad=True), torch.tensor(kernel, requires_grad=True)
    settings = window.stride, window.padding, window.dilation
    expected = torch.nn.functional.conv2d(theirs, tensor, None, *settings)
    dy = rng.standard_normal(expected.shape)
    expected.backward(torch.tensor(dy))
    params = {"weight": weight, "bias": np.zeros((height, width, 3))}
    y, dx, grads = through(layer, x, dy, params)
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dx, theirs.grad, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(grads["weight"].sum((0, 1)), tensor.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Convolution(1, Window((3, 4), dilation=(2, 1))),
            "its kernel spans 5x4 and it got maps of",
        ),
        (LocallyConnected(1, Window((5, 1))), "its kernel spans 5x1 and it got maps of 4x3"),
        (Convolution(2, Window((1, 1)), 2, table=((True, True),) * 2), "and no groups"),
        (Convolution(3, Window((1, 1)), table=((True, True),) * 2), "2 rows of 2: expected a row"),
        (Convolution(3, Window((1, 1)), 2), "use a number that divides both"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_with_what_would(layer, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape((2, 4, 3))


@pytest.mark.parametrize(
    ("layer", "shape", "output", "trained", "products", "connections"),
    [
        # C1, C3 and C5 of LeNet-5, with the counts of the paper
        (Convolution(6, Window((5, 5))), (1, 32, 32), (6, 28, 28), 156, 117600, 122304),
        (
            Convolution(16, Window((5, 5)), table=LENET5_TABLE),
            (6, 14, 14), (16, 10, 10), 1516, 150000, 151600,
        ),
        (Convolution(120, Window((5, 5))), (16, 5, 5), (120, 1, 1), 48120, 48000, 48120),
        # 8 filters of 2 of 4 maps, 3 x 3: 144 weights at 4 x 4 places
        (
            Convolution(8, Window((3, 3), (2, 2), (1, 1)), 2),
            (4, 8, 7), (8, 4, 4), 152, 144 * 16, 152 * 16,
        ),
        (Convolution(2, Window((3, 3)), has_bias=False), (1, 3, 3), (2, 1, 1), 18, 18, 18),
        # 6 places of 2 filters of 3 maps, 2 x 2
        (LocallyConnected(2, Window((2, 2))), (3, 3, 4), (2, 2, 3), 144 + 12, 144, 156),
    ],
    ids=str,
)  # fmt: skip
def test_shapes_and_counts(layer, shape, output, trained, products, connections):
    assert layer.output_shape(shape) == output
    assert sum(p.count for p in layer.parameters(shape).values()) == trained
    assert layer.multiply_adds(shape) == products
    assert layer.connections(shape) == connections


@pytest.mark.parametrize(
    ("layer", "fans"),
    [
        (Convolution(8, Window((3, 3))), (4 * 9, 8 * 9)),
        (Convolution(8, Window((3, 3)), 2), (2 * 9, 4 * 9)),
        (Convolution(2, Window((1, 1)), table=((True,) * 4, (True, False) * 2)), (3, 1)),  # means
        (LocallyConnected(8, Window((3, 3))), (4 * 9, 8 * 9)),
    ],
    ids=str,
)
def test_fans_count_what_reaches_an_output_and_what_an_input_reaches(layer, fans):
    weight = layer.parameters((4, 6, 6))["weight"]
    assert (weight.start.inputs, weight.start.outputs) == fans


def test_connections_from_a_csv_are_its_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('1,0, 1\r\n\r\n"0","1",1\r\n')
    assert read_connections(path) == ((True, False, True), (False, True, True))
    for text, message in (
        ("1,2\n", "row 1, column 2 is '2': expected 0 or 1"),
        ("1,0\n1\n", "row 2 has 1 number, row 1 has 2"),
        ('"' + "1" * 200_000 + '",0\n', "row 1, column 1 is '11111111111111111111': expected 0"),
        (" ,\n", "is empty: expected a row of 0 and 1 for each filter"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_connections(path)
