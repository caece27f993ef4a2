"""PNG row by row: as it is shown, of whatever kind. Unpacked piece by piece, the filters undone by
Pillow: that is how 16-bit colour is read, too, which Pillow itself reduces to 8 bits.

Source: the PNG specification, third edition (W3C 2025).
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from cnntool.files import png
from cnntool.files.image import WHITE, Frame, Image, frame_of
from cnntool.files.layout import Layout, NotInRows, Strips, beyond, fitting, layout_of
from cnntool.files.limits import Limits
from cnntool.files.pillow import (
    library,
    load_plugin,
    open_picture,
    read_metadata,
    save_options,
    to_frame,
    transparent_samples,
)
from cnntool.files.png_encoder import PngWriter
from cnntool.files.streams import cut_short, damaged


class _Source(NamedTuple):
    """A PNG that is read row by row, and the chunks that tell its colours."""

    stream: BinaryIO
    limits: Limits
    header: png.Header
    palette: bytes | None
    transparency: bytes | None

    @property
    def row_bytes(self) -> int:
        return -(-self.header.width * self.header.bits // 8)


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """A picture that is neither interlaced nor an animation; its pixels' checksums are checked
    when they are read."""
    name = limits.name
    _, contents, picture = png.opened(stream, limits, pixels=False)
    header, chunks = contents.header, contents.chunks
    limits.check_size(*picture.size)
    orientation, metadata = read_metadata(picture)
    if header.interlaced:
        raise NotInRows(name, "is an interlaced PNG")
    if b"acTL" in chunks:
        raise NotInRows(name, "is an animated PNG")
    if orientation != 1:
        raise NotInRows(name, "is turned by its EXIF orientation")
    source = _Source(stream, limits, header, chunks.get(b"PLTE"), chunks.get(b"tRNS"))
    frame = _frame(np.zeros((1, source.row_bytes), np.uint8), source)
    white, kept = WHITE[frame.pixels.dtype.name], metadata.fitting(frame.pixels.shape[2])
    left_out = tuple(dict.fromkeys(contents.left_out))
    layout = layout_of(Image((frame,), white, "PNG", kept, left_out), header.height)

    def strips(start: int) -> Iterator[Frame]:
        rows = _decoded_rows(stream, header, name, fitting(layout.row_bytes))
        for some in beyond(rows, start):
            yield _frame(some, source)

    return layout, strips


def _frame(rows: np.ndarray, source: _Source) -> Frame:
    """Rows of bytes (n, bytes) without their filters as they are shown."""
    header, gray = source.header, source.limits.gray
    has_key = source.transparency is not None and not header.is_deep_color
    if header.bit_depth < 8 or header.color_type == 3 or has_key:
        return _frame_by_pillow(rows, source)
    samples = _samples_of(rows, header, header.width)
    if header.color_type == 2 and source.transparency is not None:
        samples = with_see_through(samples, struct.unpack_from(">HHH", source.transparency))
    return frame_of(samples, 1 if samples.shape[2] < 3 else 3, gray)


def _frame_by_pillow(rows: np.ndarray, source: _Source) -> Frame:
    """By Pillow, as a small picture of the same kind."""
    header = source.header
    filtered = np.zeros((len(rows), 1 + rows.shape[1]), np.uint8)
    filtered[:, 1:] = rows
    small = header._replace(height=len(rows))
    data = png.SIGNATURE + png.chunk(b"IHDR", struct.pack(">IIBBBBB", *small))
    for kind, content in ((b"PLTE", source.palette), (b"tRNS", source.transparency)):
        data += png.chunk(kind, content) if content is not None else b""
    data += png.chunk(b"IDAT", zlib.compress(filtered.data, 0)) + png.chunk(b"IEND", b"")
    picture = open_picture(io.BytesIO(data), source.limits)
    picture.load()
    transparent = transparent_samples(picture, header.bit_depth)
    return to_frame(picture, source.limits.gray, 1, transparent)


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> PngWriter:
    return PngWriter(file, layout, save_options(layout.metadata, "PNG"))


_PIECE = 1 << 18
"""Bytes of packed pixels at a time."""


def _decoded_rows(
    stream: BinaryIO, header: png.Header, name: str, step: int
) -> Iterator[np.ndarray]:
    """The bytes of a picture that is not interlaced, without their filters: rows (step, bytes) at a
    time. InputError where they are not whole or not true to their checksums."""
    pieces = _pieces(stream, name)
    yield from _Unpacked(pieces, name).rows(header.width, header.height, header.bits, step)
    for _ in pieces:  # checks what follows, too
        pass


def read_deep_samples(stream: BinaryIO, header: png.Header, name: str) -> np.ndarray:
    """The samples (H, W, S) of a picture of 16 bits, interlaced or not; InputError as above."""
    pieces = _pieces(stream, name)
    unpacked = _Unpacked(pieces, name)
    samples = np.empty((header.height, header.width, header.bits // 16), np.uint16)
    for left, top, across, down in header.passes:
        part = samples[top::down, left::across]
        height, width, _ = part.shape
        step, done = fitting(width * header.bits // 8), 0
        for rows in unpacked.rows(width, height if width else 0, header.bits, step):
            part[done : done + len(rows)] = _samples_of(rows, header, width)
            done += len(rows)
    for _ in pieces:
        pass
    return samples


def _samples_of(rows: np.ndarray, header: png.Header, width: int) -> np.ndarray:
    """Rows of bytes (n, bytes) as samples (n, W, S) of 8 or 16 bits."""
    stored = np.ascontiguousarray(rows).view(f">u{header.bit_depth // 8}")
    samples = stored.reshape(len(rows), width, -1)
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def with_see_through(samples: np.ndarray, color: tuple[int, ...]) -> np.ndarray:
    """Samples (n, W, S) with an alpha that hides one colour."""
    opaque = (samples != np.array(color)).any(axis=2, keepdims=True)
    alpha = opaque * samples.dtype.type(np.iinfo(samples.dtype).max)
    return np.concatenate([samples, alpha], axis=2)


def _pieces(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The packed pixels a few at a time; InputError for a chunk that is not whole or true to its
    checksum, once it is over."""
    stream.seek(len(png.SIGNATURE))
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        length, kind = struct.unpack(">I4s", head)
        if kind != b"IDAT":
            stream.seek(length + 4, os.SEEK_CUR)
            continue
        checksum = zlib.crc32(kind)
        while length:
            piece = stream.read(min(length, _PIECE))
            if not piece:
                raise cut_short(name, "its chunk 'IDAT' is not complete")
            checksum, length = zlib.crc32(piece, checksum), length - len(piece)
            yield piece
        if checksum != int.from_bytes(stream.read(4), "big"):
            raise damaged(name, "its chunk 'IDAT' does not match its checksum")


class _Unpacked:
    """The bytes that zlib packed, as many as are asked for."""

    def __init__(self, pieces: Iterator[bytes], name: str) -> None:
        self.pieces, self.name = pieces, name
        self.unpack = zlib.decompressobj()

    def rows(self, width: int, height: int, bits: int, step: int) -> Iterator[np.ndarray]:
        """The rows of a picture of so many bits a pixel, (step, bytes) at a time."""
        size = -(-width * bits // 8)
        above = np.zeros(size, np.uint8)
        for top in range(0, height, step):
            filtered = np.empty((min(step, height - top) + 1, 1 + size), np.uint8)
            filtered[0, 0], filtered[0, 1:] = 0, above
            self._fill(filtered[1:].reshape(-1).data)
            if filtered[:, 0].max() > 4:
                raise damaged(self.name, "its compressed data cannot be decoded")
            rows = _without_filters(filtered, max(1, bits // 8))[1:]
            above = rows[-1]
            yield rows

    def _fill(self, room: memoryview) -> None:
        done = 0
        while done < len(room):
            packed = self.unpack.unconsumed_tail or next(self.pieces, b"")
            try:
                plain = self.unpack.decompress(packed, len(room) - done)
            except zlib.error:
                raise damaged(self.name, "its compressed data cannot be decoded") from None
            if not plain and (not packed or self.unpack.eof):
                raise cut_short(self.name, "part of the picture is missing")
            room[done : done + len(plain)] = plain
            done += len(plain)


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Of Pillow, by the bytes of a pixel: a filter knows no more of it."""


def _without_filters(filtered: np.ndarray, pixel_bytes: int) -> np.ndarray:
    """Rows (n, 1 + bytes) as (n, bytes), of which the first has filter 0."""
    if not filtered[:, 0].any():
        return filtered[:, 1:]
    if pixel_bytes in _MODES:
        return _decoded(filtered, pixel_bytes)
    # each byte of a pixel is filtered with its like alone: high bytes and low ones by themselves
    count, size = filtered.shape[0], filtered.shape[1] // 2
    parts = np.empty((2, count, 1 + size), np.uint8)
    parts[..., 0] = filtered[:, 0]
    rows = np.empty((count, size, 2), np.uint8)
    for k in (0, 1):
        parts[k, :, 1:] = filtered[:, 1 + k :: 2]
    decoded = _decoded(parts.reshape(2 * count, 1 + size), pixel_bytes // 2)
    for k in (0, 1):
        rows[..., k] = decoded.reshape(2, count, size)[k]
    return rows.reshape(count, 2 * size)


def _decoded(filtered: np.ndarray, pixel_bytes: int) -> np.ndarray:
    """The same by Pillow's decoder, for pixels of one to four bytes."""
    load_plugin("PNG", "the picture")
    count, size = filtered.shape[0], filtered.shape[1] - 1
    mode = _MODES[pixel_bytes]
    packed = zlib.compress(filtered.data, 0)
    picture = library().frombytes(mode, (size // pixel_bytes, count), packed, "zip", mode)
    return np.frombuffer(picture.tobytes(), np.uint8).reshape(count, size)
