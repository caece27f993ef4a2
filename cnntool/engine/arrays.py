"""What every operation asks of its arrays: a floating dtype, and gradients of the right shape."""

from __future__ import annotations

import numpy as np


def float_dtype(*arrays: np.ndarray) -> np.dtype:
    """The dtype to compute in: float64 where one of the arrays has real numbers of 64 bits or more,
    whatever their order of bytes, else float32. Errors as of :func:`check_numbers`.
    """
    check_numbers(*arrays)
    dtypes = [np.asarray(array).dtype for array in arrays]
    is_double = any(dtype.kind == "f" and dtype.itemsize >= 8 for dtype in dtypes)
    return np.dtype(np.float64 if is_double else np.float32)


def check_numbers(*arrays: np.ndarray | None) -> None:
    """ValueError where an array holds anything but numbers, such as text, or some are masked; None
    is no array."""
    for array in arrays:
        if array is None:
            continue
        dtype = np.asarray(array).dtype
        if dtype.kind not in "buif":
            raise ValueError(f"an array of {dtype}: expected whole or real numbers")
        if type(array) is not np.ndarray and np.ma.is_masked(array):  # np.ma is slow to import
            raise ValueError("some elements are masked: fill them first, such as by x.filled(0)")


def as_numbers(array: np.ndarray) -> np.ndarray:
    """The array in its own dtype, in this machine's order of bytes; errors as above."""
    check_numbers(array)
    array = np.asarray(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def as_gradient(dy: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """``dy`` as the gradient of an output of this shape; ValueError where its shape differs.

    Without the check a wrong shape would broadcast, and the gradient be wrong in silence.
    """
    check_numbers(dy)
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


def quotients(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below`` in float64, of arrays that broadcast; 0 where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below != 0)


def within(lengths: np.ndarray, steps: int, batch: int) -> np.ndarray:
    """(T, B) booleans: whether step t of sequence b is before its end; ValueError unless lengths
    are (B,) whole numbers from 0 to T."""
    check_numbers(lengths)
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
