"""The bins that a pool to a given size cuts an axis into, and what their elements weigh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.pool_reductions import checked_sigma, decay

BinWeights = tuple[list[np.ndarray], list[np.ndarray]]
"""Of every bin of rows, and of every bin of columns, a vector that adds up to 1."""


@dataclass(frozen=True)
class Bins:
    """Along one axis, output ``i`` is made of the inputs from ``starts[i]`` up to ``stops[i]``."""

    size: int
    starts: np.ndarray
    stops: np.ndarray

    @property
    def count(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> np.ndarray:
        return self.stops - self.starts

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return list(zip(self.starts.tolist(), self.stops.tolist(), strict=True))

    @property
    def are_apart(self) -> bool:
        return bool((self.starts[1:] >= self.stops[:-1]).all())


def plan_bins(size: int, count: int | None) -> Bins:
    """Cut ``size`` inputs into ``count`` bins, or one for each input.

    Bin ``i`` reaches from ``floor(i * size / count)`` to ``ceil((i+1) * size / count)``, as in
    PyTorch: neighbours share an input where the sizes do not divide.
    """
    count = size if count is None else count
    if count < 1:
        raise ValueError(f"output_size is {count}: it must be at least 1")
    if size < 1:
        raise ValueError(f"size is {size}: it must be at least 1")
    indices = np.arange(count)
    return Bins(size, indices * size // count, -(-(indices + 1) * size // count))


def bin_sigma(rows: Bins, columns: Bins, sigma: float | None = None) -> float:
    """Of the Gaussian over bins: by default a quarter of the longer side of a bin.

    Raises ValueError where it is not above 0.
    """
    return checked_sigma(sigma, max(axis.size / axis.count for axis in (rows, columns)) / 4)


def bin_weights(rows: Bins, columns: Bins, sigma: float | None = None) -> BinWeights:
    """The weights of a Gaussian about the centre of every bin; the product of both axes' counts.

    Sigma, and its errors, as :func:`bin_sigma` has it.
    """
    sigma = bin_sigma(rows, columns, sigma)
    decays = [[decay(length, sigma) for length in axis.lengths] for axis in (rows, columns)]
    return tuple([weights / weights.sum() for weights in axis] for axis in decays)
