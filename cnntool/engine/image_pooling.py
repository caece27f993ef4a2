"""Pools over one image (H, W, C) of any size: forward only, in bounded memory, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.bin_pooling import Bins, bin_weights, plan_bins
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores
from cnntool.engine.pool_windows import (
    BLOCK_ELEMENTS,
    Size,
    average,
    checked_p,
    extreme,
    gaussian_weights,
    limits,
    norm,
    plan_pool,
    pool_planes,
    power,
    run,
    weighted_average,
)
from cnntool.engine.rank_pooling import median_of_last, median_planes
from cnntool.engine.windows import AxisPaddings, per_axis

MODES = ("max", "average", "lp", "gaussian", "min", "median")
ROWS_AT_ONCE = 64
"""Image rows that are summed in float32 before their sum joins a larger one in float64."""


def pool_image(
    image: np.ndarray,
    mode: str,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = False,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Pool an image (H, W, C) by windows, each channel for itself: (oh, ow, C).

    ``mode`` is ``max``, ``min`` or ``median``, in the image's own dtype, or ``average``, ``lp``
    (with ``p`` and ``mean``) or ``gaussian`` (with ``sigma``), in float32 (float64 of float64).
    Each is what the function of that name makes of maps, and sizes are as there. ``ceil_mode``
    keeps a last partial window, made of the pixels there are; without it that window is dropped.

    Memory beside image and result is a few blocks a thread. Raises ValueError where no window fits
    or a setting is out of range.
    """
    _check_image(image)
    _check_mode(mode)
    axes = plan_pool(image.shape[:2], kernel_size, stride, padding, dilation, ceil_mode)
    planes, dtype = image[None], float_dtype(image)
    if mode == "median":
        return median_planes(planes, *axes, threads)[0]
    if mode in ("max", "min"):
        reduction = extreme(np.maximum if mode == "max" else np.minimum, image.dtype)
    elif mode == "average":
        reduction = average(*axes, dtype, count_include_pad)
    elif mode == "lp":
        reduction = norm(*axes, dtype, checked_p(p), mean)
    else:
        reduction = weighted_average(*axes, dtype, gaussian_weights(*axes, sigma))
    return pool_planes(planes, *axes, reduction, threads)[0]


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
    """Pool an image (H, W, C) to (oh, ow, C), whatever its size, in one of the ``MODES``.

    The bins, and the weights of ``gaussian`` (with ``sigma``), are those of
    :func:`~cnntool.engine.bin_pooling.adaptive_pool2d`. ``max``, ``min`` and ``median`` keep
    the dtype; ``average``, ``gaussian`` and ``lp`` (with ``p`` and ``mean`` as in
    :func:`~cnntool.engine.pooling.lp_pool2d`) are float32 (float64 of float64), their large sums
    made in float64. Memory beside image and result is a few blocks a thread, for ``median`` the
    rows of a bin. Raises ValueError for a size below 1, a p below 1 or a sigma not above 0.
    """
    _check_image(image)
    _check_mode(mode)
    p = checked_p(p)
    output_size = (None, None) if output_size is None else output_size
    rows, columns = map(plan_bins, image.shape[:2], per_axis(output_size, 2, "output_size"))
    if rows.size % rows.count == 0 and columns.size % columns.count == 0:
        kernel = rows.size // rows.count, columns.size // columns.count
        if max(kernel) <= ROWS_AT_ONCE:
            settings = {"p": p, "sigma": sigma, "mean": mean, "threads": threads}
            return pool_image(image, mode, kernel, **settings)
    if mode == "median":
        return _medians_of_bins(image, rows, columns, threads)
    if mode == "gaussian":
        return _weigh_bins(image, rows, columns, sigma, threads)
    if mode == "lp":
        return _norms_of_bins(image, rows, columns, p, mean, threads)
    return _pool_bins(image, rows, columns, mode, threads)


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

    Level after level, in each channel after channel, in each its l x l bins row by row: as
    :func:`~cnntool.engine.bin_pooling.pyramid_pool2d` of the same picture.
    """
    if len(levels) == 0:
        raise ValueError("levels is empty: expected sizes such as (1, 2, 4)")
    settings = {"p": p, "sigma": sigma, "mean": mean, "threads": threads}
    pools = [pool_image_to_size(image, int(level), mode, **settings) for level in levels]
    return np.concatenate([pooled.transpose(2, 0, 1).reshape(-1) for pooled in pools])


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"an image has shape (H, W, C), not {image.shape}")


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode is '{mode}': expected one of {', '.join(MODES)}")


def _pool_bins(
    image: np.ndarray, rows: Bins, columns: Bins, mode: str, threads: int | None
) -> np.ndarray:
    """Reduce the rows of each bin, then the columns."""
    is_average = mode == "average"
    dtype = float_dtype(image) if is_average else image.dtype
    combine = {"average": np.add, "max": np.maximum, "min": np.minimum}[mode]
    identity = 0 if is_average else limits(image.dtype)[mode == "min"]
    held = np.dtype(np.float64) if is_average else image.dtype
    out = np.empty((rows.count, columns.count, image.shape[2]), dtype)
    # ``reduceat`` reduces from each index up to the next: every second is a bin.
    cuts = np.stack([columns.starts, columns.stops], axis=1).reshape(-1)

    def work(index: int, scratch: Scratch) -> None:
        shape = image.shape[2], columns.size + 1  # a column more, where the last bins stop
        whole = scratch.array("row", shape, held)
        whole[...] = identity
        line = whole[:, :-1].T
        for start in range(rows.starts[index], rows.stops[index], ROWS_AT_ONCE):
            part = image[start : min(start + ROWS_AT_ONCE, rows.stops[index])]
            combine(line, combine.reduce(part, axis=0, dtype=dtype), out=line)
        pooled = combine.reduceat(whole, cuts, axis=1)[:, ::2]
        if is_average:
            pooled /= columns.lengths * rows.lengths[index]
        out[index] = pooled.T

    _share_rows(rows, work, image, threads)
    return out


def _norms_of_bins(
    image: np.ndarray, rows: Bins, columns: Bins, p: float, mean: bool, threads: int | None
) -> np.ndarray:
    """The norm of each column of a bin, a few rows at a time, then the norm of those."""
    out = np.empty((rows.count, columns.count, image.shape[2]), float_dtype(image))
    bin_by_bin, firsts = _runs(columns)

    def work(index: int, scratch: Scratch) -> None:
        down = np.zeros((1, *image.shape[1:]))
        for part in _in_parts(image, rows, index):
            down = _norms_of_runs(np.concatenate([down, np.abs(part, dtype=np.float64)]), [0], p)
        across = _norms_of_runs(down[0, bin_by_bin], firsts, p)
        if mean and p != np.inf:
            across /= ((columns.lengths * rows.lengths[index]) ** (1 / p))[:, None]
        out[index] = across

    _share_rows(rows, work, image, threads)
    return out


def _weigh_bins(
    image: np.ndarray, rows: Bins, columns: Bins, sigma: float | None, threads: int | None
) -> np.ndarray:
    """The weighted mean of each column of a bin, a few rows at a time, then that of those."""
    out = np.empty((rows.count, columns.count, image.shape[2]), float_dtype(image))
    bin_by_bin, firsts = _runs(columns)
    down, across = bin_weights(rows, columns, sigma)
    across = np.concatenate(across)[:, None]

    def work(index: int, scratch: Scratch) -> None:
        line, first = np.zeros(image[0].size), 0
        for part in _in_parts(image, rows, index):
            weights = down[index][first : first + len(part)].astype(out.dtype)
            line += weights @ part.reshape(len(part), -1).astype(out.dtype, copy=False)
            first += len(part)
        weighted = line.reshape(image.shape[1:])[bin_by_bin] * across
        out[index] = np.add.reduceat(weighted, firsts, axis=0)

    _share_rows(rows, work, image, threads)
    return out


def _medians_of_bins(
    image: np.ndarray, rows: Bins, columns: Bins, threads: int | None
) -> np.ndarray:
    """The median of every bin, those of one width together."""
    out = np.empty((rows.count, columns.count, image.shape[2]), image.dtype)

    def work(index: int, scratch: Scratch) -> None:
        part = image[rows.starts[index] : rows.stops[index]].transpose(2, 1, 0)  # (C, W, rows)
        for width in np.unique(columns.lengths):
            alike = np.flatnonzero(columns.lengths == width)
            bins = part[:, np.add.outer(columns.starts[alike], np.arange(width))]
            out[index, alike] = median_of_last(bins.reshape(*bins.shape[:2], -1)).T

    _share_rows(rows, work, image, threads)
    return out


def _runs(columns: Bins) -> tuple[np.ndarray, np.ndarray]:
    """The columns bin by bin, those that bins share in both, and where in these each bin begins."""
    firsts = np.cumsum(columns.lengths) - columns.lengths
    shift = np.repeat(columns.starts - firsts, columns.lengths)
    return np.arange(columns.lengths.sum()) + shift, firsts


def _in_parts(image: np.ndarray, rows: Bins, index: int) -> Iterator[np.ndarray]:
    """The rows of a bin, a block at a time."""
    at_once = max(1, BLOCK_ELEMENTS // image[0].size)
    for start in range(rows.starts[index], rows.stops[index], at_once):
        yield image[start : min(start + at_once, rows.stops[index])]


def _share_rows(
    rows: Bins, work: Callable[[int, Scratch], None], image: np.ndarray, threads: int | None
) -> None:
    """Run ``work(index, scratch)`` for every bin of rows."""
    threads = available_cores() if threads is None else threads
    run([(index,) for index in range(rows.count)], work, image.size, threads)


def _norms_of_runs(values: np.ndarray, firsts: Sequence[int], p: float) -> np.ndarray:
    """The p-norm of each run of float64 values >= 0 along axis 0, by where the runs begin.

    Each is scaled by its largest element, so that no power overflows and not all vanish.
    """
    largest = np.maximum.reduceat(values, firsts, axis=0)
    if p == np.inf:
        return largest
    limit = np.finfo(np.float64)
    scale = np.clip(largest, limit.smallest_subnormal, limit.max)
    lengths = np.diff(firsts, append=len(values))
    powers = power(values / np.repeat(scale, lengths, axis=0), p)
    return power(np.add.reduceat(powers, firsts, axis=0), 1 / p) * scale
