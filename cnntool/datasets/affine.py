"""Every image of a batch moved by an affine map of its own."""

from __future__ import annotations

import numpy as np

BLOCK_VALUES = 1 << 15
"""Values that are sampled at a time: they and their coordinates fit into the cache."""


def affine_sample(x: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Images as one affine map each moves them, sampled bilinearly; black beyond the edge.

    The output pixel in row r and column q shows the input at

        (row, column) = maps[n] @ (r, q, 1)

    At whole numbers that is a pixel; between them, the mean of the four around, weighted by
    (1 - |distance in rows|) (1 - |distance in columns|).

    x: (N, C, H, W) float32. maps: (N, 2, 3), from output to input, in pixels, with (0, 0) at the
    centre of the first pixel. Returns (N, C, H, W) float32.
    """
    count, channels, height, width = x.shape
    maps = np.asarray(maps, np.float32)
    out = np.empty((count, channels, height, width), np.float32)
    step = max(1, BLOCK_VALUES // (channels * height * width))
    for start in range(0, count, step):
        block = slice(start, start + step)
        _sample(x[block], maps[block], out[block])
    return out


def _sample(x: np.ndarray, maps: np.ndarray, out: np.ndarray) -> None:
    count, channels, height, width = x.shape
    padded_height, padded_width = height + 3, width + 3  # 1 of black before, 2 behind
    padded = np.zeros((channels, count, padded_height, padded_width), np.float32)
    padded[:, :, 1:-2, 1:-2] = x.swapaxes(0, 1)
    pixels = padded.reshape(channels, -1)

    rows = _coordinates(maps[:, 0], height, width, height)  # (N, H, W)
    columns = _coordinates(maps[:, 1], height, width, width)
    corner = rows.astype(np.intp)  # the pixel above and left of each point
    left = columns.astype(np.intp)
    rows -= corner
    columns -= left
    corner *= padded_width
    corner += left
    corner += np.arange(count)[:, None, None] * (padded_height * padded_width)

    upper = _between(pixels, corner, columns)  # (C, N, H, W)
    corner += padded_width
    lower = _between(pixels, corner, columns)
    lower -= upper
    lower *= rows
    upper += lower
    out[...] = upper.swapaxes(0, 1)


def _coordinates(row: np.ndarray, height: int, width: int, size: int) -> np.ndarray:
    """One row (N, 3) of the maps at every pixel, (N, H, W), counted in the padded image: 0 to
    size + 1, where all is black; what lies further out is black too."""
    row = row[:, :, None, None]
    r = np.arange(height, dtype=np.float32)[:, None]
    q = np.arange(width, dtype=np.float32)
    points = row[:, 1] * q + (row[:, 0] * r + (row[:, 2] + np.float32(1)))
    return np.clip(points, 0, np.float32(size + 1), out=points)


def _between(pixels: np.ndarray, left: np.ndarray, share: np.ndarray) -> np.ndarray:
    """left + share (right - left), for pixels that stand side by side in a row."""
    values = pixels.take(left, axis=1, mode="clip")
    right = pixels.take(left + 1, axis=1, mode="clip")
    right -= values
    right *= share
    values += right
    return values
