"""Pools of images, forward only: of the six there are, min and median are made for them alone."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from cnntool.choices import POOLS
from cnntool.engine.arrays import as_numbers, float_dtype
from cnntool.engine.fast.layout import as_maps, as_planes
from cnntool.engine.fast.polyphase import AxisPhases, phases_of, split
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores, parallel_for
from cnntool.engine.pool_reductions import (
    checked_p,
    counts,
    extreme,
    gaussian_weights,
    norm,
    ones,
    pool_maps,
    pool_planes,
    weight_sums,
    weighted_mean,
)
from cnntool.engine.pool_windows import (
    BLOCK_ELEMENTS,
    RowBlock,
    Size,
    plan_maps,
    plan_pool,
    share_blocks,
)
from cnntool.engine.windows import Axis, AxisPaddings

MOST_SORTED = 64
"""Taps that a network of comparisons puts in order; more are partitioned window by window."""

MOST_WINDOWS = 1 << 16
MOST_GATHERED = 1 << 20
"""So many windows at a time, or fewer where their taps are more than this together."""


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
    image = as_numbers(image)
    check_image(image, mode)
    axes = plan_pool(image.shape[:2], kernel_size, stride, padding, dilation, ceil_mode)
    return pool_windows(
        image,
        mode,
        axes,
        count_include_pad=count_include_pad,
        p=p,
        sigma=sigma,
        mean=mean,
        threads=threads,
    )


def pool_windows(
    image: np.ndarray,
    mode: str,
    axes: tuple[Axis, Axis],
    *,
    count_include_pad: bool = False,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """:func:`pool_image` by windows that are planned, rows and columns."""
    planes, dtype = image[None], float_dtype(image)
    if mode == "median":
        return median_planes(planes, *axes, threads)[0]
    if mode in ("max", "min"):
        reduction = extreme(np.maximum if mode == "max" else np.minimum, image.dtype)
    elif mode == "average":
        reduction = weighted_mean(dtype, ones(*axes), counts(*axes, count_include_pad))
    elif mode == "lp":
        reduction = norm(*axes, dtype, checked_p(p), mean)
    else:
        weights = gaussian_weights(*axes, sigma)
        reduction = weighted_mean(dtype, weights, weight_sums(*axes, weights))
    return pool_planes(planes, *axes, reduction, threads)[0]


def check_image(image: np.ndarray, mode: str) -> None:
    """Raise ValueError where an image is none, or the mode is another."""
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"an image has shape (H, W, C), not {image.shape}")
    if mode not in POOLS:
        raise ValueError(f"mode is '{mode}': expected one of {', '.join(POOLS)}")


def min_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> np.ndarray:
    """The smallest element of every window of x (N, C, H, W): (N, C, oh, ow) in x's own dtype.

    Sizes and errors are as in :func:`~cnntool.engine.max_pooling.max_pool2d`; the padding counts as
    infinity.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    return pool_maps(x, rows, columns, extreme(np.minimum, x.dtype))


def median_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> np.ndarray:
    """The median of every window of x (N, C, H, W): (N, C, oh, ow) in x's own dtype.

    Of the elements inside x alone. Of an even number the mean of the middle two, as
    ``numpy.median``; integers round half up (where ``scipy.ndimage.median_filter`` takes the upper
    of the two). A window with a NaN is NaN. Sizes and errors are as in
    :func:`~cnntool.engine.max_pooling.max_pool2d`.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    return as_maps(median_planes(as_planes(x), rows, columns), *x.shape[:2])


def median_planes(
    planes: np.ndarray, rows: Axis, columns: Axis, threads: int | None = None
) -> np.ndarray:
    """The medians of the windows of planes (A, H, W, B): (A, oh, ow, B)."""
    count, _, _, channels = planes.shape
    out = np.empty((count, rows.output_size, columns.output_size, channels), planes.dtype)
    across, groups = phases_of(columns), _alike(columns)
    taps = rows.kernel_size * columns.kernel_size

    def work(which: slice, block: RowBlock, scratch: Scratch) -> None:
        source, target = planes[which, block.inputs], out[which, block.outputs]
        source = source.transpose(0, 3, 1, 2).reshape(-1, *source.shape[1:3])
        down = phases_of(block.axis)
        phases = split(source, down, across, 0, scratch)
        for row_group in _alike(block.axis):
            for group in groups:
                views = _taps(phases, down, across, row_group, group)
                middle = _median(views).reshape(len(target), channels, *views[0].shape[1:])
                target[:, row_group[0], group[0]] = middle.transpose(0, 2, 3, 1)

    at_once = max(1, min(MOST_WINDOWS, MOST_GATHERED // taps))
    weight = BLOCK_ELEMENTS / (at_once * rows.stride * columns.stride)
    share_blocks(planes.shape, rows, work, threads, weight=weight)
    return out


Group = tuple[slice, range]
"""Neighbouring outputs, and the taps that they have inside."""


@functools.lru_cache(maxsize=256)
def _alike(axis: Axis) -> tuple[Group, ...]:
    """The outputs of an axis in runs that have the same taps inside."""
    starts = np.arange(axis.output_size) * axis.stride - axis.before
    first = np.maximum(0, -(starts // axis.dilation))
    last = np.minimum(axis.kernel_size, (axis.size - 1 - starts) // axis.dilation + 1)
    changes = np.flatnonzero((np.diff(first) != 0) | (np.diff(last) != 0)) + 1
    cuts = [0, *changes.tolist(), axis.output_size]
    return tuple(
        (slice(start, stop), range(int(first[start]), int(last[start])))
        for start, stop in itertools.pairwise(cuts)
    )


def _taps(
    phases: np.ndarray, down: AxisPhases, across: AxisPhases, rows: Group, columns: Group
) -> list[np.ndarray]:
    """What the taps inside see, one (A, rows, columns) for each."""
    views = []
    for k in rows[1]:
        a, top = down.places[k]
        for index in columns[1]:
            b, left = across.places[index]
            views.append(
                phases[
                    b,
                    a,
                    :,
                    top + rows[0].start : top + rows[0].stop,
                    left + columns[0].start : left + columns[0].stop,
                ]
            )
    return views


def _median(taps: list[np.ndarray]) -> np.ndarray:
    count = len(taps)
    if count > MOST_SORTED:
        return median_of_last(np.stack(taps, axis=-1))
    low, high = _ordered(taps, ((count - 1) // 2, count // 2))
    return _middle(low, high, count)


def median_of_last(values: np.ndarray) -> np.ndarray:
    """The medians along the last axis, as :func:`median_pool2d`; the values change places."""
    count = values.shape[-1]
    is_nan = np.isnan(values).any(axis=-1) if values.dtype.kind == "f" else None
    values.partition(((count - 1) // 2, count // 2), axis=-1)
    low, high = values[..., (count - 1) // 2], values[..., count // 2]
    if is_nan is not None:  # they are sorted last
        high = np.where(is_nan, np.nan, high).astype(values.dtype)
        low = np.where(is_nan, high, low)
    return _middle(low, high, count)


def visible_median(
    values: np.ndarray, rows: np.ndarray, columns: np.ndarray, threads: int | None = None
) -> np.ndarray:
    """The medians of what is no NaN in windows over floats (H, W, C): (oh, ow, C).

    Output (i, j) reads ``rows[i]`` (oh, kh) and ``columns[j]`` (ow, kw), where -1 is outside. NaN
    where a window has nothing else.
    """
    out = np.empty((len(rows), len(columns), values.shape[2]), values.dtype)
    together = MOST_GATHERED // (rows.shape[1] * columns.shape[1] * values.shape[2])

    def work(index: int) -> None:
        taps = rows[index]
        lines = values[taps[taps >= 0]]
        if not together:
            for j, taps in enumerate(columns):
                window = lines[:, taps[taps >= 0]]
                out[index, j] = [_median_of_seen(channel) for channel in window.T]
        for first in range(0, len(columns), together) if together else ():
            part = slice(first, first + together)
            out[index, part] = _medians_of_seen(lines, columns[part])

    parallel_for(range(len(rows)), lambda: work, available_cores() if threads is None else threads)
    return out


def _median_of_seen(values: np.ndarray) -> float:
    seen = values[~np.isnan(values)]
    return float(median_of_last(seen)) if seen.size else np.nan


def _medians_of_seen(lines: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The medians of some windows (columns, kw) over rows (kh, W, C) that they all read."""
    window = np.where((columns >= 0)[..., None], lines[:, columns], np.nan)  # (kh, ow, kw, C)
    window = np.moveaxis(window, 1, 0).reshape(len(columns), -1, lines.shape[2])
    window = np.sort(window, axis=1)  # NaN last
    count = (~np.isnan(window)).sum(axis=1)[:, None]
    ends = np.maximum(0, (count - 1) // 2), np.minimum(window.shape[1] - 1, count // 2)
    low, high = (np.take_along_axis(window, end, axis=1)[:, 0] for end in ends)
    return np.where(count[:, 0] % 2, low, low / 2 + high / 2)


def _middle(low: np.ndarray, high: np.ndarray, count: int) -> np.ndarray:
    """Of the middle two of an even number the mean."""
    if count % 2:
        return low
    if low.dtype.kind == "f":
        return low / 2 + high / 2
    if low.dtype.kind == "b":
        return low | high
    return (low | high) - ((low ^ high) >> 1)  # half of the sum rounded up, without overflow


def _ordered(taps: list[np.ndarray], ranks: tuple[int, ...]) -> list[np.ndarray]:
    """The elements of some ranks among the taps, for all windows at once."""
    wires = list(taps)
    free: list[np.ndarray] = []
    borrowed = {id(tap) for tap in taps}

    def give_back(wire: np.ndarray) -> None:
        if id(wire) not in borrowed:
            free.append(wire)

    for low, high, keeps_low, keeps_high in _network(len(taps), ranks):
        a, b = wires[low], wires[high]
        if keeps_low:
            wires[low] = np.minimum(a, b, out=free.pop() if free else None)
        if keeps_high:
            wires[high] = np.maximum(a, b, out=free.pop() if free else None)
        give_back(a)
        give_back(b)
    return [wires[rank] for rank in ranks]


@functools.lru_cache(maxsize=128)
def _network(count: int, ranks: tuple[int, ...]) -> tuple[tuple[int, int, bool, bool], ...]:
    """Which wires to compare, one after the other, to bring these ranks to their wires.

    (low, high, whether the smaller is read again, whether the larger is). Batcher's odd-even
    merge sort without the comparisons that the ranks do not depend on. Source: Knuth, The Art of
    Computer Programming, volume 3, section 5.2.2, algorithm M.
    """
    needed, kept = set(ranks), []
    for low, high in reversed(_merge_exchange(count)):
        if low in needed or high in needed:
            kept.append((low, high, low in needed, high in needed))
            needed |= {low, high}
    return tuple(reversed(kept))


def _merge_exchange(count: int) -> list[tuple[int, int]]:
    pairs = []
    top = 1 << (count - 1).bit_length() >> 1
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while d > 0:
            pairs += [(i, i + d) for i in range(count - d) if i & p == r]
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return pairs
