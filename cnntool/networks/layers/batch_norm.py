"""Batch normalisation, with the running statistics that it uses when it does not train."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.engine.batch_normalization import batch_norm, batch_norm_backward
from cnntool.networks.layers.layer import Arrays, Layer, Parameter, Pass, Shape


@dataclass(frozen=True)
class BatchNorm(Layer):
    """:func:`~cnntool.engine.batch_normalization.batch_norm` of each map or feature."""

    kind = "norm"

    def __str__(self) -> str:
        return "batch-norm"

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        return {"weight": Parameter(shape[:1], start=1.0), "bias": Parameter(shape[:1])}

    def buffers(self, shape: Shape) -> dict[str, Parameter]:
        return {
            "running_mean": Parameter(shape[:1]),
            "running_var": Parameter(shape[:1], start=1.0),
        }

    def multiply_adds(self, shape: Shape) -> int:
        return prod(shape)

    def connections(self, shape: Shape) -> int:
        return 2 * prod(shape)

    def forward(
        self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass
    ) -> tuple[np.ndarray, Any]:
        running = buffers["running_mean"], buffers["running_var"]
        y, cache, new = batch_norm(
            x, params["weight"], params["bias"], *running, training=way.training
        )
        if way.training:
            for buffer, value in zip(running, new, strict=True):
                buffer[...] = value
        return y, cache

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True
    ) -> tuple[np.ndarray | None, Arrays]:
        dx, dweight, dbias = batch_norm_backward(dy, cache)
        return dx, {"weight": dweight, "bias": dbias}
