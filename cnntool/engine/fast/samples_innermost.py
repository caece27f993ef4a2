"""Convolution over maps with the samples innermost: what unfolding.py does for the other layout.

A row of the output is one product, ``y[i] = weight (F, kh * C * kw) @ windows[i]``, with what
row_windows.py unfolds, and is the result as it stands: nothing is transposed.
"""

from __future__ import annotations

from itertools import groupby
from math import prod

import numpy as np

from cnntool.engine.fast.blocks import (
    PARTIAL_SUMS,
    SHARED_PRODUCTS,
    WORTH_TURNING,
    Axes,
    share_products,
    turned_axes,
    turned_weight,
)
from cnntool.engine.fast.products import multiply, multiply_over_pixels
from cnntool.engine.fast.row_windows import FEWEST_SAMPLES, Block, by_row, cut_rows
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis, col2im, even_cuts, even_slices

FOLDED_BYTES = 1 << 21
"""What it folds back at a time: few and long sums count for more than the cache."""

SUMS_BYTES = 1 << 21
"""Of gradients of weights, one an output row, that are added up at a time."""


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
        by_line = by_row(product, groups)
        if block.has_empty_rows:
            product[...] = 0
        unfolded = block.unfold(x, scratch)
        for run in block.runs:
            taps = run.within(matrix.shape[3] // weight.shape[2])
            multiply(matrix[..., taps], run.windows(unfolded), out=by_line[:, run.outputs])
        if bias is not None:
            product += bias[:, None, None, None]
        if not is_whole:
            target[...] = product

    blocks = cut_rows(axes, filters, x.shape[1], groups, len(x), x.itemsize, len(x))
    share_products(blocks, work, y.size * weight[0].size)
    return y.transpose(3, 0, 1, 2)


def weight_gradient(
    dy: np.ndarray, x: np.ndarray, shape: tuple[int, ...], axes: Axes, groups: int
) -> np.ndarray:
    """What dy (N, F, oh, ow) says of weights of this shape: dy times the transposed windows."""
    filters, maps, *size = shape
    dy = dy.transpose(1, 2, 3, 0)
    blocks = cut_rows(axes, filters, x.shape[1], groups, len(x), x.itemsize, len(x))
    parts = min(PARTIAL_SUMS, len(blocks))
    sums = np.zeros((parts, groups, filters // groups, maps * prod(size)), x.dtype)
    together = max(1, SUMS_BYTES // sums[0].nbytes)  # rows

    def work(part: int, scratch: Scratch) -> None:
        for block in blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts]:
            unfolded = block.unfold(x, scratch)
            by_line = by_row(block.of(dy), groups)
            for run in block.runs_of(together):
                products = multiply_over_pixels(by_line[:, run.outputs], run.windows(unfolded))
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
        cut_rows(across, maps * height, len(weight), groups, len(dy), dy.itemsize, together),
        lambda block: block.samples.start,
    )

    def work(blocks: list[Block], scratch: Scratch) -> None:
        for block in blocks:
            windows = block.runs[0].windows(block.unfold(dy, scratch))
            lines, samples = block.runs[0].height, windows.shape[3] // columns.size
            shape = groups * maps, height, lines, columns.size, samples
            product = scratch.array("product", shape, dy.dtype)
            multiply(matrix, windows, out=by_row(product.reshape(-1, *shape[2:]), groups))
            part = rows.part(block.lines.start, block.lines.stop)
            for k, (seen, read) in enumerate(part.taps):
                dx[:, read, :, block.samples] += product[:, k, seen]

    share_products([list(blocks) for _, blocks in by_samples], work, products)
    return dx.transpose(3, 0, 1, 2)


def _fold_taps(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """The same by columns folded back tap by tap, at any stride."""
    filters, maps, *size = len(weight) // groups, *weight.shape[1:]
    dx = np.zeros((groups * maps, *(axis.size for axis in axes), len(dy)), dy.dtype)
    gradients = dy.transpose(1, 2, 3, 0)
    gradients = gradients.reshape(groups, filters, *gradients.shape[1:])
    weight = weight.reshape(groups, filters, maps, *size)
    # Two threads fold other groups, or other maps of the only one: none overlap.
    if groups > 1:
        parts = [(part, slice(0, maps)) for part in even_slices(groups, -(-groups // 2))]
    else:
        parts = [(slice(0, 1), part) for part in even_slices(maps, -(-maps // 2))]

    def work(part: tuple[slice, slice], scratch: Scratch) -> None:
        some_groups, some_maps = part
        matrix = weight[some_groups, :, some_maps]
        together, folded = len(matrix), matrix.shape[2] * len(matrix)  # groups, and their maps
        matrix = matrix.reshape(together, filters, -1).swapaxes(1, 2)
        first = some_groups.start * maps + some_maps.start
        target = dx[first : first + folded]
        blocks = _cut_evenly(axes, len(dy), folded * prod(size) * dy.itemsize)
        for lines, samples in blocks:
            gradient = gradients[some_groups, :, lines, :, samples]
            pixels = gradient.shape[2:]
            shape = together, matrix.shape[1], prod(pixels)
            columns = scratch.array("columns", shape, dy.dtype)
            multiply(matrix, gradient.reshape(together, filters, -1), out=columns)
            windows = columns.reshape(folded, *size, *pixels).transpose(5, 0, 1, 2, 3, 4)
            rows = axes[0].part(lines.start, lines.stop)
            col2im(windows, rows, axes[1], out=target[..., samples].transpose(3, 0, 1, 2))

    share_products(parts, work, dy.size * weight[0, 0].size)
    return dx.transpose(3, 0, 1, 2)


def _cut_evenly(axes: Axes, count: int, pixel_bytes: int) -> list[tuple[slice, slice]]:
    """Cut an output into rows and samples so that ``pixel_bytes`` a pixel are ``FOLDED_BYTES``."""
    rows, columns = axes
    most = max(1, FOLDED_BYTES // pixel_bytes // columns.output_size)  # samples of one row
    samples = even_cuts(count, max(most, min(count, FEWEST_SAMPLES)))
    return [
        (lines, part)
        for lines in even_slices(rows.output_size, max(1, most // samples))
        for part in even_slices(count, samples)
    ]
