"""Small planes of real numbers in another size: linear between their elements."""

from __future__ import annotations

import numpy as np


def resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane (H, W) as one of ``size`` (height, width), by :func:`shares` along both sides."""
    (height, width), (rows, columns) = plane.shape, size
    return shares(height, rows) @ plane @ shares(width, columns).T


def shares(size: int, wanted: int) -> np.ndarray:
    """(wanted, size): what each element of the resized row takes of those of a row.

    Elements stand in the middles of equal parts of the same length. Each takes the tent
    ``1 - |distance|`` about its place, as wide as its own part where that is the larger one, and
    its shares sum to 1: bilinear enlargement, and averages where the row becomes shorter.

    >>> shares(2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    ratio = size / wanted
    places = (np.arange(wanted) + 0.5) * ratio - 0.5
    distance = np.abs(places[:, None] - np.arange(size))
    tents = np.maximum(0.0, 1.0 - distance / max(1.0, ratio))
    return tents / tents.sum(axis=1, keepdims=True)
