"""How maps (N, C, H, W) lie in memory: sample after sample, or with the samples innermost.

Small maps have short rows. With the samples of a batch side by side, in the order (C, H, W, N), a
row of windows is one long run for all samples, so that copies, sums and comparisons are vector
operations whatever the size, stride or padding of the maps, and the product of a convolution is
its result as it stands. The array keeps its shape (N, C, H, W); only its strides differ, and
operations give back the layout that they were given.
"""

from __future__ import annotations

import numpy as np


def is_batch_last(x: np.ndarray) -> bool:
    """Whether the samples of x (N, C, H, W) are innermost; no array of one sample is."""
    return not x.flags.c_contiguous and x.transpose(1, 2, 3, 0).flags.c_contiguous


def batch_last(x: np.ndarray) -> np.ndarray:
    """x (N, C, H, W) with the samples innermost: itself where they are, else a copy."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


def samples_last(x: np.ndarray) -> np.ndarray:
    """The same numbers as (C, H, W, N), contiguous."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def samples_first(x: np.ndarray) -> np.ndarray:
    """(C, H, W, N) seen as (N, C, H, W)."""
    return x.transpose(3, 0, 1, 2)


def as_planes(x: np.ndarray) -> np.ndarray:
    """Maps as planes (A, H, W, B): (C, H, W, N) with the samples innermost, else (N*C, H, W, 1)."""
    if is_batch_last(x):
        return x.transpose(1, 2, 3, 0)
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:], 1)


def as_maps(planes: np.ndarray, count: int, channels: int) -> np.ndarray:
    """Planes (A, H, W, B) as maps (N, C, H, W) again."""
    if planes.shape[3] > 1:
        return planes.transpose(3, 0, 1, 2)
    return planes.reshape(count, channels, *planes.shape[1:3])


def in_layout_of(like: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x in the layout of ``like``: itself where it has it, else a copy."""
    return batch_last(x) if is_batch_last(like) else np.ascontiguousarray(x)
