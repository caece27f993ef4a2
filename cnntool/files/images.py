"""Images from files and to files: which module a format needs, and the checks before and after.

A format's module has three functions, of which the first two take a stream that starts with the
file's first byte:

- `probe(stream, limits) -> ImageInfo`: what the headers say, without decoding;
- `read(stream, limits) -> Image`: the checks that the decoder leaves out, and the frames, upright;
- `write(image, file, quality, label)`: an image that the format can hold. `quality` is for formats
  that have one, `label` is what to call the file in messages.
"""

from __future__ import annotations

import importlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import BinaryIO

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import atomic_write
from cnntool.files.formats import (
    FORMATS,
    HEAD,
    READABLE,
    foreign_kind,
    format_for,
    format_named,
    format_of_bytes,
)
from cnntool.files.image import BEYOND_FLOAT32, Image, ImageInfo, plain_dpi
from cnntool.files.layout import layout_of
from cnntool.files.limits import MAX_PIXELS, Limits
from cnntool.files.streams import Readable, Rejoined, open_path, plain_errors, read_whole

Source = str | os.PathLike | bytes | BinaryIO


def open_image(
    source: Source,
    *,
    max_pixels: int = MAX_PIXELS,
    gray: bool = False,
    float_white: float = 255.0,
    name: str | None = None,
) -> Image:
    """Read an image whole, upright, at its own depth; its format is found by its content.

    source: a path, the bytes, or a binary file object such as stdin, read once from where it is.
    max_pixels: more pixels, over all frames, are refused before anything is decoded.
    gray: colour becomes luminance (ITU-R 601); alpha is kept.
    float_white: the value of white in images of floats.
    name: what to call the source in messages.

    InputError for whatever cannot be read whole and true.
    """
    with opened(source, name, max_pixels) as (stream, limits):
        limits = limits._replace(gray=gray, float_white=float_white)
        return _module(limits.format).read(stream, limits)


def probe_image(
    source: Source, *, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> ImageInfo:
    """What the headers of an image say, without decoding it. InputError as for open_image."""
    with opened(source, name, max_pixels) as (stream, limits):
        info = _module(limits.format).probe(stream, limits)
    limits.check_size(info.width, info.height, info.frames)
    return info


_MODULES = {"NPY": "npy", "PPM": "pnm", "TIFF": "tiff"}
_PLAIN = ("NPY", "PPM")
"""Those with values as memory has them, whose writing is that of their rows."""


def _module(format: str) -> ModuleType:
    """What probes, reads and writes a format, loaded when it is first asked for."""
    return importlib.import_module(f"cnntool.files.{_MODULES.get(format, 'pictures')}")


@contextmanager
def opened(source: Source, name: str | None, max_pixels: int) -> Iterator[tuple[Readable, Limits]]:
    """The stream at the image's first byte, and what it is called, is and may be.

    Whatever a decoder throws in the block becomes one line of InputError.
    """
    file: BinaryIO
    if isinstance(source, (bytes, bytearray, memoryview)):
        label, file, owned = name or "the image", io.BytesIO(source), True
    elif isinstance(source, (str, os.PathLike)):
        label, owned = name or os.fspath(source), True
        file = open_path(source, label, "an image: name the images in it")
    else:
        label, file, owned = name or _name_of(source), source, False
    try:
        with plain_errors(label):
            yield _recognized(file, owned, Limits(label, max_pixels))
    finally:
        if owned:
            file.close()


def _name_of(stream: BinaryIO) -> str:
    name = getattr(stream, "name", None)
    return "stdin" if not isinstance(name, str) or name == "<stdin>" else name


def _recognized(stream: BinaryIO, owned: bool, limits: Limits) -> tuple[Readable, Limits]:
    """A stream that starts with the first byte again, and the format that the first ones tell."""
    label = limits.name
    head = Rejoined(b"", stream).read(HEAD)
    if not head:
        raise InputError(f"{label} is empty: it has 0 bytes")
    format = format_of_bytes(head)
    if format is None:
        kind = foreign_kind(head)
        what = f"is {kind}, not" if kind else "is not"
        raise InputError(f"{label} {what} an image this tool reads: {READABLE}")
    limits = limits._replace(format=format)
    if owned and stream.seekable():
        limits.check_bytes(stream.seek(0, os.SEEK_END))
        stream.seek(0)
        return stream, limits
    forward = Rejoined(head, stream)
    if format in _PLAIN:  # read straight into the array, with no copy of the file
        return forward, limits
    return read_whole(forward, limits), limits


Target = str | os.PathLike | BinaryIO
DEFAULT_QUALITY = 90


def save_image(
    image: Image,
    target: Target,
    *,
    format: str | None = None,
    overwrite: bool = False,
    adopt: bool = False,
    quality: int | None = None,
) -> None:
    """Write an image, whole or not at all.

    target: a path, whose extension tells the format unless `format` does; or a binary file
        object such as stdout, for which `format` must be given.
    overwrite: replace a file that exists; else it is refused. adopt: unless it is the same.
    quality: 1 to 100, for JPEG and WebP; 90 if None.

    .npy is written as floats with the values as they are. The metadata that the format can hold
    is written. RequestError for what the format cannot hold, InputError when the file cannot be
    written.
    """
    path = target if isinstance(target, (str, os.PathLike)) else None
    label = "stdout" if path is None else os.fspath(path)
    if format is not None:
        chosen = format_named(format)
    elif path is not None:
        chosen = format_for(path)
    else:
        raise RequestError("no file name tells the format: choose one with --format")
    image, quality = checked(image, chosen, quality, label)
    if not isinstance(target, (str, os.PathLike)):
        _write_stream(image, target, quality, label)
        return
    with atomic_write(target, overwrite, adopt) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _encode(image, file, quality, label)
        else:
            _write_stream(image, file, quality, label)


def checked(image: Image, format: str, quality: int | None, label: str) -> tuple[Image, int]:
    """The image in a format, with the metadata that it will have, and its quality; RequestError for
    what the format cannot hold."""
    quality = _checked_quality(quality, format, label)
    check_holdable(image, format, label)
    channels = max(frame.pixels.shape[2] for frame in image.frames)
    kept = image.metadata.fitting(channels, 3 if format == "WEBP" else channels)
    kept = replace(kept, dpi=plain_dpi(kept.dpi))
    return Image(image.frames, image.white, format, kept), quality


def _checked_quality(quality: int | None, format: str, label: str) -> int:
    if quality is None:
        return DEFAULT_QUALITY
    if not FORMATS[format].quality:
        raise RequestError(f"{label}: {format} has no quality to set: only JPEG and WebP do")
    if not 1 <= quality <= 100:
        raise RequestError(f"quality {quality} is out of range: give 1 to 100")
    return quality


def check_holdable(image: Image, format: str, label: str) -> None:
    """RequestError, with a remedy, for what the format cannot hold."""
    able = FORMATS[format]
    frames = image.frames
    dtypes = {frame.pixels.dtype.name for frame in frames}
    is_gray = all(frame.pixels.shape[2] == 1 and frame.alpha is None for frame in frames)
    if unable := dtypes - {*able.dtypes, *(able.gray_dtypes if is_gray else ())}:
        depth = {"uint16": "16 bits", "float32": "floats"}.get(min(unable), min(unable))
        others = "PNG, TIFF or PGM" if depth == "16 bits" else "TIFF or .npy"
        if min(unable) in able.gray_dtypes:
            depth += " but in grey without alpha"
        raise RequestError(f"{label}: {format} cannot hold {depth}: use {others}, or 8 bits")
    if len(dtypes) > 1:
        raise RequestError(f"{label}: the frames have different depths: save them separately")
    if any(frame.alpha is not None for frame in frames) and not able.alpha:
        raise RequestError(
            f"{label}: {format} cannot hold transparency: use PNG, TIFF or WebP, or --alpha drop"
        )
    if len(frames) > 1 and not able.frames:
        raise RequestError(
            f"{label}: {format} holds one picture, not {len(frames)} frames: use GIF, PNG, WebP "
            "or TIFF"
        )
    for frame in frames:
        height, width, channels = frame.pixels.shape
        if format != "NPY" and channels not in (1, 3):
            raise RequestError(
                f"{label}: {format} holds 1 or 3 channels, not {channels}: save it as .npy"
            )
        if max(height, width) > able.longest_side:
            raise RequestError(
                f"{label}: {format} is at most {able.longest_side} pixels wide or high, and the "
                f"image is {width} x {height}: use PNG or TIFF"
            )
        if format != "TIFF" and (height, width) != frames[0].pixels.shape[:2]:
            raise RequestError(f"{label}: the frames differ in size: only TIFF holds such pages")


_NAMES = {"exif": "EXIF", "icc_profile": "the colour profile"}


def left_out(image: Image, format: str, dtype: np.dtype) -> tuple[str, ...]:
    """What came with an image, by name, that its result of this format and type will not have."""
    kept, first = FORMATS[format].keeps, image.frames[0]
    if len(image.metadata.exif or b"") > FORMATS[format].longest_exif:
        kept = ("icc_profile", "dpi")
    there = (what for what in _NAMES if getattr(image.metadata, what))
    lost = [_NAMES[what] for what in there if what not in kept]
    if first.pixels.dtype == np.float64 and dtype == np.float32:
        lost.append(BEYOND_FLOAT32)
    return (*image.left_out, *lost)


def _write_stream(image: Image, stream: BinaryIO, quality: int, label: str) -> None:
    """To what cannot be taken back or sought in: only once all is encoded."""
    if image.format in _PLAIN:  # these cannot fail half-way
        _encode(image, stream, quality, label)
    else:
        buffer = io.BytesIO()
        _encode(image, buffer, quality, label)
        stream.write(buffer.getbuffer())
    stream.flush()


def _encode(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    module = _module(image.format)
    with encoding(label):
        if image.format in _PLAIN:
            module.write_rows(file, layout_of(image), quality, label).write(image.frames[0])
        else:
            module.write(image, file, quality, label)


@contextmanager
def encoding(label: str) -> Iterator[None]:
    """One line for whatever an encoder throws; errors of the disk or a pipe stay as they are."""
    try:
        yield
    except (InputError, RequestError):
        raise
    except MemoryError:
        raise InputError(f"{label} cannot be written: not enough memory") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{label} cannot be written: {reason[:120]}") from None
