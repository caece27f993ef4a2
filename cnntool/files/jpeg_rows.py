"""JPEG row by row: decoded while it is read, and encoded in intervals between restart markers.

Pillow decodes into memory that we give it and take back, once rows are there; it encodes strips, of
which each is a JPEG, whose data follow each other in one.

Source: the JPEG standard (ITU-T T.81), annexes B and E.1.4 (restart intervals).
"""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from cnntool.errors import InputError
from cnntool.files import jpeg
from cnntool.files.image import Frame, copy_channels, luminance
from cnntool.files.layout import Layout, NotInRows, Strips, fitting
from cnntool.files.limits import Limits
from cnntool.files.pictures import save_options
from cnntool.files.pillow import (
    left_out_of,
    library,
    load_plugin,
    open_picture,
    read_metadata,
    to_picture,
)
from cnntool.files.streams import cut_short, damaged

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile as Picture

_PIECE = 1 << 14
"""Bytes of a JPEG that are decoded at a time: of flat pictures they are many rows."""
_CHANNELS = {"L": 1, "RGB": 3}


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """A JPEG of colours or greys that is not progressive and is stored upright. Whether all of it
    is there may be known but after the last row."""
    name = limits.name
    stream.seek(0)
    data = stream.read()
    structure = jpeg.check(data, name)
    picture = open_picture(stream, limits)
    width, height = picture.size
    limits.check_size(width, height)
    orientation, metadata = read_metadata(picture)
    if structure.is_progressive:
        raise NotInRows(name, "is a progressive JPEG")
    if picture.mode not in _CHANNELS:
        raise NotInRows(name, "is a JPEG of printing inks")
    if orientation != 1:
        raise NotInRows(name, "is turned by its EXIF orientation")

    def is_same(other: bytes) -> bool:
        with suppress(InputError):
            both = zip(_decoded(data, limits), _decoded(other, limits), strict=True)
            return all(np.array_equal(one, another) for one, another in both)
        return False

    def strips(start: int) -> Iterator[Frame]:
        top = 0
        ends: list[np.ndarray] = []
        for rows in _decoded(data, limits):
            ends = [*ends[:1], rows[0], rows[-1]]
            top += len(rows)
            if top > start:
                pixels = rows[max(0, len(rows) - (top - start)) :]
                yield Frame(luminance(pixels) if limits.gray and pixels.shape[2] == 3 else pixels)
        jpeg.check_decoded(data, structure, np.stack([ends[0], ends[-1]]), is_same, name)

    channels = 1 if limits.gray else _CHANNELS[picture.mode]
    kind = (np.dtype(np.uint8), 255.0, False, "JPEG")
    kept = metadata.fitting(channels), left_out_of(picture)
    return Layout(height, width, channels, *kind, *kept), strips


def _decoded(data: bytes, limits: Limits) -> Iterator[np.ndarray]:
    """The rows (n, W, C) of a JPEG, a strip of them at a time; InputError for one that ends early.

    The decoder asks for room for all of them. What it has written is given back strip by strip, so
    that little of that is ever memory.
    """
    picture = cast("Picture", open_picture(io.BytesIO(data), limits))
    width, height = picture.size
    room = _room(4 * width * height)
    target = library().frombuffer("RGBX", (width, height), room, "raw", "RGBX", 0, 1)
    pixels = np.frombuffer(room, np.uint8).reshape(height, width, 4)
    is_there = pixels[:, -1, 3]  # which the decoder sets, as the last of a row
    feed = _Feed(picture, target, data, limits.name)
    channels = _CHANNELS[picture.mode]
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
    """Bytes of which none is memory before it is written."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _give_back(room: mmap.mmap, start: int, end: int) -> None:
    """Make bytes no memory any more, where the system can: the pages that end in them."""
    if hasattr(room, "madvise"):
        start, end = (each // mmap.PAGESIZE * mmap.PAGESIZE for each in (start, end))
        if start < end:
            room.madvise(mmap.MADV_DONTNEED, start, end - start)


class JpegWriter:
    """Strips, each of them encoded by itself, as what lies between two restart markers: that is
    what its data are, and the whole is what an encoder makes that is told to set such markers."""

    def __init__(self, file: BinaryIO, layout: Layout, options: Mapping[str, Any]) -> None:
        """options: those of Pillow's `save`, metadata among them."""
        load_plugin("JPEG", "the image")
        self.file, self.layout, self.options = file, layout, options
        across, down = self._unit()
        units = -(-layout.width // across)
        high = min(fitting(layout.row_bytes), layout.height)
        high = min(max(1, high // down), max(1, 0xFFFF // units))  # in units
        self.interval = high * units
        self.rows = np.empty((high * down, layout.width, layout.channels), np.uint8)
        self.waiting = self.count = 0

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
        rows = frame.pixels
        while len(rows):
            taken = rows[: len(self.rows) - self.waiting]
            self.rows[self.waiting : self.waiting + len(taken)] = taken
            self.waiting += len(taken)
            rows = rows[len(taken) :]
            if self.waiting == len(self.rows):
                self._write_interval()

    def _write_interval(self) -> None:
        data = self._encoded(Frame(self.rows[: self.waiting]))
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
            restarts = struct.pack(">BBHH", 0xFF, jpeg.RESTARTS, 4, self.interval)
            self.file.write(head + restarts + data[scan_at:first])
        self.file.write(data[first:last])
        self.count, self.waiting = self.count + 1, 0

    def finish(self) -> None:
        if self.waiting:
            self._write_interval()
        self.file.write(bytes([0xFF, jpeg.END]))


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> JpegWriter:
    return JpegWriter(file, layout, {"quality": quality, **save_options(layout.metadata, "JPEG")})
