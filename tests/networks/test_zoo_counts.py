"""LeNet-5 has the parameters and connections that were published, layer by layer."""

import pytest

from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.networks.summary import summarize
from cnntool.networks.zoo import build, usual_network

PUBLISHED = {  # section II.B of LeCun et al. 1998: trainable parameters, connections
    "C1": (156, 122_304),
    "S2": (12, 5_880),
    "C3": (1_516, 151_600),
    "S4": (32, 2_000),
    "C5": (48_120, 48_120),
    "F6": (10_164, 10_164),
}
SEEN = {"C1": (5, 5), "S2": (6, 6), "C3": (14, 14), "S4": (16, 16), "C5": (32, 32), "F6": None}


def weighted(network):
    return [layer for layer in summarize(network) if layer.parameters]


@pytest.fixture(scope="module")
def lenet5():
    return dict(zip(PUBLISHED, weighted(build("lenet5", (1, 32, 32), 10)), strict=False))


@pytest.mark.parametrize("name", PUBLISHED)
def test_lenet5_has_the_published_counts(lenet5, name):
    assert (lenet5[name].parameters, lenet5[name].connections) == PUBLISHED[name]


def test_lenet5_has_60000_parameters_up_to_f6(lenet5):
    assert sum(layer.parameters for layer in lenet5.values()) == 60_000


@pytest.mark.parametrize("name", SEEN)
def test_how_much_of_the_image_a_unit_of_lenet5_sees(lenet5, name):
    assert lenet5[name].receptive_field == SEEN[name]


def test_alexnet_has_the_well_known_count():
    """62,378,344 without its two groups: 96 x 5 x 5 instead of 48 x 5 x 5 inputs, and so on."""
    network = build("alexnet", (3, 227, 227), 1000, width=1)
    assert sum(layer.parameters for layer in summarize(network)) == 62_378_344


@pytest.mark.parametrize(
    ("name", "size", "width", "start"),
    [
        ("lenet", 31, None, "conv 6 5x5 pad 2; relu"),
        ("lenet", 32, None, "conv 6 5x5; relu"),
        ("light", 15, None, "conv 16 5x5 pad 2; relu; max 2; conv 32 3x3 pad 1; relu; dense 96"),
        ("light", 16, 0.5, "conv 8 5x5 pad 2; relu; max 2; conv 16 3x3; relu; max 2; dense 48"),
        ("small", 63, None, "conv 16 3x3 pad 1 no-bias; batch-norm; relu; conv"),
        ("small", 64, None, "conv 16 5x5 stride 2 pad 2 no-bias; batch-norm; relu; max 2"),
        ("alexnet", 127, None, "conv 24 7x7 pad 3; relu; max 3 stride 2; conv 64 5x5 pad 2"),
        ("alexnet", 128, None, "conv 24 11x11 stride 4 pad 2; relu; max 3 stride 2; conv 64"),
        ("lenet", 32, 0.4, "conv 2 5x5; relu; max 2; conv 6 5x5; relu; max 2; dense 48; relu; "
         "dense 34; relu; dense 10"),
        ("lenet", 32, 0.01, "conv 1 5x5; relu; max 2; conv 1 5x5; relu; max 2; dense 1"),
    ],
)  # fmt: skip
def test_a_named_network_fits_the_size_of_its_images_and_its_width(name, size, width, start):
    assert build(name, (1, size, size), 10, width).spec.startswith(start)


@pytest.mark.parametrize(
    ("layers", "fields"),
    [
        ("conv 2 3x5; conv 2 3x3 dilation 2", [(3, 5), (7, 9)]),
        ("conv 2 3x3 pad same stride 2; max 2; relu", [(3, 3), (5, 5), (5, 5)]),
        ("average 2x1; local 2 2x2", [(2, 1), (4, 2)]),
        ("adaptive-max 4; conv 1 2x2", [(4, 4), (8, 8)]),  # 16 in 4 bins of 4
        ("adaptive-average 5x1; conv 1 2x1", [None, None]),
        ("conv 1 3x3; global-max; dense 2", [(3, 3), None, None]),
        ("pyramid 1,2; dense 2", [None, None]),
        ("flatten; batch-norm; dense 2; tanh", [(1, 1), (1, 1), None, None]),
    ],
)
def test_receptive_fields(layers, fields):
    found = summarize(Network(parse_layers(layers), (1, 16, 16)))
    assert [layer.receptive_field for layer in found] == fields


def test_shapes_and_work():
    conv, _, dense = summarize(build("conv 4 3x3 pad 1; max 2; dense 5", (2, 6, 6)))
    assert conv.output_shape == (4, 6, 6)
    assert conv.multiply_adds == 4 * 2 * 9 * 36
    assert (dense.name, dense.layer, dense.parameters) == ("dense1", "dense 5", 5 * 37)


@pytest.mark.parametrize(
    ("shape", "name"),
    [((1, 8, 8), "light"), ((1, 28, 28), "light"), ((1, 64, 64), "small"), ((3, 32, 32), "small")],
)
def test_small_grey_images_have_a_light_network_by_default_and_photographs_another(shape, name):
    assert usual_network(shape) == name
