"""All parameters of a network in one vector, so that a few long NumPy calls change them all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

ALIGNMENT = 64
"""Bytes: one cache line, and the widest vector register."""


def flatten(params: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Copy arrays into one vector: (vector (n,), views by path into it, in the same order).

    What is written into a view stands in the vector, and the other way round. All arrays must be of
    one dtype, float32 or float64. The order of the paths is the order in the vector: two networks
    built alike have their parameters in the same places.

    >>> vector, views = flatten({"a": np.eye(2), "b": np.full(3, 5.0)})
    >>> vector *= 2
    >>> views["a"].tolist(), views["b"].tolist()
    ([[2.0, 0.0], [0.0, 2.0]], [10.0, 10.0, 10.0])
    """
    dtypes = sorted({str(array.dtype) for array in params.values()})
    if dtypes not in (["float32"], ["float64"]):
        raise ValueError(
            f"parameters are {' and '.join(dtypes) or 'none'}: expected one float type"
        )
    vector = aligned_zeros(sum(array.size for array in params.values()), dtypes[0])
    views = views_of(vector, params)
    fill(views, params)
    return vector, views


def views_of(vector: np.ndarray, params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Views into a vector (n,) with the paths, shapes and order of ``params``, in C order."""
    size = sum(array.size for array in params.values())
    if vector.shape != (size,):
        raise ValueError(f"the vector is {vector.shape}: the parameters need ({size},)")
    views, start = {}, 0
    for path, array in params.items():
        stop = start + array.size
        views[path] = vector[start:stop].reshape(array.shape)
        start = stop
    return views


def fill(views: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy arrays, such as the gradients of a backward pass, into the views of the same paths."""
    if views.keys() != arrays.keys():
        odd = sorted(views.keys() ^ arrays.keys())
        raise ValueError(f"{odd[0]} stands on one side only: both need the same paths")
    for path, view in views.items():
        if view.shape != arrays[path].shape:  # copyto would broadcast
            raise ValueError(f"{path} is {arrays[path].shape}: its view is {view.shape}")
        np.copyto(view, arrays[path])


def weights_only(params: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n,) bool: True in the places of weights, False in those of biases and normalization.

    A weight has two axes and more; a bias, and the scale and shift of batch norm, have one.
    """
    return np.concatenate([np.full(array.size, array.ndim > 1) for array in params.values()])


def aligned_zeros(size: int, dtype: np.dtype | str) -> np.ndarray:
    """Zeros (size,) from a cache line's start: NumPy's own start at byte 16, a tenth slower."""
    dtype = np.dtype(dtype)
    buffer = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size * dtype.itemsize].view(dtype)
