"""LeNet-5's subsampling: average pooling with a trainable coefficient and bias for each map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype
from cnntool.engine.layout import in_layout_of, sum_by_map
from cnntool.engine.pool_windows import Size
from cnntool.engine.pooling import MeanPoolCache, average_pool2d, average_pool2d_backward
from cnntool.engine.windows import AxisPaddings


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
