"""What an image is here: frames of pixels, alpha beside them, and what the file said about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Colour (H, W, 3) to grey (H, W, 1) of the same dtype: 0.299 R + 0.587 G + 0.114 B.

    Integers are rounded as Pillow's mode 'L' does. Source: ITU-R BT.601-7, section 2.5.1.
    """
    height, width, _ = pixels.shape
    grey = np.empty((height, width, 1), pixels.dtype)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        red, green, blue = np.moveaxis(pixels[rows], -1, 0)
        if pixels.dtype == np.float32:
            grey[rows, :, 0] = 0.299 * red + 0.587 * green + 0.114 * blue
        else:  # the weights in 1/65536; 65535 * 65536 + 32768 still fits 32 bits
            total = 19595 * red.astype(np.uint32) + 38470 * green.astype(np.uint32)
            total += 7471 * blue.astype(np.uint32) + 0x8000
            grey[rows, :, 0] = total >> 16
    return grey


def strips_of_samples(frame: Frame, dtype: str) -> Iterator[np.ndarray]:
    """A frame's samples a few rows at a time: (rows, W, S) of this dtype, alpha last."""
    height, width, channels = frame.pixels.shape
    samples = channels + (frame.alpha is not None)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, min(top + STRIP_ROWS, height))
        strip = np.empty((rows.stop - top, width, samples), dtype)
        strip[..., :channels] = frame.pixels[rows]
        if frame.alpha is not None:
            strip[..., -1] = frame.alpha[rows]
        yield strip


def alike(frames: list[Frame]) -> list[Frame]:
    """The frames with the same channels and, if any has one, an alpha each: an animation's."""
    channels = max(frame.pixels.shape[2] for frame in frames)
    with_alpha = any(frame.alpha is not None for frame in frames)
    return [_with_layout(frame, channels, with_alpha) for frame in frames]


def profile_fits(profile: bytes | None, channels: int) -> bool:
    """Whether an ICC profile is for this many channels. Source: ICC.1:2022, 7.2.6, bytes 16-19."""
    return profile is None or profile[16:20] == {1: b"GRAY", 3: b"RGB "}.get(channels)


STRIP_ROWS = 64
"""Rows that are handled at a time: enough to be fast, few enough that a copy costs nothing."""


def _with_layout(frame: Frame, channels: int, with_alpha: bool) -> Frame:
    pixels, alpha = frame.pixels, frame.alpha
    if pixels.shape[2] < channels:
        pixels = np.repeat(pixels, channels, axis=2)
    if with_alpha and alpha is None:
        alpha = np.full(pixels.shape[:2], WHITE.get(pixels.dtype.name, 1.0), pixels.dtype)
    return Frame(pixels, alpha, frame.duration)
