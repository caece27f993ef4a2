"""Activations, element by element; each keeps its output, which is all its derivative needs."""

from __future__ import annotations

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype


def relu(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = max(x, 0)`` of any shape; float64 for float64, else float32. The cache is y."""
    y = np.maximum(np.asarray(x, float_dtype(x)), 0)
    return y, y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy where x > 0, else 0``: at 0, where there is no derivative, 0 as in PyTorch."""
    return as_gradient(dy, y.shape, y.dtype) * (y > 0)


def tanh(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = tanh(x)`` of any shape; float64 for float64, else float32. The cache is y."""
    y = np.tanh(np.asarray(x, float_dtype(x)))
    return y, y


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * (1 - y^2)``, from the output y."""
    return as_gradient(dy, y.shape, y.dtype) * (1 - y * y)


def sigmoid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = 1 / (1 + exp(-x))`` of any shape; float64 for float64, else float32. The cache is y.

    Where ``exp(-x)`` is beyond the dtype it counts as infinite, and y is 0, which is the true value
    rounded; no number is subtracted from one close to it, so small y are as exact as large ones.
    """
    x = np.asarray(x, float_dtype(x))
    with np.errstate(over="ignore", under="ignore"):
        y = 1 / (1 + np.exp(-x))
    return y, y


def sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * y * (1 - y)``, from the output y."""
    return as_gradient(dy, y.shape, y.dtype) * (y * (1 - y))
