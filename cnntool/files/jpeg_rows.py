"""JPEG row by row: decoded a strip at a time, and encoded in intervals between restart markers.

Pillow encodes strips, of which each is a JPEG, whose data follow each other in one.

Source: the JPEG standard (ITU-T T.81), annexes B and E.1.4 (restart intervals).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files import jpeg
from cnntool.files.image import Frame
from cnntool.files.jpeg_decoder import CHANNELS, decoded_rows
from cnntool.files.layout import Layout, NotInRows, Strips, fitting
from cnntool.files.limits import Limits
from cnntool.files.pictures import save_options
from cnntool.files.pillow import (
    left_out_of,
    load_plugin,
    open_picture,
    read_metadata,
    to_picture,
)

if TYPE_CHECKING:
    pass


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
    if picture.mode not in CHANNELS:
        raise NotInRows(name, "is a JPEG of printing inks")
    if orientation != 1:
        raise NotInRows(name, "is turned by its EXIF orientation")

    def is_same(other: bytes) -> bool:
        with suppress(InputError, OSError):
            both = zip(decoded_rows(data, limits), decoded_rows(other, limits), strict=True)
            return all(np.array_equal(one, another) for one, another in both)
        return False

    def strips(start: int) -> Iterator[Frame]:
        top = 0
        ends: list[np.ndarray] = []
        for rows in decoded_rows(data, limits):
            ends = [*ends[:1], rows[0], rows[-1]]
            top += len(rows)
            if top > start:
                yield Frame(rows[max(0, len(rows) - (top - start)) :])
        jpeg.check_decoded(data, structure, np.stack([ends[0], ends[-1]]), is_same, name)

    channels = 1 if limits.gray else CHANNELS[picture.mode]
    kind = (np.dtype(np.uint8), 255.0, False, "JPEG")
    kept = metadata.fitting(channels), left_out_of(picture)
    return Layout(height, width, channels, *kind, *kept), strips


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
