"""The products of a convolution layer: unfold a block, multiply, fold, within the cache.

Every product sees the pixels of a block in one long line, sample after sample. At stride 1 the
outputs of a row may run on into the next (:func:`~cnntool.engine.windows.run_view`): a few windows
between two rows are multiplied for nothing, but im2col copies long pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnntool.engine.fast.products import multiply, multiply_over_pixels
from cnntool.engine.fast.scratch import Scratch, return_scratch, take_scratch
from cnntool.engine.fast.threads import available_cores, share
from cnntool.engine.windows import Axis, col2im, run_view, window_view, zero_padded

COLUMNS_BYTES = 1 << 22
"""What one thread unfolds at a time: so much that its calls are long (two threads wait for the
interpreter in turn, 0.05 ms each time), little enough for the third-level cache."""

SHARED_PRODUCTS = 1 << 26
"""Multiplications from which on the blocks of a product are worth a second thread, which takes 0.1
ms to wake up."""

PARTIAL_SUMS = 8
"""Of a weight gradient: always as many, so that the number of threads changes no result."""

WORTH_A_RUN = 3.0
"""Products for nothing, an element copied, below which long copies save more than they cost."""

WORTH_TURNING = 2
"""Filters a map up to which dx is a convolution with the turned kernels, not columns folded back.
"""

Axes = tuple[Axis, Axis]


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, axes: Axes, groups: int
) -> np.ndarray:
    """Slide weight (F, C // groups, kh, kw) over x (N, C, H, W): (N, F, oh, ow)."""
    filters = len(weight)
    y = np.empty((len(x), filters, *(axis.output_size for axis in axes)), x.dtype)
    matrix = weight.reshape(groups, filters // groups, -1)
    blocks = _cut(x, weight.shape, axes)

    def work(block: _Block, scratch: Scratch) -> None:
        columns = _unfold(x, block, groups, scratch)
        shape = (groups, filters // groups, columns.shape[2])
        product = multiply(matrix, columns, out=scratch.array("product", shape, x.dtype))
        product = block.as_rows(product.reshape(filters, block.samples, -1)).transpose(1, 0, 2, 3)
        if bias is None:
            block.of(y)[...] = product
        else:
            np.add(product, bias[:, None, None], out=block.of(y))

    share_products(blocks, work, y.size * weight[0].size)
    return y


def weight_gradient(
    dy: np.ndarray, x: np.ndarray, shape: tuple[int, ...], axes: Axes, groups: int
) -> np.ndarray:
    """What dy (N, F, oh, ow) says of weights of this shape: dy times the transposed columns."""
    filters, taps = shape[0], prod(shape[1:])
    blocks = _cut(x, shape, axes)
    parts = min(PARTIAL_SUMS, len(blocks))
    sums = np.zeros((parts, groups, filters // groups, taps), x.dtype)

    def work(part: int, scratch: Scratch) -> None:
        for block in blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts]:
            columns = _unfold(x, block, groups, scratch)
            gradient = _as_lines(block.of(dy), block, groups, scratch)
            sums[part] += multiply_over_pixels(gradient, columns)

    share_products(range(parts), work, dy.size * taps)
    return sums.sum(axis=0).reshape(shape)


def input_gradient(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """What dy (N, F, oh, ow) says of the input, (N, C, H, W)."""
    filters, maps = len(weight) // groups, weight.shape[1]
    if all(axis.stride == 1 for axis in axes) and filters <= WORTH_TURNING * maps:
        return correlate(dy, turned_weight(weight, groups), None, turned_axes(axes), groups)
    dx = np.zeros((len(dy), groups * maps, *(axis.size for axis in axes)), dy.dtype)
    matrix = weight.reshape(groups, filters, -1).transpose(0, 2, 1)  # (groups, taps, filters)
    blocks = _cut(dx, weight.shape, axes, is_run=False)
    runs: dict[int, list[_Block]] = {}  # the rows of a sample overlap: one thread adds them up
    for block in blocks:
        runs.setdefault(block.first, []).append(block)

    def work(run: list[_Block], scratch: Scratch) -> None:
        for block in run:
            gradient = _as_lines(block.of(dy), block, groups, scratch)
            shape = (groups, matrix.shape[1], gradient.shape[2])
            columns = multiply(matrix, gradient, out=scratch.array("columns", shape, dy.dtype))
            sizes = (groups * maps, *weight.shape[2:], block.samples, *block.output_sizes)
            windows = columns.reshape(sizes).transpose(3, 0, 1, 2, 4, 5)
            col2im(windows, *block.axes, out=dx[block.first : block.first + block.samples])

    share_products(list(runs.values()), work, dy.size * weight[0].size)
    return dx


def turned_weight(weight: np.ndarray, groups: int) -> np.ndarray:
    """The kernels by which dy goes back to the input at stride 1: (C, F // groups, kh, kw)."""
    by_group = weight.reshape(groups, -1, *weight.shape[1:])[..., ::-1, ::-1]
    return by_group.swapaxes(1, 2).reshape(-1, by_group.shape[1], *weight.shape[2:])


def turned_axes(axes: Axes) -> Axes:
    """The windows by which it does so."""
    return tuple(map(_turned, axes))


def _turned(axis: Axis) -> Axis:
    outputs, before = axis.output_size, axis.extent - 1 - axis.before
    after = axis.size - outputs - before + axis.extent - 1
    return Axis(outputs, axis.kernel_size, 1, axis.dilation, before, after)


@dataclass(frozen=True)
class _Block:
    """Some samples and some rows of the output, whose columns are unfolded at a time."""

    first: int
    samples: int
    top: int
    axes: Axes  # for these rows alone
    pitch: int  # from a row of pixels to the next: the outputs of a row, or more in a run

    @property
    def output_sizes(self) -> tuple[int, int]:
        return self.axes[0].output_size, self.axes[1].output_size

    @property
    def is_run(self) -> bool:
        return self.pitch > self.axes[1].output_size

    @property
    def line(self) -> int:
        """Pixels of one sample in the products."""
        rows, columns = self.output_sizes
        return (rows - 1) * self.pitch + columns

    def of(self, y: np.ndarray) -> np.ndarray:
        """Its part of an array (N, F, oh, ow)."""
        bottom = self.top + self.axes[0].output_size
        return y[self.first : self.first + self.samples, :, self.top : bottom]

    def as_rows(self, lines: np.ndarray) -> np.ndarray:
        """See lines of pixels (..., line) as (..., oh, ow), without the windows in between."""
        item = lines.strides[-1]
        strides = (*lines.strides[:-1], self.pitch * item, item)
        return as_strided(lines, (*lines.shape[:-1], *self.output_sizes), strides)


def _cut(
    x: np.ndarray, weight_shape: Sequence[int], axes: Axes, is_run: bool | None = None
) -> list[_Block]:
    """Cut the output so that the columns of a block take ``COLUMNS_BYTES``, or are of one row."""
    rows, columns = axes
    height, width = rows.output_size, columns.output_size
    reach = columns.span(width)
    if is_run is None:
        filters = weight_shape[0] * weight_shape[1] / x.shape[1]  # of one group
        waste = (reach / width - 1) * filters
        is_run = rows.stride == columns.stride == 1 and waste < WORTH_A_RUN
    pitch = reach if is_run else width
    taps = x.shape[1] * prod(weight_shape[2:])
    lines = max(1, COLUMNS_BYTES // (taps * pitch * x.itemsize))
    samples, cuts = max(1, lines // height), -(-height // min(lines, height))
    edges = [height * cut // cuts for cut in range(cuts + 1)]
    return [
        _Block(first, min(samples, len(x) - first), top, (rows.part(top, bottom), columns), pitch)
        for first in range(0, len(x), samples)
        for top, bottom in pairwise(edges)
    ]


def _unfold(x: np.ndarray, block: _Block, groups: int, scratch: Scratch) -> np.ndarray:
    """The columns of a block: (groups, C // groups * kh * kw, samples * line)."""
    part = x[block.first : block.first + block.samples]
    reach = [axis.span(axis.output_size) for axis in block.axes]
    padded = zero_padded(
        part, *block.axes, out=scratch.array("padded", (*part.shape[:2], *reach), x.dtype)
    )
    item = padded.itemsize
    if block.is_run and padded.strides[2:] != (padded.shape[3] * item, item):
        padded = np.ascontiguousarray(padded)
    view = (run_view if block.is_run else window_view)(padded, *block.axes)
    view = np.moveaxis(view, 0, 3)  # (C, kh, kw, samples, ...)
    columns = scratch.array("columns", view.shape, x.dtype)
    np.copyto(columns, view)
    return columns.reshape(groups, -1, block.samples * block.line)


def _as_lines(dy: np.ndarray, block: _Block, groups: int, scratch: Scratch) -> np.ndarray:
    """dy (samples, F, oh, ow) of a block as (groups, F // groups, samples * line), 0 in between."""
    lines = scratch.array("lines", (dy.shape[1], block.samples, block.line), dy.dtype)
    if block.is_run:
        lines[...] = 0
    block.as_rows(lines)[...] = dy.transpose(1, 0, 2, 3)
    return lines.reshape(groups, -1, block.samples * block.line)


def share_products(items: Sequence, work: Callable[..., None], products: int) -> None:
    """Work through the items with a scratch a thread, on as many threads as the products need."""
    used: list[Scratch] = []

    def make_worker() -> Callable[..., None]:
        scratch = take_scratch()
        used.append(scratch)
        return lambda item: work(item, scratch)

    threads = available_cores() if products >= SHARED_PRODUCTS else 1
    share(items, make_worker, max(1, min(threads, len(items))))
    return_scratch(used)
