"""The gradients of a network that was trained: layer by layer, and through all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.gradient_check import TOLERANCE, GradientCheck, gradcheck
from cnntool.networks.layers.layer import Arrays, Pass, Shape
from cnntool.networks.network import Network
from cnntool.networks.summary import vocabulary_size
from cnntool.wording import counted, shape_text

SAMPLES = 3
"""Of the batch: enough for batch normalisation, few enough to be quick."""

STEPS = 6
"""Of each sequence: enough for a gradient to come back through time."""


@dataclass(frozen=True)
class LayerCase:
    """One layer, or the whole network, with what was found of its input and its parameters."""

    operation: str
    geometry: str
    check: Callable[[], tuple[GradientCheck, ...]]


def network_cases(
    network: Network, seed: int = 0, tolerance: float = TOLERANCE
) -> Iterator[LayerCase]:
    """A case for each layer, and one for the network whose parameters are all checked at once.

    A layer has its own parameters and a random input, so that none of its windows has a tie, and
    where it carries a state, a random one to begin with. The network has a random batch, or reads
    random tokens. All is float64 and as in training: batch normalisation sees its batch, and
    dropout drops the same units each time.
    """
    for index, (name, layer, shape) in enumerate(network.each()):
        check = lambda index=index: _of_layer(network, index, (seed, index), tolerance)
        yield LayerCase(name, f"{layer} of {_size_text(shape)}", check)
    geometry = f"{counted(len(network.layers), 'layer')} of {_size_text(network.input_shape)}"
    yield LayerCase("network", geometry, lambda: _of_network(network, seed, tolerance))


def _batch_shape(shape: Shape) -> tuple[int, ...]:
    return (STEPS, SAMPLES, *shape[1:]) if shape[0] is None else (SAMPLES, *shape)


def _size_text(shape: Shape) -> str:
    return shape_text(_batch_shape(shape) if shape[0] is None else shape)


def _random_batch(network: Network, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    if shape == (None,):
        return rng.integers(vocabulary_size(network), size=_batch_shape(shape))
    return rng.standard_normal(_batch_shape(shape))


def _of_layer(
    network: Network, index: int, seed: tuple[int, ...], tolerance: float
) -> tuple[GradientCheck, ...]:
    """By its input, the state it begins with and its parameters, of its output and last state."""
    rng = np.random.default_rng(seed)
    layer, shape, name = network.layers[index], network.shapes[index], network.names[index]
    params = _in_float64(network.params_of(index))
    buffers = _in_float64({k: network.buffers[f"{name}.{k}"] for k in layer.buffers(shape)})
    states = {k: rng.uniform(-1, 1, (SAMPLES, *size)) for k, size in layer.state(shape).items()}
    x = _random_batch(network, shape, rng)
    inputs = {"x": x} if x.dtype.kind == "f" else {}
    sizes: list[tuple[int, ...]] = []

    def forward(**given: np.ndarray) -> tuple[np.ndarray, Any]:
        way = Pass(training=True, rng=np.random.default_rng(seed))
        kept = {k: array.copy() for k, array in buffers.items()}
        kept |= {k: given.pop(k) for k in states}
        y, cache = layer.forward(given.pop("x", x), given, kept, way)
        sizes[:] = [y.shape, *(kept[k].shape for k in states)]
        return _joined([y, *(kept[k] for k in states)]), cache

    def backward(d: np.ndarray, cache: Any) -> tuple[Any, ...]:
        dy, *dstates = _split(d, sizes)
        ends: dict[str, Any] = {"dstate": dict(zip(states, dstates, strict=True))} if states else {}
        dx, grads = layer.backward(dy, cache, **ends)
        return *([dx] if inputs else []), *(grads[k] for k in (*states, *params))

    return gradcheck(forward, backward, inputs | states | params, rng, tolerance=tolerance)


def _of_network(network: Network, seed: int, tolerance: float) -> tuple[GradientCheck, ...]:
    rng = np.random.default_rng(seed)
    x = _random_batch(network, network.input_shape, rng)
    buffers = _in_float64(network.buffers)
    copy = Network(network.layers, network.input_shape)

    def forward(**params: np.ndarray) -> tuple[np.ndarray, Any]:
        copy.params = params
        copy.buffers = {key: array.copy() for key, array in buffers.items()}
        return copy.forward(x, training=True, rng=np.random.default_rng(seed))

    def backward(dy: np.ndarray, caches: Any) -> tuple[np.ndarray, ...]:
        grads = copy.backward(dy, caches)
        return tuple(grads[path] for path in network.params)

    return gradcheck(forward, backward, network.params, rng, tolerance=tolerance)


def _in_float64(arrays: Arrays) -> Arrays:
    return {key: array.astype(np.float64) for key, array in arrays.items()}


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """One array as it is, several as one of one axis."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([array.ravel() for array in arrays])


def _split(joined: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """The arrays of these shapes that :func:`_joined` made one of."""
    if len(shapes) == 1:
        return [joined]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]
    parts = np.split(joined, ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
