"""What an image is here: frames of pixels, alpha beside them, and what the file said about them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

WHITE = {"uint8": 255.0, "uint16": 65535.0}
"""The value of white for the integer depths; for float32 the caller says what it is."""

DEFAULT_DURATION = 100
"""Milliseconds for a frame of an animation that came without a time."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: the only one of a photograph, one of many of an animation.

    pixels: (H, W, C), C-contiguous, uint8, uint16 or float32; colour only. C is 1 or 3, and
        anything for .npy.
    alpha: (H, W) of the same dtype, or None when the file has none.
    duration: milliseconds that the frame is shown, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    duration: int | None = None


@dataclass(frozen=True, eq=False)
class Metadata:
    """What comes with the pixels and is written back where the format can.

    icc_profile: the colour profile.
    dpi: dots per inch, (horizontal, vertical).
    exif: an EXIF block that starts with `Exif\\0\\0`; never holds an orientation.
    loop: how often an animation plays in all, 0 for ever; None when the file does not say (once).
    """

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    loop: int | None = None

    def fitting(self, *channels: int) -> Metadata:
        """Without a colour profile for another number of channels than each of these.

        Source: ICC.1:2022, 7.2.6, bytes 16-19.
        """
        space = self.icc_profile and self.icc_profile[16:20]
        if all(space == {1: b"GRAY", 3: b"RGB "}.get(count) for count in channels):
            return self
        return replace(self, icc_profile=None)


@dataclass(frozen=True, eq=False)
class Image:
    """An image as it was read or is to be written.

    frames: in the order they are shown; more than one for GIF, APNG, animated WebP and TIFF pages.
        All have one dtype. Only the pages of a TIFF may differ in size and channels.
    white: the value of white: 255 for uint8, 65535 for uint16, as the caller says for float32.
    format: 'PNG', 'JPEG', 'TIFF', 'WEBP', 'BMP', 'PPM', 'GIF' or 'NPY'.
    """

    frames: tuple[Frame, ...]
    white: float
    format: str
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(frozen=True)
class ImageInfo:
    """What the headers of a file say, before anything is decoded.

    width, height: pixels, as the picture is shown (after its EXIF orientation).
    channels: of colour, without alpha. depth: '1-bit', '8-bit', '16-bit' or 'float'.
    mode: the name of the pixel layout, as Pillow (or NumPy, for .npy) calls it.
    """

    format: str
    width: int
    height: int
    channels: int
    depth: str
    frames: int
    mode: str
    alpha: bool = False


def plain_dpi(dpi: Any) -> tuple[float, float] | None:
    """Two sensible numbers, or None."""
    try:
        across, down = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(each) and 0.1 <= each <= 1e5 for each in (across, down))
    return (across, down) if sensible else None
