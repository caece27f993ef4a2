"""Images of one size to another, with antialiasing, many at once."""

from __future__ import annotations

import numpy as np

BLOCK_VALUES = 1 << 24


def resize(x: np.ndarray, size: tuple[int, int], white: float = 255.0) -> np.ndarray:
    """Images (N, C, H, W) as (N, C, height, width) of the same dtype, uint8 or float32.

    Pillow's Lanczos filter, stretched over the pixels that an output pixel covers when the image
    becomes smaller; values stay from 0 to ``white`` where the images do. Every image is resized
    along its rows, then along its columns, so that a stack of images is one tall picture for each
    pass, and an image becomes the same alone and among others.

    Source: C. E. Duchon, Lanczos filtering in one and two dimensions, J. Appl. Meteorology, 1979.
    """
    if x.shape[2:] == tuple(size):
        return x
    out = np.empty((*x.shape[:2], *size), x.dtype)
    step = max(1, BLOCK_VALUES // max(1, x[:1].size))
    for start in range(0, len(x), step):
        block = x[start : start + step]
        rows = _along_rows(block, size[1])
        columns = _along_rows(np.ascontiguousarray(rows.swapaxes(2, 3)), size[0])
        out[start : start + step] = columns.swapaxes(2, 3)
    if x.dtype == np.float32:  # the filter overshoots at edges; uint8 is clipped by Pillow
        np.clip(out, min(0.0, x.min()), max(white, x.max()), out=out)
    return out


def _along_rows(x: np.ndarray, width: int) -> np.ndarray:
    """(N, C, H, W) to (N, C, H, width)."""
    if x.shape[3] == width:
        return x
    from PIL import Image

    rows = x.size // x.shape[3]
    picture = Image.fromarray(np.ascontiguousarray(x).reshape(rows, x.shape[3]))
    resized = np.asarray(picture.resize((width, rows), Image.Resampling.LANCZOS))
    return resized.reshape(*x.shape[:3], width)
