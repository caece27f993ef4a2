"""Opening images: which reader a file needs, and the checks before and after it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from cnntool.errors import InputError
from cnntool.imaging.codecs import codec
from cnntool.imaging.codecs.streams import Reading, Rejoined, plain_errors
from cnntool.imaging.formats import READABLE, foreign_kind, format_of_bytes
from cnntool.imaging.image import Image, ImageInfo

Source = str | os.PathLike | bytes | BinaryIO
MAX_PIXELS = 500_000_000


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
    with _opened(source, name) as (stream, label, format):
        reading = Reading(label, max_pixels, gray, float_white)
        return codec(format).read(stream, reading)


def probe_image(source: Source, *, name: str | None = None) -> ImageInfo:
    """What the headers of an image say, without decoding it. InputError as for open_image."""
    with _opened(source, name) as (stream, label, format):
        return codec(format).probe(stream, Reading(label, 0, False, 255.0))


@contextmanager
def _opened(source: Source, name: str | None) -> Iterator[tuple[BinaryIO, str, str]]:
    """The stream at the image's first byte, what to call it, and its format."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        label, stream, owned = name or "the image", io.BytesIO(source), True
    elif isinstance(source, (str, os.PathLike)):
        label, owned = name or os.fspath(source), True
        stream = _open_path(source, label)
    else:
        label, stream, owned = name or _name_of(source), source, False
    try:
        with plain_errors(label):
            format, stream = _recognized(stream, owned, label)
            yield stream, label, format
    finally:
        if owned:
            stream.close()


def _open_path(path: str | os.PathLike, label: str) -> BinaryIO:
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{label} does not exist: check the name") from None
    except PermissionError:
        raise InputError(f"{label} may not be read: you have no permission") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{label} cannot be opened: {reason}") from None
    raise InputError(f"{label} is a folder, not an image: name the images in it")


def _name_of(stream: BinaryIO) -> str:
    name = getattr(stream, "name", None)
    return "stdin" if not isinstance(name, str) or name == "<stdin>" else name


def _recognized(stream: BinaryIO, owned: bool, label: str) -> tuple[str, BinaryIO]:
    """The format by the first bytes, and a stream that starts with them again."""
    head = Rejoined(b"", stream).read(16)
    if not head:
        raise InputError(f"{label} is empty: it has 0 bytes")
    format = format_of_bytes(head)
    if format is None:
        kind = foreign_kind(head)
        what = f"is {kind}, not" if kind else "is not"
        raise InputError(f"{label} {what} an image this tool reads: {READABLE}")
    if owned and stream.seekable():
        stream.seek(0)
        return format, stream
    forward = Rejoined(head, stream)
    if format in ("PPM", "NPY"):  # read straight into the array, with no copy of the file
        return format, forward
    return format, io.BytesIO(forward.read())
