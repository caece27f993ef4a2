"""JPEG written row by row: Pillow encodes strips, whose data follow each other in one file.

Source: the JPEG standard (ITU-T T.81), annexes B and E.1.4 (restart intervals).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from cnntool.files import jpeg
from cnntool.files.image import Frame
from cnntool.files.layout import Layout, Rebuffer, fitting
from cnntool.files.pillow import load_plugin, to_picture


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
