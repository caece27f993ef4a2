"""Pixels from Pillow's pictures into arrays, strip by strip, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnntool.files.image import STRIP_ROWS, Frame
from cnntool.files.orientation import as_stored, swaps_sides
from cnntool.files.pillow import MODES, library

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_DTYPES = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "F": "=f4"}


def to_frame(
    picture: Picture,
    gray: bool,
    orientation: int = 1,
    transparent: tuple[int, ...] | None = None,
    adjust: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Frame:
    """A decoded picture as a frame, upright.

    transparent: the one colour that is see-through, as stored in the file's samples.
    adjust: applied to the samples of a strip (rows, W, S) before they are kept.
    """
    mode = MODES[picture.mode]
    see_through = picture.mode == "P" and "transparency" in picture.info
    target = "RGBA" if see_through else mode.read_as
    final = _grey(target) if gray else target
    channels = 3 if final.startswith("RGB") else 1
    has_alpha = final in ("RGBA", "LA") or transparent is not None
    dtype = np.dtype(_DTYPES.get(target, "u1"))
    sides = picture.size if swaps_sides(orientation) else picture.size[::-1]
    pixels = np.empty((*sides, channels), dtype.newbyteorder("="))
    alpha = np.empty(sides, pixels.dtype) if has_alpha else None
    stored_pixels = as_stored(pixels, orientation)
    stored_alpha = None if alpha is None else as_stored(alpha, orientation)
    for rows, strip in _strips(picture, target):
        if transparent is not None:
            samples = _samples(strip, dtype)
            opaque = (samples != np.array(transparent)).any(axis=2)
            stored_alpha[rows] = opaque * np.iinfo(dtype).max
        if final != target:
            strip = strip.convert(final)
        samples = _samples(strip, dtype)
        if adjust is not None:
            samples = adjust(samples)
        stored_pixels[rows] = samples[..., :channels]
        if final in ("RGBA", "LA"):
            stored_alpha[rows] = samples[..., -1]
    return Frame(pixels, alpha, _milliseconds(picture.info.get("duration")))


def to_picture(frame: Frame) -> Picture:
    """A frame that is not deep as Pillow's; without a copy for grey."""
    module = library()
    pixels = np.ascontiguousarray(frame.pixels)
    single = pixels.shape[2] == 1
    picture = module.fromarray(pixels[..., 0] if single else pixels)
    if frame.alpha is None:
        return picture
    alpha = module.fromarray(np.ascontiguousarray(frame.alpha))
    if single:
        return module.merge("LA", (picture, alpha))
    picture.putalpha(alpha)
    return picture


def is_deep(frame: Frame) -> bool:
    """Whether Pillow has no mode for the frame."""
    many = frame.pixels.shape[2] > 1 or frame.alpha is not None
    return frame.pixels.dtype != np.uint8 and many


def _strips(picture: Picture, mode: str) -> Iterator[tuple[slice, Picture]]:
    """The picture a few rows at a time, in this mode."""
    width, height = picture.size
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, min(top + STRIP_ROWS, height))
        strip = picture.crop((0, top, width, rows.stop))
        yield rows, strip if strip.mode == mode else strip.convert(mode)


def _samples(strip: Picture, dtype: np.dtype) -> np.ndarray:
    width, height = strip.size
    return np.frombuffer(strip.tobytes(), dtype).reshape(height, width, -1)


def _grey(mode: str) -> str:
    return {"RGB": "L", "RGBA": "LA"}.get(mode, mode)


def _milliseconds(duration: object) -> int | None:
    try:
        return max(0, round(float(duration)))
    except (TypeError, ValueError, OverflowError):
        return None
