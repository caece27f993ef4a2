"""Pools whose output has a given size: adaptive, global, and the spatial pyramid.

Of maps, with the way back, and of images, which have more modes and may be as large as memory. Both
are planes (A, H, W, B) to the code: A maps one after the other, or B interleaved, as the channels
of an image or the samples of a batch. A bin is pooled down its rows first, then across.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.engine.arrays import as_gradient, as_numbers, float_dtype
from cnntool.engine.fast.layout import as_maps, as_planes
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores
from cnntool.engine.image_pooling import check_image, pool_image
from cnntool.engine.max_pooling import MaxPoolCache, max_pool2d, max_pool2d_backward
from cnntool.engine.medians import median_of_last
from cnntool.engine.pool_reductions import checked_p, checked_sigma, decay, power
from cnntool.engine.pool_windows import BLOCK_ELEMENTS, blocks_of, check_maps, limits, run
from cnntool.engine.pooling import (
    MeanPoolCache,
    average_pool2d,
    average_pool2d_backward,
    gaussian_pool2d,
)
from cnntool.engine.windows import per_axis

MODES = ("max", "average", "gaussian")
"""Of maps; images have all of ``POOLS``."""

WIDEST = 64
"""Bins that are alike and no longer than this are sliding windows; in longer ones so many rows are
summed in float32 before their sum joins a larger one in float64."""

MOST_TAPS = 64
"""Elements of a sliding window up to which its winner is found tap by tap."""


@dataclass(frozen=True, eq=False)
class BinsCache:
    """The bins of a mean, and what their elements weigh."""

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    rows: Bins
    columns: Bins
    weights: BinWeights


AdaptiveCache = MaxPoolCache | MeanPoolCache | BinsCache


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
    x = as_numbers(x)
    check_maps(x)
    if mode not in MODES:
        raise ValueError(f"mode is '{mode}': expected {' or '.join(MODES)}")
    rows, columns = _plan_both(x.shape[2:], output_size)
    window = _as_window(rows, columns)
    if mode == "max" and keep_winners:
        if window and prod(window) <= MOST_TAPS:
            return max_pool2d(x, window)
        return _largest_of_bins(x, rows, columns)
    if window and mode == "max":
        return max_pool2d(x, window, keep_winners=False)
    if window and mode == "average":
        return average_pool2d(x, window)
    if window:
        return gaussian_pool2d(x, window, sigma)
    y = as_maps(_pool_bins(as_planes(x), rows, columns, mode, sigma=sigma), *x.shape[:2])
    if mode == "max":
        return y, MaxPoolCache(x.shape, float_dtype(x), False, False, None)
    weights = bin_weights(rows, columns, np.inf if mode == "average" else sigma)
    return y, BinsCache(x.shape, y.dtype, rows, columns, weights)


def adaptive_pool2d_backward(dy: np.ndarray, cache: AdaptiveCache) -> np.ndarray:
    """The gradient by x: every element of a bin has its share, or its first maximum has all."""
    if isinstance(cache, MaxPoolCache):
        return max_pool2d_backward(dy, cache)
    if isinstance(cache, MeanPoolCache):
        return average_pool2d_backward(dy, cache)
    return _spread_over_bins(dy, cache)


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
    _check_levels(levels)
    pools = [adaptive_pool2d(x, int(level), mode) for level in levels]
    y = np.concatenate([y.reshape(len(y), prod(y.shape[1:])) for y, _ in pools], axis=1)
    return y, PyramidCache(x.shape, tuple(levels), tuple(cache for _, cache in pools))


def pyramid_pool2d_backward(dy: np.ndarray, cache: PyramidCache) -> np.ndarray:
    """The gradient by x: the sum over the levels."""
    count, channels = cache.shape[:2]
    lengths = [channels * level * level for level in cache.levels]
    dy = as_gradient(dy, (count, sum(lengths)), float_dtype(dy))
    parts = np.split(dy, np.cumsum(lengths)[:-1], axis=1)
    dx, *others = (
        adaptive_pool2d_backward(part.reshape(count, channels, level, level), level_cache)
        for part, level, level_cache in zip(parts, cache.levels, cache.caches, strict=True)
    )
    for other in others:
        dx = dx + other
    return dx


def pool_image_to_size(
    image: np.ndarray,
    output_size: int | tuple[int | None, int | None] | None,
    mode: str = "max",
    *,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Pool an image (H, W, C) to (oh, ow, C), whatever its size, in one of the ``POOLS``.

    The bins, and the weights of ``gaussian`` (with ``sigma``), are those of
    :func:`adaptive_pool2d`. ``max``, ``min`` and ``median`` keep the dtype; ``average``,
    ``gaussian`` and ``lp`` (with ``p`` and ``mean`` as in
    :func:`~cnntool.engine.pooling.lp_pool2d`) are float32 (float64 of float64), their large sums
    made in float64. Memory beside image and result is a few blocks a thread, for ``median`` the
    rows of a bin. Raises ValueError for a size below 1, a p below 1 or a sigma not above 0.
    """
    image = as_numbers(image)
    check_image(image, mode)
    rows, columns = _plan_both(image.shape[:2], output_size)
    settings: dict[str, Any] = {"p": checked_p(p), "sigma": sigma, "mean": mean, "threads": threads}
    if window := _as_window(rows, columns):
        return pool_image(image, mode, window, **settings)
    return _pool_bins(image[None], rows, columns, mode, **settings)[0]


def pyramid_pool_image(
    image: np.ndarray,
    levels: Sequence[int] = (1, 2, 4),
    mode: str = "max",
    *,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """The spatial pyramid of an image (H, W, C): a vector of C * sum of l^2, whatever its size.

    In the order of :func:`pyramid_pool2d`, of the same picture as C maps.
    """
    _check_levels(levels)
    settings: dict[str, Any] = {"p": p, "sigma": sigma, "mean": mean, "threads": threads}
    pools = [pool_image_to_size(image, int(level), mode, **settings) for level in levels]
    return np.concatenate([pooled.transpose(2, 0, 1).reshape(-1) for pooled in pools])


def _check_levels(levels: Sequence[int]) -> None:
    if len(levels) == 0:
        raise ValueError("levels is empty: expected sizes such as (1, 2, 4)")


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

    def one_by_one(self) -> tuple[np.ndarray, np.ndarray]:
        """The inputs bin by bin, shared ones twice, and where in these each bin begins."""
        firsts = np.cumsum(self.lengths) - self.lengths
        shift = np.repeat(self.starts - firsts, self.lengths)
        return np.arange(self.lengths.sum()) + shift, firsts


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


def _plan_both(sizes: Sequence[int], output_size) -> tuple[Bins, Bins]:
    counts = (None, None) if output_size is None else per_axis(output_size, 2, "output_size")
    return plan_bins(sizes[0], counts[0]), plan_bins(sizes[1], counts[1])


def _as_window(rows: Bins, columns: Bins) -> tuple[int, int] | None:
    """The sliding window that does the same, where all bins are alike and it is not too large."""
    kernel = rows.size // rows.count, columns.size // columns.count
    is_even = rows.size % rows.count == 0 and columns.size % columns.count == 0
    return kernel if is_even and max(kernel) <= WIDEST else None


BinWeights = tuple[list[np.ndarray], ...]
"""Of every bin of rows, and of every bin of columns, a vector that adds up to 1."""


def bin_sigma(rows: Bins, columns: Bins, sigma: float | None = None) -> float:
    """Of the Gaussian over bins: by default a quarter of the longer side of a bin.

    Raises ValueError where it is not above 0.
    """
    return checked_sigma(sigma, max(axis.size / axis.count for axis in (rows, columns)) / 4)


def bin_weights(rows: Bins, columns: Bins, sigma: float | None = None) -> BinWeights:
    """The weights of a Gaussian about the centre of every bin; the product of both axes' counts.

    Those of an average for an infinite sigma. Its default and its errors are :func:`bin_sigma`'s.
    """
    sigma = bin_sigma(rows, columns, sigma)
    decays = [[decay(length, sigma) for length in axis.lengths] for axis in (rows, columns)]
    return tuple([weights / weights.sum() for weights in axis] for axis in decays)


RowPool = Callable[[np.ndarray, int], np.ndarray]
"""What pools one row of the bins of planes (A, H, W, B): (A, ow, B)."""


def _pool_bins(
    planes: np.ndarray,
    rows: Bins,
    columns: Bins,
    mode: str,
    *,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Pool the bins of planes (A, H, W, B) in one of the ``POOLS``: (A, oh, ow, B)."""
    dtype = planes.dtype if mode in ("max", "min", "median") else float_dtype(planes)
    if mode == "median":
        pool_row = _medians(rows, columns)
    elif mode == "lp":
        pool_row = _norms(rows, columns, p, mean)
    elif mode == "gaussian":
        pool_row = _weighted_means(rows, columns, sigma, dtype)
    elif mode == "average":
        pool_row = _reductions(rows, columns, np.add, 0, dtype, is_mean=True)
    else:
        combine, identity = {
            "max": (np.maximum, limits(dtype)[0]),
            "min": (np.minimum, limits(dtype)[1]),
        }[mode]
        pool_row = _reductions(rows, columns, combine, identity, dtype)
    out = np.empty((len(planes), rows.count, columns.count, planes.shape[3]), dtype)

    def work(which: slice, index: int, scratch: Scratch) -> None:
        out[which, index] = pool_row(planes[which], index)

    blocks = [(which, i) for which in blocks_of(planes.shape) for i in range(rows.count)]
    run(blocks, work, planes.size, available_cores() if threads is None else threads)
    return out


def _parts(planes: np.ndarray, rows: Bins, index: int, height: int) -> Iterator[np.ndarray]:
    """The rows of a bin, so many at a time."""
    for start in range(rows.starts[index], rows.stops[index], max(1, height)):
        yield planes[:, start : min(start + max(1, height), rows.stops[index])]


def _reductions(
    rows: Bins,
    columns: Bins,
    combine: np.ufunc,
    identity: float,
    dtype: np.dtype,
    *,
    is_mean: bool = False,
) -> RowPool:
    """What a ufunc makes of all elements of a bin, or their mean: that is held in float64."""
    held = np.dtype(np.float64) if is_mean else dtype
    # ``reduceat`` reduces from each index up to the next: every second is a bin.
    cuts = np.stack([columns.starts, columns.stops], axis=1).reshape(-1)

    def pool_row(planes: np.ndarray, index: int) -> np.ndarray:
        count, _, width, channels = planes.shape
        padded = np.full((count, channels, width + 1), identity, held)  # the last bins stop there
        line = padded[..., :-1].swapaxes(1, 2)
        for part in _parts(planes, rows, index, WIDEST):
            combine(line, combine.reduce(part, axis=1, dtype=dtype), out=line)
        pooled = combine.reduceat(padded, cuts, axis=2)[..., ::2].swapaxes(1, 2)
        return pooled / (columns.lengths * rows.lengths[index])[:, None] if is_mean else pooled

    return pool_row


def _weighted_means(rows: Bins, columns: Bins, sigma: float | None, dtype: np.dtype) -> RowPool:
    """``y[i, j] = sum over k, l of u_i[k] * v_j[l] * x[k, l]``."""
    columns_of_bins, firsts = columns.one_by_one()
    by_row, by_column = bin_weights(rows, columns, sigma)
    across = np.concatenate(by_column)[:, None]

    def pool_row(planes: np.ndarray, index: int) -> np.ndarray:
        count, _, width, channels = planes.shape
        line, first = np.zeros((count, width * channels)), 0
        for part in _parts(planes, rows, index, BLOCK_ELEMENTS // planes[:, 0].size):
            height = part.shape[1]
            down = by_row[index][first : first + height].astype(dtype)
            line += down @ part.reshape(count, height, -1).astype(dtype, copy=False)
            first += height
        weighted = line.reshape(count, width, channels)[:, columns_of_bins] * across
        return np.add.reduceat(weighted, firsts, axis=1)

    return pool_row


def _norms(rows: Bins, columns: Bins, p: float, mean: bool) -> RowPool:
    """The norm of the norms of the columns of a bin."""
    columns_of_bins, firsts = columns.one_by_one()

    def pool_row(planes: np.ndarray, index: int) -> np.ndarray:
        down = np.zeros_like(planes[:, :1], np.float64)
        for part in _parts(planes, rows, index, BLOCK_ELEMENTS // planes[:, 0].size):
            magnitudes = np.concatenate([down, np.abs(part, dtype=np.float64)], axis=1)
            down = _norms_of_runs(magnitudes, np.zeros(1, int), p)
        across = _norms_of_runs(down[:, 0, columns_of_bins], firsts, p)
        if mean and p != np.inf:
            across /= ((columns.lengths * rows.lengths[index]) ** (1 / p))[:, None]
        return across

    return pool_row


def _norms_of_runs(values: np.ndarray, firsts: np.ndarray, p: float) -> np.ndarray:
    """The p-norm of each run of float64 values >= 0 along axis 1, by where the runs begin.

    Each is scaled by its largest element, so that no power overflows and not all vanish.
    """
    largest = np.maximum.reduceat(values, firsts, axis=1)
    if p == np.inf:
        return largest
    limit = np.finfo(np.float64)
    scale = np.clip(largest, limit.smallest_subnormal, limit.max)
    lengths = np.diff(firsts, append=values.shape[1])
    powers = power(values / np.repeat(scale, lengths, axis=1), p)
    return power(np.add.reduceat(powers, firsts, axis=1), 1 / p) * scale


def _medians(rows: Bins, columns: Bins) -> RowPool:
    """The median of every bin, those of one width together."""

    def pool_row(planes: np.ndarray, index: int) -> np.ndarray:
        part = planes[:, rows.starts[index] : rows.stops[index]].swapaxes(1, 3)  # (A, B, W, rows)
        out = np.empty((len(part), columns.count, part.shape[1]), part.dtype)
        for width in np.unique(columns.lengths):
            alike = np.flatnonzero(columns.lengths == width)
            bins = part[:, :, np.add.outer(columns.starts[alike], np.arange(width))]
            medians = median_of_last(bins.reshape(*bins.shape[:3], -1))
            out[:, alike] = medians.swapaxes(1, 2)
        return out

    return pool_row


def _spread_over_bins(dy: np.ndarray, cache: BinsCache) -> np.ndarray:
    """``dx[k, l] = sum over i, j of u_i[k] * v_j[l] * dy[i, j]``."""
    rows, columns, (by_row, by_column) = cache.rows, cache.columns, cache.weights
    shape = *cache.shape[:2], rows.count, columns.count
    dy = as_planes(as_gradient(dy, shape, cache.dtype))
    dx = np.zeros((len(dy), rows.size, columns.size, dy.shape[3]), cache.dtype)

    def work(which: slice, scratch: Scratch) -> None:
        across = np.zeros((*dy[which].shape[:2], columns.size, dy.shape[3]), cache.dtype)
        for index, (start, stop) in enumerate(columns.pairs):
            weights = by_column[index].astype(cache.dtype)[:, None]
            across[:, :, start:stop] += dy[which, :, index, None] * weights
        for index, (start, stop) in enumerate(rows.pairs):
            weights = by_row[index].astype(cache.dtype)[:, None, None]
            dx[which, start:stop] += across[:, index, None] * weights

    run([(which,) for which in blocks_of(dx.shape)], work, dx.size, available_cores())
    return as_maps(dx, *cache.shape[:2])


def _largest_of_bins(x: np.ndarray, rows: Bins, columns: Bins) -> tuple[np.ndarray, MaxPoolCache]:
    """The largest of every bin, and its place in the memory of x: the first in reading order."""
    planes = x.reshape(-1, *x.shape[2:])
    y = np.empty((len(planes), rows.count, columns.count), x.dtype)
    winners = np.empty(y.shape, np.intp)

    def work(which: slice, scratch: Scratch) -> None:
        plane = np.arange(which.start, which.stop)
        for i, (top, bottom) in enumerate(rows.pairs):
            for j, (left, right) in enumerate(columns.pairs):
                values = planes[which, top:bottom, left:right].reshape(len(plane), -1)
                won = _first_largest(values)
                y[which, i, j] = values[np.arange(len(won)), won]
                row, column = np.divmod(won, right - left)
                winners[which, i, j] = (
                    (plane * rows.size + top + row) * columns.size + left + column
                )

    run([(which,) for which in blocks_of(planes.shape)], work, x.size, available_cores())
    shape = *x.shape[:2], rows.count, columns.count
    are_apart = rows.are_apart and columns.are_apart
    cache = MaxPoolCache(x.shape, float_dtype(x), False, are_apart, winners.reshape(shape))
    return y.reshape(shape), cache


def _first_largest(values: np.ndarray) -> np.ndarray:
    """Where in each row of (A, elements) the first of the largest is; of NaN the last, as
    PyTorch's."""
    won = values.argmax(axis=1)
    if values.dtype.kind == "f":
        lost = np.flatnonzero(np.isnan(values[np.arange(len(won)), won]))
        won[lost] = values.shape[1] - 1 - np.isnan(values[lost, ::-1]).argmax(axis=1)
    return won
