"""Pools whose output has a given size: adaptive, global, and the spatial pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores
from cnntool.engine.max_pooling import MaxPoolCache, max_pool2d, max_pool2d_backward
from cnntool.engine.pool_windows import BLOCK_ELEMENTS, check_maps, checked_sigma, decay, run
from cnntool.engine.pooling import MeanPoolCache, average_pool2d, average_pool2d_backward
from cnntool.engine.windows import per_axis

MODES = ("max", "average", "gaussian")

MOST_TAPS = 64
"""Bins that are alike and have no more elements than this are sliding windows."""


@dataclass(frozen=True, eq=False)
class BinsCache:
    """The bins of an adaptive average."""

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    rows: Bins
    columns: Bins


@dataclass(frozen=True, eq=False)
class WeightedBinsCache:
    """The bins of an adaptive weighted average."""

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    rows: Bins
    columns: Bins
    weights: BinWeights


AdaptiveCache = MaxPoolCache | MeanPoolCache | BinsCache | WeightedBinsCache


def adaptive_pool2d(
    x: np.ndarray,
    output_size: int | tuple[int | None, int | None] | None,
    mode: str = "max",
    *,
    keep_winners: bool = True,
    sigma: float | None = None,
) -> tuple[np.ndarray, AdaptiveCache]:
    """Pool x (N, C, H, W) to (N, C, oh, ow), whatever its size, by the maximum or an average.

    ``y[i, j]`` is the maximum (or average) of the rows from ``floor(i * H / oh)`` up to
    ``ceil((i+1) * H / oh)`` and the columns alike: PyTorch's bins. ``output_size`` is a number or
    (height, width); None keeps a size. It may be larger than the input, whose elements then repeat.
    The maximum keeps x's dtype, and goes without a gradient where ``keep_winners`` is False;
    averages are float64 of float64, else float32. ``gaussian`` weighs each element by
    ``exp(-d^2 / (2 sigma^2))``, d its distance from the centre of its bin; ``sigma`` is by default
    a quarter of the longer of H / oh and W / ow, as in
    :func:`~cnntool.engine.pooling.gaussian_pool2d`. Raises ValueError for a size below 1, or a
    sigma that is not above 0.
    """
    check_maps(x)
    _check_mode(mode)
    output_size = (None, None) if output_size is None else output_size
    rows, columns = map(plan_bins, x.shape[2:], per_axis(output_size, 2, "output_size"))
    if mode == "gaussian":
        return _weigh_bins(x, rows, columns, bin_weights(rows, columns, sigma))
    if rows.size % rows.count == 0 and columns.size % columns.count == 0:
        kernel = rows.size // rows.count, columns.size // columns.count
        if mode == "average":
            return average_pool2d(x, kernel)
        if prod(kernel) <= MOST_TAPS or not keep_winners:
            return max_pool2d(x, kernel, keep_winners=keep_winners)
    if mode == "average":
        return _average_bins(x, rows, columns)
    return _largest_of_bins(x, rows, columns)


def adaptive_pool2d_backward(dy: np.ndarray, cache: AdaptiveCache) -> np.ndarray:
    """The gradient by x: every element of a bin has its share, or its first maximum has all."""
    if isinstance(cache, MaxPoolCache):
        return max_pool2d_backward(dy, cache)
    if isinstance(cache, MeanPoolCache):
        return average_pool2d_backward(dy, cache)
    if isinstance(cache, WeightedBinsCache):
        return _weigh_bins_backward(dy, cache)
    return _average_bins_backward(dy, cache)


def global_pool2d(x: np.ndarray, mode: str = "average") -> tuple[np.ndarray, AdaptiveCache]:
    """The average or the maximum of each map of x (N, C, H, W): (N, C, 1, 1)."""
    return adaptive_pool2d(x, 1, mode)


def global_pool2d_backward(dy: np.ndarray, cache: AdaptiveCache) -> np.ndarray:
    """The gradient by x: shared by all of a map, or for its first maximum alone."""
    return adaptive_pool2d_backward(dy, cache)


@dataclass(frozen=True, eq=False)
class PyramidCache:
    shape: tuple[int, ...]  # of x
    levels: tuple[int, ...]
    caches: tuple[AdaptiveCache, ...]


def pyramid_pool2d(
    x: np.ndarray, levels: Sequence[int] = (1, 2, 4), mode: str = "max"
) -> tuple[np.ndarray, PyramidCache]:
    """The spatial pyramid: a vector of one length from maps (N, C, H, W) of any size.

    Level ``l`` is the adaptive pool to l x l. Returns (N, C * sum of l^2): level after level, in
    each map after map, in each map its bins row by row.

    Source: He, Zhang, Ren, Sun, Spatial Pyramid Pooling in Deep Convolutional Networks for Visual
    Recognition, 2014, section 2.2.
    """
    if len(levels) == 0:
        raise ValueError("levels is empty: expected sizes such as (1, 2, 4)")
    pools = [adaptive_pool2d(x, int(level), mode) for level in levels]
    y = np.concatenate([y.reshape(len(y), prod(y.shape[1:])) for y, _ in pools], axis=1)
    return y, PyramidCache(x.shape, tuple(levels), tuple(cache for _, cache in pools))


def pyramid_pool2d_backward(dy: np.ndarray, cache: PyramidCache) -> np.ndarray:
    """The gradient by x: the sum over the levels."""
    count, channels = cache.shape[:2]
    lengths = [channels * level * level for level in cache.levels]
    dy = as_gradient(dy, (count, sum(lengths)), float_dtype(dy))
    dx, first = None, 0
    for level, length, level_cache in zip(cache.levels, lengths, cache.caches, strict=True):
        part = dy[:, first : first + length].reshape(count, channels, level, level)
        gradient = adaptive_pool2d_backward(part, level_cache)
        dx = gradient if dx is None else dx + gradient
        first += length
    return dx


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode is '{mode}': expected {' or '.join(MODES)}")


def _average_bins(x: np.ndarray, rows: Bins, columns: Bins) -> tuple[np.ndarray, BinsCache]:
    dtype = float_dtype(x)
    planes = x.reshape(-1, *x.shape[2:])
    y = np.empty((len(planes), rows.count, columns.count), dtype)
    elements = np.multiply.outer(rows.lengths, columns.lengths).astype(dtype)

    def work(which: slice, scratch: Scratch) -> None:
        block = planes[which]
        down = scratch.array("down", (len(block), rows.count, columns.size), dtype)
        for index, (start, stop) in enumerate(rows.pairs):
            np.add.reduce(block[:, start:stop], axis=1, dtype=dtype, out=down[:, index])
        for index, (start, stop) in enumerate(columns.pairs):
            np.add.reduce(down[:, :, start:stop], axis=2, out=y[which, :, index])
        y[which] /= elements

    _share(planes.shape, work)
    y = y.reshape(*x.shape[:2], *y.shape[1:])
    return y, BinsCache(x.shape, dtype, rows, columns)


def _average_bins_backward(dy: np.ndarray, cache: BinsCache) -> np.ndarray:
    rows, columns, dtype = cache.rows, cache.columns, cache.dtype
    outputs = rows.count, columns.count
    dy = as_gradient(dy, (*cache.shape[:2], *outputs), dtype).reshape(-1, *outputs)
    dx = np.empty((len(dy), rows.size, columns.size), dtype)
    elements = np.multiply.outer(rows.lengths, columns.lengths).astype(dtype)

    def work(which: slice, scratch: Scratch) -> None:
        share = dy[which] / elements
        across = scratch.array("across", (*share.shape[:2], columns.size), dtype)
        across[...] = 0
        for index, (start, stop) in enumerate(columns.pairs):
            across[:, :, start:stop] += share[:, :, index, None]
        dx[which] = 0
        for index, (start, stop) in enumerate(rows.pairs):
            dx[which, start:stop] += across[:, index, None]

    _share(dx.shape, work)
    return dx.reshape(cache.shape)


def _weigh_bins(
    x: np.ndarray, rows: Bins, columns: Bins, weights: BinWeights
) -> tuple[np.ndarray, WeightedBinsCache]:
    """``y[i, j] = sum over k, l of u_i[k] * v_j[l] * x[k, l]``: first down, then across."""
    dtype = float_dtype(x)
    weights = tuple([w.astype(dtype) for w in axis] for axis in weights)
    by_row, by_column = (
        zip(rows.pairs, weights[0], strict=True),
        zip(columns.pairs, weights[1], strict=True),
    )
    planes = np.asarray(x, dtype).reshape(-1, *x.shape[2:])
    down = np.stack([w @ planes[:, start:stop] for (start, stop), w in by_row], axis=1)
    y = np.stack([down[:, :, start:stop] @ w for (start, stop), w in by_column], axis=2)
    cache = WeightedBinsCache(x.shape, dtype, rows, columns, weights)
    return y.reshape(*x.shape[:2], *y.shape[1:]), cache


def _weigh_bins_backward(dy: np.ndarray, cache: WeightedBinsCache) -> np.ndarray:
    """``dx[k, l] = sum over i, j of u_i[k] * v_j[l] * dy[i, j]``."""
    rows, columns = cache.rows, cache.columns
    outputs = rows.count, columns.count
    dy = as_gradient(dy, (*cache.shape[:2], *outputs), cache.dtype).reshape(-1, *outputs)
    across = np.zeros((len(dy), rows.count, columns.size), cache.dtype)
    for index, (start, stop) in enumerate(columns.pairs):
        across[:, :, start:stop] += dy[:, :, index, None] * cache.weights[1][index]
    dx = np.zeros((len(dy), rows.size, columns.size), cache.dtype)
    for index, (start, stop) in enumerate(rows.pairs):
        dx[:, start:stop] += across[:, index, None] * cache.weights[0][index][:, None]
    return dx.reshape(cache.shape)


def _largest_of_bins(x: np.ndarray, rows: Bins, columns: Bins) -> tuple[np.ndarray, MaxPoolCache]:
    """First across each row, then down, so that the first in reading order wins a tie."""
    planes = x.reshape(-1, *x.shape[2:])
    y = np.empty((len(planes), rows.count, columns.count), x.dtype)
    winners = np.empty(y.shape, np.intp)

    def work(which: slice, scratch: Scratch) -> None:
        block = planes[which]
        shape = *block.shape[:2], columns.count
        across = scratch.array("across", shape, x.dtype)
        places = scratch.array("places", shape, winners.dtype)  # in a row
        for index, (start, stop) in enumerate(columns.pairs):
            won = _first_largest(block[:, :, start:stop])
            places[:, :, index] = won + start
            across[:, :, index] = _pick(block[:, :, start:stop], won)
        first = np.arange(which.start, which.stop)[:, None] * (rows.size * columns.size)
        for index, (start, stop) in enumerate(rows.pairs):
            candidates = across[:, start:stop].swapaxes(1, 2)  # (A, ow, rows of the bin)
            won = _first_largest(candidates)
            y[which, index] = _pick(candidates, won)
            columns_won = _pick(places[:, start:stop].swapaxes(1, 2), won)
            winners[which, index] = first + (won + start) * columns.size + columns_won

    _share(planes.shape, work)
    shape = *x.shape[:2], rows.count, columns.count
    are_apart = rows.are_apart and columns.are_apart
    cache = MaxPoolCache(x.shape, float_dtype(x), False, are_apart, winners.reshape(shape))
    return y.reshape(shape), cache


def _first_largest(values: np.ndarray) -> np.ndarray:
    """Where along the last axis the first of the largest is; of NaN the last, as PyTorch's."""
    won = values.argmax(axis=-1)
    if values.dtype.kind == "f":
        is_nan = np.isnan(_pick(values, won))
        if is_nan.any():
            last = values.shape[-1] - 1 - np.isnan(values[..., ::-1]).argmax(axis=-1)
            won = np.where(is_nan, last, won)
    return won


def _pick(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, places[..., None], axis=-1)[..., 0]


def _share(shape: tuple[int, ...], work) -> None:
    """Run ``work(planes, scratch)`` over planes (A, H, W)."""
    together = max(1, BLOCK_ELEMENTS // max(1, prod(shape[1:])))
    blocks = [(slice(a, min(a + together, shape[0])),) for a in range(0, shape[0], together)]
    run(blocks, work, prod(shape), available_cores())


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
