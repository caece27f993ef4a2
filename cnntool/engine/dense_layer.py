"""A dense (fully connected) layer: one matrix product forward, two backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype


@dataclass(frozen=True, eq=False)
class DenseCache:
    """What the way back needs."""

    x: np.ndarray  # (..., inputs)
    weight: np.ndarray  # (inputs, outputs)
    has_bias: bool


def dense(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
) -> tuple[np.ndarray, DenseCache]:
    """``y = x W + b``: x (..., inputs), weight (inputs, outputs), bias (outputs,).

    The weight lies transposed against PyTorch's ``nn.Linear``. Any number of leading axes, none
    included. Returns y (..., outputs) and the cache for :func:`dense_backward`;
    float64 where x or weight is, else float32. Raises ValueError where the shapes do not fit.
    """
    dtype = float_dtype(x, weight)
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    _check_shapes(x, weight, bias)
    y = x.reshape(-1, x.shape[-1]) @ weight
    if bias is not None:
        y += bias
    cache = DenseCache(x, weight, bias is not None)
    return y.reshape(*x.shape[:-1], weight.shape[1]), cache


def dense_backward(
    dy: np.ndarray, cache: DenseCache, *, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`dense` for dy (..., outputs).

    ``dx = dy W^T``, ``dweight = x^T dy`` and ``dbias = sum of dy``, the leading axes taken as one.
    dbias is None without a bias; without ``need_dx`` (a first layer) dx is None.
    """
    x, weight = cache.x, cache.weight
    inputs, outputs = weight.shape
    dy = as_gradient(dy, (*x.shape[:-1], outputs), x.dtype).reshape(-1, outputs)
    dx = (dy @ weight.T).reshape(x.shape) if need_dx else None
    dweight = x.reshape(-1, inputs).T @ dy
    return dx, dweight, dy.sum(axis=0) if cache.has_bias else None


def _check_shapes(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
    if weight.ndim != 2:
        raise ValueError(f"weight has shape {weight.shape}: expected (inputs, outputs)")
    inputs, outputs = weight.shape
    if x.ndim == 0 or x.shape[-1] != inputs:
        raise ValueError(f"x has shape {x.shape}: weight {weight.shape} takes (..., {inputs})")
    if bias is not None and np.shape(bias) != (outputs,):
        raise ValueError(
            f"bias has shape {np.shape(bias)}: expected one value an output, ({outputs},)"
        )
