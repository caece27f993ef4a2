"""Pooling layers: sliding windows, outputs of a given size, and LeNet-5's trainable subsampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.engine import bin_pooling, pooling
from cnntool.engine.max_pooling import max_pool2d, max_pool2d_backward
from cnntool.engine.pool_windows import plan_pool
from cnntool.networks.layers.layer import (
    ONE,
    Arrays,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    WindowLayer,
    Words,
    maps_of,
    pair_text,
    shown,
    size_text,
)
from cnntool.specs import number_text

MOST_LEVELS = 16
"""Of a pyramid."""

LARGEST_LEVEL = 999
"""Of a pyramid: a million features a map."""

POOLS: dict[str, tuple[Callable, Callable]] = {
    "max": (max_pool2d, max_pool2d_backward),
    "average": (pooling.average_pool2d, pooling.average_pool2d_backward),
    "lp": (pooling.lp_pool2d, pooling.lp_pool2d_backward),
    "gaussian": (pooling.gaussian_pool2d, pooling.gaussian_pool2d_backward),
}


@dataclass(frozen=True)
class SlidingPool(Layer):
    """One of ``POOLS`` over windows; ``p`` is of ``lp``, ``sigma`` of ``gaussian``."""

    mode: str
    size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    p: float = 2.0
    sigma: float | None = None

    kind = "pool"

    @classmethod
    def read(cls, name: str, words: Words) -> SlidingPool:
        size = words.pair("window size")
        settings: dict[str, Any] = {}
        own = {"lp": ("p",), "gaussian": ("sigma",)}.get(name, ())
        while setting := words.setting(("stride", "pad", *own)):
            if setting == "stride":
                settings["stride"] = words.pair("stride")
            elif setting == "pad":
                settings["padding"] = words.pair("pad", least=0)
            elif setting == "p":
                settings["p"] = words.number("p", 1, float("inf"))
            else:
                settings["sigma"] = words.number("sigma", 1e-3, 1e6)
        return cls(name, size, **settings)

    def __str__(self) -> str:
        text = f"{self.mode} {pair_text(self.size)}"
        if self.stride is not None:
            text += f" stride {pair_text(self.stride)}"
        if self.padding != (0, 0):
            text += f" pad {pair_text(self.padding)}"
        if self.mode == "lp" and self.p != 2:
            text += f" p {number_text(self.p)}"
        return text if self.sigma is None else f"{text} sigma {number_text(self.sigma)}"

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = maps_of(shape)
        if any(2 * pad > length for pad, length in zip(self.padding, self.size, strict=True)):
            most = pair_text((self.size[0] // 2, self.size[1] // 2))
            raise ValueError(
                f"pad {pair_text(self.padding)} is more than half of its window of "
                f"{size_text(self.size)}: use pad {most} or less"
            )
        try:
            axes = plan_pool((height, width), self.size, self.stride, self.padding)
        except ValueError as error:
            raise ValueError(
                f"its window spans {size_text(self.size)} and it got maps of {height}x{width}: use "
                "a smaller window, less pooling before it or larger images"
            ) from error
        return channels, *(axis.output_size for axis in axes)

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer]:
        stride = self.size if self.stride is None else self.stride
        along = zip(self.size, stride, self.padding, strict=True)
        rows, columns = (WindowLayer(*axis, is_pool=True) for axis in along)
        return rows, columns

    def connections(self, shape: Shape) -> int:
        return prod(self.output_shape(shape)) * prod(self.size)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        settings: dict[str, Any] = {"stride": self.stride, "padding": self.padding}
        if self.mode == "lp":
            settings["p"] = self.p
        if self.mode == "gaussian":
            settings["sigma"] = self.sigma
        if self.mode == "max":
            settings["keep_winners"] = way.keeps_caches
        return POOLS[self.mode][0](x, self.size, **settings)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return POOLS[self.mode][1](dy, cache) if need_dx else None, {}


@dataclass(frozen=True)
class AdaptivePool(Layer):
    """:func:`~cnntool.engine.bin_pooling.adaptive_pool2d`: one size from maps of any size."""

    mode: str
    output_size: tuple[int, int]

    kind = "pool"
    makes_size = True

    @classmethod
    def read(cls, name: str, words: Words) -> AdaptivePool:
        kind, _, mode = name.partition("-")
        return cls(mode, (1, 1) if kind == "global" else words.pair("output size"))

    def __str__(self) -> str:
        if self.output_size == (1, 1):
            return f"global-{self.mode}"
        return f"adaptive-{self.mode} {pair_text(self.output_size)}"

    def output_shape(self, shape: Shape) -> Shape:
        return maps_of(shape)[0], *self.output_size

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer] | None:
        rows, columns = map(_widest_bin, shape[1:], self.output_size)
        return None if rows is None or columns is None else (rows, columns)

    def connections(self, shape: Shape) -> int:
        return _binned(maps_of(shape), self.output_size)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        return bin_pooling.adaptive_pool2d(x, self.output_size, self.mode)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return bin_pooling.adaptive_pool2d_backward(dy, cache) if need_dx else None, {}


def _widest_bin(size: int, count: int) -> WindowLayer | None:
    """The largest bin of an adaptive pool as a window; None where bins are not evenly apart."""
    stride, rest = divmod(size, count)
    if count == 1 or not stride:
        return None
    widest = max(-(-(i + 1) * size // count) - i * size // count for i in range(count))
    is_even = not rest or (size - widest) // stride + 1 == count
    return WindowLayer(widest, stride) if is_even else None


@dataclass(frozen=True)
class PyramidPool(Layer):
    """:func:`~cnntool.engine.bin_pooling.pyramid_pool2d`: features from maps of any size."""

    levels: tuple[int, ...]
    mode: str = "max"

    kind = "pyramid"
    makes_size = True
    sees_all = True

    @classmethod
    def read(cls, name: str, words: Words) -> PyramidPool:
        text = words.next("levels", "1,2,4")
        parts = text.split(",")
        are_sound = len(parts) <= MOST_LEVELS and all(
            part.isascii() and part.isdigit() and len(part) < 9 and 0 < int(part) <= LARGEST_LEVEL
            for part in parts
        )
        if not are_sound:
            raise words.error(
                f"levels '{shown(text)}': expected up to {MOST_LEVELS} whole numbers from 1 to "
                f"{LARGEST_LEVEL} such as 1,2,4"
            )
        return cls(tuple(map(int, parts)), words.setting(bin_pooling.MODES) or "max")

    def __str__(self) -> str:
        text = "pyramid " + ",".join(map(str, self.levels))
        return text if self.mode == "max" else f"{text} {self.mode}"

    def output_shape(self, shape: Shape) -> Shape:
        return (maps_of(shape)[0] * sum(level**2 for level in self.levels),)

    def connections(self, shape: Shape) -> int:
        return sum(_binned(maps_of(shape), (level, level)) for level in self.levels)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        return bin_pooling.pyramid_pool2d(x, self.levels, self.mode)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return bin_pooling.pyramid_pool2d_backward(dy, cache) if need_dx else None, {}


def _binned(shape: tuple[int, int, int], output_size: tuple[int, int]) -> int:
    """Elements of all bins: neighbours share some where sizes do not divide."""
    channels, *size = shape
    axes = zip(size, output_size, strict=True)
    return channels * prod(int(bin_pooling.plan_bins(*axis).lengths.sum()) for axis in axes)


@dataclass(frozen=True)
class Subsampling(Layer):
    """LeNet-5's pool: the average of each window times a coefficient a map, plus a bias a map."""

    size: tuple[int, int]

    kind = "subsample"

    @classmethod
    def read(cls, name: str, words: Words) -> Subsampling:
        return cls(words.pair("window size"))

    def __str__(self) -> str:
        return f"subsample {pair_text(self.size)}"

    def output_shape(self, shape: Shape) -> Shape:
        return SlidingPool("average", self.size).output_shape(shape)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        channels = maps_of(shape)[0]
        return {"weight": Parameter((channels,), ONE), "bias": Parameter((channels,))}

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer]:
        rows, columns = (WindowLayer(size, size) for size in self.size)
        return rows, columns

    def connections(self, shape: Shape) -> int:
        return prod(self.output_shape(shape)) * (prod(self.size) + 1)

    def multiply_adds(self, shape: Shape) -> int:
        return prod(self.output_shape(shape))

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        return pooling.subsample2d(x, params["weight"], params["bias"], self.size)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        dx, dweight, dbias = pooling.subsample2d_backward(dy, cache)
        return dx if need_dx else None, {"weight": dweight, "bias": dbias}
