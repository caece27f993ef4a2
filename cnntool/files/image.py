"""What an image is here, and its pixels on their way from one file to another.

Frames of pixels, alpha beside them, and what the file said about them: upright, grey, at another
depth, with alpha or without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from cnntool.choices import IMAGE_DEPTHS as DEPTHS
from cnntool.errors import InputError
from cnntool.files.formats import can_hold
from cnntool.wording import counted

WHITE = {"uint8": 255.0, "uint16": 65535.0}
"""The value of white for the integer depths; for float32 the caller says what it is."""

DEFAULT_DURATION = 100
"""Milliseconds for a frame of an animation that came without a time."""

STRIP_ROWS = 64
"""Rows that are handled at a time: enough to be fast, few enough that a copy costs nothing."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: the only one of a photograph, one of many of an animation.

    pixels: (H, W, C), C-contiguous, uint8, uint16 or float32, and of .npy float64; colour only.
        C is 1 or 3, and anything for .npy.
    alpha: (H, W) of the same dtype, or None when the file has none.
    duration: milliseconds that the frame is shown, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    duration: int | None = None


def blank_frame(shape: tuple[int, int, int], dtype: Any, has_alpha: bool = False) -> Frame:
    """Zeros that take no memory, to stand for a frame of this shape (H, W, C)."""
    pixels = np.broadcast_to(np.zeros((), dtype), shape)
    return Frame(pixels, np.broadcast_to(np.zeros((), dtype), shape[:2]) if has_alpha else None)


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
    format: a name in formats.FORMATS.
    left_out: what else the file holds that is not in here, by name.
    """

    frames: tuple[Frame, ...]
    white: float
    format: str
    metadata: Metadata = field(default_factory=Metadata)
    left_out: tuple[str, ...] = ()


def first_alone(name: str, image: Image) -> str:
    """What to say where one picture is taken of an image that has several, else ""."""
    count = len(image.frames)
    kind = "pages" if image.format == "TIFF" else "frames"
    return f"{name} has {count:,} {kind}: the first one is taken" if count > 1 else ""


class ImageInfo(NamedTuple):
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


def plain_dpi(dpi: Any, orientation: int = 1) -> tuple[float, float] | None:
    """Two sensible numbers, across and down the picture as it is shown, or None."""
    try:
        across, down = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not all(0.1 <= each <= 1e5 for each in (across, down)):
        return None
    return (down, across) if swaps_sides(orientation) else (across, down)


BEYOND_FLOAT32 = "what of its 64-bit values no 32 bits hold"
"""What is left out where values are read or written in fewer bits."""


class Depth(NamedTuple):
    """The type that pixels are wanted in, and the brightness of white in it."""

    dtype: np.dtype
    white: float


def choose_depth(image: Image, format: str, wanted: str | None = None) -> Depth:
    """``wanted`` of DEPTHS, or the image's own, or the largest whole-number depth that fits.

    .npy takes floats in the image's own units, of 64 bits where the image's are.
    """
    first = image.frames[0]
    own = first.pixels.dtype.name

    def fits(dtype: str) -> bool:
        samples = first.pixels.shape[2] + (first.alpha is not None)
        return can_hold(format, dtype=dtype, samples=samples)

    floats = own if own == "float64" and format == "NPY" else "float32"
    own = floats if own == "float64" else own
    if wanted is not None:
        name = floats if DEPTHS[wanted] == "float32" else DEPTHS[wanted]
    elif format == "NPY":
        name = floats
    elif fits(own):
        name = own
    elif own == "float32" and image.white > 255 and fits("uint16"):
        name = "uint16"
    else:
        name = "uint8"
    return Depth(np.dtype(name), WHITE.get(name, image.white))


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Colour (H, W, 3) to grey (H, W, 1) of the same dtype: 0.299 R + 0.587 G + 0.114 B.

    Integers are rounded as Pillow's mode 'L' does. Source: ITU-R BT.601-7, section 2.5.1.
    """
    height, width, _ = pixels.shape
    grey = np.empty((height, width, 1), pixels.dtype)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        red, green, blue = np.moveaxis(pixels[rows], -1, 0)
        if pixels.dtype.kind == "f":
            grey[rows, :, 0] = 0.299 * red + 0.587 * green + 0.114 * blue
        else:  # the weights in 1/65536; 65535 * 65536 + 32768 still fits 32 bits
            total = 19595 * red.astype(np.uint32) + 38470 * green.astype(np.uint32)
            total += 7471 * blue.astype(np.uint32) + 0x8000
            grey[rows, :, 0] = total >> 16
    return grey


def full_range(samples: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers of so many bits as uint8, or uint16 from 9 bits on, with white as its white."""
    dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    most, white = (1 << bits) - 1, np.iinfo(dtype).max
    if most != white:
        samples = (samples.astype(np.uint32) * white + most // 2) // most
    return samples.astype(dtype, copy=False)


def light_of_inks(inks: np.ndarray) -> np.ndarray:
    """Cyan, magenta, yellow and black (..., 4) as red, green and blue: each ink lets its share of
    the light through that black does, without the profile of a press."""
    white = np.uint32(np.iinfo(inks.dtype).max)
    light = white - inks.astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + white // 2) // white).astype(inks.dtype)


def swaps_sides(orientation: int) -> bool:
    """Whether the picture as shown is as wide as the stored one is high."""
    return orientation >= 5


def as_stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an upright picture (H, W, ...) with the rows and columns of the stored one.

    Writing stored rows into the view sets the picture upright without another copy, at any depth.
    Source: Exif 2.32 (CIPA DC-008), tag 0x0112, values 1 to 8.
    """
    if orientation in (2, 3, 6, 7):
        shown = shown[:, ::-1]
    if orientation in (3, 4, 7, 8):
        shown = shown[::-1]
    return shown.swapaxes(0, 1) if swaps_sides(orientation) else shown


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """The stored picture (H, W, C) as it is to be shown, C-contiguous, in the machine's order of
    bytes; without a copy where it is that already."""
    if orientation == 1 and stored.flags.c_contiguous and stored.dtype.isnative:
        return stored
    height, width, channels = stored.shape
    sides = (width, height) if swaps_sides(orientation) else (height, width)
    shown = np.empty((*sides, channels), stored.dtype.newbyteorder("="))
    copy_channels(stored, as_stored(shown, orientation))
    return shown


def frame_of(samples: np.ndarray, channels: int, gray: bool, orientation: int = 1) -> Frame:
    """A frame of stored samples (H, W, S): ``channels`` of colour, then perhaps alpha; set upright,
    and grey where that is asked for."""
    pixels = upright(samples[..., :channels], orientation)
    has_alpha = samples.shape[2] > channels
    alpha = upright(samples[..., channels, None], orientation)[..., 0] if has_alpha else None
    return Frame(luminance(pixels) if gray and channels == 3 else pixels, alpha)


def alike(frames: Sequence[Frame]) -> list[Frame]:
    """The frames with the same channels and, if any has one, an alpha each: an animation's."""
    channels = max(frame.pixels.shape[2] for frame in frames)
    with_alpha = any(frame.alpha is not None for frame in frames)
    return [_with_layout(frame, channels, with_alpha) for frame in frames]


def _with_layout(frame: Frame, channels: int, with_alpha: bool) -> Frame:
    pixels, alpha = frame.pixels, frame.alpha
    if pixels.shape[2] < channels:
        pixels = np.repeat(pixels, channels, axis=2)
    if with_alpha and alpha is None:
        alpha = np.full(pixels.shape[:2], WHITE.get(pixels.dtype.name, 1.0), pixels.dtype)
    return Frame(pixels, alpha, frame.duration)


def strips_of_samples(frame: Frame, dtype: str) -> Iterator[np.ndarray]:
    """A frame's samples a few rows at a time: (rows, W, S) of this dtype, alpha last."""
    height, width, channels = frame.pixels.shape
    samples = channels + (frame.alpha is not None)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, min(top + STRIP_ROWS, height))
        strip = np.empty((rows.stop - top, width, samples), dtype)
        copy_channels(frame.pixels[rows], strip)
        if frame.alpha is not None:
            strip[..., -1] = frame.alpha[rows]
        yield strip


def copy_channels(source: np.ndarray, target: np.ndarray) -> None:
    """Copy the channels (H, W, C) that both have: one after the other where they lie in pixels of
    other sizes, which is 4 times as fast."""
    count = min(source.shape[2], target.shape[2])
    if source.shape == target.shape or count > 4:
        target[..., :count] = source[..., :count]
        return
    for channel in range(count):
        target[..., channel] = source[..., channel]


def with_alpha(image: Image, how: str, name: str) -> Image:
    """The image with its alpha (``keep``), without (``drop``), or its last channel (``last``).

    Raises InputError, naming the image, where no channel can be alpha.
    """
    if how == "drop":
        return replace(image, frames=tuple(replace(f, alpha=None) for f in image.frames))
    if how == "keep" or any(frame.alpha is not None for frame in image.frames):
        return image
    channels = image.frames[0].pixels.shape[2]
    if channels not in (2, 4):
        raise InputError(
            f"{name} has {counted(channels, 'channel')}, none of them alpha: "
            "--alpha last needs 2 (grey, alpha) or 4 (red, green, blue, alpha)"
        )
    frames = (
        replace(f, pixels=np.ascontiguousarray(f.pixels[..., :-1]), alpha=f.pixels[..., -1])
        for f in image.frames
    )
    return replace(image, frames=tuple(frames))


def without_opaque_alpha(image: Image) -> Image:
    """The image without its alpha where that hides nothing, so that JPEG can hold it."""
    opaque = all(f.alpha is None or f.alpha.min() >= image.white for f in image.frames)
    return with_alpha(image, "drop", "") if opaque else image


def stacked(images: Sequence[Image]) -> Image:
    """Feature maps of one picture as the channels of one image."""
    if len(images) == 1:
        return images[0]
    if len(images[0].frames) > 1:
        raise InputError("feature maps of an animation do not fit into one array: write files")
    pixels = np.concatenate([image.frames[0].pixels for image in images], axis=2)
    return replace(images[0], frames=(replace(images[0].frames[0], pixels=pixels),))
