"""Max pooling, and back: every gradient goes to the one element that won its window."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype
from cnntool.engine.fast.layout import as_maps, as_planes, in_layout_of, is_batch_last
from cnntool.engine.fast.polyphase import AxisPhases, phases_of, split
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.pool_windows import (
    RowBlock,
    Size,
    extreme,
    limits,
    plan_maps,
    pool_planes,
    share_blocks,
    share_whole_planes,
)
from cnntool.engine.windows import Axis, AxisPaddings

LONG_RUN = 8
"""Interleaved elements from which on the taps of a block are read where they lie."""


@dataclass(frozen=True, eq=False)
class MaxPoolCache:
    """Where each window's winner lies in the memory of x. x and y are not needed."""

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    is_batch_last: bool
    are_apart: bool  # whether no two windows see the same element
    places: np.ndarray | None  # (N, C, oh, ow) in the layout of x

    def indices(self) -> np.ndarray:
        """Where in its plane each window's winner lies, ``row*W + column``."""
        count, _, height, width = self.shape
        interleaved = count if self.is_batch_last else 1
        return _kept(self.places).astype(np.int64) // interleaved % (height * width)


def max_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    keep_winners: bool = True,
) -> tuple[np.ndarray, MaxPoolCache]:
    """The largest element of every window of x (N, C, H, W): (N, C, oh, ow) in x's own dtype.

    ``y[n, c, i, j] = max over k, l of x[n, c, i*s - p + k*d, j*s - p + l*d]``

    ``kernel_size``, ``stride`` (by default the kernel size) and ``dilation`` are a number or
    (vertical, horizontal), ``padding`` too, or ((top, bottom), (left, right)). What is padded
    counts as minus infinity: it never wins. With ``ceil_mode`` a last window may reach beyond the
    padding. A window with a NaN is NaN. Integers are pooled as they are.

    :func:`max_pool2d_indices` gives the positions of the winners, as PyTorch's ``return_indices``.
    Where neither those nor the gradient are wanted, ``keep_winners=False`` is twice as fast.
    Raises ValueError where no window fits, or the padding is more than half a window.
    """
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    planes, places = as_planes(x), None
    if keep_winners:
        y, places = _pool_with_winners(planes, rows, columns)
        places = as_maps(places, *x.shape[:2])
    else:
        y = pool_planes(planes, rows, columns, extreme(np.maximum, x.dtype))
    are_apart = rows.stride >= rows.extent and columns.stride >= columns.extent
    cache = MaxPoolCache(x.shape, float_dtype(x), is_batch_last(x), are_apart, places)
    return as_maps(y, *x.shape[:2]), cache


def max_pool2d_backward(dy: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """The gradient by x: ``dx[winner of window] += dy[window]``.

    Of equal elements the first won, in reading order; of several NaN the last (both as PyTorch).
    """
    maps = _kept(cache.places)
    dy = in_layout_of(maps, as_gradient(dy, maps.shape, cache.dtype))
    count, channels, *size = cache.shape
    shape = (channels, *size, count) if cache.is_batch_last else (count * channels, *size, 1)
    dx = np.zeros(shape, cache.dtype)
    line, bits = dx.reshape(-1), np.dtype(f"u{dx.itemsize}")
    by_plane = len(dx), maps.size // max(1, len(dx))
    places, dy = as_planes(maps).reshape(by_plane), as_planes(dy).reshape(by_plane)

    def work(which: slice) -> None:
        winners, gradients = places[which].reshape(-1), dy[which].reshape(-1)
        if cache.are_apart:
            line.view(bits)[winners] = gradients.view(bits)  # moved faster than as numbers
        else:
            np.add.at(line, winners, gradients)  # as fast since NumPy 1.25, over one axis

    share_whole_planes(dx.shape, work)
    return as_maps(dx, count, channels)


def max_pool2d_indices(cache: MaxPoolCache) -> np.ndarray:
    """Where in its plane each window's winner lies, ``row*W + column``: (N, C, oh, ow) int64.

    Of an adaptive pool by the maximum too.
    """
    return cache.indices()


def _kept(places: np.ndarray | None) -> np.ndarray:
    if places is None:
        raise ValueError("the pool ran with keep_winners=False: run it with True to go back")
    return places


def _starts(axis: Axis) -> np.ndarray:
    """Where each window starts, which may be in the padding."""
    return np.arange(axis.output_size) * axis.stride - axis.before


def _pool_with_winners(
    planes: np.ndarray, rows: Axis, columns: Axis
) -> tuple[np.ndarray, np.ndarray]:
    """The largest of every window of planes (A, H, W, B), and its place in their memory."""
    channels = planes.shape[3]
    shape = len(planes), rows.output_size, columns.output_size, channels
    y, places = np.empty(shape, planes.dtype), np.empty(shape, np.intp)
    steps = rows.dilation * columns.size, columns.dilation  # from one tap to the next
    last_tap = (rows.kernel_size - 1) * steps[0] + (columns.kernel_size - 1) * steps[1]
    offset = np.min_scalar_type(last_tap)
    lowest, across = limits(planes.dtype)[0], phases_of(columns)
    are_long_runs = channels >= LONG_RUN and rows.is_inside and columns.is_inside

    def work(which: slice, part: RowBlock, scratch: Scratch) -> None:
        largest = y[which, part.outputs]
        won = scratch.array("winners", largest.shape, offset)
        block = planes[which, part.inputs]
        if are_long_runs:
            _largest_of_runs(block, part.axis, columns, steps, largest, won, scratch)
        else:
            phases = split(block, part.phases, across, lowest, scratch)
            _largest(phases, part.phases, across, steps, largest, won, scratch)
        if rows.before or columns.before:
            _let_no_padding_win(largest, won, part.axis, columns, steps)
        if largest.dtype.kind == "f" and np.isnan(largest.max()):
            phases = split(block, part.phases, across, lowest, scratch)
            _let_the_last_nan_win(phases, part.phases, across, steps, won)
        by_plane, by_row, by_pixel = _first_places(planes.shape, rows, columns)
        place = places[which, part.outputs]
        place[...] = won
        if channels > 1:
            place *= channels
        place += by_row[part.outputs] + by_pixel
        place += by_plane[which]

    share_blocks(planes.shape, rows, work, weight=1 / 2)
    return y, places


@functools.lru_cache(maxsize=16)
def _first_places(
    shape: tuple[int, ...], rows: Axis, columns: Axis
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where windows start in the memory of planes (A, H, W, B): three arrays to be added up.

    One tells planes apart, one rows of windows, and one columns and channels.
    """
    count, height, width, channels = shape
    pixels = np.add.outer(_starts(columns) * channels, np.arange(channels))
    tops = _starts(rows) * (width * channels)
    planes = np.arange(count) * (height * width * channels)
    return planes[:, None, None, None], tops[:, None, None], pixels


def _largest_of_runs(
    block: np.ndarray,
    rows: Axis,
    columns: Axis,
    steps: tuple[int, int],
    largest: np.ndarray,
    offsets: np.ndarray,
    scratch: Scratch,
) -> None:
    """:func:`_largest` without sorting: each tap is a slice of the block, of runs long enough."""
    taps = [block[:, :, columns.tap(index)[1]] for index in range(columns.kernel_size)]
    values, won = _fold("across", taps, None, steps[1], offsets.dtype, scratch)
    reads = [read for _, read in rows.taps]
    taps, tap_offsets = [values[:, read] for read in reads], [won[:, read] for read in reads]
    out = largest, offsets
    values, won = _fold("down", taps, tap_offsets, steps[0], offsets.dtype, scratch, out)
    if values is not largest:  # a single row
        largest[...], offsets[...] = values, won


def _largest(
    phases: np.ndarray,
    down: AxisPhases,
    across: AxisPhases,
    steps: tuple[int, int],
    largest: np.ndarray,
    offsets: np.ndarray,
    scratch: Scratch,
) -> None:
    """The largest of every window, and how far behind the window's first element it lies.

    ``steps`` are from one tap to the next, down and across. First across, then down: in reading
    order the first of equal elements is the first within the first of the rows that hold one. A
    later tap wins where it is larger, and lies behind all before, so offsets fold by maximum as
    the values do.
    """
    rows, planes, _, width, channels = phases.shape[1:]
    width *= channels
    lines = phases.reshape(len(phases), -1)  # all row phases in one
    margin = max(offset for _, offset in across.places) * channels
    length = lines.shape[1] - margin
    taps = [lines[b, offset * channels :][:length] for b, offset in across.places]
    values, won = _fold("across", taps, None, steps[1], offsets.dtype, scratch)

    size = lines.shape[1] // rows
    length = size - margin - max(offset for _, offset in down.places) * width
    starts = [a * size + offset * width for a, offset in down.places]
    taps = [values[start : start + length] for start in starts]
    tap_offsets = [won[start : start + length] for start in starts]
    values, won = _fold("down", taps, tap_offsets, steps[0], offsets.dtype, scratch)
    for source, target in ((values, largest), (won, offsets)):
        strides = size // planes, width, channels, 1
        strides = tuple(stride * source.itemsize for stride in strides)
        np.copyto(target, np.ndarray(target.shape, source.dtype, source, 0, strides))


def _fold(
    name: str,
    taps: list[np.ndarray],
    offsets: list[np.ndarray] | None,
    step: int,
    dtype: np.dtype,
    scratch: Scratch,
    out: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The largest of some taps, and the offset of the first that is: its own and ``index*step``."""
    shape = taps[0].shape
    if out is None:
        best = scratch.array(f"best {name}", shape, taps[0].dtype)
        won = scratch.array(f"won {name}", shape, dtype)
    else:
        best, won = out
    if offsets is None:
        won[...] = 0
    larger = scratch.array("larger", shape, np.dtype(bool))
    challenger = scratch.array("challenger", shape, dtype)
    held, held_offset = taps[0], won if offsets is None else offsets[0]
    for index, tap in enumerate(taps[1:], 1):
        np.greater(tap, held, out=larger)
        held = np.maximum(tap, held, out=best)
        one_or_none = larger.view(np.uint8).astype(dtype, copy=False)
        if offsets is None:
            np.multiply(one_or_none, dtype.type(index * step), out=challenger)
        else:
            np.add(offsets[index], dtype.type(index * step), out=challenger)
            np.multiply(challenger, one_or_none, out=challenger)
        held_offset = np.maximum(challenger, held_offset, out=won)
    return held, held_offset


def _let_no_padding_win(
    largest: np.ndarray, offsets: np.ndarray, rows: Axis, columns: Axis, steps: tuple[int, int]
) -> None:
    """Where nothing is larger than the padding, all elements inside are equal: the first wins."""
    is_lowest = largest == limits(largest.dtype)[0]
    if is_lowest.any():
        first = np.add.outer(_first_inside(rows) * steps[0], _first_inside(columns) * steps[1])
        np.copyto(offsets, first.astype(offsets.dtype)[..., None], where=is_lowest)


def _first_inside(axis: Axis) -> np.ndarray:
    """The first tap of every window that is not in the padding before the axis."""
    return np.maximum(0, -(_starts(axis) // axis.dilation))


def _let_the_last_nan_win(
    phases: np.ndarray,
    down: AxisPhases,
    across: AxisPhases,
    steps: tuple[int, int],
    offsets: np.ndarray,
) -> None:
    """Windows with a NaN were won by none, as no comparison with it is true."""
    is_nan = np.isnan(phases)
    height, width = offsets.shape[1:3]
    for k, (a, top) in enumerate(down.places):
        for l, (b, left) in enumerate(across.places):  # noqa: E741
            where = is_nan[b, a, :, top : top + height, left : left + width]
            np.copyto(offsets, offsets.dtype.type(k * steps[0] + l * steps[1]), where=where)
