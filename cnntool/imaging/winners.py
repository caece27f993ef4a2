"""Which pixels of a picture win the windows of max or min pooling, marked in the picture itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnntool.engine.max_pooling import max_pool2d, max_pool2d_indices
from cnntool.engine.pool_windows import crop
from cnntool.engine.windows import Axis
from cnntool.files.image import Frame, Image, luminance
from cnntool.imaging.pooling import Pooling, filled_up, pool_axes

BLOCK_PIXELS = 1 << 20
"""Pixels whose windows are looked at together."""

DIMMED = 0.4


def mark_winners(image: Image, pooling: Pooling) -> tuple[Image, float]:
    """The picture as dimmed grey with its winners marked, and which share of the pixels won.

    A winner of a grey picture is red. In colour each channel has winners of its own: a pixel is red
    where it won in red, yellow where it won in red and green, white where it won in all. Raises
    InputError where no window fits.
    """
    frames, shares = [], []
    for frame in image.frames:
        won = winners(frame, image.white, pooling)
        shares.append(float(won.any(axis=2).mean()))
        frames.append(replace(frame, pixels=_marked(frame, won, image.white)))
    return replace(image, frames=tuple(frames)), sum(shares) / len(shares)


def winners(frame: Frame, white: float, pooling: Pooling) -> np.ndarray:
    """Where in (H, W, C) an element is the first largest (or smallest) of a window: bool.

    A pixel that is wholly transparent never wins.
    """
    height, width, channels = frame.pixels.shape
    frame, pooling = filled_up(frame, white, pooling)
    pixels = frame.pixels
    rows, columns = pool_axes(pixels.shape[0], pixels.shape[1], pooling)
    across, part_columns = crop(columns, slice(0, columns.output_size))
    won = np.zeros((*pixels.shape[:2], channels), bool)
    lines = max(1, BLOCK_PIXELS // (rows.stride * pixels.shape[1]))
    for top in range(0, rows.output_size, lines):
        down, part_rows = crop(rows, slice(top, min(top + lines, rows.output_size)))
        hidden = None if frame.alpha is None else frame.alpha[down, across] <= 0
        block = _ranked(pixels[down, across], pooling.mode, hidden)
        planes = np.ascontiguousarray(block.transpose(2, 0, 1))[None]
        padding = tuple(
            (part.before, min(part.after, whole.after))
            for part, whole in ((part_rows, rows), (part_columns, columns))
        )
        indices = _first_largest(planes, rows, columns, padding)[0].reshape(channels, -1)
        flags = np.zeros((channels, planes[0, 0].size), bool)
        np.put_along_axis(flags, indices, True, axis=1)
        flags = flags.reshape(planes.shape[1:]).transpose(1, 2, 0)
        won[down, across] |= flags if hidden is None else flags & ~hidden[..., None]
    return won[:height, :width]


def _first_largest(planes: np.ndarray, rows: Axis, columns: Axis, padding) -> np.ndarray:
    """Where in its plane the first largest element of each window of (1, C, H, W) lies.

    The first in reading order is the leftmost of the topmost line that holds one. So lines are
    searched across, and their largest down: kh + kw steps for a window of kh x kw.
    """
    down, across = padding
    largest, cache = max_pool2d(
        planes,
        (1, columns.kernel_size),
        (1, columns.stride),
        ((0, 0), across),
        (1, columns.dilation),
        True,
    )
    leftmost = max_pool2d_indices(cache)
    _, cache = max_pool2d(
        largest, (rows.kernel_size, 1), (rows.stride, 1), (down, (0, 0)), (rows.dilation, 1), True
    )
    topmost = max_pool2d_indices(cache)
    each = *planes.shape[:2], -1
    found = np.take_along_axis(leftmost.reshape(each), topmost.reshape(each), axis=2)
    return found.reshape(topmost.shape)


def _ranked(pixels: np.ndarray, mode: str, hidden: np.ndarray | None) -> np.ndarray:
    """Pixels whose largest is what the mode looks for; ``hidden`` ones are below all others."""
    is_float = pixels.dtype.kind == "f"
    if mode == "min":
        pixels = -pixels if is_float else ~pixels
    if hidden is None or not hidden.any():
        return pixels
    if not is_float:
        pixels = pixels.astype(np.int32)  # which has room below 0
    return np.where(hidden[..., None], pixels.dtype.type(-np.inf if is_float else -1), pixels)


def _marked(frame: Frame, won: np.ndarray, white: float) -> np.ndarray:
    grey = luminance(frame.pixels) if frame.pixels.shape[2] == 3 else frame.pixels[..., :1]
    dimmed = (grey * np.float32(DIMMED)).astype(frame.pixels.dtype)
    marked = np.repeat(dimmed, 3, axis=2)
    if won.shape[2] == 3:
        marked[won.any(axis=2)] = 0
        marked[won] = white
    else:
        marked[won.any(axis=2)] = (white, 0, 0)
    return marked
