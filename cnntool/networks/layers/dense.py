"""Dense layers, and the step from maps to features before them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.engine.fast.layout import is_batch_last
from cnntool.engine.linear import dense, dense_backward
from cnntool.networks.layers.layer import Arrays, Layer, Parameter, Pass, Shape


@dataclass(frozen=True)
class Flatten(Layer):
    """Maps (N, C, H, W) as features (N, C*H*W), in that order."""

    kind = "flatten"
    needs_size = True

    def __str__(self) -> str:
        return "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def forward(
        self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass
    ) -> tuple[np.ndarray, Any]:
        return flattened(x), (x.shape, is_batch_last_maps(x))

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True
    ) -> tuple[np.ndarray | None, Arrays]:
        return unflattened(dy, *cache), {}


@dataclass(frozen=True)
class Dense(Layer):
    """:func:`~cnntool.engine.linear.dense` over features; maps are flattened first."""

    outputs: int

    kind = "dense"
    needs_size = True

    def __str__(self) -> str:
        return f"dense {self.outputs}"

    def output_shape(self, shape: Shape) -> Shape:
        return (self.outputs,)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        inputs = prod(shape)
        weight = Parameter((inputs, self.outputs), inputs, self.outputs)
        return {"weight": weight, "bias": Parameter((self.outputs,))}

    def multiply_adds(self, shape: Shape) -> int:
        return prod(shape) * self.outputs

    def connections(self, shape: Shape) -> int:
        return (prod(shape) + 1) * self.outputs

    def forward(
        self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass
    ) -> tuple[np.ndarray, Any]:
        y, cache = dense(flattened(x), params["weight"], params["bias"])
        return y, (cache, x.shape, is_batch_last_maps(x))

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True
    ) -> tuple[np.ndarray | None, Arrays]:
        dense_cache, shape, is_last = cache
        dx, dweight, dbias = dense_backward(dy, dense_cache, need_dx=need_dx)
        if dx is not None:
            dx = unflattened(dx, shape, is_last)
        return dx, {"weight": dweight, "bias": dbias}


def is_batch_last_maps(x: np.ndarray) -> bool:
    return x.ndim == 4 and is_batch_last(x)


def flattened(x: np.ndarray) -> np.ndarray:
    """(N, ...) as (N, D): a view of maps in either layout."""
    if is_batch_last_maps(x):
        return x.transpose(1, 2, 3, 0).reshape(-1, len(x)).T
    return x.reshape(len(x), prod(x.shape[1:]))


def unflattened(x: np.ndarray, shape: tuple[int, ...], is_last: bool) -> np.ndarray:
    """The adjoint of :func:`flattened`, in the layout that the maps had."""
    if is_last:
        return np.ascontiguousarray(x.T).reshape(*shape[1:], shape[0]).transpose(3, 0, 1, 2)
    return x.reshape(shape)
