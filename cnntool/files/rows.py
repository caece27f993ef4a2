"""Pictures row by row, from files and to files: for those that are larger than memory.

What comes out is what `open_image` gives of the same file, and what is written reads as what
`save_image` writes; a few megabytes are held at a time, and at least a row.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from types import ModuleType

from cnntool.errors import RequestError
from cnntool.files.atomic import atomic_write, is_device
from cnntool.files.formats import format_for, format_named
from cnntool.files.image import Frame
from cnntool.files.images import checked, encoding, opened
from cnntool.files.layout import Layout, NotInRows, Strips, Writer, layout_of
from cnntool.files.limits import MAX_PIXELS
from cnntool.files.streams import plain_errors

__all__ = ["Layout", "NotInRows", "RowWriter", "address_space"]
__all__ += ["open_rows", "save_rows", "why_not_in_rows"]

_MODULES = {"NPY": "npy", "PPM": "pnm"}
_MODULES |= {"PNG": "png_rows", "TIFF": "tiff_rows", "JPEG": "jpeg_rows"}
_WHOLE = {"WEBP": "a WebP", "BMP": "a BMP", "GIF": "a GIF"}
_WHOLE |= {"AVIF": "an AVIF", "JPEG2000": "a JPEG 2000"}


@contextmanager
def open_rows(
    path: str | os.PathLike,
    *,
    max_pixels: int = MAX_PIXELS,
    gray: bool = False,
    float_white: float = 255.0,
    name: str | None = None,
) -> Iterator[tuple[Layout, Strips]]:
    """A picture to be read row by row while the file is open: what its rows are, and how they come;
    the arguments are those of `open_image`.

    The strips are the rows from the one asked for on, from top to bottom, a few at a time: frames
    whose pixels are (n, W, C), and alpha (n, W) or None. Asked for again, they begin anew, and what
    an earlier call had left is over. NotInRows where only the whole can be read; InputError as for
    open_image, of pixels only when they are read.
    """
    name = name or os.fspath(path)
    if is_device(path):
        raise NotInRows(name, "comes through a pipe")
    with ExitStack() as files:
        stream, limits = files.enter_context(opened(path, name, max_pixels))
        limits = limits._replace(gray=gray, float_white=float_white)
        if limits.format not in _MODULES:
            raise NotInRows(name, f"is {_WHOLE[limits.format]}")
        layout, strips = _module(limits.format).open_rows(stream, limits)
        opening = files.pop_all()

    def checked_strips(start: int) -> Iterator[Frame]:
        with plain_errors(name):
            yield from strips(start)

    with closing(opening):  # to which errors of the block are none of the file
        yield layout, checked_strips


def address_space(layout: Layout) -> int:
    """Bytes that reading such a file asks for beside its rows, few of which are ever memory."""
    return 4 * layout.height * layout.width if layout.format == "JPEG" else 0


def _module(format: str) -> ModuleType:
    return importlib.import_module(f"cnntool.files.{_MODULES[format]}")


def why_not_in_rows(format: str) -> str:
    """'' where a format is written row by row, else why not: ``"a WebP is written whole"``."""
    return "" if format in _MODULES else f"{_WHOLE[format]} is written whole"


class RowWriter:
    """A picture that is being written."""

    def __init__(self, writer: Writer, layout: Layout, label: str) -> None:
        self._writer, self._layout, self._label = writer, layout, label
        self._missing = layout.height

    def write(self, frame: Frame) -> None:
        """The next rows, any number of them: pixels (n, W, C), and alpha (n, W) or None."""
        layout, count = self._layout, len(frame.pixels)
        shape = (count, layout.width, layout.channels)
        alpha = None if frame.alpha is None else frame.alpha.shape
        if frame.pixels.shape != shape or alpha != (shape[:2] if layout.has_alpha else None):
            raise ValueError(f"rows of {frame.pixels.shape}, alpha {alpha}: expected {shape}")
        if frame.pixels.dtype != layout.dtype:
            raise ValueError(f"rows of {frame.pixels.dtype}, expected {layout.dtype}")
        if count > self._missing:
            raise ValueError(f"{count} rows, and {self._missing} are missing")
        self._missing -= count
        with encoding(self._label):
            self._writer.write(frame)

    def finish(self) -> None:
        if self._missing:
            raise ValueError(f"{self._missing} rows are missing")
        with encoding(self._label):
            self._writer.finish()


@contextmanager
def save_rows(
    path: str | os.PathLike,
    layout: Layout,
    *,
    format: str | None = None,
    overwrite: bool = False,
    adopt: bool = False,
    quality: int | None = None,
) -> Iterator[RowWriter]:
    """A picture to be written row by row, whole or not at all: when the block ends well.

    layout: what the rows will be; its format is not asked for. The other arguments, the metadata
    that is written and what is refused are those of `save_image`. RequestError, too, for a format
    that is not written in rows.
    """
    label = os.fspath(path)
    format = format_named(format) if format is not None else format_for(path)
    image, quality = checked(layout.blank(), format, quality, label)
    if reason := why_not_in_rows(format):
        raise RequestError(f"{label}: {reason}: use PNG, TIFF or JPEG")
    layout = layout_of(image)
    with atomic_write(path, overwrite, adopt) as file:
        with encoding(label):
            encoder = _module(format).write_rows(file, layout, quality, label)
            writer = RowWriter(encoder, layout, label)
        yield writer
        writer.finish()
