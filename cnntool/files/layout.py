"""Pictures that come and go a few rows at a time: what the rows are, and what their formats share.

A format that can has two functions more, in the module that `rows` names:

- `open_rows(stream, limits) -> (Layout, Strips)`: all checks that need no pixels;
- `write_rows(file, layout, quality, label) -> Writer`: what takes the rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import Frame, Image, Metadata, blank_frame, strips_of_samples
from cnntool.files.streams import NotFinite, cut_short, fill
from cnntool.wording import counted

STRIP_BYTES = 1 << 21
"""Bytes of rows at a time: enough to be fast, few enough that some copies cost nothing."""


class NotInRows(InputError):
    """A picture that can only be read whole.

    reason: why, after its name: ``"is an interlaced PNG"``.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}: it is read only as a whole")
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Layout:
    """What the rows of a picture are, as it is shown; the fields are those of Image and Frame.

    channels: of colour, without alpha.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype
    white: float
    has_alpha: bool
    format: str
    metadata: Metadata = field(default_factory=Metadata)
    left_out: tuple[str, ...] = ()

    @property
    def row_bytes(self) -> int:
        return self.width * (self.channels + self.has_alpha) * self.dtype.itemsize

    def blank(self, rows: int | None = None) -> Image:
        """An image of this layout, or of so many rows of it, whose zeros take no memory."""
        shape = self.height if rows is None else rows, self.width, self.channels
        return self.image_of(blank_frame(shape, self.dtype, self.has_alpha))

    def image_of(self, frame: Frame) -> Image:
        """The image whose pixels these are, or some rows of it."""
        return Image((frame,), self.white, self.format, self.metadata, self.left_out)


def layout_of(image: Image, height: int | None = None) -> Layout:
    """What the rows of an image's first frame are; height: of the whole, where the image is some of
    its rows."""
    pixels, alpha = image.frames[0].pixels, image.frames[0].alpha
    rows, width, channels = pixels.shape
    kind = (pixels.dtype, image.white, alpha is not None, image.format)
    height = rows if height is None else height
    return Layout(height, width, channels, *kind, image.metadata, image.left_out)


Strips = Callable[[int], Iterator[Frame]]
"""The rows from one on, from top to bottom, a few at a time."""


class Writer(Protocol):
    """What takes the rows of a picture from top to bottom, any number at a time, and its end."""

    def write(self, frame: Frame) -> None: ...

    def finish(self) -> None: ...


class PlainWriter(NamedTuple):
    """Rows of samples side by side, as they are, after what is in the file already."""

    file: BinaryIO
    dtype: str

    def write(self, frame: Frame) -> None:
        pixels = frame.pixels
        if frame.alpha is None and pixels.dtype == self.dtype and pixels.flags.c_contiguous:
            self.file.write(pixels.data.cast("B"))
            return
        for rows in strips_of_samples(frame, self.dtype):
            self.file.write(rows.view(np.uint8).data.cast("B"))

    def finish(self) -> None:
        pass


class Rebuffer:
    """Rows of bytes as they come, together as many at a time as are to be: ``rows`` (n, ...)."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows, self._waiting = rows, 0

    def add(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """What is full with these: a view that lasts until the next."""
        while len(rows):
            taken = rows[: len(self._rows) - self._waiting]
            self._rows[self._waiting : self._waiting + len(taken)] = taken
            self._waiting += len(taken)
            rows = rows[len(taken) :]
            if self._waiting == len(self._rows):
                yield from self.rest()

    def rest(self) -> Iterator[np.ndarray]:
        """What waits still, if anything does."""
        if self._waiting:
            count, self._waiting = self._waiting, 0
            yield self._rows[:count]


def beyond(strips: Iterable[np.ndarray], start: int) -> Iterator[np.ndarray]:
    """The rows from ``start`` on of those that come from the first on."""
    top = 0
    for rows in strips:
        top += len(rows)
        if top > start:
            yield rows[max(0, len(rows) - (top - start)) :]


def fitting(size: int) -> int:
    """How many rows or pieces of so many bytes make a strip."""
    return max(1, STRIP_BYTES // max(1, size))


def strips_of(read: Callable[[int, int], Frame], height: int, step: int, name: str) -> Strips:
    """The strips of a picture of which `read` gives the rows from one up to another, which are
    `step` rows from a multiple of `step` on."""

    def block(top: int) -> Frame:
        return read(top, min(top + step, height))

    def not_finite_in(top: int) -> int:
        try:
            block(top)
        except NotFinite as error:
            return error.count
        return 0

    def strips(start: int) -> Iterator[Frame]:
        for top in range(start - start % step, height, step):
            try:
                frame = block(top)
            except NotFinite:  # which says of all of the picture how much
                count = sum(map(not_finite_in, range(0, height, step)))
                raise NotFinite(count, name) from None
            skipped = max(0, start - top)
            if skipped:
                alpha = None if frame.alpha is None else frame.alpha[skipped:]
                frame = replace(frame, pixels=frame.pixels[skipped:], alpha=alpha)
            yield frame

    return strips


class Stored(NamedTuple):
    """Rows of samples that stand in a file one after the other, `at` being the first byte.

    shape: (rows, width, samples).
    """

    stream: BinaryIO
    at: int
    dtype: np.dtype
    shape: tuple[int, ...]
    name: str

    @property
    def row_bytes(self) -> int:
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Where what follows the rows begins."""
        return self.at + self.shape[0] * self.row_bytes

    def check_all_there(self) -> int:
        """How many bytes follow the rows; InputError where rows are missing."""
        needed = self.end - self.at
        there = self.stream.seek(0, os.SEEK_END) - self.at
        if there < needed:
            raise cut_short(
                self.name, f"{there:,} of {counted(needed, 'byte')} of pixels are there"
            )
        return there - needed

    def read(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, width, samples)"""
        self.stream.seek(self.at + top * self.row_bytes)
        rows = np.empty((bottom - top, *self.shape[1:]), self.dtype)
        fill(self.stream, rows, self.name)
        return rows
