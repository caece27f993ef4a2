"""Matrix products of layers: skinny ones, cut to the size at which BLAS is fastest.

A layer's matrices are skinny: 16 filters, 150 taps, thousands of pixels. OpenBLAS copies both
operands into packed blocks before it multiplies, which costs such a product a third of its time.
Where it has kernels that take small operands as they lie, the pixels are cut into tiles that are
small in that sense, all in one call of NumPy's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from cnntool.engine.fast.threads import multiplies_unpacked

SMALL_PRODUCT = 1_000_000
"""Multiplications up to which OpenBLAS packs nothing."""

SMALL_RESULT = 1200
"""Elements of the result up to which that is so for a sum over pixels."""

TILE = 64
"""Tiles that leave a rest are multiples of so many pixels: four registers of 16."""


def multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> np.ndarray:
    """``left (..., M, K) @ right (..., K, P)`` into out (..., M, P), for many pixels P."""
    *groups, m, k = left.shape
    pixels = right.shape[-1]
    together = _divisor(m, SMALL_PRODUCT // (k * TILE))
    if m * k * pixels <= SMALL_PRODUCT or together < min(m, 8) or not multiplies_unpacked():
        return np.matmul(left, right, out=out)
    tile = _even_tile(pixels, SMALL_PRODUCT // (together * k * TILE) * TILE)
    (right, right_rest), (tiles, rest) = _tiles(right, k, tile), _tiles(out, together, tile)
    np.matmul(left.reshape(*groups, m // together, 1, together, k), right, out=tiles)
    if rest.size:
        np.matmul(left, right_rest, out=rest)
    return out


def multiply_over_pixels(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left (..., M, P) @ right (..., K, P)^T``: (..., M, K), a sum over many pixels P."""
    *groups, m, pixels = left.shape
    k = right.shape[-2]
    together = _divisor(k, SMALL_RESULT // m)
    tile = SMALL_PRODUCT // (m * max(1, together) * TILE) * TILE
    is_small = m * k <= SMALL_RESULT and m * k * pixels <= SMALL_PRODUCT
    if is_small or together < min(k, 8) or not tile or not multiplies_unpacked():
        return np.matmul(right, left.swapaxes(-1, -2)).swapaxes(-1, -2)
    tile = _even_tile(pixels, tile)
    (right, right_rest), (left, left_rest) = _tiles(right, together, tile), _tiles(left, m, tile)
    total = np.matmul(right, left.swapaxes(-1, -2)).sum(axis=-3)  # over tiles
    total = total.reshape(*groups, k, m)
    if left_rest.size:
        total += np.matmul(right_rest, left_rest.swapaxes(-1, -2))
    return total.swapaxes(-1, -2)


def multiply_rows(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left (N, K) @ right (K, P)`` for many rows N."""
    n, k = left.shape
    p = right.shape[1]
    rows = _divisor(n, SMALL_PRODUCT // max(1, k * p))
    if rows < 8 or not multiplies_unpacked():
        return left @ right
    return np.matmul(left.reshape(n // rows, rows, k), right).reshape(n, p)


def multiply_over_rows(
    left: np.ndarray, right: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """``left (N, M)^T @ right (N, P)``: (M, P), a sum over many rows N."""
    (n, m), p = left.shape, right.shape[1]
    width = _divisor(p, min(SMALL_RESULT // max(1, m), SMALL_PRODUCT // max(1, m * n)))
    if width < 16 or not multiplies_unpacked():
        return np.matmul(left.T, right, out=out)
    out = np.empty((m, p), right.dtype) if out is None else out
    np.matmul(left.T, _columns(right, width), out=_columns(out, width))
    return out


def column_tiles(right: np.ndarray, rows: int) -> np.ndarray:
    """A copy of ``right (K, P)`` in columns (tiles, K, P / tiles), each of which makes a small
    product with as many rows, for :func:`multiplier`."""
    k, p = right.shape
    width = _divisor(p, SMALL_PRODUCT // max(1, k * rows))
    width = width if width >= min(p, 8) and multiplies_unpacked() else p
    return np.ascontiguousarray(_columns(right, width))


def multiplier(tiles: np.ndarray, out: np.ndarray) -> Callable[[np.ndarray], object]:
    """What writes ``left (M, K) @ right (K, P)`` into out (M, P), for one left after the other."""
    if len(tiles) == 1:  # a fifth less than matmul where all is small
        return lambda left: np.dot(left, tiles[0], out)
    columns = _columns(out, tiles.shape[2])
    return lambda left: np.matmul(left, tiles, columns)


def _columns(matrix: np.ndarray, width: int) -> np.ndarray:
    """See (M, P) as (P / width, M, width)."""
    m, p = matrix.shape
    return matrix.reshape(m, p // max(1, width), width).swapaxes(0, 1)


@functools.lru_cache(maxsize=256)
def _divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most ``most``, 0 if there is none."""
    return next((n for n in range(min(number, most), 0, -1) if number % n == 0), 0)


def _even_tile(pixels: int, most: int) -> int:
    """Pixels of a tile: all, equal shares of whole registers, or ``most`` and a rest."""
    count = max(1, -(-pixels // most))
    return pixels // count if count == 1 or pixels % (count * 16) == 0 else most


def _tiles(matrix: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """See (..., M, P) as whole tiles (..., M / rows, P // columns, rows, columns), and the rest."""
    *groups, m, p = matrix.shape
    count = p // columns
    tiles = matrix[..., : count * columns].reshape(*groups, m // rows, rows, count, columns)
    return tiles.swapaxes(-3, -2), matrix[..., count * columns :]
