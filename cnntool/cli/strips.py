"""Pictures that go from file to file in strips, within the memory that one may take."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from cnntool.cli.options import Reading
from cnntool.engine.fast.threads import ahead
from cnntool.errors import InputError
from cnntool.files.image import Frame, Image, with_alpha
from cnntool.files.layout import Layout, Strips, layout_of
from cnntool.files.rows import RowWriter, open_rows, save_rows
from cnntool.imaging.rows import Rows
from cnntool.imaging.transparency import hides
from cnntool.wording import bytes_text

PROGRAM_BYTES = 100_000_000
"""Of Python, NumPy and Pillow, and of what the file's format takes a few rows at a time."""

GOOD_BYTES = 64_000_000
"""Of strips: higher ones are no faster, and the first has to be decoded before one is filtered."""


class PictureFile:
    """A picture in a file that is read a few rows at a time, as often as it is needed.

    layout: what it is like, read as the options say.
    """

    def __init__(self, path: Path, name: str, reading: Reading) -> None:
        """NotInRows where only the whole of it can be read."""
        self._path, self._name, self._reading = path, name, reading
        with self._open() as (layout, _):
            self.layout = layout_of(self._as_asked(layout.blank(1)), layout.height)

    def drop_opaque_alpha(self) -> None:
        """Without its alpha where that hides nothing."""
        white = self.layout.white
        if not any(hides(strip.alpha, white) for strip in self._strips(0)):
            self.layout = layout_of(with_alpha(self.layout.blank(), "drop", self._name))

    @property
    def rows(self) -> Rows:
        layout = self.layout
        shape = layout.height, layout.width, layout.channels
        return Rows(shape, layout.dtype, layout.has_alpha, lambda start: ahead(self._strips(start)))

    def _open(self) -> AbstractContextManager[tuple[Layout, Strips]]:
        reading = self._reading
        return open_rows(
            self._path,
            max_pixels=reading.max_pixels,
            gray=reading.gray,
            float_white=reading.white,
            name=self._name,
        )

    def _strips(self, start: int) -> Iterator[Frame]:
        with self._open() as (layout, strips):
            for strip in strips(start):
                yield self._as_asked(layout.image_of(strip)).frames[0]

    def _as_asked(self, image: Image) -> Image:
        image = with_alpha(image, self._reading.alpha, self._name)
        if hasattr(self, "layout") and not self.layout.has_alpha:
            image = with_alpha(image, "drop", self._name)
        return image


def height_within(
    memory: float, bytes_of: Callable[[int], int], rows: int, name: str, beside: int = 0
) -> int:
    """The rows of strips that take no more memory than this; InputError where one does.

    bytes_of: what strips of so many rows take. rows: of the whole result. beside: what else is
    taken.
    """
    room = memory - PROGRAM_BYTES - beside
    height = rows
    while height > 1 and bytes_of(height) > min(room, GOOD_BYTES):
        height = -(-height // 2)
    if bytes_of(height) > room:
        need = PROGRAM_BYTES + beside + bytes_of(height)
        raise InputError(
            f"{name} needs about {bytes_text(need)} of memory even in strips, more than the "
            f"{bytes_text(int(memory))} that it may take: raise --memory"
        )
    return height


Made = Generator[tuple[list[Frame], Any]]
"""Strips of every result, each with what there is to say of it; that of more is their sum."""

Make = Callable[[int, int], Made]
"""Rows from one up to another, where strips begin."""


def write_strips(
    paths: Sequence[Path | None],
    layouts: Sequence[Layout],
    strips: Made,
    formats: Sequence[str],
    *,
    overwrite: bool,
    adopt: bool,
    quality: int | None,
) -> Any:
    """Write the strips of several pictures as they come, each whole or not at all; those without a
    path are left out. What makes the strips is closed with the files.

    Returns what there is to say of all of them.
    """
    said = None
    with ExitStack() as files:
        files.callback(strips.close)
        writers: list[RowWriter | None] = []
        for path, layout, format in zip(paths, layouts, formats, strict=True):
            writer = None
            if path is not None:
                kept = {"overwrite": overwrite, "adopt": adopt}
                saved = save_rows(path, layout, format=format, quality=quality, **kept)
                writer = files.enter_context(saved)
            writers.append(writer)
        for frames, more in strips:
            said = more if said is None else said + more
            for writer, frame in zip(writers, frames, strict=True):
                if writer is not None:
                    writer.write(frame)
    return said
