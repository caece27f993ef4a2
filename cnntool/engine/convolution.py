"""Convolution layers in one and two dimensions, forward and backward: im2col and matrix products.

Layers compute cross-correlation, as every framework does:
``y[n, f, i, j] = bias[f] + sum over c, k, l of weight[f, c, k, l] * x[n, c, i*s - p + k*d, ...]``.

With the window of every output laid out as a column, that sum is one matrix product, and so are
both gradients, with weight as a matrix W (F, C*kh*kw)::

    y  = W @ im2col(x) + bias
    dW = dy @ im2col(x)^T
    dx = col2im(W^T @ dy)        dbias = sum of dy

Source: Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks for Document
Processing, IWFHR 2006. Batches of small float32 maps go a faster way to the same results,
:mod:`cnntool.engine.fast.samples_innermost` or, by many kernels of 3x3,
:mod:`cnntool.engine.fast.winograd`; float64 always goes this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod

import numpy as np

from cnntool.engine.arrays import as_gradient, as_numbers, check_numbers, float_dtype
from cnntool.engine.fast import samples_innermost, winograd
from cnntool.engine.fast.layout import batch_last, sum_by_map
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import PARTIAL_SUMS, parallel_blocks
from cnntool.engine.windows import (
    Axes,
    AxisPaddings,
    col2im,
    cut_axis,
    even_slices,
    im2col,
    per_axis,
    plan_axes,
    whole,
)

COLUMNS_BYTES = 1 << 22
"""What one thread unfolds at a time: so much that its calls are long (two threads wait for the
interpreter in turn, 0.05 ms each time), little enough for the third-level cache."""


@dataclass(frozen=True, eq=False)
class ConvolutionCache:
    """What the way back needs; columns are unfolded again there, so memory stays bounded."""

    x: np.ndarray  # (N, C, H, W)
    weight: np.ndarray  # (F, C // groups, kh, kw), zero where the connection table has no entry
    axes: Axes
    groups: int
    connections: np.ndarray | None
    has_bias: bool


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | Sequence[int] = 1,
    padding: AxisPaddings = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    connections: np.ndarray | None = None,
) -> tuple[np.ndarray, ConvolutionCache]:
    """Convolve feature maps x (N, C, H, W) with weight (F, C // groups, kh, kw): (N, F, oh, ow).

    ``oh = floor((H + top + bottom - (kh-1)*dilation - 1) / stride) + 1``. ``stride``, ``padding``
    and ``dilation`` are one number or (vertical, horizontal); ``padding`` also ((top, bottom),
    (left, right)) or a word as in :func:`~cnntool.engine.windows.plan_axis`. With ``groups`` g the
    maps are cut into g parts that do not see each other. ``connections``, boolean (F, C), says
    which input map feeds which output map, as in LeNet-5's layer C3 (LeCun et al., Proc. IEEE 86,
    1998, table 1); weights without a connection count as 0. Returns y and the cache for
    :func:`conv2d_backward`. Raises ValueError, naming the shapes, where they do not fit.
    """
    dtype = float_dtype(x, weight)
    check_numbers(bias)
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    bias = bias if bias is None else np.asarray(bias, dtype)
    _check_shapes(x, weight, bias, groups, connections)
    axes = plan_axes(x.shape[2:], weight.shape[2:], stride, dilation, padding)
    if connections is not None:
        connections = np.asarray(connections, bool)
        weight = weight * connections[:, :, None, None]
    if winograd.suits(x, weight, axes, groups):
        x, way = batch_last(x), winograd.convolve
    elif samples_innermost.suits(x, axes):
        x, way = batch_last(x), samples_innermost.convolve
    else:
        x, way = np.ascontiguousarray(x), convolve
    y = way(x, weight, bias, axes, groups)
    return y, ConvolutionCache(x, weight, axes, groups, connections, bias is not None)


def conv2d_backward(
    dy: np.ndarray, cache: ConvolutionCache, *, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`conv2d` for dy (N, F, oh, ow).

    ``dweight[f, c, k, l] = sum over n, i, j of dy[n, f, i, j] * x[n, c, i*s - p + k*d, ...]``;
    dx is dy back through the same weights, added up where windows overlap. dbias sums dy, None
    without a bias. Without ``need_dx`` (a first layer) dx is None and its work is saved.
    """
    x, weight, axes, groups = cache.x, cache.weight, cache.axes, cache.groups
    shape = len(x), len(weight), *(axis.output_size for axis in axes)
    dy = as_gradient(dy, shape, x.dtype)
    if winograd.suits(x, weight, axes, groups):
        way = winograd.gradients
    elif samples_innermost.suits(x, axes):
        way = samples_innermost.gradients
    else:
        way = gradients
    dx, dweight = way(dy, x, weight, axes, groups, need_dx=need_dx)
    if cache.connections is not None:
        dweight *= cache.connections[:, :, None, None]
    return dx, dweight, sum_by_map(dy) if cache.has_bias else None


def conv1d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int = 1,
    padding: int | str | tuple[int, int] = 0,
    dilation: int = 1,
    groups: int = 1,
    *,
    connections: np.ndarray | None = None,
) -> tuple[np.ndarray, ConvolutionCache]:
    """Convolve signals x (N, C, L) with weight (F, C // groups, k): :func:`conv2d` on one row.

    ``padding`` is a number, (before, after) or a word. Returns y (N, F, ol) and the cache.
    """
    x, weight = as_numbers(x), as_numbers(weight)
    if x.ndim != 3 or weight.ndim != 3:
        raise ValueError(
            f"conv1d takes x (N, C, L) and weight (F, C // groups, k), not {x.shape} and "
            f"{weight.shape}"
        )
    y, cache = conv2d(
        x[:, :, None],
        weight[:, :, None],
        bias,
        (1, *per_axis(stride, 1, "stride")),
        (0, padding),
        (1, *per_axis(dilation, 1, "dilation")),
        groups,
        connections=connections,
    )
    return y[:, :, 0], cache


def conv1d_backward(
    dy: np.ndarray, cache: ConvolutionCache, *, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`conv1d` for dy (N, F, ol)."""
    dx, dweight, dbias = conv2d_backward(dy[:, :, None], cache, need_dx=need_dx)
    return None if dx is None else dx[:, :, 0], dweight[:, :, 0], dbias


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, axes: Axes, groups: int
) -> np.ndarray:
    """``W @ im2col(x) + bias`` a block at a time: (N, F, oh, ow)."""
    filters = len(weight)
    matrix = weight.reshape(groups, filters // groups, -1)  # (groups, F', C'*kh*kw)
    offset = 0 if bias is None else bias[:, None, None]
    y = np.empty((len(x), filters, *(axis.output_size for axis in axes)), x.dtype)

    def work(block: _Block, scratch: Scratch) -> None:
        target = block.of(y)  # (n, F, rows, ow)
        columns = block.unfold(x, groups, scratch)  # (n, groups, C'*kh*kw, rows*ow)
        shape = len(target), *matrix.shape[:2], columns.shape[3]
        product = np.matmul(matrix, columns, out=scratch.array("product", shape, x.dtype))
        np.add(product.reshape(target.shape), offset, out=target)

    parallel_blocks(list(chain(*_cut(x, weight, axes))), work, y.size * weight[0].size)
    return y


def gradients(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, axes: Axes, groups: int, *, need_dx: bool
) -> tuple[np.ndarray | None, np.ndarray]:
    """``dx = col2im(W^T @ dy)``, None where it is not needed, and ``dW = dy @ im2col(x)^T``."""
    matrix = weight.reshape(groups, len(weight) // groups, -1)
    dx = np.zeros(x.shape, x.dtype) if need_dx else None
    runs = _cut(x, weight, axes)
    parts = even_slices(len(runs), -(-len(runs) // PARTIAL_SUMS))
    sums = np.zeros((len(parts), *matrix.shape), x.dtype)

    def work(part: int, scratch: Scratch) -> None:
        for block in chain(*runs[parts[part]]):
            columns = block.unfold(x, groups, scratch)  # (n, groups, C'*kh*kw, rows*ow)
            gradient = block.of(dy).reshape(len(columns), *matrix.shape[:2], -1)
            sums[part] += np.matmul(gradient, columns.swapaxes(2, 3)).sum(axis=0)
            if dx is not None:
                np.matmul(matrix.swapaxes(1, 2), gradient, out=columns)
                block.fold(columns, dx)

    parallel_blocks(range(len(parts)), work, 2 * dy.size * weight[0].size)
    return dx, sums.sum(axis=0).reshape(weight.shape)


@dataclass(frozen=True)
class _Block:
    """Some samples and some rows of the output, whose windows are unfolded at a time."""

    samples: slice
    lines: slice
    axes: Axes  # for these rows alone

    def of(self, y: np.ndarray) -> np.ndarray:
        """Its part of an output (N, F, oh, ow)."""
        return y[self.samples, :, self.lines]

    def windows_shape(self, x: np.ndarray) -> tuple[int, ...]:
        """(n, C, kh, kw, rows, ow)."""
        kernel_sizes = (axis.kernel_size for axis in self.axes)
        output_sizes = (axis.output_size for axis in self.axes)
        return len(x[self.samples]), x.shape[1], *kernel_sizes, *output_sizes

    def unfold(self, x: np.ndarray, groups: int, scratch: Scratch) -> np.ndarray:
        """The windows of x (N, C, H, W): columns (n, groups, C // groups * kh * kw, rows * ow)."""
        windows = scratch.array("windows", self.windows_shape(x), x.dtype)
        im2col(x[self.samples], *self.axes, out=windows)
        return windows.reshape(len(windows), groups, -1, prod(windows.shape[4:]))

    def fold(self, columns: np.ndarray, x: np.ndarray) -> None:
        """The adjoint: add such columns to x (N, C, H, W)."""
        col2im(columns.reshape(self.windows_shape(x)), *self.axes, out=x[self.samples])


def _cut(x: np.ndarray, weight: np.ndarray, axes: Axes) -> list[list[_Block]]:
    """Blocks that unfold ``COLUMNS_BYTES`` or are of one row; a list for the same samples."""
    rows, columns = axes
    row_bytes = x.shape[1] * prod(weight.shape[2:]) * columns.output_size * x.itemsize
    most = max(1, COLUMNS_BYTES // row_bytes)
    samples = even_slices(len(x), max(1, most // rows.output_size))
    return [
        [_Block(some, lines, (part, columns)) for lines, part in cut_axis(rows, most)]
        for some in samples
    ]


def _check_shapes(x, weight, bias, groups: int, connections) -> None:
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(
            f"conv2d takes x (N, C, H, W) and weight (F, C // groups, kh, kw), not {x.shape} and "
            f"{weight.shape}"
        )
    filters, maps, channels = len(weight), weight.shape[1], x.shape[1]
    groups = whole(groups, "groups")
    if groups < 1 or filters % groups or maps * groups != channels:
        raise ValueError(
            f"weight {weight.shape} in {groups} groups takes {maps * groups} input maps and a "
            f"multiple of {groups} filters: x {x.shape} has {channels} maps"
        )
    if 0 in weight.shape:
        raise ValueError(f"weight has shape {weight.shape}: it has no elements")
    if bias is not None and np.shape(bias) != (filters,):
        raise ValueError(
            f"bias has shape {np.shape(bias)}: expected one value a filter, ({filters},)"
        )
    if connections is not None and np.shape(connections) != (filters, channels):
        raise ValueError(
            f"connections has shape {np.shape(connections)}: expected (filters, input maps), "
            f"({filters}, {channels})" + (", and no groups" if groups > 1 else "")
        )
