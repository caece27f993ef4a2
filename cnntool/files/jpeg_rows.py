"""JPEG read and written by Pillow, a strip at a time, in little memory; checked by jpeg.py.

The decoder asks for room for the whole picture, four bytes a pixel, and fills it from the top. What
it has written is copied and given back strip by strip, so that little of the room is ever memory.

Source: the JPEG standard (ITU-T T.81), annexes B and E.1.4 (restart intervals).
"""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from cnntool.errors import InputError
from cnntool.files import jpeg
from cnntool.files.image import (
    Frame,
    Image,
    Metadata,
    as_stored,
    copy_channels,
    luminance,
    swaps_sides,
)
from cnntool.files.layout import Layout, NotInRows, Rebuffer, Strips, beyond, fitting
from cnntool.files.limits import Limits
from cnntool.files.pillow import (
    image_of,
    left_out_of,
    library,
    load_plugin,
    open_picture,
    pixel_strips,
    read_metadata,
    save_options,
    to_picture,
)
from cnntool.files.streams import cut_short, damaged

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile as Picture

CHANNELS = {"L": 1, "RGB": 3}
"""By the mode of what is decoded piece by piece."""
_PIECE = 1 << 14
"""Bytes of a JPEG that are decoded at a time: of flat pictures they are many rows."""
_SMALL = 1 << 22
"""Pixels of a picture for which Pillow may as well take room."""


@dataclass(frozen=True, eq=False)
class _Source:
    """A JPEG that is known to have all its scans; whether all of their data are there may be known
    but after the last row."""

    data: bytes
    limits: Limits
    structure: jpeg.Structure
    size: tuple[int, int]  # width and height, as stored
    mode: str
    orientation: int
    metadata: Metadata
    left_out: tuple[str, ...]

    @property
    def channels(self) -> int:
        return 1 if self.limits.gray else CHANNELS.get(self.mode, 3)

    def checked_rows(self, again: Callable[[], Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
        """The rows as they are stored; ``again`` gives them once more, to be compared with what
        other data are decoded to. InputError where some are missing."""

        def is_same(other: bytes) -> bool:
            with suppress(InputError, OSError):
                both = zip(again(), _decoded_rows(other, self.limits), strict=True)
                return all(np.array_equal(one, another) for one, another in both)
            return False

        ends: list[np.ndarray] = []
        for rows in _decoded_rows(self.data, self.limits):
            ends = [*ends[:1], rows[0], rows[-1]]
            yield rows
        ends = [ends[0], ends[-1]]
        name = self.limits.name
        jpeg.check_decoded(self.data, self.structure, np.stack(ends), is_same, name)


def _opened(stream: BinaryIO, limits: Limits) -> _Source:
    stream.seek(0)
    data = stream.read()
    structure = jpeg.check(data, limits.name)
    picture = open_picture(stream, limits)
    limits.check_size(*picture.size)
    left_out = left_out_of(picture, data[structure.end :])
    facts = picture.size, picture.mode, *read_metadata(picture)
    return _Source(data, limits, structure, *facts, left_out)


def read(stream: BinaryIO, limits: Limits) -> Image:
    """The picture, upright."""
    source = _opened(stream, limits)
    sides = source.size if swaps_sides(source.orientation) else source.size[::-1]
    pixels = np.empty((*sides, source.channels), np.uint8)
    stored, top = as_stored(pixels, source.orientation), 0
    known: list[np.ndarray] = []
    for rows in source.checked_rows(lambda: iter(known)):
        known.append(stored[top : top + len(rows)])
        known[-1][...] = rows
        top += len(rows)
    image = image_of([Frame(pixels)], replace(source.metadata, loop=None), limits)
    return replace(image, left_out=source.left_out)


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """A JPEG of colours or greys that is not progressive and is stored upright."""
    source, name = _opened(stream, limits), limits.name
    if source.structure.is_progressive:
        raise NotInRows(name, "is a progressive JPEG")
    if source.mode not in CHANNELS:
        raise NotInRows(name, "is a JPEG of printing inks")
    if source.orientation != 1:
        raise NotInRows(name, "is turned by its EXIF orientation")

    def strips(start: int) -> Iterator[Frame]:
        rows = source.checked_rows(lambda: _decoded_rows(source.data, limits))
        for some in beyond(rows, start):
            yield Frame(some)

    width, height = source.size
    kind = (np.dtype(np.uint8), 255.0, False, "JPEG")
    kept = source.metadata.fitting(source.channels), source.left_out
    return Layout(height, width, source.channels, *kind, *kept), strips


def _decoded_rows(data: bytes, limits: Limits) -> Iterator[np.ndarray]:
    """The rows (n, W, C) as they are stored, grey where that is asked for, a strip at a time.

    InputError or OSError for data that end early.
    """
    picture = cast("Picture", open_picture(io.BytesIO(data), limits))
    width, height = picture.size
    is_whole = picture.mode not in CHANNELS or "progressive" in picture.info
    if is_whole or width * height < _SMALL:
        picture.load()
        yield from pixel_strips(picture, limits.gray)
        return
    for rows in _piecewise(picture, data, limits.name):
        yield luminance(rows) if limits.gray and rows.shape[2] == 3 else rows


def _piecewise(picture: Picture, data: bytes, name: str) -> Iterator[np.ndarray]:
    width, height = picture.size
    room = _room(4 * width * height)
    target = library().frombuffer("RGBX", (width, height), room, "raw", "RGBX", 0, 1)
    pixels = np.frombuffer(room, np.uint8).reshape(height, width, 4)
    is_there = pixels[:, -1, 3]  # which the decoder sets, as the last of a row
    feed = _Feed(picture, target, data, name)
    channels = CHANNELS[picture.mode]
    step, done = fitting(channels * width), 0
    for top in range(0, height, step):
        bottom = min(top + step, height)
        while done < bottom:
            if is_there[done]:
                done += 1
            else:
                feed.go_on()
        rows = np.empty((bottom - top, width, channels), np.uint8)
        copy_channels(pixels[top:bottom], rows)
        _give_back(room, 4 * width * top, 4 * width * bottom)
        yield rows
    while not feed.is_over:
        feed.go_on()


class _Feed:
    """Pillow's decoder, which is given a piece of the data after the other."""

    def __init__(self, picture: Picture, target: Any, data: bytes, name: str) -> None:
        as_colors = ("RGB", "")  # also greys, three times each
        self.decoder = library()._getdecoder("RGBX", "jpeg", as_colors, picture.decoderconfig)
        self.decoder.setimage(target.im, (0, 0, *target.size))
        self.data, self.name = data, name
        self.at, self.waiting, self.is_over = 0, b"", False

    def go_on(self) -> None:
        piece = self.data[self.at : self.at + _PIECE]
        if not piece or self.is_over:
            raise cut_short(self.name, "part of the picture is missing")
        self.at += len(piece)
        self.waiting += piece
        taken, error = self.decoder.decode(self.waiting)
        if taken < 0 and error < 0:
            raise damaged(self.name, "its compressed data cannot be decoded")
        self.is_over = taken < 0
        self.waiting = self.waiting[max(0, taken) :]


def _room(size: int) -> mmap.mmap:
    """Bytes of which none is memory before it is written, then in large pages where the system has
    them: one by one they take a third of the time of decoding."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    room = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # of a kernel without them
            room.madvise(mmap.MADV_HUGEPAGE)
    return room


def _give_back(room: mmap.mmap, start: int, end: int) -> None:
    """Make bytes no memory any more, where the system can: the pages that end in them."""
    if hasattr(room, "madvise"):
        start, end = (each // mmap.PAGESIZE * mmap.PAGESIZE for each in (start, end))
        if start < end:
            room.madvise(mmap.MADV_DONTNEED, start, end - start)


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> JpegWriter:
    return JpegWriter(file, layout, {"quality": quality, **save_options(layout.metadata, "JPEG")})


class JpegWriter:
    """Strips, each of them encoded by itself, as what lies between two restart markers: that is
    what its data are, and the whole is what an encoder makes that is told to set such markers. A
    picture of one strip has none."""

    def __init__(self, file: BinaryIO, layout: Layout, options: Mapping[str, Any]) -> None:
        """options: those of Pillow's `save`, metadata among them."""
        load_plugin("JPEG", "the image")
        self.file, self.layout, self.options = file, layout, options
        across, down = self._unit()
        units = -(-layout.width // across)
        high = min(fitting(layout.row_bytes), layout.height)
        high = min(max(1, high // down), max(1, 0xFFFF // units))  # in units
        self.interval = high * units if high * down < layout.height else 0
        shape = high * down, layout.width, layout.channels
        self.rows, self.count = Rebuffer(np.empty(shape, np.uint8)), 0

    def _unit(self) -> tuple[int, int]:
        """The width and height of what is encoded together."""
        small = self._encoded(self.layout.blank(rows=1).frames[0])
        body = next(body for marker, body, *_ in jpeg.segments(small) if marker in jpeg.FRAMES)
        factors = body[7::3]
        return 8 * max(each >> 4 for each in factors), 8 * max(each & 15 for each in factors)

    def _encoded(self, frame: Frame) -> bytes:
        buffer = io.BytesIO()
        to_picture(frame).save(buffer, "JPEG", **self.options)
        return buffer.getvalue()

    def write(self, frame: Frame) -> None:
        for rows in self.rows.add(frame.pixels):
            self._write_interval(rows)

    def _write_interval(self, rows: np.ndarray) -> None:
        data = self._encoded(Frame(rows))
        height_at = 0
        for marker, body, start, end in jpeg.segments(data):
            if marker in jpeg.FRAMES:
                height_at = start - len(body) + 1
            elif marker == jpeg.SCAN:
                scan_at, first, last = start - len(body) - 4, start, end
        if self.count:
            self.file.write(bytes([0xFF, 0xD0 + (self.count - 1) % 8]))
        else:
            head = bytearray(data[:scan_at])
            struct.pack_into(">H", head, height_at, self.layout.height)
            if self.interval:
                head += struct.pack(">BBHH", 0xFF, jpeg.RESTARTS, 4, self.interval)
            self.file.write(head + data[scan_at:first])
        self.file.write(data[first:last])
        self.count += 1

    def finish(self) -> None:
        for rows in self.rows.rest():
            self._write_interval(rows)
        self.file.write(bytes([0xFF, jpeg.END]))
