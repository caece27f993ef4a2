"""Layers that see one element at a time: activations and dropout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.activations import (
    relu,
    relu_backward,
    scaled_tanh,
    scaled_tanh_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from cnntool.engine.dropout_layer import dropout, dropout_backward
from cnntool.networks.layers.layer import Arrays, Layer, Pass, number_text

ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (relu, relu_backward),
    "tanh": (tanh, tanh_backward),
    "scaled-tanh": (scaled_tanh, scaled_tanh_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
}


@dataclass(frozen=True)
class Activation(Layer):
    """One of ``ACTIVATIONS``."""

    function: str

    @property
    def kind(self) -> str:
        return self.function

    def __str__(self) -> str:
        return self.function

    def forward(
        self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass
    ) -> tuple[np.ndarray, Any]:
        return ACTIVATIONS[self.function][0](x)

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True
    ) -> tuple[np.ndarray | None, Arrays]:
        return ACTIVATIONS[self.function][1](dy, cache), {}


@dataclass(frozen=True)
class Dropout(Layer):
    """While it trains, each element is 0 with probability ``rate``, else ``x / (1 - rate)``."""

    rate: float

    kind = "dropout"

    def __str__(self) -> str:
        return f"dropout {number_text(self.rate)}"

    def forward(
        self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass
    ) -> tuple[np.ndarray, Any]:
        if not way.training:
            return x, None
        if way.rng is None:
            raise ValueError("dropout draws while it trains: the pass needs an rng")
        return dropout(x, self.rate, way.rng)

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True
    ) -> tuple[np.ndarray | None, Arrays]:
        return dy if cache is None else dropout_backward(dy, cache), {}
