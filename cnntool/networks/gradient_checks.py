"""The gradients of a network that was trained: layer by layer, and through all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.gradient_check import TOLERANCE, GradientCheck, gradcheck
from cnntool.networks.layers.layer import Arrays, Layer, Pass, Shape, shape_text
from cnntool.networks.network import Network
from cnntool.wording import counted

SAMPLES = 3
"""Of the batch: enough for batch normalisation, few enough to be quick."""


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

    A layer has its own parameters and a random input, so that none of its windows has a tie; the
    network has a random batch. All is float64 and as in training: batch normalisation sees its
    batch, and dropout drops the same units each time.
    """
    for index, (name, layer, shape) in enumerate(network.each()):
        params = _own(network.params, name, layer.parameters(shape))
        buffers = _own(network.buffers, name, layer.buffers(shape))
        settings = params, buffers, (seed, index), tolerance
        geometry = f"{layer} of {shape_text(shape)}"
        yield LayerCase(
            name,
            geometry,
            lambda layer=layer, shape=shape, rest=settings: _of_layer(layer, shape, *rest),
        )
    geometry = f"{counted(len(network.layers), 'layer')} of {shape_text(network.input_shape)}"
    yield LayerCase("network", geometry, lambda: _of_network(network, seed, tolerance))


def _own(arrays: Arrays, name: str, keys: Any) -> Arrays:
    return {key: arrays[f"{name}.{key}"].astype(np.float64) for key in keys}


def _of_layer(
    layer: Layer, shape: Shape, params: Arrays, buffers: Arrays, seed: tuple, tolerance: float
) -> tuple[GradientCheck, ...]:
    rng = np.random.default_rng(seed)
    inputs = {"x": rng.standard_normal((SAMPLES, *shape)), **params}

    def forward(x: np.ndarray, **params: np.ndarray) -> tuple[np.ndarray, Any]:
        way = Pass(training=True, rng=np.random.default_rng(seed))
        kept = {key: array.copy() for key, array in buffers.items()}
        return layer.forward(x, params, kept, way)

    def backward(dy: np.ndarray, cache: Any) -> tuple[np.ndarray, ...]:
        dx, grads = layer.backward(dy, cache)
        return dx, *(grads[key] for key in params)

    return gradcheck(forward, backward, inputs, rng, tolerance=tolerance)


def _of_network(network: Network, seed: int, tolerance: float) -> tuple[GradientCheck, ...]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((SAMPLES, *network.input_shape))
    buffers = {key: array.astype(np.float64) for key, array in network.buffers.items()}
    copy = Network(network.layers, network.input_shape)

    def forward(**params: np.ndarray) -> tuple[np.ndarray, Any]:
        copy.params = params
        copy.buffers = {key: array.copy() for key, array in buffers.items()}
        return copy.forward(x, training=True, rng=np.random.default_rng(seed))

    def backward(dy: np.ndarray, caches: Any) -> tuple[np.ndarray, ...]:
        grads = copy.backward(dy, caches)
        return tuple(grads[path] for path in network.params)

    return gradcheck(forward, backward, network.params, rng, tolerance=tolerance)
