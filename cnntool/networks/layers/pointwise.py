"""Layers that see one element at a time: activations and dropout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.engine import activations
from cnntool.engine.normalization import batch_norm, batch_norm_backward
from cnntool.networks.layers.layer import (
    ONE,
    Arrays,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Words,
    shape_of_sample,
)
from cnntool.specs import number_text

ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (activations.relu, activations.relu_backward),
    "tanh": (activations.tanh, activations.tanh_backward),
    "scaled-tanh": (activations.scaled_tanh, activations.scaled_tanh_backward),
    "sigmoid": (activations.sigmoid, activations.sigmoid_backward),
}


@dataclass(frozen=True)
class Activation(Layer):
    """One of ``ACTIVATIONS``."""

    function: str

    @classmethod
    def read(cls, name: str, words: Words) -> Activation:
        return cls(name)

    @property
    def kind(self) -> str:
        return self.function

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        return ACTIVATIONS[self.function][0](x)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return ACTIVATIONS[self.function][1](dy, cache), {}


@dataclass(frozen=True)
class Dropout(Layer):
    """While it trains, each element is 0 with probability ``rate``, else ``x / (1 - rate)``."""

    rate: float

    kind = "dropout"

    @classmethod
    def read(cls, name: str, words: Words) -> Dropout:
        return cls(words.number("rate", 0, 1, is_open=True))

    def __str__(self) -> str:
        return f"dropout {number_text(self.rate)}"

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        if not way.training:
            return x, None
        if way.rng is None:
            raise ValueError("dropout draws while it trains: the pass needs an rng")
        return activations.dropout(x, self.rate, way.rng)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return dy if cache is None else activations.dropout_backward(dy, cache), {}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """:func:`~cnntool.engine.normalization.batch_norm` of each map or feature."""

    kind = "norm"
    mixes_samples = True

    def __str__(self) -> str:
        return "batch-norm"

    def output_shape(self, shape: Shape) -> Shape:
        return shape_of_sample(shape)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        return {"weight": Parameter(shape[:1], ONE), "bias": Parameter(shape[:1])}

    def buffers(self, shape: Shape) -> dict[str, Parameter]:
        return {
            "running_mean": Parameter(shape[:1]),
            "running_var": Parameter(shape[:1], ONE),
        }

    def least_batch(self, shape: Shape) -> int:
        """One value of a map, or of a feature, has no variance."""
        return 1 if prod(shape[1:]) > 1 else 2

    def multiply_adds(self, shape: Shape) -> int:
        return prod(shape)

    def connections(self, shape: Shape) -> int:
        return 2 * prod(shape)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        running = buffers["running_mean"], buffers["running_var"]
        y, cache, new = batch_norm(
            x, params["weight"], params["bias"], *running, training=way.training
        )
        if way.training:
            for buffer, value in zip(running, new, strict=True):
                buffer[...] = value
        return y, cache

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        dx, dweight, dbias = batch_norm_backward(dy, cache)
        return dx, {"weight": dweight, "bias": dbias}
