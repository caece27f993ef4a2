"""A locally connected layer: a convolution whose every output place has weights of its own.

With the samples innermost all places are one batched product: at each, its weights (F, C*kh*kw)
times its window in every sample (C*kh*kw, N).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cnntool.engine.arrays import as_gradient, check_numbers, float_dtype
from cnntool.engine.fast.layout import batch_last, in_layout_of
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import parallel_blocks
from cnntool.engine.windows import Axes, AxisPaddings, col2im, even_slices, im2col, plan_axes

COLUMNS_BYTES = 1 << 21
"""What one thread unfolds at a time."""

FEWEST_SAMPLES = 16
"""That go back together: with fewer, runs would be short."""


@dataclass(frozen=True, eq=False)
class LocalConvolutionCache:
    """What the way back needs."""

    x: np.ndarray  # (N, C, H, W)
    weight: np.ndarray  # (oh, ow, F, C, kh, kw)
    axes: Axes
    has_bias: bool


def local_conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | Sequence[int] = 1,
    padding: AxisPaddings = 0,
    dilation: int | Sequence[int] = 1,
) -> tuple[np.ndarray, LocalConvolutionCache]:
    """Slide over x (N, C, H, W) with weights that no two places share: (N, F, oh, ow).

    ``y[n, f, i, j] = bias[i, j, f] + sum over c, k, l of weight[i, j, f, c, k, l] * x[n, c, i*s - p
    + k*d, ...]``, with weight (oh, ow, F, C, kh, kw) and bias (oh, ow, F). With all places alike it
    is :func:`~cnntool.engine.convolution.conv2d`, whose geometry it has. Returns y in the layout of
    x and the cache for :func:`local_conv2d_backward`. Raises ValueError, naming the shapes, where
    they do not fit.

    Source: LeCun, Generalization and Network Design Strategies, 1989 (Net-3); Goodfellow, Bengio,
    Courville, Deep Learning, section 9.5, equation 9.9, unshared convolution.
    """
    dtype = float_dtype(x, weight)
    check_numbers(bias)
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    axes = _plan(x, weight, bias, stride, padding, dilation)
    source, filters = batch_last(x), weight.shape[2]
    y = np.empty((filters, *(axis.output_size for axis in axes), len(x)), dtype)

    def work(lines: slice, scratch: Scratch) -> None:
        columns = _unfold(source, axes, lines, scratch)
        product = np.matmul(_matrices(weight[lines]), columns)  # (rows * ow, F, N)
        if bias is not None:
            product += bias[lines].reshape(-1, filters, 1)
        target = y[:, lines]
        target[...] = product.reshape(*target.shape[1:3], filters, -1).transpose(2, 0, 1, 3)

    parallel_blocks(_lines(x, weight, axes), work, weight.size * len(x))
    y = in_layout_of(x, y.transpose(3, 0, 1, 2))
    return y, LocalConvolutionCache(x, weight, axes, bias is not None)


def local_conv2d_backward(
    dy: np.ndarray, cache: LocalConvolutionCache, *, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`local_conv2d` for dy (N, F, oh, ow).

    ``dweight[i, j, f, c, k, l] = sum over n of dy[n, f, i, j] * x[n, c, i*s - p + k*d, ...]``; dx
    is dy through the weights of each place, folded back. dbias sums dy over the samples, None
    without a bias. Without ``need_dx`` (a first layer) dx is None and its work is saved.
    """
    x, weight, axes = cache.x, cache.weight, cache.axes
    filters, taps = weight.shape[2], prod(weight.shape[3:])
    dy = as_gradient(dy, (len(x), filters, *(axis.output_size for axis in axes)), x.dtype)
    gradients = np.ascontiguousarray(dy.transpose(2, 3, 1, 0))  # (oh, ow, F, N)
    source, dweight = batch_last(x), np.empty(weight.shape, x.dtype)

    def back_to_weight(lines: slice, scratch: Scratch) -> None:
        columns = _unfold(source, axes, lines, scratch)
        gradient = gradients[lines].reshape(-1, filters, len(x))
        out = dweight[lines].reshape(-1, filters, taps)
        np.matmul(gradient, columns.swapaxes(1, 2), out=out)

    parallel_blocks(_lines(x, weight, axes), back_to_weight, weight.size * len(x))
    dx = _input_gradient(gradients, x.shape, weight, axes) if need_dx else None
    dbias = gradients.sum(axis=3) if cache.has_bias else None
    return None if dx is None else in_layout_of(x, dx), dweight, dbias


def _input_gradient(
    gradients: np.ndarray, shape: tuple[int, ...], weight: np.ndarray, axes: Axes
) -> np.ndarray:
    """What gradients (oh, ow, F, N) say of the input (N, C, H, W).

    Windows overlap, samples do not: a thread adds up all places of its own samples.
    """
    count, maps, *sizes = shape
    dx = np.zeros((maps, *sizes, count), gradients.dtype)
    filters, *taps = weight.shape[2:]

    def work(samples: slice, scratch: Scratch) -> None:
        target = dx[..., samples].transpose(3, 0, 1, 2)
        for lines in _lines(target, weight, axes):
            gradient = gradients[lines, :, :, samples]
            matrices = _matrices(weight[lines]).swapaxes(1, 2)
            columns = np.matmul(matrices, gradient.reshape(len(matrices), filters, -1))
            windows = columns.reshape(*gradient.shape[:2], *taps, -1).transpose(5, 2, 3, 4, 0, 1)
            col2im(windows, axes[0].part(lines.start, lines.stop), axes[1], out=target)

    half = max(FEWEST_SAMPLES, -(-count // 2))
    parallel_blocks(even_slices(count, half), work, weight.size * count)
    return dx.transpose(3, 0, 1, 2)


def _unfold(x: np.ndarray, axes: Axes, lines: slice, scratch: Scratch) -> np.ndarray:
    """The windows of some output rows of x (N, C, H, W): (rows * ow, C * kh * kw, N)."""
    rows, columns = axes[0].part(lines.start, lines.stop), axes[1]
    places, kernel = (
        [getattr(axis, size) for axis in (rows, columns)] for size in ("output_size", "kernel_size")
    )
    windows = scratch.array("windows", (*places, x.shape[1], *kernel, len(x)), x.dtype)
    im2col(x, rows, columns, out=windows.transpose(5, 2, 3, 4, 0, 1))
    return windows.reshape(prod(places), -1, len(x))


def _matrices(weight: np.ndarray) -> np.ndarray:
    """Weights (rows, ow, F, C, kh, kw) as a matrix a place: (rows * ow, F, C * kh * kw)."""
    return weight.reshape(prod(weight.shape[:2]), weight.shape[2], -1)


def _lines(x: np.ndarray, weight: np.ndarray, axes: Axes) -> list[slice]:
    """Output rows, cut so that their windows take ``COLUMNS_BYTES``, or are of one row."""
    rows, columns = axes
    row_bytes = columns.output_size * prod(weight.shape[3:]) * len(x) * x.itemsize
    return even_slices(rows.output_size, max(1, COLUMNS_BYTES // max(1, row_bytes)))


def _plan(x, weight, bias, stride, padding, dilation) -> Axes:
    if x.ndim != 4 or weight.ndim != 6 or x.shape[1] != weight.shape[3]:
        raise ValueError(
            f"local_conv2d takes x (N, C, H, W) and weight (oh, ow, F, C, kh, kw), not {x.shape} "
            f"and {weight.shape}"
        )
    axes = plan_axes(x.shape[2:], weight.shape[4:], stride, dilation, padding)
    places = tuple(axis.output_size for axis in axes)
    if weight.shape[:2] != places:
        raise ValueError(
            f"weight {weight.shape} has {weight.shape[:2]} places: a window of {weight.shape[4:]} "
            f"has {places} on x {x.shape}"
        )
    if bias is not None and np.shape(bias) != weight.shape[:3]:
        raise ValueError(
            f"bias has shape {np.shape(bias)}: expected one value an output, {weight.shape[:3]}"
        )
    return axes
