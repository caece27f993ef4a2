"""Pillow, kept to what we let it do: its modes turned into arrays, strip by strip."""

from __future__ import annotations

import importlib
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from cnntool.errors import InputError
from cnntool.imaging.codecs.orientation import as_stored, split_orientation, swaps_sides
from cnntool.imaging.image import STRIP_ROWS, Frame, Metadata

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class Mode(NamedTuple):
    """How a Pillow mode becomes an array."""

    read_as: str  # the mode that a strip is converted to
    channels: int
    alpha: bool
    depth: str


MODES = {
    "1": Mode("L", 1, False, "1-bit"),
    "L": Mode("L", 1, False, "8-bit"),
    "LA": Mode("LA", 1, True, "8-bit"),
    "La": Mode("LA", 1, True, "8-bit"),
    "P": Mode("RGB", 3, False, "8-bit"),
    "PA": Mode("RGBA", 3, True, "8-bit"),
    "RGB": Mode("RGB", 3, False, "8-bit"),
    "RGBX": Mode("RGB", 3, False, "8-bit"),
    "RGBA": Mode("RGBA", 3, True, "8-bit"),
    "RGBa": Mode("RGBA", 3, True, "8-bit"),
    "YCbCr": Mode("RGB", 3, False, "8-bit"),
    "I;16": Mode("I;16", 1, False, "16-bit"),
    "I;16L": Mode("I;16L", 1, False, "16-bit"),
    "I;16B": Mode("I;16B", 1, False, "16-bit"),
    "I;16N": Mode("I;16N", 1, False, "16-bit"),
    "F": Mode("F", 1, False, "float"),
}
_DTYPES = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "F": "=f4"}


def library() -> ModuleType:
    """PIL.Image, with our limits in place of its own, and silent."""
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.filterwarnings("ignore", module=r"PIL\.")
    silence("PIL")
    return Image


def silence_libtiff() -> None:
    """Keep libtiff from writing to standard error; where it is out of reach, it may."""
    import ctypes

    from PIL import _imaging

    with suppress(OSError, AttributeError):
        libtiff = ctypes.CDLL(_imaging.__file__)
        for set_handler in (libtiff.TIFFSetErrorHandler, libtiff.TIFFSetWarningHandler):
            set_handler.argtypes = [ctypes.c_void_p]
            set_handler.restype = ctypes.c_void_p
            set_handler(None)


def silence(library_name: str) -> None:
    """Keep a library's log out of standard error, unless the program set up logging."""
    log = logging.getLogger(library_name)
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def open_picture(stream: BinaryIO, format: str, name: str) -> Picture:
    """The picture with its header read. InputError for a mode that we do not read."""
    module = library()
    importlib.import_module(f"PIL.{format.title()}ImagePlugin".replace("Webp", "WebP"))
    stream.seek(0)
    picture = module.open(stream, formats=("JPEG", "MPO") if format == "JPEG" else (format,))
    check_mode(picture.mode, name)
    return picture


def check_mode(mode: str, name: str) -> Mode:
    """How to read this mode; InputError with a remedy for CMYK and the like."""
    if mode not in MODES:
        what = {"I": "32-bit integers"}.get(mode, mode)
        remedy = "save it as 16-bit or float" if mode == "I" else "convert it to RGB first"
        raise InputError(f"{name} holds {what}, which is not read: {remedy}")
    return MODES[mode]


def read_metadata(picture: Picture, format: str) -> tuple[int, Metadata]:
    """The orientation that is still to be applied (1 to 8), and what is kept of the rest."""
    info = picture.info
    exif = _tiff_exif(picture) if format == "TIFF" else info.get("exif")
    orientation, exif = split_orientation(exif)
    dpi = plain_dpi(info.get("dpi"))
    if dpi and swaps_sides(orientation):
        dpi = dpi[::-1]
    profile = info.get("icc_profile")
    loop = info.get("loop")
    return orientation, Metadata(
        profile if isinstance(profile, bytes) and len(profile) > 128 else None,
        dpi,
        exif,
        loop if isinstance(loop, int) and loop >= 0 else None,
    )


def plain_dpi(dpi: object) -> tuple[float, float] | None:
    """Two sensible numbers, or None."""
    try:
        across, down = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(each) and 0.1 <= each <= 1e5 for each in (across, down))
    return (across, down) if sensible else None


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


_DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # what, camera, software, when, who, rights
_DIRECTORIES = (0x8769, 0x8825)  # EXIF, GPS


def descriptive_exif(exif: object) -> object:
    """The tags of an EXIF object that describe the picture rather than how it is stored."""
    kept = library().Exif()
    for tag in _DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for tag in _DIRECTORIES:
        if tag in exif and (directory := exif.get_ifd(tag)):
            kept[tag] = dict(directory)
    return kept


def _tiff_exif(picture: Picture) -> bytes | None:
    """TIFF keeps the same tags among those that say how it is stored."""
    try:
        kept = descriptive_exif(picture.getexif())
        return kept.tobytes() if len(kept) else None
    except Exception:  # malformed tags of any kind: the picture is worth more than they
        return None
