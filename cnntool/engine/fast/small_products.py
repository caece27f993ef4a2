"""Matrix products in tiles so small that OpenBLAS multiplies operands as they lie.

On processors with AVX-512 it packs the operands of larger products into panels first, which pays
where each is used often. Products of few filters, or of few units with a whole vocabulary, take 1.2
to 1.5 times as long by it. A batch of small products is one call of NumPy.
"""

from __future__ import annotations

import functools

import numpy as np

SMALL_PRODUCT = 1_000_000
"""Multiplications up to which no operand is packed."""

SMALL_RESULT = 1200
"""Elements of the result up to which none is where the sum is long."""

FEWEST_ROWS, FEWEST_PIXELS = 8, 64
"""Of a tile of a product: with fewer, calls are too many."""

MANY_FILTERS, LONG_SUM = 33, 128
"""From which on packing is little beside the product, which is faster whole than in tiles."""

TILE = 192
"""Places of a tile, where there are many of them, in any number."""


def multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """``left (..., M, K) @ right (..., K, P)`` into out, a tile of ``SMALL_PRODUCT`` at a time."""
    *_, m, k = left.shape
    if m >= MANY_FILTERS and k >= LONG_SUM:
        np.matmul(left, right, out=out)
        return
    rows = divisor(m, SMALL_PRODUCT // (k * FEWEST_PIXELS))
    pixels = divisor(out.shape[-1], SMALL_PRODUCT // (max(1, rows) * k))
    if rows < min(m, FEWEST_ROWS) or pixels < FEWEST_PIXELS:
        np.matmul(left, right, out=out)
    else:
        left, right = _tiles(left, rows, k), _tiles(right, k, pixels)
        np.matmul(left, right, out=_tiles(out, rows, pixels))


def multiply_over_pixels(windows: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The sum of ``windows (groups, rows, K, P) @ gradient (groups, rows, P, F)`` over rows, by
    tiles of pixels of ``SMALL_PRODUCT``: (groups, K, F)."""
    *_, k, count = windows.shape
    filters = gradient.shape[-1]
    if filters >= MANY_FILTERS and k >= LONG_SUM:
        return np.matmul(windows, gradient).sum(axis=1)
    weights = divisor(k, SMALL_RESULT // filters)
    pixels = divisor(count, SMALL_PRODUCT // (max(1, weights) * filters))
    if weights < min(k, FEWEST_ROWS) or pixels < FEWEST_PIXELS:
        return np.matmul(windows, gradient).sum(axis=1)
    gradient = _tiles(gradient, pixels, filters).swapaxes(2, 3)  # (groups, rows, 1, tiles, p, F)
    total = np.matmul(_tiles(windows, weights, pixels), gradient).sum(axis=(1, 3))
    return total.reshape(len(windows), k, filters)


def multiply_across(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """``left (M, K) @ right (K, P)`` into out, in tiles of P where they are small."""
    tiled = _tiled(left.size, right.shape[1])
    if tiled:
        right_tiles = _tiles(right[:, :tiled], len(right), TILE)[0]
        np.matmul(left, right_tiles, out=_tiles(out[:, :tiled], len(left), TILE)[0])
    if tiled < right.shape[1]:
        np.matmul(left, right[:, tiled:], out=out[:, tiled:])


def multiply_along(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left (M, P) @ right (P, K)``, summed over tiles of P where they are small."""
    tiled = _tiled(len(left) * right.shape[1], len(right))
    if not tiled:
        return left @ right
    left_tiles = _tiles(left[:, :tiled], len(left), TILE)[0]
    total = np.matmul(left_tiles, right[:tiled].reshape(-1, TILE, right.shape[1])).sum(axis=0)
    if tiled < len(right):
        total += left[:, tiled:] @ right[tiled:]
    return total


def _tiled(multiplications: int, places: int) -> int:
    """How many of the places are in whole tiles, with so many multiplications a place."""
    return places - places % TILE if multiplications * TILE <= SMALL_PRODUCT else 0


def _tiles(matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """See (..., M, P) as tiles (..., M / rows, P / columns, rows, columns)."""
    *groups, m, p = matrix.shape
    tiles = matrix.reshape(*groups, m // rows, rows, p // columns, columns)
    return tiles.swapaxes(-3, -2)


@functools.lru_cache(maxsize=256)
def divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most ``most``, 0 if there is none."""
    return next((n for n in range(min(number, most), 0, -1) if number % n == 0), 0)
