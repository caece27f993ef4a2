"""Receptive fields of published networks, and of random chains by following a gradient back."""

import numpy as np
import pytest

from cnntool.engine.convolution import conv1d, conv1d_backward
from cnntool.networks.receptive_field import WindowLayer, receptive_fields


def conv(kernel_size, stride=1, padding=0, dilation=1):
    return WindowLayer(kernel_size, stride, padding, dilation)


def pool(kernel_size, stride=None, padding=0, ceil_mode=False):
    return WindowLayer(kernel_size, stride or kernel_size, padding, 1, ceil_mode, is_pool=True)


def test_lenet_5_sees_all_of_its_32_pixels():
    fields = receptive_fields(32, [conv(5), pool(2), conv(5), pool(2), conv(5)])
    assert [field.axis.output_size for field in fields] == [28, 14, 10, 5, 1]
    assert [field.jump for field in fields] == [1, 2, 2, 4, 4]
    assert [field.size for field in fields] == [5, 6, 14, 16, 32]
    assert fields[-1].seen(0) == range(32)


def test_vgg_16_as_araujo_et_al_publish_it():
    """Receptive field 212, effective stride 32, effective padding 90."""
    layers = []
    for count in (2, 2, 3, 3, 3):
        layers += [conv(3, padding=1)] * count + [pool(2)]
    last = receptive_fields(224, layers)[-1]
    assert (last.size, last.jump, last.start, last.axis.output_size) == (212, 32, -90, 7)


def test_alexnet_v2_as_araujo_et_al_publish_it():
    """Receptive field 195, effective stride 32, effective padding 64."""
    convs = [conv(3, padding=1)] * 3
    layers = [conv(11, 4), pool(3, 2), conv(5, padding=2), pool(3, 2), *convs, pool(3, 2)]
    last = receptive_fields(231, layers)[-1]
    assert (last.size, last.jump, last.start) == (195, 32, -64)


def reached(size, layers, output):
    """Which inputs get a gradient from an output, through the engine's own way back."""
    x, caches = np.ones((1, 1, size)), []
    for layer in layers:
        weight = np.ones((1, 1, layer.kernel_size))
        settings = layer.stride, layer.padding, layer.dilation
        x, cache = conv1d(x, weight, None, *settings)
        caches.append(cache)
    gradient = np.zeros_like(x)
    gradient[0, 0, output] = 1
    for cache in reversed(caches):
        gradient = conv1d_backward(gradient, cache)[0]
    return np.flatnonzero(gradient[0, 0])


def test_an_output_sees_the_inputs_that_its_gradient_reaches():
    rng = np.random.default_rng(0)
    for _ in range(30):
        layers = [
            conv(int(k), int(min(s, k)), int(p), int(d))
            for k, s, p, d in rng.integers((2, 1, 0, 1), (5, 4, 2, 3), size=(3, 4))
        ]
        field = receptive_fields(150, layers)[-1]
        middle = field.axis.output_size // 2
        inputs, seen = reached(150, layers, middle), field.seen(middle)
        assert (inputs[0], inputs[-1]) == (seen[0], seen[-1])
        first, seen = reached(150, layers, 0), field.seen(0)
        assert first[-1] == seen[-1]
        assert first[0] >= seen[0]


def test_the_centre_of_an_even_field_lies_between_two_inputs():
    assert receptive_fields(8, [pool(2)])[0].centre == 0.5
    assert receptive_fields(9, [conv(3, padding=1)])[0].centre == 0


def test_a_global_layer_sees_everything():
    assert receptive_fields(20, [conv(3), WindowLayer(None)])[-1].seen(0) == range(20)


def test_ceil_mode_keeps_the_last_window():
    sizes = [receptive_fields(8, [pool(3, 2, 0, c)])[0].axis.output_size for c in (False, True)]
    assert sizes == [3, 4]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([conv(3), conv(9)], "layer 2: a kernel that spans 9 does not fit into 8"),
        ([pool(2, padding=2)], "layer 1: padding is 2: it must be at most half the window, 1"),
        ([conv(3, 0)], "layer 1: stride is 0"),
    ],
)
def test_what_does_not_fit_is_named_with_its_layer(layers, message):
    with pytest.raises(ValueError, match=message):
        receptive_fields(10, layers)
