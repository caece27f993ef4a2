"""A network layer by layer: shapes, parameters, connections, work, and how far each output sees."""

from __future__ import annotations

from dataclasses import dataclass

from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import Layer, Shape, total
from cnntool.networks.network import Network
from cnntool.networks.receptive_field import ReceptiveField, receptive_fields


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network, for one sample.

    parameters: that are trained. connections: inputs, and biases, that reach its outputs, each
        counted where it does. multiply_adds: forward, in its products. Of a decoder's recurrence
        all three count also the layer that makes its start state, once a text.
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
            total(layer.parameters(shape)) + total(network.starts_of(name)),
            layer.connections(shape) + total(network.starts_of(name)),
            _work(network, name, layer, shape),
            None if field is None else (field[0].size, field[1].size),
        )
        for (name, layer, shape), output, field in zip(
            network.each(), network.output_shapes, fields_of(network), strict=True
        )
    )


def _work(network: Network, name: str, layer: Layer, shape: Shape) -> int:
    starts = network.starts_of(name).values()
    return layer.multiply_adds(shape) + sum(p.count for p in starts if len(p.shape) == 2)


def fields_of(network: Network) -> list[tuple[ReceptiveField, ReceptiveField] | None]:
    """What the outputs of each layer see, along the height and along the width of the input; None
    where each sees all of it."""
    sizes = network.input_shape[-2:] if len(network.input_shape) >= 3 else (1, 1)
    windows = [layer.sees(shape) for _, layer, shape in network.each()]
    reach = windows.index(None) if None in windows else len(windows)
    along = zip(*windows[:reach], strict=True) if reach else ((), ())
    chains = (receptive_fields(size, chain) for size, chain in zip(sizes, along, strict=True))
    return [*zip(*chains, strict=True), *[None] * (len(windows) - reach)]


@dataclass(frozen=True)
class ArrayShape:
    """One array: its name, its shape in words and in numbers, and how many of its numbers are
    trained. A shape has None for a batch of any size."""

    name: str
    meaning: str
    shape: tuple[int | None, ...]
    parameters: int = 0


def array_shapes(network: Network, batch: int | None) -> tuple[ArrayShape, ...]:
    """The arrays of one step of a network of tokens as a lecture shows them, in the order of the
    data: what goes in, what is multiplied, what comes out.

    ``input`` is the batch as one-hot vectors, whose product with the embedding picks rows of it.
    """
    words, source = vocabulary_size(network), "input"
    found = [ArrayShape("input", "batch x input", (batch, words))]
    cells = [name for name, layer, shape in network.each() if layer.state(shape)]
    for name, layer, shape in network.each():
        own, borrowed = layer.parameters(shape), layer.borrowed(shape)
        number = f" {cells.index(name) + 1}" if name in cells and len(cells) > 1 else ""
        called = layer.lecture(source)
        for key in (*borrowed, *own):
            what, meaning = called.get(key, (f"{name}.{key}", ""))
            size = own[key].shape if key in own else borrowed[key].shape[::-1]
            count = own[key].count if key in own else 0
            found.append(ArrayShape(f"{what}{number}", meaning, size, count))
        source = layer.gives or source
    output = ArrayShape("output", "batch x output", (batch, network.output_shape[-1]))
    return (*found, output, ArrayShape("target", "batch", (batch,)))


def vocabulary_size(network: Network) -> int:
    """Tokens that a network of tokens knows; ValueError for another."""
    first = network.layers[0]
    if not isinstance(first, Embedding):
        raise ValueError(f"it begins with {first}: expected an embedding")
    return first.words


def multiply_adds(network: Network) -> int:
    """Of one sample, or of one step of a sequence, forward, in products."""
    return sum(_work(network, *each) for each in network.each())
