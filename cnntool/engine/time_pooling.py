"""Pools over time: sequences of any length as one vector of features each.

The first step, the last one before a sequence's end, or the mean or the largest of each feature
over all of its steps; what stands behind its end counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype, within

MODES = ("first", "last", "mean", "max")


@dataclass(frozen=True, eq=False)
class TimePoolCache:
    """What the way back needs."""

    shape: tuple[int, ...]  # (T, B, D)
    mode: str
    lengths: np.ndarray  # (B,)
    places: np.ndarray | None  # (B,) of first or last steps, (B, D) of the largest, none of a mean


def time_pool(
    x: np.ndarray, mode: str, *, lengths: np.ndarray | None = None
) -> tuple[np.ndarray, TimePoolCache]:
    """Steps x (T, B, D) as features y (B, D), in one of ``MODES``.

        first: y_b = x[0, b];  last: y_b = x[n_b - 1, b];
        mean: y_b = 1/n_b sum_t x[t, b];  max: y_bd = max_t x[t, b, d]

    over the steps t < n_b of sequence b; lengths: (B,) of n_b, None where all have T steps. A
    sequence without steps gives 0. Of equal largest steps the first one takes the gradient.

    Returns y, in float64 where x is, else float32, and the cache for :func:`time_pool_backward`.
    ValueError for another mode, and where shapes do not fit.
    """
    x = np.asarray(x, float_dtype(x))
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}: expected {', '.join(MODES)}")
    if x.ndim != 3:
        raise ValueError(f"x has shape {x.shape}: expected (steps, batch, features)")
    steps, batch, width = x.shape
    lengths = np.full(batch, steps) if lengths is None else np.asarray(lengths)
    is_there = within(lengths, steps, batch)[..., None]  # (T, B, 1)
    places = None
    if not steps:
        y = np.zeros((batch, width), x.dtype)
    elif mode == "mean":
        y = np.where(is_there, x, 0).sum(axis=0) / np.maximum(lengths, 1)[:, None].astype(x.dtype)
    elif mode in ("first", "last"):
        places = np.maximum(lengths - 1, 0) if mode == "last" else np.zeros(batch, int)
        y = x[places, np.arange(batch)]
    else:
        places = np.where(is_there, x, -np.inf).argmax(axis=0)
        y = np.take_along_axis(x, places[None], axis=0)[0]
    y = np.where(lengths[:, None] > 0, y, x.dtype.type(0))
    return y, TimePoolCache(x.shape, mode, lengths, places)


def time_pool_backward(dy: np.ndarray, cache: TimePoolCache) -> np.ndarray:
    """Gradient dx (T, B, D) of :func:`time_pool` for dy (B, D)."""
    steps, batch, width = cache.shape
    dy = as_gradient(dy, (batch, width), float_dtype(dy))
    dy = np.where(cache.lengths[:, None] > 0, dy, dy.dtype.type(0))
    if not steps:
        return np.zeros(cache.shape, dy.dtype)
    if cache.mode == "mean":
        share = dy / np.maximum(cache.lengths, 1)[:, None].astype(dy.dtype)
        return np.where(within(cache.lengths, steps, batch)[..., None], share, dy.dtype.type(0))
    dx = np.zeros(cache.shape, dy.dtype)
    assert cache.places is not None
    if cache.mode in ("first", "last"):
        dx[cache.places, np.arange(batch)] = dy
    else:
        np.put_along_axis(dx, cache.places[None], dy[None], axis=0)
    return dx
