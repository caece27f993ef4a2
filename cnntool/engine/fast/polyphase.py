"""Planes sorted by phase: all that is a stride apart lies side by side, so that taps have no gaps.

A window's tap (k, l) reads every stride-th row and column, which costs NumPy a jump an element or
a loop a row. Sorted once, ``phases[b, a]`` holds the rows a, a + stride, ... and the columns b,
b + stride, ...; tap (k, l) of all windows of a block is then one run of consecutive elements.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.pool_windows import RowBlock, limits, share_blocks
from cnntool.engine.windows import Axis


@dataclass(frozen=True)
class AxisPhases:
    """The phases of one axis, and where each tap of its windows starts: (phase, offset)."""

    length: int  # of a phase: the windows, and a margin that their later taps read
    copies: tuple[tuple[slice, slice], ...]  # of each phase: elements, and the inputs that they are
    places: tuple[tuple[int, int], ...]
    is_padded: bool


@functools.lru_cache(maxsize=256)
def phases_of(axis: Axis) -> AxisPhases:
    """Plan the phases of an axis: the taps of windows that lie side by side, a stride wide."""
    length = axis.output_size + (axis.extent - 1) // axis.stride
    width = min(axis.stride, axis.extent)
    after = (length - 1) * axis.stride + width - axis.size - axis.before
    side_by_side = Axis(axis.size, width, axis.stride, 1, axis.before, after)
    copies = tuple(map(side_by_side.tap, range(width)))
    places = tuple(divmod(k * axis.dilation, axis.stride)[::-1] for k in range(axis.kernel_size))
    is_padded = any(to.stop - to.start < length for to, _ in copies)
    return AxisPhases(length, copies, places, is_padded)


def split(
    block: np.ndarray, rows: AxisPhases, columns: AxisPhases, fill: float, scratch: Scratch
) -> np.ndarray:
    """Sort a block (A, H, W, ...) into (column phases, row phases, A, R, Q, ...).

    The padding is ``fill``.
    """
    shape = len(block), rows.length, columns.length, *block.shape[3:]
    counts = len(columns.copies), len(rows.copies)
    if counts == (1, 1) and shape == block.shape and block.flags.c_contiguous:
        return block[None, None]
    phases = scratch.array("phases", (*counts, *shape), block.dtype)
    if rows.is_padded or columns.is_padded:
        phases[...] = fill
    for b, (to_columns, from_columns) in enumerate(columns.copies):
        for a, (to_rows, from_rows) in enumerate(rows.copies):
            phases[b, a, :, to_rows, to_columns] = block[:, from_rows, from_columns]
    return phases


def _starts(axis: Axis) -> np.ndarray:
    """Where each window starts, which may be in the padding."""
    return np.arange(axis.output_size) * axis.stride - axis.before


def largest_with_places(
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

    def work(which: slice, part: RowBlock, scratch: Scratch) -> None:
        largest = y[which, part.outputs]
        won = scratch.array("winners", largest.shape, offset)
        block = planes[which, part.inputs]
        down = phases_of(part.axis)
        phases = split(block, down, across, lowest, scratch)
        _largest(phases, down, across, steps, largest, won, scratch)
        if rows.before or columns.before:
            _let_no_padding_win(largest, won, part.axis, columns, steps)
        if largest.dtype.kind == "f" and np.isnan(largest.max()):
            _let_the_last_nan_win(phases, down, across, steps, won)
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
        elements = size // planes, width, channels, 1
        strides = tuple(count * source.itemsize for count in elements)
        np.copyto(target, np.ndarray(target.shape, source.dtype, source, 0, strides))


def _fold(
    name: str,
    taps: list[np.ndarray],
    offsets: list[np.ndarray] | None,
    step: int,
    dtype: np.dtype,
    scratch: Scratch,
) -> tuple[np.ndarray, np.ndarray]:
    """The largest of some taps, and the offset of the first that is: its own and ``index*step``."""
    shape = taps[0].shape
    best = scratch.array(f"best {name}", shape, taps[0].dtype)
    won = scratch.array(f"won {name}", shape, dtype)
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
