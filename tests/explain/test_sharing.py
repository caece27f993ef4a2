"""Parameters and connections, against published networks and by counting them in the engine."""

import numpy as np
import pytest

from cnntool.engine.convolution import conv2d
from cnntool.explain.sharing import layer_sharing


def test_layer_c1_of_lenet_5_as_published():
    """LeCun et al. 1998, II.B: "C1 contains 156 trainable parameters, and 122,304 connections"."""
    sharing = layer_sharing((32, 32), 5, 6)
    assert sharing.output_shape == (6, 28, 28)
    assert sharing.layers["convolution"].parameters == 156
    assert sharing.layers["convolution"].connections == 122_304
    assert (
        sharing.layers["locally connected"].parameters
        == sharing.layers["locally connected"].connections
        == 122_304
    )
    assert sharing.layers["dense"].parameters == (32 * 32 + 1) * 28 * 28 * 6


def test_layer_c5_of_lenet_5_as_published():
    """16 maps of 5 x 5 to 120 of 1 x 1: "C5 has 48,120 trainable connections"."""
    sharing = layer_sharing((5, 5), 5, 120, channels=16)
    costs = {(cost.parameters, cost.connections) for cost in sharing.layers.values()}
    assert costs == {(48_120, 48_120)}


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"padding": 2},
        {"stride": (2, 3), "padding": "same"},
        {"dilation": 2, "padding": "full", "stride": 2},
    ],
)
def test_connections_are_the_products_of_real_pixels(geometry):
    """With ones everywhere an output is the number of its products."""
    size, kernel, channels, maps = (9, 8), (3, 4), 3, 5
    sharing = layer_sharing(size, kernel, maps, channels, **geometry)
    ones = np.ones((1, channels, *size)), np.ones((maps, channels, *kernel)), np.ones(maps)
    y, _ = conv2d(*ones, **geometry)
    assert sharing.output_shape == y.shape[1:]
    assert (
        sharing.layers["convolution"].connections
        == sharing.layers["locally connected"].parameters
        == y.sum()
    )
    assert sharing.layers["convolution"].parameters == ones[1].size + maps
    assert sharing.layers["dense"].parameters == (ones[0].size + 1) * y.size


def test_a_kernel_as_large_as_the_image_shares_nothing():
    sharing = layer_sharing((7, 5), (7, 5), 4, channels=2)
    assert len(set(sharing.layers.values())) == 1


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a kernel that spans 5 does not fit into 3"):
        layer_sharing((3, 3), 5, 1)
