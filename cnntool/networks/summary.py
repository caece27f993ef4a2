"""A network layer by layer: shapes, parameters, connections, work, and how far each output sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from cnntool.networks.layers.convolutions import Convolution, LocallyConnected
from cnntool.networks.layers.dense import Dense
from cnntool.networks.layers.layer import Layer, Shape, total
from cnntool.networks.layers.pools import AdaptivePool, PyramidPool, SlidingPool, Subsampling
from cnntool.networks.network import Network
from cnntool.networks.receptive_field import ReceptiveField, WindowLayer, receptive_fields


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network, for one sample.

    parameters: that are trained. connections: inputs, and biases, that reach its outputs, each
        counted where it does. multiply_adds: forward, in its products.
    receptive_field: the (height, width) of the input that one output sees, padding included; None
        where it sees all of it.
    """

    name: str
    layer: str
    output_shape: Shape
    parameters: int
    connections: int
    multiply_adds: int
    receptive_field: tuple[int, int] | None


def summarize(network: Network) -> tuple[LayerSummary, ...]:
    """Every layer of a network, in their order.

    >>> from cnntool.networks.zoo import build
    >>> summarize(build("lenet5", (1, 32, 32), 10))[0].connections
    122304
    """
    return tuple(
        LayerSummary(
            name,
            str(layer),
            output,
            total(layer.parameters(shape)),
            layer.connections(shape),
            layer.multiply_adds(shape),
            None if field is None else (field[0].size, field[1].size),
        )
        for (name, layer, shape), output, field in zip(
            network.each(), network.shapes[1:], fields_of(network), strict=True
        )
    )


def fields_of(network: Network) -> list[tuple[ReceptiveField, ReceptiveField] | None]:
    """What the outputs of each layer see, along the height and along the width of the input; None
    where each sees all of it."""
    sizes = network.input_shape[1:] or (1, 1)
    chains = [WindowLayer(1)], [WindowLayer(1)]
    fields: list[tuple[ReceptiveField, ReceptiveField] | None] = []
    field = _fields_after(chains, sizes)
    for _, layer, shape in network.each():
        if field is not None and not _keeps_field(layer):
            windows = [_window(layer, shape, axis) for axis in (0, 1)]
            if None in windows:
                field = None
            else:
                for chain, window in zip(chains, windows, strict=True):
                    chain.append(window)
                field = _fields_after(chains, sizes)
        fields.append(field)
    return fields


def _fields_after(
    chains: Sequence[Sequence[WindowLayer]], sizes: Sequence[int]
) -> tuple[ReceptiveField, ReceptiveField]:
    height, width = (
        receptive_fields(size, chain)[-1] for size, chain in zip(sizes, chains, strict=True)
    )
    return height, width


def _keeps_field(layer: Layer) -> bool:
    """Whether each output sees one element of what comes in."""
    mixing = Convolution, LocallyConnected, SlidingPool, Subsampling, AdaptivePool, PyramidPool
    return not isinstance(layer, (*mixing, Dense))


def _window(layer: Layer, shape: Shape, axis: int) -> WindowLayer | None:
    """The windows of a layer along an axis of its maps; None where an output sees all of them."""
    if isinstance(layer, Convolution | LocallyConnected):
        window, padding = layer.window, layer.window.padding
        along = padding if isinstance(padding, str) else padding[axis]
        return WindowLayer(window.size[axis], window.stride[axis], along, window.dilation[axis])
    if isinstance(layer, SlidingPool):
        stride = layer.size if layer.stride is None else layer.stride
        return WindowLayer(layer.size[axis], stride[axis], layer.padding[axis], is_pool=True)
    if isinstance(layer, Subsampling):
        return WindowLayer(layer.size[axis], layer.size[axis])
    if isinstance(layer, AdaptivePool):
        return _bins(shape[1 + axis], layer.output_size[axis])
    return None


def _bins(size: int, count: int) -> WindowLayer | None:
    """The largest bin of an adaptive pool as a window; None where bins are not evenly apart."""
    stride, rest = divmod(size, count)
    if count == 1 or not stride:
        return None
    widest = max(-(-(i + 1) * size // count) - i * size // count for i in range(count))
    is_even = not rest or (size - widest) // stride + 1 == count
    return WindowLayer(widest, stride) if is_even else None


MOST_VALUES = 1 << 24
"""Of all that the layers give for a batch, in elements: 64 MB of float32."""

MOST_SAMPLES = 256


def batch_size_for(
    network: Network, shape: tuple[int, ...] | None = None, stop: int | None = None
) -> int:
    """Samples of which what comes in and out of the first ``stop`` layers is at most MOST_VALUES.

    It is 1 where a single sample has more. shape: of a sample, where the network takes any size.
    """
    if shape is not None and tuple(shape) != network.input_shape:
        network = Network(network.layers, shape)
    values = sum(prod(each) for each in network.shapes[: None if stop is None else stop + 1])
    return max(1, min(MOST_SAMPLES, MOST_VALUES // values))
