"""Convolution over maps with the samples innermost: what unfolding.py does for the other layout.

Maps are unfolded across alone: of every row of the input, map, and column of the kernel there is
one run of ow*N elements, in the order (row, map, column of the kernel). The windows of an output
row are then kh such rows beneath each other, consecutive rows of one matrix::

    y[i] = weight (F, kh * C * kw) times unfolded[i*s - p : i*s - p + kh]  # (kh * C * kw, ow*N)

so that im2col copies an element kw times, not kh*kw times, and rows of padding are neither copied
nor multiplied. The product is the result as it stands.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

import numpy as np

from cnntool.engine.products import multiply, multiply_over_pixels
from cnntool.engine.scratch import Scratch
from cnntool.engine.unfolding import (
    PARTIAL_SUMS,
    SHARED_PRODUCTS,
    WORTH_TURNING,
    Axes,
    share_products,
    turned_axes,
    turned_weight,
)
from cnntool.engine.windows import Axis, col2im, even_cuts, zero_outside

COLUMNS_BYTES = 1 << 22
"""What one thread unfolds at a time: so much that calls are few, little enough for the caches."""

FOLDED_BYTES = 1 << 21
"""What it folds back at a time: few and long sums count for more than the cache."""

WORTH_A_RUN = 500_000
"""Multiplications by padding that cost as much as one more product without it."""

FEWEST_SAMPLES = 32
"""Of a block: with fewer, runs would be short."""


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, axes: Axes, groups: int
) -> np.ndarray:
    """Slide weight (F, C // groups, kh, kw) over x (N, C, H, W): (N, F, oh, ow)."""
    filters = len(weight)
    y = np.empty((filters, *(axis.output_size for axis in axes), len(x)), x.dtype)
    matrix = np.ascontiguousarray(weight.swapaxes(1, 2)).reshape(groups, 1, filters // groups, -1)

    def work(block: Block, scratch: Scratch) -> None:
        target = block.of(y)
        is_whole = target.shape[3] == y.shape[3]
        product = target if is_whole else scratch.array("product", target.shape, y.dtype)
        by_row = _by_row(product, groups)
        unfolded = _unfold(x, block, scratch)
        if block.has_empty_rows:
            product[...] = 0
        for run in block.runs:
            taps = run.within(matrix.shape[3] // weight.shape[2])
            multiply(matrix[..., taps], run.windows(unfolded), out=by_row[:, run.outputs])
        if bias is not None:
            product += bias[:, None, None, None]
        if not is_whole:
            target[...] = product

    blocks = _cut(axes, filters, x.shape[1], groups, len(x), x.itemsize, len(x))
    share_products(blocks, work, y.size * weight[0].size)
    return y.transpose(3, 0, 1, 2)


def weight_gradient(
    dy: np.ndarray, x: np.ndarray, shape: tuple[int, ...], axes: Axes, groups: int
) -> np.ndarray:
    """What dy (N, F, oh, ow) says of weights of this shape: dy times the transposed windows."""
    filters, maps, *size = shape
    dy = dy.transpose(1, 2, 3, 0)
    blocks = _cut(axes, filters, x.shape[1], groups, len(x), x.itemsize, len(x))
    parts = min(PARTIAL_SUMS, len(blocks))
    sums = np.zeros((parts, groups, filters // groups, maps * prod(size)), x.dtype)

    def work(part: int, scratch: Scratch) -> None:
        for block in blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts]:
            unfolded = _unfold(x, block, scratch)
            by_row = _by_row(block.of(dy), groups)
            for run in block.runs:
                products = multiply_over_pixels(by_row[:, run.outputs], run.windows(unfolded))
                sums[part][..., run.within(maps * size[1])] += products.sum(axis=1)

    share_products(range(parts), work, dy.size * prod(shape[1:]))
    total = sums.sum(axis=0).reshape(filters, size[0], maps, size[1])
    return np.ascontiguousarray(total.swapaxes(1, 2))


def input_gradient(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """What dy (N, F, oh, ow) says of the input, (N, C, H, W)."""
    filters, maps = len(weight) // groups, weight.shape[1]
    if axes[1].stride > 1:
        return _fold_taps(dy, weight, axes, groups)
    if axes[0].stride > 1 or filters > WORTH_TURNING * maps:
        return _fold_rows(dy, weight, axes, groups)
    return correlate(dy, turned_weight(weight, groups), None, turned_axes(axes), groups)


def _fold_rows(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """The same slid across by products and down by sums.

    Each row of dy goes through all rows of the turned kernels at once; the kh rows that come out
    are added where they belong. That is fewer sums than folding back every tap, for one and a half
    times the products or less.
    """
    filters, maps, height, width = len(weight) // groups, *weight.shape[1:]
    rows, columns = axes
    dx = np.zeros((groups * maps, rows.size, columns.size, len(dy)), dy.dtype)
    across = Axis(rows.output_size, 1, 1, 1, 0, 0), *turned_axes((columns,))
    matrix = weight.reshape(groups, filters, maps, height, width)[..., ::-1]
    matrix = matrix.transpose(0, 2, 3, 1, 4).reshape(groups, 1, maps * height, -1)
    products = dy.size * weight[0].size
    together = len(dy) // PARTIAL_SUMS if products >= SHARED_PRODUCTS else len(dy)
    together = max(together, FEWEST_SAMPLES)  # of which one thread does all rows: they overlap
    by_samples = groupby(
        _cut(across, maps * height, len(weight), groups, len(dy), dy.itemsize, together),
        lambda block: block.samples.start,
    )

    def work(blocks: list[Block], scratch: Scratch) -> None:
        for block in blocks:
            windows = block.runs[0].windows(_unfold(dy, block, scratch))
            lines, samples = block.runs[0].height, windows.shape[3] // columns.size
            shape = groups * maps, height, lines, columns.size, samples
            product = scratch.array("product", shape, dy.dtype)
            multiply(matrix, windows, out=_by_row(product.reshape(-1, *shape[2:]), groups))
            part = rows.part(block.lines.start, block.lines.stop)
            for k, (seen, read) in enumerate(part.taps):
                dx[:, read, :, block.samples] += product[:, k, seen]

    share_products([list(blocks) for _, blocks in by_samples], work, products)
    return dx.transpose(3, 0, 1, 2)


def _fold_taps(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """The same by columns folded back tap by tap, at any stride."""
    filters, maps, *size = len(weight) // groups, *weight.shape[1:]
    dx = np.zeros((groups * maps, *(axis.size for axis in axes), len(dy)), dy.dtype)
    dy = dy.transpose(1, 2, 3, 0)
    weight = weight.reshape(groups, filters, maps, *size)
    together = even_cuts(maps, -(-maps // 2))  # maps that one thread folds: none overlap
    blocks = _cut_evenly(axes, dy.shape[3], together * prod(size) * dy.itemsize)
    parts = [
        (group, slice(first, min(first + together, maps)))
        for group in range(groups)
        for first in range(0, maps, together)
    ]

    def work(part: tuple[int, slice], scratch: Scratch) -> None:
        group, which = part
        matrix = weight[group, :, which].reshape(1, filters, -1).swapaxes(1, 2)
        target = dx[group * maps : (group + 1) * maps][which]
        for lines, samples in blocks:
            gradient = dy[group * filters : (group + 1) * filters, lines, :, samples]
            pixels = gradient.shape[1:]
            columns = scratch.array("columns", (1, matrix.shape[1], prod(pixels)), dy.dtype)
            multiply(matrix, gradient.reshape(1, filters, -1), out=columns)
            windows = columns.reshape(-1, *size, *pixels).transpose(5, 0, 1, 2, 3, 4)
            rows = axes[0].part(lines.start, lines.stop)
            col2im(windows, rows, axes[1], out=target[..., samples].transpose(3, 0, 1, 2))

    share_products(parts, work, dy.size * weight[0, 0].size)
    return dx.transpose(3, 0, 1, 2)


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
    has_empty_rows: bool  # which see padding alone and are in no run
    room: tuple[int, ...] | None  # (C, h, w, samples) with its padding; None where there is none
    inside: tuple[slice, slice]  # where in that room the maps lie
    read: tuple[slice, slice]  # what of the maps that is
    shape: tuple[int, ...]  # unfolded: (groups, rows, taps, C // groups, kw, ow, samples)
    strides: tuple[int, ...]  # in elements, of the same in the maps, or in that room
    offset: int

    def of(self, y: np.ndarray) -> np.ndarray:
        """Its part of an output (F, oh, ow, N)."""
        return y[:, self.lines, :, self.samples]


@functools.lru_cache(maxsize=128)
def _cut(
    axes: Axes, filters: int, maps: int, groups: int, count: int, itemsize: int, together: int
) -> list[Block]:
    """Cut the output over maps (C, H, W, N) so that a block unfolds ``COLUMNS_BYTES``.

    A block has at most ``together`` of ``count`` samples; those of the same samples stand together.
    """
    rows, columns = axes
    run = columns.kernel_size * columns.output_size  # elements of one row, map and sample
    most = max(1, COLUMNS_BYTES // (maps * run * itemsize))
    tall = rows.span(min(rows.output_size, rows.extent))
    samples = even_cuts(count, min(together, max(min(count, FEWEST_SAMPLES), most // tall)))
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
        for part in _cuts(count, samples)
        for lines in _cuts(rows.output_size, max(1, height))
    ]


def _overlap(rows: Axis) -> bool:
    """Whether windows share rows that follow one upon the other."""
    return rows.dilation == 1 and rows.stride < rows.kernel_size


def _cuts(size: int, most: int) -> list[slice]:
    """Even cuts of ``most`` elements at most."""
    step = even_cuts(size, most)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


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
    offset = 0 if is_padded else samples.start - (first[0] * width + first[1]) * run
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
    has_empty_rows = sum(run.height for run in runs) < rows.output_size
    return Block(lines, samples, runs, has_empty_rows, room, inside, read, shape, strides, offset)


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


def _cut_evenly(axes: Axes, count: int, pixel_bytes: int) -> list[tuple[slice, slice]]:
    """Cut an output into rows and samples so that ``pixel_bytes`` a pixel are ``FOLDED_BYTES``."""
    rows, columns = axes
    most = max(1, FOLDED_BYTES // pixel_bytes // columns.output_size)  # samples of one row
    samples = even_cuts(count, max(most, min(count, FEWEST_SAMPLES)))
    return [
        (lines, part)
        for lines in _cuts(rows.output_size, max(1, most // samples))
        for part in _cuts(count, samples)
    ]


def _unfold(x: np.ndarray, block: Block, scratch: Scratch) -> np.ndarray:
    """A block of x (N, C, H, W) unfolded: (groups, rows, C // groups, kw, ow, samples)."""
    source = x.transpose(1, 2, 3, 0)
    if block.room is not None:
        part = source[:, block.read[0], block.read[1], block.samples]
        source = scratch.array("padded", block.room, x.dtype)
        zero_outside(source.transpose(3, 0, 1, 2), *block.inside)
        source[:, block.inside[0], block.inside[1]] = part
    item = x.itemsize
    strides = [stride * item for stride in block.strides]
    unfolded = scratch.array("unfolded", block.shape, x.dtype)
    np.copyto(unfolded, np.ndarray(block.shape, x.dtype, source, block.offset * item, strides))
    groups, rows, taps, *one = block.shape
    return unfolded.reshape(groups, rows * taps, *one)


def _by_row(y: np.ndarray, groups: int) -> np.ndarray:
    """Outputs (F, oh, ow, N) as matrices (groups, oh, F // groups, ow * N)."""
    filters, height, *pixels = y.shape
    return y.reshape(groups, filters // groups, height, prod(pixels)).swapaxes(1, 2)
