"""Layers between maps, steps and features: over every frame, over columns, over all of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnntool.engine.arrays import within
from cnntool.engine.time_pooling import time_pool, time_pool_backward
from cnntool.networks.layers.layer import (
    Arrays,
    Borrowed,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Words,
    is_steps,
    maps_of,
    shape_text,
)
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.receptive_field import WindowLayer

TIME_POOLS = {"last": "last", "mean-steps": "mean", "max-steps": "max"}
"""The mode of :func:`~cnntool.engine.time_pooling.time_pool` by the name of the layer."""


@dataclass(frozen=True)
class TimePool(Layer):
    """:func:`~cnntool.engine.time_pooling.time_pool`: steps in, one vector of features out.

    of_both: whether it stands behind a recurrence in both directions, of which ``last`` takes what
    each gave at its own end, which is the first step for the one that reads backward: so either
    half has seen all of the sequence.
    """

    name: str
    of_both: bool = False

    sees_all = True

    @classmethod
    def read(cls, name: str, words: Words) -> TimePool:
        return cls(name)

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    def __str__(self) -> str:
        return self.name

    def behind(self, before: Sequence[Layer]) -> TimePool:
        cells = [layer for layer in before if isinstance(layer, Recurrent)]
        return replace(self, of_both=bool(cells) and cells[-1].both)

    def output_shape(self, shape: Shape) -> Shape:
        if not is_steps(shape):
            raise ValueError(f"it takes steps, not {shape_text(shape)}: put it behind a recurrence")
        return shape[1:]

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        modes = [TIME_POOLS[self.name]]
        if self.name == "last" and self.of_both:
            modes.append("first")
        parts = np.split(x, len(modes), axis=-1)
        found = [
            time_pool(part, mode, lengths=way.lengths)
            for part, mode in zip(parts, modes, strict=True)
        ]
        return np.concatenate([y for y, _ in found], axis=-1), [cache for _, cache in found]

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        parts = zip(np.split(dy, len(cache), axis=-1), cache, strict=True)
        return np.concatenate([time_pool_backward(*part) for part in parts], axis=-1), {}


@dataclass(frozen=True)
class Columns(Layer):
    """Maps (N, C, H, W) as W steps of C*H features, (W, N, C*H): a column of pixels each."""

    kind = "columns"
    needs_size = True

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = maps_of(shape)
        return width, channels * height

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer]:
        return WindowLayer(shape[1]), WindowLayer(1)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        count, channels, height, width = x.shape
        steps = x.transpose(3, 0, 1, 2).reshape(width, count, channels * height)
        return np.ascontiguousarray(steps), x.shape

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        count, channels, height, width = cache
        dx = dy.reshape(width, count, channels, height).transpose(1, 2, 3, 0)
        return np.ascontiguousarray(dx), {}


@dataclass(frozen=True)
class Places(Layer):
    """Maps (N, C, H, W) as H*W steps of C + 2 features, (H*W, N, C + 2): a place each, row by row.

    The last two say where it is, y and x from -1 to 1: what looks at places one by one could not
    tell above from below (Liu et al., An intriguing failing of convolutional neural networks and
    the CoordConv solution, NeurIPS 2018).
    """

    kind = "places"
    needs_size = True

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = maps_of(shape)
        return height * width, channels + 2

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        count, channels, height, width = x.shape
        steps = np.empty((height, width, count, channels + 2), x.dtype)
        steps[..., :-2] = x.transpose(2, 3, 0, 1)
        steps[..., -2] = np.linspace(-1, 1, height)[:, None, None]
        steps[..., -1] = np.linspace(-1, 1, width)[:, None]
        return steps.reshape(height * width, count, channels + 2), x.shape

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        count, channels, height, width = cache
        dx = dy[..., :-2].reshape(height, width, count, channels).transpose(2, 3, 0, 1)
        return np.ascontiguousarray(dx), {}


@dataclass(frozen=True)
class Each(Layer):
    """A layer over maps or features on every frame of steps of them, with the same weights.

    Frames (T, B, *shape) are samples (T * B, *shape) to it, whatever stands behind the ends; where
    it mixes samples, as batch norm does, only those before the ends.
    """

    layer: Layer

    @property
    def inner(self) -> Layer:
        return self.layer

    @property
    def kind(self) -> str:
        return self.layer.kind

    @property
    def mixes_samples(self) -> bool:
        return self.layer.mixes_samples

    @property
    def is_numbered(self) -> bool:
        return self.layer.is_numbered

    def __str__(self) -> str:
        return f"each {self.layer}"

    def output_shape(self, shape: Shape) -> Shape:
        if not is_steps(shape) and (shape[0] is not None or shape == (None,)):
            raise ValueError(f"it takes steps of maps or features, not {shape_text(shape)}")
        return shape[0], *self.layer.output_shape(shape[1:])

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        return self.layer.parameters(shape[1:])

    def buffers(self, shape: Shape) -> dict[str, Parameter]:
        return self.layer.buffers(shape[1:])

    def borrowed(self, shape: Shape) -> dict[str, Borrowed]:
        return self.layer.borrowed(shape[1:])

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer] | None:
        return self.layer.sees(shape[1:])

    def multiply_adds(self, shape: Shape) -> int:
        return self.layer.multiply_adds(shape[1:])

    def least_batch(self, shape: Shape) -> int:
        return self.layer.least_batch(shape[1:])

    def connections(self, shape: Shape) -> int:
        return self.layer.connections(shape[1:])

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        steps, batch = x.shape[:2]
        frames = x.reshape(steps * batch, *x.shape[2:])
        if not self.mixes_samples or way.lengths is None:
            y, cache = self.layer.forward(frames, params, buffers, way)
            return y.reshape(steps, batch, *y.shape[1:]), (x.shape, None, cache)
        is_there = within(way.lengths, steps, batch).ravel()
        found, cache = self.layer.forward(frames[is_there], params, buffers, way)
        y = np.zeros((steps * batch, *found.shape[1:]), found.dtype)
        y[is_there] = found
        return y.reshape(steps, batch, *y.shape[1:]), (x.shape, is_there, cache)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        shape, is_there, own = cache
        dframes = dy.reshape(-1, *dy.shape[2:])
        if is_there is None:
            dx, found = self.layer.backward(dframes, own, need_dx=need_dx)
            return None if dx is None else dx.reshape(shape), found
        part, found = self.layer.backward(dframes[is_there], own, need_dx=need_dx)
        if part is None:
            return None, found
        dx = np.zeros((len(dframes), *part.shape[1:]), part.dtype)
        dx[is_there] = part
        return dx.reshape(shape), found
