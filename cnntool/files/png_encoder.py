"""PNG written row by row, at any depth: rows filtered by NumPy, packed by zlib.

Source: the PNG specification, third edition (W3C 2025), sections 9 (filtering) and 10.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from cnntool.files import png
from cnntool.files.image import Frame, strips_of_samples
from cnntool.files.layout import Layout, Rebuffer, fitting
from cnntool.files.pillow import library, load_plugin

COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""From the samples of a pixel."""


class PngWriter:
    """Rows of uint8 or uint16. Segments of a fixed number of them are packed each by itself, the
    way that suits it, into one stream."""

    def __init__(self, file: BinaryIO, layout: Layout, options: Mapping[str, Any]) -> None:
        """options: the metadata as for Pillow's `save`."""
        self.file = file
        samples, size = layout.channels + layout.has_alpha, layout.dtype.itemsize
        self.dtype, self.pixel_bytes = f">u{size}", samples * size
        count = min(fitting(layout.row_bytes), layout.height)
        self.rows = Rebuffer(np.empty((count, layout.row_bytes), np.uint8))
        self.above = np.zeros(layout.row_bytes, np.uint8)
        self.checksum = zlib.adler32(b"")
        sides, kind = (layout.width, layout.height), COLOR_TYPES[samples]
        header = struct.pack(">IIBBBBB", *sides, 8 * size, kind, 0, 0, 0)
        file.write(png.SIGNATURE + png.chunk(b"IHDR", header) + _chunks_of(options))
        self.packed = b"\x78\x01"  # deflate, a window of 32 kB

    def write(self, frame: Frame) -> None:
        for strip in strips_of_samples(frame, self.dtype):
            for rows in self.rows.add(strip.view(np.uint8).reshape(len(strip), -1)):
                self._write_segment(rows)

    def _write_segment(self, rows: np.ndarray) -> None:
        data = filtered(rows, self.above, self.pixel_bytes).reshape(-1).data
        self.above = rows[-1].copy()
        self.checksum = zlib.adler32(data, self.checksum)
        self.packed += _packed(data)
        if len(self.packed) >= _SAMPLE:
            self.file.write(png.chunk(b"IDAT", self.packed))
            self.packed = b""

    def finish(self) -> None:
        for rows in self.rows.rest():
            self._write_segment(rows)
        end = b"\x03\0" + self.checksum.to_bytes(4, "big")  # an empty last block
        self.file.write(png.chunk(b"IDAT", self.packed + end) + png.chunk(b"IEND", b""))


def _chunks_of(options: Mapping[str, Any]) -> bytes:
    """The chunks of metadata, as Pillow writes them."""
    if not options:
        return b""
    small = io.BytesIO()
    load_plugin("PNG", "the image")
    library().new("L", (1, 1)).save(small, "PNG", **options)
    kept = (each for each in png.chunks(small, "metadata") if each[0] not in _OF_PIXELS)
    return b"".join(png.chunk(*each) for each in kept)


_OF_PIXELS = (b"IHDR", b"IDAT", b"IEND")


_RUNS, _REPEATS = (1, zlib.Z_RLE), (4, zlib.Z_DEFAULT_STRATEGY)
"""Level and strategy: fastest, and small for photographs; far smaller for drawings and screens."""
_SAMPLE = 1 << 16


def _packed(data: memoryview) -> bytes:
    """A segment, the way that suits it by a trial on its middle."""
    if len(data) <= 2 * _SAMPLE:
        return _deflated(data, *_REPEATS)
    start = max(0, len(data) - _SAMPLE) // 2
    sample = data[start : start + _SAMPLE]
    small = len(_deflated(sample, *_REPEATS)), len(_deflated(sample, *_RUNS))
    return _deflated(data, *(_REPEATS if 4 * small[0] < 3 * small[1] else _RUNS))


def _deflated(data: memoryview, level: int, strategy: int) -> bytes:
    """Blocks without a header, that others may follow."""
    pack = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return pack.compress(data) + pack.flush(zlib.Z_SYNC_FLUSH)


_CHOICE_ROWS = 8
"""Rows of one filter, which the first of them chooses: as good as each for itself, and faster."""
_BLOCK = 1 << 16
"""Bytes that are filtered at a time: what stays in the cache."""


def filtered(rows: np.ndarray, above: np.ndarray, pixel_bytes: int) -> np.ndarray:
    """Rows (n, bytes) as they stand in a PNG, below the row `above` (bytes,): (n, 1 + bytes), the
    filter's number first.

    The filter is that of the smallest sum of absolute differences, as the specification advises in
    section 12.7.
    """
    count, size = rows.shape
    padded = np.zeros((count + 1, pixel_bytes + size), np.uint8)
    padded[0, pixel_bytes:], padded[1:, pixel_bytes:] = above, rows
    left, right = slice(None, size), slice(pixel_bytes, None)
    x, a, b, c = padded[1:, right], padded[1:, left], padded[:-1, right], padded[:-1, left]
    filters = _best_filters(*(each[::_CHOICE_ROWS] for each in (x, a, b, c)))
    result = np.empty((count, 1 + size), np.uint8)
    result[:, 0] = np.repeat(filters, _CHOICE_ROWS)[:count]
    step = max(1, _BLOCK // size)
    for first in range(0, count, _CHOICE_ROWS):
        last = min(first + _CHOICE_ROWS, count)
        predict = _PREDICTORS[filters[first // _CHOICE_ROWS]]
        for top in range(first, last, step):
            part = slice(top, min(top + step, last))
            np.subtract(x[part], predict(a[part], b[part], c[part]), out=result[part, 1:])
    return result


def _best_filters(*samples: np.ndarray) -> np.ndarray:
    """The number of the best filter for each row (n,)."""
    costs = np.empty((len(samples[0]), len(_PREDICTORS)), np.int64)
    for row, (x, a, b, c) in enumerate(zip(*samples, strict=True)):
        for number, predict in enumerate(_PREDICTORS):
            difference = (x - predict(a, b, c)).view(np.int8)
            costs[row, number] = np.abs(difference).view(np.uint8).sum(dtype=np.int64)
    return costs.argmin(axis=1)


def _average(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return (a & b) + ((a ^ b) >> 1)  # (a + b) // 2 in 8 bits


def _paeth(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Whichever of left, above and upper left is nearest to a + b - c, the first of equals.

    The distances are |b - c|, |a - c| and, where c lies between a and b, the difference of these
    two; elsewhere it is their sum, and c is out of the question. So 8 bits do, which are several
    times as fast as 16.
    """
    to_a = np.maximum(b, c) - np.minimum(b, c)
    to_b = np.maximum(a, c) - np.minimum(a, c)
    between = ((a < c) ^ (b < c)).view(np.uint8)
    is_a = to_a <= (to_b >> between)
    is_b = to_b <= (to_a >> between)
    nearest = c ^ ((b ^ c) & -is_b.view(np.uint8))
    return nearest ^ ((a ^ nearest) & -is_a.view(np.uint8))


_PREDICTORS = (
    lambda a, b, c: np.uint8(0),
    lambda a, b, c: a,
    lambda a, b, c: b,
    _average,
    _paeth,
)
"""By the number of the filter: the byte from those to the left, above, and above the left."""
