"""Windows over maps with the samples innermost, unfolded across alone.

Of every row of the input, map, and column of the kernel there is one run of ow*N elements, in the
order (row, map, column of the kernel). The windows of an output row are then kh such rows beneath
each other, consecutive rows of one matrix::

    windows[i] = unfolded[i*s - p : i*s - p + kh]  # (kh * C * kw, ow * N)

so that im2col copies an element kw times, not kh*kw times, and rows of padding are not in it.
Where the rows of windows have gaps between them, or do not overlap, each row of each window stands
for itself.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

import numpy as np

from cnntool.engine.fast.blocks import SHARED_PRODUCTS, Axes
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis, even_cuts, even_slices, zero_outside

COLUMNS_BYTES = 1 << 22
"""What one thread unfolds at a time: so much that calls are few, little enough for the caches."""

WORTH_A_RUN = 500_000
"""Multiplications by padding that cost as much as one more product without it."""

FEWEST_SAMPLES, MOST_TIMES = 32, 4
"""Of a block: with fewer, runs would be short; but not where one row of windows would unfold so
many times ``COLUMNS_BYTES``."""


@dataclass(frozen=True)
class Run:
    """Some rows of windows that see the same rows of the kernel."""

    outputs: slice  # rows of the block's output
    taps: slice  # rows of the kernel
    first: int  # unfolded row that the first of the windows reads first
    step: int  # unfolded rows from a row of windows to the next

    @property
    def height(self) -> int:
        return self.outputs.stop - self.outputs.start

    @property
    def taps_seen(self) -> int:
        return self.taps.stop - self.taps.start

    def cut(self, most: int) -> Iterator[Run]:
        """The same as runs of at most so many rows of windows."""
        for top in range(self.outputs.start, self.outputs.stop, most):
            outputs = slice(top, min(top + most, self.outputs.stop))
            first = self.first + (top - self.outputs.start) * self.step
            yield replace(self, outputs=outputs, first=first)

    def within(self, width: int) -> slice:
        """Its rows of the kernel as elements of it, ``width`` a row."""
        return slice(self.taps.start * width, self.taps.stop * width)

    def windows(self, unfolded: np.ndarray) -> np.ndarray:
        """Its windows (groups, rows, taps * C // groups * kw, ow * N), a view that overlaps."""
        groups, _, maps, kernel_width, *pixels = unfolded.shape
        group, row, *_, item = unfolded.strides
        length = prod(pixels)
        shape = groups, self.height, self.taps_seen * maps * kernel_width, length
        strides = group, self.step * row, length * item, item
        return np.ndarray(shape, unfolded.dtype, unfolded, self.first * row, strides)


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of the output, and some samples: all of them, unless a few rows are too much."""

    lines: slice
    samples: slice
    runs: tuple[Run, ...]
    room: tuple[int, ...] | None  # (C, h, w, samples) with its padding; None where there is none
    inside: tuple[slice, slice]  # where in that room the maps lie
    read: tuple[slice, slice]  # what of the maps that is
    shape: tuple[int, ...]  # unfolded: (groups, rows, taps, C // groups, kw, ow, samples)
    strides: tuple[int, ...]  # in elements, of the same in the maps, or in that room
    offset: int

    @functools.cached_property
    def has_empty_rows(self) -> bool:
        """Whether rows of windows see padding alone, and are in no run."""
        return sum(run.height for run in self.runs) < self.lines.stop - self.lines.start

    def of(self, y: np.ndarray) -> np.ndarray:
        """Its part of an output (F, oh, ow, N)."""
        return y[:, self.lines, :, self.samples]

    def runs_of(self, most: int) -> Iterator[Run]:
        """Its runs, cut so that they have at most so many rows of windows."""
        return (part for run in self.runs for part in run.cut(most))

    def unfold(self, x: np.ndarray, scratch: Scratch) -> np.ndarray:
        """Its part of x (N, C, H, W) unfolded: (groups, rows, C // groups, kw, ow, samples)."""
        source = x.transpose(1, 2, 3, 0)
        if self.room is not None:
            part = source[:, self.read[0], self.read[1], self.samples]
            source = scratch.array("padded", self.room, x.dtype)
            zero_outside(source.transpose(3, 0, 1, 2), *self.inside)
            source[:, self.inside[0], self.inside[1]] = part
        item = x.itemsize
        strides = [stride * item for stride in self.strides]
        unfolded = scratch.array("unfolded", self.shape, x.dtype)
        np.copyto(unfolded, np.ndarray(self.shape, x.dtype, source, self.offset * item, strides))
        groups, rows, taps, *one = self.shape
        return unfolded.reshape(groups, rows * taps, *one)


@functools.lru_cache(maxsize=128)
def cut_rows(
    axes: Axes, filters: int, maps: int, groups: int, count: int, itemsize: int, together: int
) -> list[Block]:
    """Cut the output over maps (C, H, W, N) so that a block unfolds ``COLUMNS_BYTES``.

    A block has at most ``together`` of ``count`` samples; those of the same samples stand together.
    """
    rows, columns = axes
    run = columns.kernel_size * columns.output_size  # elements of one row, map and sample
    most = max(1, COLUMNS_BYTES // (maps * run * itemsize))
    tall = rows.span(min(rows.output_size, rows.extent))
    fewest = min(count, FEWEST_SAMPLES, max(1, MOST_TIMES * most // rows.extent))
    samples = even_cuts(count, min(together, max(fewest, most // tall)))
    lines = most // samples  # of the input
    if _overlap(rows):
        height = (lines - rows.extent) // rows.stride + 1
    else:
        height = lines // rows.kernel_size
    products = filters * maps // groups * rows.kernel_size * run * rows.output_size * count
    if products >= SHARED_PRODUCTS:  # at least two blocks, for two threads
        height = min(height, -(-rows.output_size // 2))
    return [
        _plan_block(axes, lines, part, filters, maps, groups, count)
        for part in even_slices(count, samples)
        for lines in even_slices(rows.output_size, max(1, height))
    ]


def _overlap(rows: Axis) -> bool:
    """Whether windows share rows that follow one upon the other."""
    return rows.dilation == 1 and rows.stride < rows.kernel_size


def _plan_block(
    axes: Axes, lines: slice, samples: slice, filters: int, maps: int, groups: int, count: int
) -> Block:
    rows, columns = axes[0].part(lines.start, lines.stop), axes[1]
    within = samples.stop - samples.start
    products = filters * maps // groups * columns.kernel_size * columns.output_size * within
    unfolded, runs = _plan_rows(rows, products)
    first = unfolded.before, columns.before
    reach = [axis.span(axis.output_size) for axis in (unfolded, columns)]
    sizes = rows.size, columns.size
    ends = [(max(0, -a), min(n, r - a)) for a, r, n in zip(first, reach, sizes, strict=True)]
    read = tuple(slice(start, max(start, stop)) for start, stop in ends)
    inside = tuple(slice(r.start + a, r.stop + a) for r, a in zip(read, first, strict=True))
    is_padded = any(part != slice(0, r) for part, r in zip(inside, reach, strict=True))
    room = (maps, *reach, within) if is_padded else None
    height, width, run = (*reach, within) if is_padded else (*sizes, count)
    offset = 0 if is_padded or not runs else samples.start - (first[0] * width + first[1]) * run
    row, plane = width * run, height * width * run
    shape = (
        groups,
        unfolded.output_size,
        unfolded.kernel_size,
        maps // groups,
        columns.kernel_size,
        columns.output_size,
        within,
    )
    strides = (
        maps // groups * plane,
        unfolded.stride * row,
        unfolded.dilation * row,
        plane,
        columns.dilation * run,
        columns.stride * run,
        1,
    )
    return Block(lines, samples, runs, room, inside, read, shape, strides, offset)


def _plan_rows(rows: Axis, products: int) -> tuple[Axis, tuple[Run, ...]]:
    """What rows are unfolded, and where in them the windows of which rows are.

    A row of the kernel is so many multiplications in each row of the output.
    """
    height, taps = rows.output_size, rows.kernel_size
    if not _overlap(rows):  # each tap of each window
        return rows, (Run(slice(0, height), slice(0, taps), 0, taps),)
    runs = _runs(rows)
    multiplied = sum(run.height * run.taps_seen for run in runs)
    if (height * taps - multiplied) * products < (len(runs) - 1) * WORTH_A_RUN:
        top, bottom = 0, rows.span(height)
        runs = [Run(slice(0, height), slice(0, taps), 0, rows.stride)]
    else:
        top, bottom = max(0, rows.before), min(rows.span(height), rows.before + rows.size)
        runs = [replace(run, first=run.first - top) for run in runs if run.taps_seen]
    each_row = Axis(rows.size, 1, 1, 1, rows.before - top, bottom - rows.size - rows.before)
    return each_row, tuple(runs)


def _runs(rows: Axis) -> list[Run]:
    """Rows of windows by the rows of the kernel that are not in the padding."""

    def seen(output: int) -> tuple[int, int]:
        start = output * rows.stride - rows.before
        first = min(rows.kernel_size, max(0, -start))
        return first, max(first, min(rows.kernel_size, rows.size - start))

    runs = []
    for (first, last), outputs in groupby(range(rows.output_size), seen):
        outputs = list(outputs)
        within = slice(outputs[0], outputs[-1] + 1)
        runs.append(Run(within, slice(first, last), outputs[0] * rows.stride + first, rows.stride))
    return runs


def by_row(y: np.ndarray, groups: int) -> np.ndarray:
    """Outputs (F, oh, ow, N) as matrices (groups, oh, F // groups, ow * N)."""
    filters, height, *pixels = y.shape
    return y.reshape(groups, filters // groups, height, prod(pixels)).swapaxes(1, 2)
