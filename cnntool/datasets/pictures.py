"""A picture from a file as the planes (C, H, W) that a network takes."""

from __future__ import annotations

import numpy as np

from cnntool.datasets.resizing import resize
from cnntool.errors import InputError
from cnntool.imaging.image import Image, luminance

COLOURS = {"grey": 1, "rgb": 3}
"""How many channels a colour mode has."""


def picture_planes(
    image: Image, channels: int, size: tuple[int, int] | None, dtype: type = np.uint8
) -> np.ndarray:
    """The first frame of an image as (channels, H, W): uint8 up to 255, or float32 up to 1.

    channels: 1 makes colour grey (luminance), 3 repeats grey. size: (height, width) to resize to.
    Transparent pixels show white behind them, as on a page. InputError for other channels.
    """
    frame = image.frames[0]
    pixels, white = frame.pixels, image.white
    if frame.alpha is not None:
        alpha = frame.alpha[..., None].astype(np.float32) / np.float32(white)
        blended = white - (white - pixels) * np.clip(alpha, 0, 1)
        exact = np.rint(blended) if pixels.dtype.kind == "u" else blended
        pixels = exact.astype(pixels.dtype)
    if pixels.dtype != np.uint8:
        pixels, white = pixels.astype(np.float32) / np.float32(white), 1.0
    planes = with_channels(pixels.transpose(2, 0, 1)[None], channels, "the image")
    planes = resize(planes, size, white) if size else planes
    return in_dtype(planes, white, dtype)[0]


def with_channels(x: np.ndarray, channels: int, name: str) -> np.ndarray:
    """Images (N, C, H, W) in grey (1) or in colour (3). InputError for other numbers of channels.

    Colour becomes luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601-7); grey is repeated.
    """
    count, given, height, width = x.shape
    if given == channels:
        return np.ascontiguousarray(x)
    if given == 1 and channels == 3:
        return np.repeat(x, channels, axis=1)
    if given == 3 and channels == 1:
        rows = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(count * height, width, 3)
        return luminance(rows).reshape(count, 1, height, width)
    raise InputError(f"{name} has {given} channels, expected {channels}: grey has 1, colour 3")


def in_dtype(x: np.ndarray, white: float, dtype: type) -> np.ndarray:
    """uint8 with 255 as white, or float32 with 1."""
    if x.dtype == dtype:
        return x
    if dtype == np.uint8:
        return np.rint(np.clip(x * np.float32(255 / white), 0, 255)).astype(np.uint8)
    return x.astype(np.float32) / np.float32(white)
