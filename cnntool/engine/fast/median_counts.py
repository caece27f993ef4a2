"""The middle of large windows by counts that are carried from one window to the next.

In a time that hardly depends on the window: of 19 x 19 pixels of 8 bits twice as fast as partition,
and of 51 x 51 floats 11 times and more. Every pixel has one of 256 bins; a window's counts tell how
many of its pixels have a bin up to each, and change by the columns that come and go. Of 8 bits the
bins are the values. Others are put in order, a tile at a time, and 256 bins share them evenly: few
lie in the bin that has the middle, and which of these are in the window, their places tell.

Sources: Huang, Yang, Tang, A fast two-dimensional median filtering algorithm, IEEE Transactions on
Acoustics, Speech, and Signal Processing 27 (1979); Perreault, Hebert, Median filtering in constant
time, IEEE Transactions on Image Processing 16 (2007), for columns that have their counts too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from cnntool.engine.pool_windows import crop, limits
from cnntool.engine.windows import Axis, even_slices

FEWEST_TAPS, OF_BYTES, OF_SHORTS = 230, 200, 450
"""That partition would read for every pixel of the plane, from which on counting is faster; of
numbers of 8 bits, and of 16, which it reads by other instructions."""

MOST_TAPS, MOST_PLACES = (1 << 15) - 1, 1 << 19
"""Counts have 16 bits; the pixels of a tile are put in order together."""

MOST_EXTENT, MOST_APART = 1 << 15, 256
"""Pixels that a window spans, since places have 16 bits, and its dilation: so many columns of
windows have their counts at a time."""

BINS = 256
OUTSIDE = BINS
"""The bin of what no window counts."""

LINES, LENGTH = 128, 512
"""Outputs of a tile of 8 bits, down and across."""
TILE_BYTES, SHORTEST = 1 << 21, 64
"""Of the bins of a tile of 8 bits, about; with higher windows it is shorter, but no shorter than
this."""
SIDE = 256
"""Pixels down and across a tile of others, more where half of these would be no output."""

TOGETHER, SOME_LINES = 16, 1 << 12
"""Columns whose counts are made at a time, fewer of higher windows, so that they stay in cache."""

MOST_COMPARED = 1 << 17

Tile = tuple[tuple[slice, slice, Axis], tuple[slice, slice, Axis]]
"""Down and across: the outputs, the inputs that they read, and their windows over those."""


def is_suited(dtype: np.dtype, rows: Axis, columns: Axis) -> bool:
    """Whether counting is faster than partition for windows over a plane, and has room for them."""
    taps = rows.kernel_size * columns.kernel_size
    read = taps * rows.output_size * columns.output_size
    fewest = {1: OF_BYTES, 2: OF_SHORTS}.get(dtype.itemsize, FEWEST_TAPS)
    places = rows.span(_outputs(rows)) * columns.span(_outputs(columns))
    is_large = read >= fewest * rows.size * columns.size
    is_far = max(rows.extent, columns.extent) > MOST_EXTENT or columns.dilation > MOST_APART
    has_room = taps <= MOST_TAPS and not is_far
    return is_large and has_room and (dtype.itemsize == 1 or places <= MOST_PLACES)


def _outputs(axis: Axis) -> int:
    return max(SIDE - axis.extent, SIDE // 2) // axis.stride + 1


def tiles(dtype: np.dtype, rows: Axis, columns: Axis) -> list[Tile]:
    """The windows over a plane, in parts to be counted one after the other."""
    most = TILE_BYTES // (4 * rows.span(min(LINES, rows.output_size)))  # in two arrays of 16 bits
    sides = LINES, min(LENGTH, max(SHORTEST, most))
    if dtype.itemsize > 1:
        sides = _outputs(rows), _outputs(columns)
    down, across = (
        [(outputs, *crop(axis, outputs)) for outputs in even_slices(axis.output_size, side)]
        for axis, side in zip((rows, columns), sides, strict=True)
    )
    return list(itertools.product(down, across))


def middle_two(plane: np.ndarray, rows: Axis, columns: Axis) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper middle of the windows of a plane (H, W), each (oh, ow); of an odd
    number both are the one.

    Of what is no NaN; NaN where a window has nothing else.
    """
    if plane.dtype.itemsize > 1:
        return _middle_of_ordered(plane, rows, columns)
    lowest = int(limits(plane.dtype)[0])
    bins, _ = _middle_bins(plane.astype(np.int16) - np.int16(lowest), rows, columns)
    low, high = (bins + lowest).astype(plane.dtype)
    return low, high


def _middle_of_ordered(
    plane: np.ndarray, rows: Axis, columns: Axis
) -> tuple[np.ndarray, np.ndarray]:
    values = plane.ravel()
    order = values.argsort(kind="stable" if plane.dtype.itemsize == 2 else None)  # by radix
    order = order[: np.count_nonzero(values == values)]  # NaN comes last
    in_bin = max(8, -(-order.size // (8 * BINS)) * 8)
    bins = np.full(values.size, OUTSIDE, np.int16)
    bins[order] = np.arange(order.size) // in_bin
    found, ranks = _middle_bins(bins.reshape(plane.shape), rows, columns)
    order = np.append(order, np.zeros(BINS * in_bin - order.size, np.intp))  # never looked for
    ys, xs = (
        places.astype(np.uint16).reshape(BINS, in_bin)
        for places in np.divmod(order, plane.shape[1])
    )

    def find(which: np.ndarray, bins: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        (tops, lefts), bins, ranks = np.nonzero(which), bins[which], ranks[which]
        nth = np.empty(bins.size, np.intp)
        for some in even_slices(bins.size, max(1, MOST_COMPARED // in_bin)):
            is_inside = _are_in_window(ys.take(bins[some], axis=0), rows, tops[some])
            is_inside &= _are_in_window(xs.take(bins[some], axis=0), columns, lefts[some])
            nth[some] = _nth(is_inside, ranks[some])
        return values[order[bins * in_bin + nth]]

    low = np.full(found[0].shape, np.nan if plane.dtype.kind == "f" else 0, plane.dtype)
    has_any = ranks[0] >= 0
    low[has_any] = find(has_any, found[0], ranks[0])
    high, is_other = low.copy(), has_any & ((found[0] != found[1]) | (ranks[0] != ranks[1]))
    high[is_other] = find(is_other, found[1], ranks[1])
    return low, high


def _are_in_window(places: np.ndarray, axis: Axis, outputs: np.ndarray) -> np.ndarray:
    """Which places (n, m) on an axis lie in the window of an output (n,)."""
    starts = outputs * axis.stride - axis.before
    places -= starts[:, None].astype(np.uint16)  # what lies before is far ahead
    flags = places < axis.extent
    if axis.dilation > 1:
        flags &= places % axis.dilation == 0
    return flags


def _nth(flags: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Where in each row of flags (n, 8 m) the one of a rank stands: eight are summed in a number of
    64 bits, by a product that adds up its bytes."""
    rows = np.arange(len(flags))
    in_eight = flags.view(np.uint64) * np.uint64(0x0101010101010101) >> np.uint64(56)
    up_to = in_eight.cumsum(axis=1).view(np.int64)
    eighth = (up_to <= ranks[:, None]).argmin(axis=1)
    ranks = ranks - (up_to[rows, eighth] - in_eight[rows, eighth].view(np.int64))
    up_to = flags.reshape(len(flags), -1, 8)[rows, eighth].cumsum(axis=1)
    return 8 * eighth + (up_to <= ranks[:, None]).argmin(axis=1)


def _middle_bins(bins: np.ndarray, rows: Axis, columns: Axis) -> tuple[np.ndarray, np.ndarray]:
    """The bins (2, oh, ow) of the lower and the upper middle of windows over bins (H, W), and the
    middles' ranks in these bins: from 0, or -1 of the lower where a window counts nothing."""
    found = np.empty((2, columns.output_size, rows.output_size), np.intp)
    ranks = np.empty_like(found)
    for outputs, counts in _carried_counts(bins, rows, columns):
        seen = counts[..., -1].astype(np.intp)
        low, is_even = (seen - 1) >> 1, seen % 2 == 0
        lower, rank = _of_rank(counts, low)
        found[:, outputs], ranks[0, outputs], ranks[1, outputs] = lower, rank, rank + is_even
        up_to = _count_at(counts, lower)
        later = np.nonzero(is_even & (up_to == low + 1))  # the upper is in a bin of its own
        if later[0].size:
            upper = _of_rank(counts[later], low[later] + 1)
            found[1, outputs][later], ranks[1, outputs][later] = upper
    return found.swapaxes(1, 2), ranks.swapaxes(1, 2)


def _of_rank(counts: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bin of the pixel of a rank by counts (..., bins), and its rank in this bin."""
    bins = (counts <= ranks[..., None].astype(counts.dtype)).argmin(axis=-1)
    before = _count_at(counts, np.maximum(bins - 1, 0))
    return bins, ranks - np.where(bins > 0, before, 0)


def _count_at(counts: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Of each window's counts (..., bins) that of one bin: what np.take_along_axis does, which
    takes four times as long."""
    return counts.ravel().take(np.arange(bins.size).reshape(bins.shape) * BINS + bins)


def _carried_counts(
    bins: np.ndarray, rows: Axis, columns: Axis
) -> Iterator[tuple[slice, np.ndarray]]:
    """Of some columns of windows after the other how many pixels of each have a bin up to each,
    (columns, oh, bins), in memory that the next ones take.

    Sums down the rows are those of the columns that come, less those that go; between two of them
    is what a window's rows change. Columns that are a dilation apart carry their own.
    """
    lines, kh = rows.output_size, rows.kernel_size * rows.dilation
    height, width = rows.span(lines), columns.span(columns.output_size)
    kw, apart = columns.kernel_size * columns.dilation, columns.dilation
    together = max(1, min(TOGETHER, SOME_LINES // kh))
    padded = np.full((height, kw + width + -width % together), OUTSIDE, bins.dtype)
    target = padded[rows.before :, kw + columns.before :][: len(bins), : bins.shape[1]]
    target[...] = bins[: len(target), : target.shape[1]]
    dtype = np.int8 if rows.kernel_size < 128 else np.int16  # sums may overflow, changes may not
    steps = np.zeros((BINS + 1, BINS), dtype)
    steps[:BINS] = np.tri(BINS, dtype=dtype).T  # row b: 1 from b on
    sums = np.zeros((rows.dilation + height, together, BINS), dtype)
    come, gone = sums[rows.dilation :], np.empty((height, together, BINS), dtype)
    lines_and_above = list(zip(come, sums, strict=False))
    counts = np.zeros((apart + together, lines, BINS), np.int16)
    for first in range(0, width, together):
        block = padded[:, first : first + kw + together]
        np.take(steps, block[:, kw:], axis=0, out=come, mode="clip")
        np.take(steps, block[:, :together], axis=0, out=gone, mode="clip")
        come -= gone
        for line, above in lines_and_above:
            line += above
        change = sums[kh :: rows.stride][:lines] - sums[:: rows.stride][:lines]
        for i in range(together):
            np.add(counts[i], change[:, i], out=counts[apart + i])
        start, stop = first - columns.extent + 1, first - columns.extent + 1 + together
        outputs = slice(*(max(0, -(-each // columns.stride)) for each in (start, stop)))
        ready = counts[apart + outputs.start * columns.stride - start :: columns.stride]
        yield outputs, ready[: min(columns.output_size, outputs.stop) - outputs.start]
        counts[:apart] = counts[together:]
