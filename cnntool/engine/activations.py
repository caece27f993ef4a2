"""Activations, element by element; each keeps its output, which is all its derivative needs."""

from __future__ import annotations

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype, kept_where


def relu(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = max(x, 0)`` of any shape; float64 for float64, else float32. The cache is y."""
    x = np.asarray(x, float_dtype(x))
    y = np.maximum(x, x.dtype.type(0))
    return y, y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy where x > 0, else 0``: at 0, where there is no derivative, 0 as in PyTorch.

    Where x is not above 0, dx is 0 even if dy is infinite or not a number.
    """
    return kept_where(y > 0, as_gradient(dy, y.shape, y.dtype))


def tanh(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = tanh(x)`` of any shape; float64 for float64, else float32. The cache is y."""
    y = np.tanh(np.asarray(x, float_dtype(x)))
    return y, y


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * (1 - y^2)``, from the output y."""
    return as_gradient(dy, y.shape, y.dtype) * (y.dtype.type(1) - y * y)


AMPLITUDE, SLOPE = 1.7159, 2 / 3
"""Of scaled tanh, so that f(1) = 1 and f(-1) = -1, and the curvature is largest there."""


def scaled_tanh(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = 1.7159 tanh(2x/3)`` of any shape; float64 for float64, else float32. The cache is y.

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86,
    1998, appendix A.
    """
    x = np.asarray(x, float_dtype(x))
    y = np.tanh(x * x.dtype.type(SLOPE)) * x.dtype.type(AMPLITUDE)
    return y, y


def scaled_tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * 2/3 * (1.7159 - y^2 / 1.7159)``, from the output y."""
    steepest, bend = y.dtype.type(SLOPE * AMPLITUDE), y.dtype.type(SLOPE / AMPLITUDE)
    return as_gradient(dy, y.shape, y.dtype) * (steepest - bend * (y * y))


def sigmoid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = 1 / (1 + exp(-x))`` of any shape; float64 for float64, else float32. The cache is y.

    Where ``exp(-x)`` is beyond the dtype it counts as infinite, and y is 0, which is the true value
    rounded; no number is subtracted from one close to it, so small y are as exact as large ones.
    """
    x = np.asarray(x, float_dtype(x))
    one = x.dtype.type(1)
    with np.errstate(over="ignore", under="ignore"):
        y = one / (one + np.exp(-x))
    return y, y


def sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * y * (1 - y)``, from the output y."""
    return as_gradient(dy, y.shape, y.dtype) * (y * (y.dtype.type(1) - y))
