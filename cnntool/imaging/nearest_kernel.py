"""Which kernel of the catalogue a learned one is most like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cnntool.imaging.interpolation import resized
from cnntool.imaging.kernels import CATALOGUE, build

WAVE_ANGLES = tuple(range(0, 180, 30))
WAVE_PHASES = 0.0, 90.0
"""The waves of the catalogue's Gabor function that are compared, besides its own."""

ALIKE = 1e-9


@dataclass(frozen=True)
class Likeness:
    """A kernel of the catalogue, and how like it is: the cosine of the angle between the two as
    vectors of weights, without its sign, from 0 to 1."""

    name: str
    similarity: float


def nearest_kernels(patterns: np.ndarray) -> tuple[Likeness | None, ...]:
    """The most similar kernel to each of the patterns (F, kh, kw); None for a single weight.

    All kernels of the catalogue are compared, those of a bank one by one. They are resized to the
    size of the patterns: linearly, and where that is smaller by averages over what it covers. Of
    kernels that are equally like, such as those of opposite sign, the first is named.
    """
    count, height, width = patterns.shape
    if height * width == 1:
        return (None,) * count
    names, known = _resized_catalogue(height, width)
    flat = patterns.reshape(count, -1)
    flat = flat / np.sqrt(np.square(flat).sum(axis=1, keepdims=True))
    cosines = np.abs(flat @ known.T)
    best = (cosines >= cosines.max(axis=1, keepdims=True) - ALIKE).argmax(axis=1)
    return tuple(
        Likeness(names[index], min(1.0, float(row[index])))
        for index, row in zip(best, cosines, strict=True)
    )


@lru_cache(8)
def _resized_catalogue(height: int, width: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, and kernels (K, height * width) of norm 1."""
    names, rows = [], []
    for name, kernel in _kernels():
        weights = resized(kernel, (height, width)).ravel()
        norm = np.sqrt(np.square(weights).sum())
        if norm > 1e-9 * np.abs(kernel).max():  # a checked pattern may average out
            names.append(name)
            rows.append(weights / norm)
    return tuple(names), np.stack(rows)


def _kernels() -> Iterator[tuple[str, np.ndarray]]:
    for name in CATALOGUE:
        filter = build(name)
        yield from zip(filter.names, filter.bank, strict=True)
    for angle in WAVE_ANGLES:
        for phase in WAVE_PHASES:
            filter = build("gabor", angle=angle, phase=phase)
            yield filter.spec, filter.bank[0]
