"""Medians of windows: of few taps by a network of comparisons, of more by partition, of very many
by counting.

Forward only: a median is an operation on images.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from cnntool.engine.fast import is_textbook, median_counts
from cnntool.engine.fast.polyphase import AxisPhases, phases_of, split
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores, parallel_for
from cnntool.engine.pool_reductions import extreme, pool_planes
from cnntool.engine.pool_windows import BLOCK_ELEMENTS, RowBlock, run, share_blocks
from cnntool.engine.windows import Axis

MOST_SORTED = 64
"""Taps that a network of comparisons puts in order; more are partitioned window by window."""

MOST_WINDOWS = 1 << 16
MOST_GATHERED = 1 << 20
"""So many windows at a time, or fewer where their taps are more than this together."""


def median_planes(
    planes: np.ndarray, rows: Axis, columns: Axis, threads: int | None = None
) -> np.ndarray:
    """The medians of the windows of planes (A, H, W, B): (A, oh, ow, B)."""
    taps = rows.kernel_size * columns.kernel_size
    medians = _by_network
    if taps > MOST_SORTED:
        if is_counted(planes.dtype, rows, columns):
            return _by_counting(planes, rows, columns, threads)
        medians = _by_partition
    sizes = rows.output_size, columns.output_size
    out = np.empty((len(planes), *sizes, planes.shape[3]), planes.dtype)
    at_once = max(1, min(MOST_WINDOWS, MOST_GATHERED // taps))
    weight = BLOCK_ELEMENTS / (at_once * rows.stride * columns.stride)

    def work(which: slice, block: RowBlock, scratch: Scratch) -> None:
        source, target = planes[which, block.inputs], out[which, block.outputs]
        source = source.transpose(0, 3, 1, 2).reshape(-1, *source.shape[1:3])
        shape = *target.shape[:1], target.shape[3], *target.shape[1:3]
        found = medians(source, block.axis, columns, scratch)
        target[...] = found.reshape(shape).transpose(0, 2, 3, 1)

    share_blocks(planes.shape, rows, work, threads, weight=weight)
    return out


def is_counted(dtype: np.dtype, rows: Axis, columns: Axis) -> bool:
    """Whether the time that windows over a plane take does not grow with their taps."""
    return not is_textbook() and median_counts.is_suited(dtype, rows, columns)


SORTING_NS, COUNTING_NS = 2.7, 700
"""Of a tap of a window, and of a pixel of the plane; half of it where it has 8 bits."""


def about_seconds(dtype: np.dtype, rows: Axis, columns: Axis) -> float:
    """What the medians of a plane take on one thread."""
    nanoseconds = rows.size * columns.size * COUNTING_NS / (2 if dtype.itemsize == 1 else 1)
    if not is_counted(dtype, rows, columns):
        taps = rows.kernel_size * columns.kernel_size
        nanoseconds = rows.output_size * columns.output_size * taps * SORTING_NS
    return nanoseconds / 1e9


def _by_network(source: np.ndarray, rows: Axis, columns: Axis, scratch: Scratch) -> np.ndarray:
    """Medians of the windows of planes (P, H, W): (P, oh, ow)."""
    out = np.empty((len(source), rows.output_size, columns.output_size), source.dtype)
    down, across = phases_of(rows), phases_of(columns)
    phases = split(source, down, across, 0, scratch)
    for row_group, group in itertools.product(_alike(rows), _alike(columns)):
        taps = _taps(phases, down, across, row_group, group)
        count = len(taps)
        low, high = _ordered(taps, ((count - 1) // 2, count // 2))
        out[:, row_group[0], group[0]] = _middle(low, high, count)
    return out


def _by_partition(source: np.ndarray, rows: Axis, columns: Axis, scratch: Scratch) -> np.ndarray:
    """The same; NumPy partitions numbers of 16 bits and more by vector instructions, of 8 none."""
    out = np.empty((len(source), rows.output_size, columns.output_size), source.dtype)
    wide = np.uint16 if source.dtype in (np.uint8, np.bool_) else source.dtype
    for (lines, down), (places, across) in itertools.product(_alike(rows), _alike(columns)):
        windows = _windows(source, rows, columns, (lines, down), (places, across))
        height, width = windows.shape[1:3]
        wide_part = max(1, MOST_GATHERED // (len(down) * len(across)))
        high_part = max(1, wide_part // width)
        tops, lefts = range(0, height, high_part), range(0, width, wide_part)
        for plane, top, left in itertools.product(range(len(source)), tops, lefts):
            some = windows[plane, top : top + high_part, left : left + wide_part]
            gathered = np.empty(some.shape, wide)
            gathered[...] = some
            found = median_of_last(gathered.reshape(*some.shape[:2], -1))
            first, start = lines.start + top, places.start + left
            out[plane, first : first + len(some), start : start + some.shape[1]] = found
    return out


def _windows(
    source: np.ndarray, rows: Axis, columns: Axis, lines: Group, places: Group
) -> np.ndarray:
    """What the taps that are inside see of planes (P, H, W): (P, oh, ow, kh, kw), a view."""
    firsts, shape, strides = [], [], []
    for axis, (outputs, taps), step in zip(
        (rows, columns), (lines, places), source.strides[1:], strict=True
    ):
        firsts.append(outputs.start * axis.stride - axis.before + taps.start * axis.dilation)
        shape.append((outputs.stop - outputs.start, len(taps)))
        strides.append((axis.stride * step, axis.dilation * step))
    (oh, kh), (ow, kw) = shape
    (row_step, row_tap), (column_step, column_tap) = strides
    return np.lib.stride_tricks.as_strided(
        source[:, firsts[0] :, firsts[1] :],
        (len(source), oh, ow, kh, kw),
        (source.strides[0], row_step, column_step, row_tap, column_tap),
        writeable=False,
    )


def _by_counting(planes: np.ndarray, rows: Axis, columns: Axis, threads: int | None) -> np.ndarray:
    out = counted_medians(planes, rows, columns, threads)
    if planes.dtype.kind == "f" and (is_nan := np.isnan(planes)).any():
        out[pool_planes(is_nan, rows, columns, extreme(np.maximum, is_nan.dtype), threads)] = np.nan
    return out


def counted_medians(
    planes: np.ndarray, rows: Axis, columns: Axis, threads: int | None = None
) -> np.ndarray:
    """:func:`median_planes` of what is no NaN, by counting; NaN where a window has nothing else."""
    sizes = rows.output_size, columns.output_size
    out = np.empty((len(planes), *sizes, planes.shape[3]), planes.dtype)

    def work(a: int, b: int, tile: median_counts.Tile, scratch: Scratch) -> None:
        (lines, seen, down), (places, read, across) = tile
        low, high = median_counts.middle_two(planes[a, seen, read, b], down, across)
        out[a, lines, places, b] = np.where(low == high, low, _middle(low, high, 2))

    each = (
        range(len(planes)),
        range(planes.shape[3]),
        median_counts.tiles(planes.dtype, rows, columns),
    )
    threads = available_cores() if threads is None else threads
    run(list(itertools.product(*each)), work, planes.size * MOST_SORTED, threads)
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


def median_of_last(values: np.ndarray) -> np.ndarray:
    """The medians along the last axis, as :func:`median_pool2d`; the values change places."""
    count = values.shape[-1]
    is_nan = np.isnan(values).any(axis=-1) if values.dtype.kind == "f" else None
    values.partition(count // 2, axis=-1)  # of one place by vector instructions, of two not
    low = high = values[..., count // 2]
    if count % 2 == 0:
        low = values[..., : count // 2].max(axis=-1)
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
