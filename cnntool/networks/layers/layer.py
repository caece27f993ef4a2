"""What a layer is: shapes, parameters, forward and backward. It holds no arrays itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.wording import counted

Shape = tuple[int, ...]
"""Of one sample: maps (C, H, W) or features (D,)."""

Arrays = dict[str, np.ndarray]
"""Arrays by their names within a layer: ``weight``, ``bias``."""


@dataclass(frozen=True)
class Parameter:
    """The shape of a parameter, and how it starts.

    ``fan_in`` inputs reach each output through it and ``fan_out`` outputs each input; without them
    it starts at ``start``. ``count`` are those that are trained: fewer than the shape has where a
    connection table leaves some out.
    """

    shape: tuple[int, ...]
    fan_in: int = 0
    fan_out: int = 0
    start: float = 0.0
    trained: int | None = None

    @property
    def count(self) -> int:
        return prod(self.shape) if self.trained is None else self.trained


def total(parameters: Mapping[str, Parameter]) -> int:
    """How many numbers are trained in all."""
    return sum(parameter.count for parameter in parameters.values())


@dataclass(frozen=True)
class Pass:
    """One way through a network: whether it trains, what dropout draws from, and whether what the
    way back needs is kept."""

    training: bool = False
    rng: np.random.Generator | None = None
    keeps_caches: bool = True


class Layer:
    """A layer without parameters that keeps shapes; others say where they differ.

    Layers are frozen dataclasses, equal where their settings are; ``str(layer)`` is the text that
    :func:`cnntool.networks.spec.parse_layers` makes it from.
    """

    kind: str
    """What it is called in a network, with a number behind: ``conv1``."""

    needs_size = False
    """Whether its parameters depend on the height and width of its maps."""

    makes_size = False
    """Whether its output has one size whatever that of its maps."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of its output for one sample; ValueError, saying what would fit."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        """By name, for samples of this shape."""
        return {}

    def buffers(self, shape: Shape) -> dict[str, Parameter]:
        """What it keeps that is not trained."""
        return {}

    def multiply_adds(self, shape: Shape) -> int:
        """Of one sample, forward, in its products."""
        return 0

    def connections(self, shape: Shape) -> int:
        """Inputs, and biases, that reach its outputs, each counted where it does."""
        return 0

    def forward(
        self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass
    ) -> tuple[np.ndarray, Any]:
        """The output for a batch x (N, *shape), and the cache for the way back."""
        raise NotImplementedError

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True
    ) -> tuple[np.ndarray | None, Arrays]:
        """The gradient by x, and those by the parameters, by name."""
        raise NotImplementedError


def maps_of(shape: Shape) -> tuple[int, int, int]:
    """The shape as (C, H, W); ValueError where it is not one of maps."""
    if len(shape) != 3:
        raise ValueError(
            f"it takes maps, not {shape_text(shape)}: move it before what makes features of them"
        )
    return shape


def shape_text(shape: Shape) -> str:
    """``16 x 5 x 5`` or ``84 features``."""
    return counted(shape[0], "feature") if len(shape) == 1 else " x ".join(map(str, shape))


def size_text(size: tuple[int, int]) -> str:
    """``5x5``."""
    return f"{size[0]}x{size[1]}"


def number_text(number: float) -> str:
    """``0.5``, ``2``: short, and the same number when it is read again."""
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))


def pair_text(pair: tuple[int, int]) -> str:
    """``2`` where both are 2, else ``2x1``."""
    return str(pair[0]) if pair[0] == pair[1] else size_text(pair)
