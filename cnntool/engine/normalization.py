"""Batch normalization: every map with the mean and variance of its batch, or of all batches so far.

A few maps at a time go through all steps, so that they are read from memory once and stay in the
cache for the rest. With the samples innermost a map is one run. Sums are products of pieces of runs
with others, or with ones, which are added up in float64. What a mean in float32 lacks is the mean
of what is left when it is subtracted, and is made good where it would be multiplied by the number
of elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from cnntool.engine.arrays import as_gradient, check_numbers, float_dtype
from cnntool.engine.fast.layout import in_layout_of, is_batch_last
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import parallel_blocks
from cnntool.engine.windows import even_slices

BLOCK_BYTES = 1 << 20
"""Of the maps that go through all steps together."""

PIECES = 64
"""Of a map in one run, if it can be cut into so many, that are added up each by itself."""

EPS = 1e-5
"""Added to a variance, so that a map of one value can be divided by its deviation."""

COST = 24
"""Of an element, in multiplications of a matrix product: from 700,000 on two threads are faster."""


@dataclass(frozen=True, eq=False)
class BatchNormCache:
    """What the way back needs; the normalized x is made again there."""

    x: np.ndarray
    weight: np.ndarray  # (C,)
    mean: np.ndarray  # (C,), float64: what was subtracted
    inverse_std: np.ndarray  # (C,), float64: what that was multiplied with
    of_batch: bool  # whether both depend on x


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = EPS,
) -> tuple[np.ndarray, BatchNormCache, tuple[np.ndarray | None, np.ndarray | None]]:
    """``y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]``: x (N, C) or (N, C, ...).

    In training, mean and var are those of map c over all samples and places of the batch, M
    numbers: ``var = sum of (x - mean)^2 / M``. Else they are ``running_mean`` and ``running_var``,
    and y is one multiplication and one addition. All parameters and statistics are (C,).

    Returns y like x, the cache for :func:`batch_norm_backward`, and the running mean and variance
    after this batch: ``(1 - momentum) * running + momentum * batch``, with the unbiased variance
    ``var * M / (M - 1)`` as in PyTorch; as they were where not training, None where none are given.
    Raises ValueError where shapes do not fit, where M is 1 in training, and where there are no
    running statistics otherwise.

    Source: Ioffe and Szegedy, Batch Normalization, ICML 2015, algorithms 1 and 2.
    """
    dtype = float_dtype(x, weight)
    check_numbers(bias)
    x, weight, bias = (np.asarray(array, dtype) for array in (x, weight, bias))
    _check_shapes(x, weight, bias, running_mean, running_var)
    count = x.size // len(weight)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("without training, batch_norm needs running_mean and running_var")
        mean = np.asarray(running_mean, np.float64)
        inverse_std = 1 / np.sqrt(np.asarray(running_var, np.float64) + eps)
        y = _scaled(x, weight * inverse_std, bias - mean * weight * inverse_std)
        cache = BatchNormCache(x, weight, mean, inverse_std, False)
        return y, cache, (running_mean, running_var)
    if count == 1:
        raise ValueError(f"x has shape {x.shape}: one value a map has no variance to train with")
    y, mean, var = _normalized(x, weight, bias, eps)
    unbiased = var * (count / (count - 1))
    running = _moved(running_mean, mean, momentum), _moved(running_var, unbiased, momentum)
    return y, BatchNormCache(x, weight, mean, 1 / np.sqrt(var + eps), True), running


def batch_norm_backward(
    dy: np.ndarray, cache: BatchNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dweight, dbias) of :func:`batch_norm` for dy like y.

    With ``n = (x - mean) / sqrt(var + eps)``: ``dbias = sum of dy`` and ``dweight = sum of dy n``,
    each over samples and places. In training mean and var depend on x too:
    ``dx = weight / sqrt(var + eps) * (dy - dbias / M - n dweight / M)``; else dx is its first term.
    """
    x, dtype, channels = cache.x, cache.x.dtype, len(cache.mean)
    dy = as_gradient(dy, x.shape, dtype)
    values, gradients = _as_runs(x), _as_runs(in_layout_of(x, dy) if x.ndim == 4 else dy)
    dx, sums = np.empty(values.shape, dtype), np.empty((2, channels))  # of dy, and of dy n
    scale, count = cache.weight * cache.inverse_std, x.size // channels

    def work(maps: slice, scratch: Scratch) -> None:
        gradient, target = gradients[:, maps], dx[:, maps]
        rounded, lost = _rounded(cache.mean[maps], dtype)
        centred = scratch.array("centred", gradient.shape, dtype)
        np.subtract(values[:, maps], rounded[:, None], out=centred)
        dbias = sums[0, maps] = _sums(gradient)
        product = _sums(gradient, centred) - lost * dbias
        dweight = sums[1, maps] = product * cache.inverse_std[maps]
        np.multiply(gradient, _column(scale[maps], dtype), out=target)
        if cache.of_batch:
            centred *= _column(dweight * cache.inverse_std[maps] * scale[maps] / count, dtype)
            centred += _column(dbias * scale[maps] / count, dtype)
            target -= centred

    _share(values, work)
    dbias, dweight = sums.astype(dtype)
    return _like(x, dx), dweight, dbias


def _normalized(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, and the mean and biased variance (C,) of each map in float64."""
    values, dtype = _as_runs(x), x.dtype
    y, mean, var = np.empty(values.shape, dtype), np.empty(len(weight)), np.empty(len(weight))
    count = x.size // len(weight)

    def work(maps: slice, scratch: Scratch) -> None:
        source, target = values[:, maps], y[:, maps]
        rounded = (_sums(source) / count).astype(dtype)
        np.subtract(source, rounded[:, None], out=target)
        lost = _sums(target) / count
        mean[maps] = rounded + lost
        var[maps] = np.maximum(_sums(target, target) / count - lost * lost, 0)
        scale = weight[maps] / np.sqrt(var[maps] + eps)
        target *= _column(scale, dtype)
        target += _column(bias[maps] - lost * scale, dtype)

    _share(values, work)
    return _like(x, y), mean, var


def _scaled(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """``x * scale[c] + shift[c]``."""
    values, dtype = _as_runs(x), x.dtype
    y = np.empty(values.shape, dtype)

    def work(maps: slice, scratch: Scratch) -> None:
        np.multiply(values[:, maps], _column(scale[maps], dtype), out=y[:, maps])
        y[:, maps] += _column(shift[maps], dtype)

    _share(values, work)
    return _like(x, y)


def _moved(running: np.ndarray | None, batch: np.ndarray, momentum: float) -> np.ndarray | None:
    if running is None:
        return None
    running = np.asarray(running)
    return ((1 - momentum) * running + momentum * batch).astype(float_dtype(running))


def _as_runs(x: np.ndarray) -> np.ndarray:
    """x as (A, C, run): A is 1 where all that a map has lies in one run, else the samples."""
    if x.ndim == 2:
        return np.ascontiguousarray(x.T)[None]
    if x.ndim == 4 and is_batch_last(x):
        return x.transpose(1, 2, 3, 0).reshape(1, x.shape[1], -1)
    return x.reshape(*x.shape[:2], -1)


def _like(x: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Runs (A, C, run) in the shape and layout of x again."""
    if x.ndim == 2:
        return np.ascontiguousarray(runs[0].T)
    if x.ndim == 4 and is_batch_last(x):
        return runs.reshape(*x.shape[1:], len(x)).transpose(3, 0, 1, 2)
    return runs.reshape(x.shape)


def _sums(runs: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """The sum of each map of runs (A, C, run), or of its products with others: (C,), float64."""
    samples, maps, run = runs.shape
    cut = gcd(run, PIECES) if samples == 1 else 1
    pieces = runs.reshape(samples, maps, cut, run // cut)
    if others is None:
        found = pieces @ np.ones(run // cut, runs.dtype)
    else:
        found = (pieces[..., None, :] @ others.reshape(pieces.shape)[..., None])[..., 0, 0]
    return found.sum(axis=(0, 2), dtype=np.float64)


def _rounded(mean: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Means (C,) in this dtype, and what they lose by that in float64."""
    rounded = mean.astype(dtype)
    return rounded, mean - rounded


def _column(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values (C,) so that each meets its map in runs (A, C, run)."""
    return values.astype(dtype)[:, None]


def _share(runs: np.ndarray, work: Callable[[slice, Scratch], None]) -> None:
    """Have every map of runs (A, C, run) worked on, some at a time."""
    most = max(1, BLOCK_BYTES // (prod(runs.shape[::2]) * runs.itemsize))
    parallel_blocks(even_slices(runs.shape[1], most), work, runs.size * COST)


def _check_shapes(x, weight, bias, running_mean, running_var) -> None:
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"x has shape {x.shape}: expected (N, C) or (N, C, H, W), none of them 0")
    channels = x.shape[1]
    named = {"weight": weight, "bias": bias, "running_mean": running_mean}
    for name, array in {**named, "running_var": running_var}.items():
        if array is not None and np.shape(array) != (channels,):
            raise ValueError(
                f"{name} has shape {np.shape(array)}: x {x.shape} needs one value a map, "
                f"({channels},)"
            )
