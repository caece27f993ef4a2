"""Convolution layers in one and two dimensions, forward and backward, as matrix products.

Layers compute cross-correlation, as every framework does:
``y[n, f, i, j] = bias[f] + sum over c, k, l of weight[f, c, k, l] * x[n, c, i*s - p + k*d, ...]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype
from cnntool.engine.fast import blocks, is_textbook, samples_innermost, winograd
from cnntool.engine.fast.blocks import SHARED_PRODUCTS
from cnntool.engine.fast.layout import batch_last, in_layout_of, is_batch_last, sum_by_map
from cnntool.engine.fast.threads import available_cores, together
from cnntool.engine.windows import Axis, AxisPaddings, per_axis, plan_axes

FEWEST_SAMPLES, MOST_WIDTH = 16, 64
"""Maps are copied to have their samples innermost where there are so many samples and so few
columns."""

DEEP = 48
"""Input and output maps of a group from which on Winograd's fewer multiplications are worth more.
"""

SIDE_BY_SIDE, ONE_BY_ONE = 1 << 24, SHARED_PRODUCTS
"""Multiplications from which on both gradients go on a thread each, and from which on one after the
other on all threads."""


@dataclass(frozen=True, eq=False)
class ConvolutionCache:
    """What the way back needs; columns are unfolded again there, so memory stays bounded."""

    x: np.ndarray  # (N, C, H, W)
    weight: np.ndarray  # (F, C // groups, kh, kw), zero where the connection table has no entry
    axes: tuple[Axis, Axis]
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
    :func:`conv2d_backward`, in the layout (:mod:`cnntool.engine.fast.layout`) that serves x best.
    Raises ValueError, naming the shapes, where they do not fit.
    """
    dtype = float_dtype(x, weight)
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    bias = bias if bias is None else np.asarray(bias, dtype)
    _check_shapes(x, weight, bias, groups, connections)
    axes = plan_axes(x.shape[2:], weight.shape[2:], stride, dilation, padding)
    if connections is not None:
        connections = np.asarray(connections, bool)
        weight = weight * connections[:, :, None, None]
    if is_textbook() or (_is_deep(weight, groups) and winograd.suits(x, weight, axes, groups)):
        x = np.ascontiguousarray(x)
    elif len(x) >= FEWEST_SAMPLES and x.shape[3] <= MOST_WIDTH:
        x = batch_last(x)
    way = _way(x, weight, axes, groups)
    y = way.correlate(x, weight, bias, axes, groups)
    return y, ConvolutionCache(x, weight, axes, groups, connections, bias is not None)


def conv2d_backward(
    dy: np.ndarray, cache: ConvolutionCache, *, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`conv2d` for dy (N, F, oh, ow).

    ``dweight[f, c, k, l] = sum over n, i, j of dy[n, f, i, j] * x[n, c, i*s - p + k*d, ...]``;
    dx is dy spread back through the same weights, which at stride 1 is a convolution of dy with the
    kernels turned by 180 degrees. dbias sums dy, None without a bias. Without ``need_dx`` (a first
    layer) dx is None and its work is saved.
    """
    shape = len(cache.x), len(cache.weight), *(axis.output_size for axis in cache.axes)
    x, weight, axes, groups = cache.x, cache.weight, cache.axes, cache.groups
    dy = in_layout_of(x, as_gradient(dy, shape, x.dtype))
    way = _way(x, weight, axes, groups)
    back_to_x = lambda: way.input_gradient(dy, weight, axes, groups)
    back_to_weight = lambda: way.weight_gradient(dy, x, weight.shape, axes, groups)
    if need_dx and SIDE_BY_SIDE <= dy.size * weight[0].size < ONE_BY_ONE:
        dx, dweight = together(back_to_x, back_to_weight, threads=available_cores())
    else:
        dx, dweight = back_to_x() if need_dx else None, back_to_weight()
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
    x, weight = np.asarray(x), np.asarray(weight)
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


def _is_deep(weight: np.ndarray, groups: int) -> bool:
    return min(len(weight) // groups, weight.shape[1]) >= DEEP


def _way(x: np.ndarray, weight: np.ndarray, axes: tuple[Axis, Axis], groups: int) -> ModuleType:
    """The module whose functions are fastest here."""
    if is_textbook():
        return blocks
    if is_batch_last(x):
        return samples_innermost
    return winograd if winograd.suits(x, weight, axes, groups) else blocks


def _check_shapes(x, weight, bias, groups: int, connections) -> None:
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(
            f"conv2d takes x (N, C, H, W) and weight (F, C // groups, kh, kw), not {x.shape} and "
            f"{weight.shape}"
        )
    filters, maps, channels = len(weight), weight.shape[1], x.shape[1]
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
