"""Kernels as banded matrices: the trick that turns sliding into matrix products.

Row r of a band matrix holds the kernel moved r steps along. One product with it gives several
neighbouring outputs from one copy of their inputs, where plain im2col copies the inputs anew for
each. A kernel that is a sum of few outer products (low rank) needs no copy for each of its columns:
a band matrix from the left slides its columns, one from the right its rows.
"""

from __future__ import annotations

import numpy as np


def band_matrix(kernels: np.ndarray, outputs: int, stride: int, dilation: int) -> np.ndarray:
    """Kernels (F, taps, kh) moved down ``outputs`` times: (F * outputs, taps * span).

    ``span = (outputs-1)*stride + (kh-1)*dilation + 1`` is the number of rows that the outputs see.
    The columns agree with the rows of :func:`cnntool.engine.windows.im2col_strips`.
    """
    filters, taps, kernel_size = kernels.shape
    span = (outputs - 1) * stride + (kernel_size - 1) * dilation + 1
    bands = np.zeros((filters, outputs, taps, span), kernels.dtype)
    for output in range(outputs):
        first = output * stride
        bands[:, output, :, first : first + (kernel_size - 1) * dilation + 1 : dilation] = kernels
    return bands.reshape(filters * outputs, taps * span)


def right_band_matrix(
    row: np.ndarray, outputs: int, stride: int, dilation: int, channels: int
) -> np.ndarray:
    """A row kernel (kw,) for interleaved channels: (span * channels, outputs * channels).

    ``pixels (N, span*channels) @ matrix`` gives ``outputs`` neighbouring pixels of each channel.
    """
    bands = band_matrix(row[None, None], outputs, stride, dilation)  # (outputs, span)
    return np.kron(bands.T, np.eye(channels, dtype=row.dtype))


def low_rank(
    kernel: np.ndarray, max_rank: int, tolerance: float
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Write a kernel (kh, kw) as a sum of at most ``max_rank`` outer products (column, row).

    Cross approximation with full pivoting: each step takes off the cross through the largest
    remaining weight, ``R -= R[:, j] R[i, :] / R[i, j]``, which lowers the rank by one; done when
    ``sum |R| <= tolerance * sum |kernel|``. What the response to pixels of size p lacks is then at
    most ``tolerance * p * sum |kernel|``, however many faint weights were left. Returns None where
    it takes more than ``max_rank`` steps. Source: Bebendorf, Numerische Mathematik 86 (2000).
    """
    rest = kernel.astype(np.float64)
    limit = tolerance * _total_size(rest)
    factors = []
    for _ in range(max_rank + 1):
        largest, smallest = rest.argmax(), rest.argmin()
        place = largest if rest.flat[largest] >= -rest.flat[smallest] else smallest
        i, j = np.unravel_index(place, rest.shape)
        pivot = rest[i, j]
        if pivot == 0 or _total_size(rest) <= limit:
            return factors
        column, row = rest[:, j] / pivot, rest[i].copy()
        for weights, factor in zip(rest, column, strict=True):  # a row at a time: no second kernel
            weights -= factor * row
        factors.append((column, row))
    return None


def _total_size(weights: np.ndarray) -> float:
    """``sum |w|``, a row at a time."""
    return float(sum(np.abs(row).sum() for row in weights))
