"""Convolution over maps with the samples innermost: what unfolding.py does for the other layout.

Columns hold, of every tap and output row, one run of ow*N elements. The product of the weights with
them is (F, oh, ow, N), the result as it stands: nothing is transposed, and nothing multiplied in
vain.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import prod

import numpy as np

from cnntool.engine.products import multiply, multiply_over_pixels
from cnntool.engine.scratch import Scratch, return_scratch, take_scratch
from cnntool.engine.unfolding import (
    PARTIAL_SUMS,
    WORTH_TURNING,
    Axes,
    share_products,
    turned_axes,
    turned_weight,
)
from cnntool.engine.windows import Axis, col2im, even_cuts, zero_outside

COLUMNS_BYTES = 1 << 21
"""What one thread unfolds at a time: so much that calls are few, little enough for the caches."""

FOLDED_BYTES = 1 << 21
"""What it folds back at a time: few and long sums count for more than the cache."""

FEWEST_SAMPLES = 32
"""Of a block: with fewer, runs would be short."""


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, axes: Axes, groups: int
) -> np.ndarray:
    """Slide weight (F, C // groups, kh, kw) over x (N, C, H, W): (N, F, oh, ow)."""
    filters = len(weight)
    y = np.empty((filters, *(axis.output_size for axis in axes), len(x)), x.dtype)
    matrix = weight.reshape(groups, filters // groups, -1)

    def work(block: Block, scratch: Scratch) -> None:
        target = block.of(y)
        columns = _unfold(x, block, groups, scratch)
        is_whole = target.shape[3] == y.shape[3]
        product = target if is_whole else scratch.array("product", target.shape, y.dtype)
        multiply(matrix, columns, out=product.reshape(groups, filters // groups, -1))
        if bias is not None:
            product += bias[:, None, None, None]
        if not is_whole:
            target[...] = product

    pixel_bytes = x.shape[1] * prod(weight.shape[2:]) * y.itemsize
    blocks = _cut(axes, x.shape[1], len(x), pixel_bytes, COLUMNS_BYTES)
    share_products(blocks, work, y.size * weight[0].size)
    return y.transpose(3, 0, 1, 2)


def weight_gradient(
    dy: np.ndarray, x: np.ndarray, shape: tuple[int, ...], axes: Axes, groups: int
) -> np.ndarray:
    """What dy (N, F, oh, ow) says of weights of this shape: dy times the transposed columns."""
    filters, taps, dy = shape[0], prod(shape[1:]), dy.transpose(1, 2, 3, 0)
    blocks = _cut(axes, x.shape[1], len(x), taps * groups * dy.itemsize, COLUMNS_BYTES)
    parts = min(PARTIAL_SUMS, len(blocks))
    sums = np.zeros((parts, groups, filters // groups, taps), x.dtype)

    def work(part: int, scratch: Scratch) -> None:
        for block in blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts]:
            columns = _unfold(x, block, groups, scratch)
            gradient = block.of(dy).reshape(groups, filters // groups, -1)
            sums[part] += multiply_over_pixels(gradient, columns)

    share_products(range(parts), work, dy.size * taps)
    return sums.sum(axis=0).reshape(shape)


def input_gradient(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """What dy (N, F, oh, ow) says of the input, (N, C, H, W)."""
    filters, maps, *size = len(weight) // groups, *weight.shape[1:]
    if all(axis.stride == 1 for axis in axes) and filters <= WORTH_TURNING * maps:
        return correlate(dy, turned_weight(weight, groups), None, turned_axes(axes), groups)
    by_group = weight.reshape(groups, filters, maps, *size)
    dx = np.zeros((groups * maps, *(axis.size for axis in axes), len(dy)), dy.dtype)
    if axes[1].stride == 1:
        _add_rows(dy, by_group, axes, dx)
    else:
        _add_taps(dy, by_group, axes, dx)
    return dx.transpose(3, 0, 1, 2)


def _add_rows(dy: np.ndarray, weight: np.ndarray, axes: Axes, dx: np.ndarray) -> None:
    """Add to dx (C, H, W, N) what dy (N, F, oh, ow) says: slid across by products, down by sums.

    Each row of dy goes through all rows of the turned kernels (groups, F, C, kh, kw) at once; the
    kh rows that come out are added where they belong. At stride 1 across that is fewer sums, a
    column of the kernel each, for one and a half times the products or less.
    """
    groups, filters, maps, height, width = weight.shape
    rows, columns = axes
    one_row = Axis(rows.output_size, 1, 1, 1, 0, 0)
    (across,) = turned_axes((columns,))
    matrix = weight[..., ::-1].transpose(0, 2, 3, 1, 4).reshape(groups, maps * height, -1)
    pixel_bytes = groups * (filters * width + maps * height) * dy.itemsize
    scratch = take_scratch()
    for block in _cut((one_row, across), groups * filters, len(dy), pixel_bytes, FOLDED_BYTES):
        unfolded = _unfold(dy, block, groups, scratch)
        shape = groups, maps * height, unfolded.shape[2]
        product = multiply(matrix, unfolded, scratch.array("product", shape, dy.dtype))
        product = product.reshape(groups * maps, height, *block.shape[3:])
        part = rows.part(block.rows.start, block.rows.stop)
        for k, (seen, read) in enumerate(part.taps):
            dx[:, read, :, block.samples] += product[:, k, seen]
    return_scratch([scratch])


def _add_taps(dy: np.ndarray, weight: np.ndarray, axes: Axes, dx: np.ndarray) -> None:
    """The same by columns folded back tap by tap, at any stride."""
    groups, filters, maps, *size = weight.shape
    dy = dy.transpose(1, 2, 3, 0)
    together = even_cuts(maps, -(-maps // 2))  # maps that one thread folds: none overlap
    pixel_bytes = together * prod(size) * dy.itemsize
    blocks = _cut(axes, together, dy.shape[3], pixel_bytes, FOLDED_BYTES)
    parts = [
        (group, slice(first, min(first + together, maps)))
        for group in range(groups)
        for first in range(0, maps, together)
    ]

    def work(part: tuple[int, slice], scratch: Scratch) -> None:
        group, which = part
        matrix = weight[group, :, which].reshape(1, filters, -1).swapaxes(1, 2)
        target = dx[group * maps : (group + 1) * maps][which]
        for block in blocks:
            gradient = block.of(dy)[group * filters : (group + 1) * filters]
            pixels = gradient.shape[1:]
            shape = 1, matrix.shape[1], prod(pixels)
            columns = scratch.array("columns", shape, dy.dtype)
            multiply(matrix, gradient.reshape(1, filters, -1), out=columns)
            windows = columns.reshape(-1, *size, *pixels).transpose(5, 0, 1, 2, 3, 4)
            col2im(windows, *block.axes, out=target[..., block.samples].transpose(3, 0, 1, 2))

    share_products(parts, work, dy.size * weight[0, 0].size)


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of the output, and some samples: all of them, unless one row is too much."""

    rows: slice
    samples: slice
    axes: Axes  # for these rows alone
    reach: tuple[int, int]  # rows and columns that they read
    inside: tuple[slice, slice] | None  # where in those the maps lie; None where they are all of it
    read: tuple[slice, slice]  # what of the maps that is
    shape: tuple[int, ...]  # of the columns: (C, kh, kw, rows, ow, samples)
    strides: tuple[int, ...]  # in elements, of the columns in the maps, or in the padded part
    offset: int

    def of(self, y: np.ndarray) -> np.ndarray:
        """Its part of an output (F, oh, ow, N)."""
        return y[:, self.rows, :, self.samples]


@functools.lru_cache(maxsize=128)
def _cut(axes: Axes, maps: int, count: int, pixel_bytes: int, most_bytes: int) -> list[Block]:
    """Cut the output over maps (C, H, W, N) so that ``pixel_bytes`` a pixel are ``most_bytes``."""
    rows, columns = axes
    most = max(1, most_bytes // pixel_bytes // columns.output_size)  # samples of all rows
    samples = even_cuts(count, max(most, min(count, FEWEST_SAMPLES)))
    height = even_cuts(rows.output_size, max(1, most // samples))
    return [
        _plan_block(axes, maps, count, slice(top, top + height), slice(first, first + samples))
        for top in range(0, rows.output_size, height)
        for first in range(0, count, samples)
    ]


def _plan_block(axes: Axes, maps: int, count: int, lines: slice, samples: slice) -> Block:
    lines = slice(lines.start, min(lines.stop, axes[0].output_size))
    samples = slice(samples.start, min(samples.stop, count))
    within = samples.stop - samples.start
    rows, columns = axes[0].part(lines.start, lines.stop), axes[1]
    reach = rows.span(rows.output_size), columns.span(columns.output_size)
    first, sizes = (-rows.before, -columns.before), (rows.size, columns.size)
    ends = [(max(0, a), min(n, a + r)) for a, r, n in zip(first, reach, sizes, strict=True)]
    read = tuple(slice(start, max(start, stop)) for start, stop in ends)
    inside = tuple(slice(r.start - a, r.stop - a) for r, a in zip(read, first, strict=True))
    if all(part == slice(0, r) for part, r in zip(inside, reach, strict=True)):
        inside = None
    height, width, run = (*reach, within) if inside else (*sizes, count)
    offset = 0 if inside else (first[0] * width + first[1]) * run + samples.start
    row, column = width * run, run
    strides = (
        height * row,
        rows.dilation * row,
        columns.dilation * column,
        rows.stride * row,
        columns.stride * column,
        1,
    )
    kernel = rows.kernel_size, columns.kernel_size
    shape = maps, *kernel, rows.output_size, columns.output_size, within
    return Block(lines, samples, (rows, columns), reach, inside, read, shape, strides, offset)


def _unfold(x: np.ndarray, block: Block, groups: int, scratch: Scratch) -> np.ndarray:
    """The columns of a block of x (N, C, H, W): (groups, C // groups * kh * kw, rows * ow * N)."""
    source = x.transpose(1, 2, 3, 0)
    if block.inside is not None:
        part = source[:, block.read[0], block.read[1], block.samples]
        source = scratch.array("padded", (len(part), *block.reach, part.shape[3]), x.dtype)
        zero_outside(source.transpose(3, 0, 1, 2), *block.inside)
        source[:, block.inside[0], block.inside[1]] = part
    item = x.itemsize
    strides = tuple(stride * item for stride in block.strides)
    view = np.ndarray(block.shape, x.dtype, source, block.offset * item, strides)
    columns = scratch.array("columns", block.shape, x.dtype)
    np.copyto(columns, view)
    return columns.reshape(groups, -1, prod(block.shape[3:]))
