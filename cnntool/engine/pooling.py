"""Average, Gaussian and Lp pooling over sliding windows, trainable subsampling, and the pools of
one-dimensional maps, the largest too: each with its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, as_numbers, check_numbers, float_dtype
from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.layout import as_maps, as_planes, in_layout_of, sum_by_map
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores
from cnntool.engine.max_pooling import (
    MaxPoolCache,
    max_pool2d,
    max_pool2d_backward,
    max_pool2d_indices,
)
from cnntool.engine.pool_reductions import (
    Vectors,
    checked_p,
    counts,
    gaussian_weights,
    norm,
    ones,
    pool_maps,
    power,
    weight_sums,
    weighted_mean,
)
from cnntool.engine.pool_windows import Size, blocks_of, plan_maps, run
from cnntool.engine.windows import Axis, AxisPaddings, Padding


@dataclass(frozen=True, eq=False)
class MeanPoolCache:
    """The geometry, the weights of the taps and what windows are divided by, along each axis."""

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    rows: Axis
    columns: Axis
    weights: Vectors
    divisors: Vectors


@dataclass(frozen=True, eq=False)
class LpPoolCache:
    """What the gradient of a norm is made of."""

    x: np.ndarray
    y: np.ndarray
    rows: Axis
    columns: Axis
    p: float
    divisors: Vectors | None  # the windows' counts where it was a mean
    largest: MaxPoolCache | None  # of |x|, for p = inf


def average_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = False,
) -> tuple[np.ndarray, MeanPoolCache]:
    """The mean of every window of x (N, C, H, W): (N, C, oh, ow), float64 of float64, else float32.

    ``y[n, c, i, j] = sum over k, l of x[n, c, i*s - p + k*d, j*s - p + l*d] / elements``

    Only the elements inside x count. ``count_include_pad`` counts the padding too, as zeros:
    PyTorch's default; where ``ceil_mode`` reaches beyond the padding never counts. Sizes are as in
    :func:`~cnntool.engine.max_pooling.max_pool2d`. Raises ValueError where no window fits, or the
    padding is more than half a window.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    divisors = counts(rows, columns, count_include_pad)
    return _mean_pool(x, rows, columns, ones(rows, columns), divisors)


def average_pool2d_backward(dy: np.ndarray, cache: MeanPoolCache) -> np.ndarray:
    """The gradient by x: every element of a window gets ``dy / elements``."""
    return _mean_pool_backward(dy, cache)


def gaussian_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    sigma: float | None = None,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, MeanPoolCache]:
    """The mean of every window of x (N, C, H, W), weighted by the distance from its centre.

    ``y = sum over k, l of w[k, l] x[k, l] / sum over k, l of w[k, l]``, over the elements inside x,
    ``w[k, l] = exp(-d[k, l]^2 / (2 sigma^2))``, with d the distance in elements of tap (k, l) from
    the centre of the window, ``((kh-1)/2, (kw-1)/2)`` taps, a dilation of which are elements.

    Sigma is by default a quarter of the window's longer side: its edge lies two sigma out. A large
    one makes it :func:`average_pool2d`. Returns (N, C, oh, ow), float64 of float64, else float32.
    Raises ValueError where no window fits, or sigma is not above 0.

    Source: Goodfellow, Bengio, Courville, Deep Learning, section 9.3, names the weighted average
    based on the distance from the central element; the weights are the usual Gaussian.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    weights = gaussian_weights(rows, columns, sigma)
    return _mean_pool(x, rows, columns, weights, weight_sums(rows, columns, weights))


def gaussian_pool2d_backward(dy: np.ndarray, cache: MeanPoolCache) -> np.ndarray:
    """The gradient by x: every element of a window gets ``dy w[k, l] / sum of w``."""
    return _mean_pool_backward(dy, cache)


def _mean_pool(
    x: np.ndarray, rows: Axis, columns: Axis, weights: Vectors, divisors: Vectors
) -> tuple[np.ndarray, MeanPoolCache]:
    is_whole = all(axis.is_inside and axis.kernel_size == axis.size for axis in (rows, columns))
    if is_whole and not is_textbook():
        y = _whole_mean(x, weights, divisors)
    else:
        y = pool_maps(x, rows, columns, weighted_mean(float_dtype(x), weights, divisors))
    return y, MeanPoolCache(x.shape, y.dtype, rows, columns, weights, divisors)


def _whole_mean(x: np.ndarray, weights: Vectors, divisors: Vectors) -> np.ndarray:
    """The mean of each map as one product, ``w @ x``: up to 10 times as fast as tap by tap."""
    planes = as_planes(x).astype(float_dtype(x), copy=False)
    window = (np.multiply.outer(*weights) / np.multiply.outer(*divisors)).reshape(1, -1)
    with np.errstate(all="ignore"):
        y = window.astype(planes.dtype) @ planes.reshape(len(planes), -1, planes.shape[3])
    return as_maps(y[:, :, None], *x.shape[:2])


def _mean_pool_backward(dy: np.ndarray, cache: MeanPoolCache) -> np.ndarray:
    """The adjoint of the weighted mean: spread across, then down.

    ``dx[i*s - p + k*d, j*s - p + l*d] += w[k] w[l] dy[i, j] / divisor[i, j]``
    """
    rows, columns, dtype = cache.rows, cache.columns, cache.dtype
    outputs = rows.output_size, columns.output_size
    dy = as_planes(as_gradient(dy, (*cache.shape[:2], *outputs), dtype))
    dx = np.empty((len(dy), *cache.shape[2:], dy.shape[3]), dtype)
    divisors = np.multiply.outer(*cache.divisors)[..., None].astype(dtype)
    down, across = (weights.astype(dtype) for weights in cache.weights)

    def work(which: slice, scratch: Scratch) -> None:
        share = dy[which] / divisors
        spread = scratch.array("spread", (*share.shape[:2], *dx.shape[2:]), dtype)
        _spread(share.swapaxes(0, 2), columns, across, spread.swapaxes(0, 2))
        _spread(spread.swapaxes(0, 1), rows, down, dx[which].swapaxes(0, 1))

    run([(which,) for which in blocks_of(dx.shape)], work, dx.size, available_cores())
    return as_maps(dx, *cache.shape[:2])


def _spread(values: np.ndarray, axis: Axis, weights: np.ndarray, out: np.ndarray) -> None:
    """Give what a window has to each of its taps, weighted: (windows, ...) to (size, ...)."""
    is_apart = axis.stride >= axis.extent
    is_side_by_side = axis.is_inside and is_apart and axis.stride == axis.kernel_size
    if not (is_side_by_side and axis.size == axis.output_size * axis.kernel_size):
        out[...] = 0  # not every element is in a window
    for (seen, read), weight in zip(axis.taps, weights, strict=True):
        part = values[seen] if weight == 1 else values[seen] * weight
        if is_apart:
            out[read] = part
        else:
            out[read] += part


def lp_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    p: float = 2.0,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    mean: bool = False,
) -> tuple[np.ndarray, LpPoolCache]:
    """The p-norm of every window of x (N, C, H, W): (N, C, oh, ow), float64 of float64 or float32.

    ``y = (sum over the window of |x|^p)^(1/p)``, for p = inf the largest ``|x|``

    p is any number from 1 on. ``mean`` divides the sum by the number of elements inside x, so that
    brightness holds: from the average of ``|x|`` (p = 1) to the largest (inf). No power overflows
    or vanishes, since each window is scaled by its largest element. Sizes are as in
    :func:`~cnntool.engine.max_pooling.max_pool2d`.

    ONNX's LpPool is this one. PyTorch's ``lp_pool2d`` sums ``x^p`` with its sign, so that an odd p
    lets negative elements take from positive ones (and a p that is no whole number makes NaN of
    them); and it scales a partial window of ceil mode up to a whole one.
    Raises ValueError where no window fits, or p is less than 1.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    p = checked_p(p)
    if p == np.inf:
        magnitudes = np.abs(x, dtype=float_dtype(x))
        y, largest = max_pool2d(magnitudes, kernel_size, stride, padding, dilation, ceil_mode)
        return y, LpPoolCache(x, y, rows, columns, p, None, largest)
    y = pool_maps(x, rows, columns, norm(rows, columns, float_dtype(x), p, mean))
    divisors = counts(rows, columns) if mean else None
    return y, LpPoolCache(x, y, rows, columns, p, divisors, None)


def lp_pool2d_backward(dy: np.ndarray, cache: LpPoolCache) -> np.ndarray:
    """The gradient by x: ``dx += dy sign(x) (|x| / y)^(p-1)``, over the count where it is a mean.

    0 where a window is all zero; for p = inf all of it goes to the first of the largest ``|x|``.
    """
    rows, columns, p, dtype = cache.rows, cache.columns, cache.p, cache.y.dtype
    if cache.largest is not None:
        return max_pool2d_backward(dy, cache.largest) * np.sign(cache.x, dtype=dtype)
    dy = as_gradient(dy, cache.y.shape, dtype)
    x, y, dy = (as_planes(maps, like=cache.x) for maps in (cache.x, cache.y, dy))
    dx = np.zeros(x.shape, dtype)
    if cache.divisors is not None:
        dy = dy / np.multiply.outer(*cache.divisors)[..., None]

    def work(which: slice, scratch: Scratch) -> None:
        norms, gradients = y[which], dy[which]
        norms = np.where(norms == 0, dtype.type(1), norms)  # such windows hold zeros alone
        source, target = x[which], dx[which]
        for row_outputs, row_inputs in rows.taps:
            for column_outputs, column_inputs in columns.taps:
                seen = slice(None), row_outputs, column_outputs
                read = slice(None), row_inputs, column_inputs
                values = source[read].astype(dtype)
                share = power(np.abs(values) / norms[seen], p - 1)
                share *= gradients[seen]
                share *= np.sign(values)
                target[read] += share

    run([(which,) for which in blocks_of(dx.shape)], work, dx.size, available_cores())
    return as_maps(dx, *cache.x.shape[:2])


def max_pool1d(
    x: np.ndarray,
    kernel_size: int,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    *,
    keep_winners: bool = True,
) -> tuple[np.ndarray, MaxPoolCache]:
    """:func:`~cnntool.engine.max_pooling.max_pool2d` of x (N, C, L): (N, C, output length).

    ``padding`` is a number or (before, after).
    """
    windows = _in_one_row(kernel_size, stride, padding, dilation)
    y, cache = max_pool2d(_as_maps(x), *windows, ceil_mode, keep_winners=keep_winners)
    return y[:, :, 0], cache


def max_pool1d_backward(dy: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """The gradient by x (N, C, L)."""
    return max_pool2d_backward(_as_maps(dy), cache)[:, :, 0]


def max_pool1d_indices(cache: MaxPoolCache) -> np.ndarray:
    """Where in its signal each window's winner lies: (N, C, output length) int64."""
    return max_pool2d_indices(cache)[:, :, 0]


def average_pool1d(
    x: np.ndarray,
    kernel_size: int,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = False,
) -> tuple[np.ndarray, MeanPoolCache]:
    """:func:`~cnntool.engine.pooling.average_pool2d` of x (N, C, L): (N, C, output length)."""
    windows = _in_one_row(kernel_size, stride, padding, dilation)
    y, cache = average_pool2d(_as_maps(x), *windows, ceil_mode, count_include_pad=count_include_pad)
    return y[:, :, 0], cache


def average_pool1d_backward(dy: np.ndarray, cache: MeanPoolCache) -> np.ndarray:
    """The gradient by x (N, C, L)."""
    return average_pool2d_backward(_as_maps(dy), cache)[:, :, 0]


def lp_pool1d(
    x: np.ndarray,
    kernel_size: int,
    p: float = 2.0,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    *,
    mean: bool = False,
) -> tuple[np.ndarray, LpPoolCache]:
    """:func:`~cnntool.engine.pooling.lp_pool2d` of x (N, C, L): (N, C, output length)."""
    size, *_ = windows = _in_one_row(kernel_size, stride, padding, dilation)
    y, cache = lp_pool2d(_as_maps(x), size, p, *windows[1:], ceil_mode, mean=mean)
    return y[:, :, 0], cache


def lp_pool1d_backward(dy: np.ndarray, cache: LpPoolCache) -> np.ndarray:
    """The gradient by x (N, C, L)."""
    return lp_pool2d_backward(_as_maps(dy), cache)[:, :, 0]


def _as_maps(x: np.ndarray) -> np.ndarray:
    x = as_numbers(x)
    if x.ndim != 3:
        raise ValueError(f"x has shape {x.shape}: expected (N, C, L)")
    return x[:, :, None]


def _in_one_row(
    kernel_size: int, stride: int | None, padding: Padding, dilation: int
) -> tuple[Size, Size | None, AxisPaddings, Size]:
    step = None if stride is None else (1, stride)
    return (1, kernel_size), step, (0, padding), (1, dilation)


@dataclass(frozen=True, eq=False)
class SubsamplingCache:
    """What the way back needs."""

    averages: np.ndarray  # (N, C, oh, ow)
    coefficient: np.ndarray  # (C,)
    pool: MeanPoolCache


def subsample2d(
    x: np.ndarray,
    coefficient: np.ndarray,
    bias: np.ndarray,
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
) -> tuple[np.ndarray, SubsamplingCache]:
    """``y = coefficient[c] * average of the window + bias[c]``: x (N, C, H, W) to (N, C, oh, ow).

    Coefficient and bias are (C,), one a map; sizes are as in
    :func:`~cnntool.engine.pooling.average_pool2d`. Returns y and the cache for
    :func:`subsample2d_backward`. Raises ValueError where shapes do not fit or no window does.

    LeCun et al. (Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86, 1998,
    section II.B) ADD the four inputs of a window and multiply the sum. That is the same function
    with a coefficient a quarter of this one: ``c * sum = (4 c) * average``. This coefficient's
    gradient is a quarter of theirs, so that one step of gradient descent moves y a sixteenth as far
    by it.
    """
    dtype = float_dtype(x, coefficient)
    check_numbers(bias)
    x, coefficient, bias = (np.asarray(array, dtype) for array in (x, coefficient, bias))
    averages, pool = average_pool2d(x, kernel_size, stride, padding)
    for name, array in {"coefficient": coefficient, "bias": bias}.items():
        if array.shape != x.shape[1:2]:
            raise ValueError(
                f"{name} has shape {array.shape}: x {x.shape} needs one value a map, "
                f"({x.shape[1]},)"
            )
    y = averages * coefficient[:, None, None]
    y += bias[:, None, None]
    return y, SubsamplingCache(averages, coefficient, pool)


def subsample2d_backward(
    dy: np.ndarray, cache: SubsamplingCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dcoefficient, dbias) of :func:`subsample2d` for dy (N, C, oh, ow).

    ``dcoefficient[c] = sum of dy * average``, ``dbias[c] = sum of dy``, and every element of a
    window gets ``coefficient[c] * dy / elements``.
    """
    averages = cache.averages
    dy = in_layout_of(averages, as_gradient(dy, averages.shape, averages.dtype))
    dcoefficient, dbias = sum_by_map(dy * averages), sum_by_map(dy)
    dx = average_pool2d_backward(dy * cache.coefficient[:, None, None], cache.pool)
    return dx, dcoefficient, dbias
