"""Pillow, kept to what we let it do: silent, within our limits; its pictures as our frames."""

from __future__ import annotations

import importlib
import logging
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.formats import FORMATS, behind
from cnntool.files.image import (
    STRIP_ROWS,
    WHITE,
    Frame,
    Image,
    Metadata,
    alike,
    as_stored,
    copy_channels,
    plain_dpi,
    swaps_sides,
)
from cnntool.files.limits import Limits
from cnntool.files.streams import damaged
from cnntool.wording import counted

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


READ_AS = {
    **dict.fromkeys(("1", "L"), "L"),
    **dict.fromkeys(("LA", "La"), "LA"),
    **dict.fromkeys(("P", "RGB", "RGBX", "YCbCr"), "RGB"),
    "CMYK": "RGB",  # (1 - ink) (1 - black), without its colour profile
    **dict.fromkeys(("PA", "RGBA", "RGBa"), "RGBA"),
    **{mode: mode for mode in ("I;16", "I;16L", "I;16B", "I;16N", "F")},
}
"""From each mode of a picture that is read to the mode that its strips are converted to."""
_DTYPES = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "F": "=f4"}


_IGNORED = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def library() -> ModuleType:
    """PIL.Image, with our limits in place of its own, and silent."""
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if _IGNORED not in warnings.filters:
        warnings.filterwarnings("ignore", module=_IGNORED[3].pattern)
    silence("PIL")
    return Image


def silence(library_name: str) -> None:
    """Keep a library's log out of standard error, unless the program set up logging."""
    log = logging.getLogger(library_name)
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def open_picture(stream: BinaryIO, limits: Limits) -> Picture:
    """The picture with its header read. InputError for a mode that we do not read."""
    format = limits.format
    module = library()
    load_plugin(format, limits.name)
    stream.seek(0)
    picture = module.open(stream, formats=("JPEG", "MPO") if format == "JPEG" else (format,))
    check_mode(picture.mode, limits.name)
    if picture.mode == "P" and picture.palette is None:
        raise damaged(limits.name, "its palette is missing")
    return picture


_PLUGINS = {"WEBP": "WebP", "JPEG2000": "Jpeg2K"}
_PARTS = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}


def load_plugin(format: str, name: str) -> None:
    """Make Pillow know a format; InputError where the installed one cannot."""
    part = _PARTS.get(format)
    if part is not None:
        from PIL import features

        known = features.modules | features.codecs
        if part not in known or not features.check(part):
            raise InputError(
                f"{name} is {format}, which the installed Pillow cannot do: pip install -U pillow"
            )
    importlib.import_module(f"PIL.{_PLUGINS.get(format, format.title())}ImagePlugin")


def check_mode(mode: str, name: str) -> None:
    """InputError with a remedy for a mode that we do not read."""
    if mode not in READ_AS:
        what = {"I": "32-bit integers"}.get(mode, mode)
        remedy = "save it as 16-bit or float" if mode == "I" else "convert it to RGB first"
        raise InputError(f"{name} holds {what}, which is not read: {remedy}")


def to_frame(
    picture: Picture,
    gray: bool,
    orientation: int = 1,
    transparent: tuple[int, ...] | None = None,
    adjust: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Frame:
    """A decoded picture as a frame, upright; in strips, which is 3 times as fast as in one piece.

    transparent: the one colour that is see-through, as stored in the file's samples.
    adjust: applied to the samples of a strip (rows, W, S) before they are kept.
    """
    see_through = picture.mode == "P" and "transparency" in picture.info
    target = "RGBA" if see_through else READ_AS[picture.mode]
    final = {"RGB": "L", "RGBA": "LA"}.get(target, target) if gray else target
    channels = 3 if final.startswith("RGB") else 1
    has_alpha = final in ("RGBA", "LA") or transparent is not None
    dtype = np.dtype(_DTYPES.get(target, "u1"))
    sides = picture.size if swaps_sides(orientation) else picture.size[::-1]
    pixels = np.empty((*sides, channels), dtype.newbyteorder("="))
    alpha = np.empty(sides, pixels.dtype) if has_alpha else None
    stored_pixels = as_stored(pixels, orientation)
    stored_alpha = None if alpha is None else as_stored(alpha, orientation)
    for rows, strip in _strips(picture, target):
        if stored_alpha is not None and transparent is not None:
            opaque = (_samples(strip, dtype) != np.array(transparent)).any(axis=2)
            stored_alpha[rows] = opaque * np.iinfo(dtype).max
        samples = _samples(strip if final == target else strip.convert(final), dtype)
        if adjust is not None:
            samples = adjust(samples)
        copy_channels(samples, stored_pixels[rows])
        if stored_alpha is not None and transparent is None:
            stored_alpha[rows] = samples[..., -1]
    return Frame(pixels, alpha, _milliseconds(picture.info.get("duration")))


def transparent_samples(picture: Picture, bits: int) -> tuple[int, ...] | None:
    """The one see-through colour of a PNG as the samples we keep: 8-bit for depths below."""
    key = picture.info.get("transparency")
    if picture.mode not in ("1", "L", "I;16", "RGB") or key is None:
        return None  # palettes are Pillow's to convert
    samples = key if isinstance(key, tuple) else (key,)
    if picture.mode == "1":
        return (255 if key else 0,)
    return samples if bits >= 8 else tuple(each * 255 // ((1 << bits) - 1) for each in samples)


def pixel_strips(picture: Picture, gray: bool) -> Iterator[np.ndarray]:
    """The pixels (n, W, C) of a picture of 8 bits without alpha, a few rows at a time."""
    target = READ_AS[picture.mode]
    for _, strip in _strips(picture, target):
        yield _samples(strip.convert("L") if gray else strip, np.dtype(np.uint8))


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


def _milliseconds(duration: Any) -> int | None:
    try:
        return max(0, round(float(duration)))
    except (TypeError, ValueError, OverflowError):
        return None


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


def read_metadata(picture: Picture) -> tuple[int, Metadata]:
    """The orientation that is still to be applied (1 to 8), and what is kept of the rest.

    XMP tells the orientation where EXIF does not.
    """
    info = picture.info
    orientation, exif = split_orientation(info.get("exif"))
    xmp = info.get("xmp")
    if orientation is None and isinstance(xmp, bytes) and (found := _XMP_ORIENTATION.search(xmp)):
        orientation = int(found[1])
    orientation = orientation or 1
    profile = info.get("icc_profile")
    loop = info.get("loop")
    return orientation, Metadata(
        profile if isinstance(profile, bytes) and len(profile) > 128 else None,
        plain_dpi(info.get("dpi"), orientation),
        exif,
        loop if isinstance(loop, int) and loop >= 0 else None,
    )


_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_IPTC = 0x0404
"""The number of its block among those of Photoshop."""


def left_out_of(picture: Picture, rest: bytes = b"") -> tuple[str, ...]:
    """What else an opened file holds, by name, that no result keeps; rest: of its bytes, what is
    behind the picture."""
    info = picture.info
    names = ["XMP"] if info.get("xmp") else []
    if photoshop := info.get("photoshop"):
        names.append("IPTC" if _IPTC in photoshop else "Photoshop data")
    if info.get("comment") and picture.format != "JPEG2000":  # where encoders put their name
        names.append("the comment")
    pictures = getattr(picture, "n_frames", 1) if "mp" in info else 1
    more = [counted(pictures - 1, "more picture")] if pictures > 1 else behind(rest)
    return (*names, *more)


def image_of(frames: list[Frame], metadata: Metadata, limits: Limits) -> Image:
    """The image of these frames; an animation's are made alike."""
    if limits.format != "TIFF":
        frames = alike(frames)
    pixels = frames[0].pixels  # a colour profile is wrong on a picture made grey
    metadata = metadata.fitting(pixels.shape[2])
    white = WHITE.get(pixels.dtype.name, limits.float_white)
    return Image(tuple(frames), white, limits.format, metadata)


def save_options(metadata: Metadata, format: str) -> dict[str, Any]:
    """The metadata of a single picture as options of Pillow's `save`; what is too long is left."""
    kept = {name: value for name in FORMATS[format].keeps if (value := getattr(metadata, name))}
    if len(kept.get("exif", b"")) > FORMATS[format].longest_exif:
        del kept["exif"]
    return kept


_ORIENTATION = 0x0112
_PREFIX = b"Exif\0\0"


def split_orientation(exif: bytes | None) -> tuple[int | None, bytes | None]:
    """The orientation (1 to 8, or None) and the EXIF block, starting with `Exif\\0\\0`, without it.

    The embedded thumbnail is unlinked as well, since it shows the picture as it was. Everything
    else keeps its place, for which Pillow's own Exif does not care: the notes of camera makers
    point into the block. A block that cannot be read gives (None, None).
    """
    if not exif:
        return None, None
    block = bytearray(exif[len(_PREFIX) :] if exif.startswith(_PREFIX) else exif)
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        end = start + 2 + 12 * count
        struct.pack_into(order + "I", block, end, 0)  # no second directory: no thumbnail
        orientation = None
        for entry in range(start + 2, end, 12):
            tag, kind = struct.unpack_from(order + "HH", block, entry)
            if tag == _ORIENTATION:
                value = struct.unpack_from(order + ("H" if kind == 3 else "I"), block, entry + 8)[0]
                orientation = value if 1 <= value <= 8 else 1
                block[entry : end + 4] = block[entry + 12 : end + 4] + bytes(12)
                struct.pack_into(order + "H", block, start, count - 1)
                break
    except (KeyError, struct.error):
        return None, None
    return orientation, _PREFIX + bytes(block)
