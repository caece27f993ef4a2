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
from cnntool.engine.scratch import Scratch
from cnntool.engine.unfolding import PARTIAL_SUMS, WORTH_TURNING, Axes, share_products, turned
from cnntool.engine.windows import col2im, even_cuts, zero_padded

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
    by_group = weight.reshape(groups, filters, maps, *size)
    if all(axis.stride == 1 for axis in axes) and filters <= WORTH_TURNING * maps:
        turned_weight = by_group[..., ::-1, ::-1].swapaxes(1, 2).reshape(-1, filters, *size)
        return correlate(dy, turned_weight, None, tuple(map(turned, axes)), groups)
    dy = dy.transpose(1, 2, 3, 0)
    dx = np.zeros((groups * maps, *(axis.size for axis in axes), dy.shape[3]), dy.dtype)
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
        matrix = by_group[group, :, which].reshape(1, filters, -1).swapaxes(1, 2)
        target = dx[group * maps : (group + 1) * maps][which]
        for block in blocks:
            gradient = block.of(dy)[group * filters : (group + 1) * filters]
            pixels = gradient.shape[1:]
            shape = 1, matrix.shape[1], prod(pixels)
            columns = scratch.array("columns", shape, dy.dtype)
            multiply(matrix, gradient.reshape(1, filters, -1), out=columns)
            windows = columns.reshape(-1, *size, *pixels).transpose(5, 0, 1, 2, 3, 4)
            col2im(windows, *block.axes, out=target[..., block.samples].transpose(3, 0, 1, 2))

    share_products(parts, work, dy.size * weight[0].size)
    return dx.transpose(3, 0, 1, 2)


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of the output, and some samples: all of them, unless one row is too much."""

    rows: slice
    samples: slice
    axes: Axes  # for these rows alone
    reach: tuple[int, int]  # rows and columns that they read
    is_padded: bool
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
    read = rows.input_positions(0, rows.output_size), columns.input_positions(0, reach[1])
    first = read[0].start, read[1].start
    is_padded = (
        min(first) < 0 or first[0] + reach[0] > rows.size or first[1] + reach[1] > columns.size
    )
    height, width, run = (*reach, within) if is_padded else (rows.size, columns.size, count)
    offset = 0 if is_padded else (first[0] * width + first[1]) * run + samples.start
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
    return Block(lines, samples, (rows, columns), reach, is_padded, shape, strides, offset)


def _unfold(x: np.ndarray, block: Block, groups: int, scratch: Scratch) -> np.ndarray:
    """The columns of a block of x (N, C, H, W): (groups, C // groups * kh * kw, rows * ow * N)."""
    source = x.transpose(1, 2, 3, 0)
    if block.is_padded:
        part = x[block.samples]
        source = scratch.array("padded", (x.shape[1], *block.reach, len(part)), x.dtype)
        zero_padded(part, *block.axes, out=source.transpose(3, 0, 1, 2))
    item = x.itemsize
    strides = tuple(stride * item for stride in block.strides)
    view = np.ndarray(block.shape, x.dtype, source, block.offset * item, strides)
    columns = scratch.array("columns", block.shape, x.dtype)
    np.copyto(columns, view)
    return columns.reshape(groups, -1, prod(block.shape[3:]))
