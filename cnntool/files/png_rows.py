"""PNG read row by row: unpacked piece by piece, the filters undone by Pillow's decoder.

Source: the PNG specification, third edition (W3C 2025).
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from cnntool.files import png
from cnntool.files.image import WHITE, Frame, copy_channels, luminance
from cnntool.files.layout import Layout, NotInRows, Strips, fitting
from cnntool.files.limits import Limits
from cnntool.files.pictures import save_options, transparent_samples
from cnntool.files.pillow import library, load_plugin, open_picture, read_metadata, to_frame
from cnntool.files.png_encoder import PngWriter
from cnntool.files.streams import cut_short, damaged

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_PIECE = 1 << 18
"""Bytes of packed pixels at a time."""


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
    header = png.read_header(stream, name)
    contents = png.read_contents(stream, name, pixels=False)
    picture = open_picture(png.for_decoder(stream, name, contents, pixels=False), limits)
    picture.info |= contents.info
    limits.check_size(*picture.size)
    orientation, metadata = read_metadata(picture)
    chunks = {kind: data for kind, data in png.chunks(stream, name, pixels=False)}
    if header.interlaced:
        raise NotInRows(name, "is an interlaced PNG")
    if b"acTL" in chunks:
        raise NotInRows(name, "is an animated PNG")
    if orientation != 1:
        raise NotInRows(name, "is turned by its EXIF orientation")
    source = _Source(stream, limits, header, chunks.get(b"PLTE"), chunks.get(b"tRNS"))
    frame = _frame(np.zeros((1, source.row_bytes), np.uint8), source)
    channels, dtype = frame.pixels.shape[2], frame.pixels.dtype
    layout = Layout(
        header.height,
        header.width,
        channels,
        dtype,
        WHITE[dtype.name],
        frame.alpha is not None,
        "PNG",
        metadata.fitting(channels),
        tuple(dict.fromkeys(contents.left_out)),
    )

    def strips(start: int) -> Iterator[Frame]:
        top = 0
        for rows in _rows(source, fitting(layout.row_bytes)):
            top += len(rows)
            if top > start:
                yield _frame(rows[max(0, len(rows) - (top - start)) :], source)

    return layout, strips


def _rows(source: _Source, step: int) -> Iterator[np.ndarray]:
    """The bytes of rows without their filters, (step, bytes) at a time."""
    header, name = source.header, source.limits.name
    pieces = _pieces(source.stream, name)
    unpacked = _Unpacked(pieces, name)
    above = np.zeros(source.row_bytes, np.uint8)
    for top in range(0, header.height, step):
        count = min(step, header.height - top)
        filtered = np.empty((count + 1, 1 + source.row_bytes), np.uint8)
        filtered[0, 0], filtered[0, 1:] = 0, above
        unpacked.fill(filtered[1:].reshape(-1).data)
        if filtered[:, 0].max() > 4:
            raise damaged(name, "its compressed data cannot be decoded")
        rows = _without_filters(filtered, max(1, header.bits // 8))[1:]
        above = rows[-1]
        yield rows
    for _ in pieces:  # checks what follows, too
        pass


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

    def fill(self, room: memoryview) -> None:
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


def _without_filters(filtered: np.ndarray, pixel_bytes: int) -> np.ndarray:
    """Rows (n, 1 + bytes) as (n, bytes), of which the first has filter 0.

    A filter knows the bytes of a pixel alone: so one of Pillow's modes does for any kind of pixel,
    and two for those of 16-bit colour, once for the high bytes and once for the low ones.
    """
    count, size = filtered.shape[0], filtered.shape[1] - 1
    if not filtered[:, 0].any():
        return filtered[:, 1:]
    packed = zlib.compress(filtered.data, 0)
    sides = (size // pixel_bytes, count)

    def decoded(mode: str, stored: str) -> np.ndarray:
        picture = library().frombytes(mode, sides, packed, "zip", stored)
        return np.frombuffer(picture.tobytes(), np.uint8)

    load_plugin("PNG", "the picture")
    if pixel_bytes in _MODES:
        mode = _MODES[pixel_bytes]
        return decoded(mode, mode).reshape(count, size)
    mode = _MODES[pixel_bytes // 2]
    rows = np.empty((count, size // 2, 2), np.uint8)
    rows[..., 0] = decoded(mode, f"{mode};16B").reshape(count, -1)
    rows[..., 1] = decoded(mode, f"{mode};16L").reshape(count, -1)
    return rows.reshape(count, size)


def _frame(rows: np.ndarray, source: _Source) -> Frame:
    """Rows of bytes (n, bytes) without their filters as they are shown."""
    header, gray = source.header, source.limits.gray
    has_key = source.transparency is not None and not header.is_deep_color
    if header.bit_depth < 8 or header.color_type == 3 or has_key:
        return _frame_by_pillow(rows, source)
    stored = np.ascontiguousarray(rows).view(f">u{header.bit_depth // 8}")
    samples = stored.reshape(len(rows), header.width, -1)
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if header.color_type == 2 and source.transparency is not None:
        key = np.frombuffer(source.transparency, ">u2", 3)
        opaque = (samples != key).any(axis=2, keepdims=True)
        samples = np.concatenate([samples, opaque * np.uint16(65535)], axis=2)
    channels = 1 if samples.shape[2] < 3 else 3
    pixels, alpha = samples, None
    if samples.shape[2] > channels:
        pixels = np.empty((*samples.shape[:2], channels), samples.dtype)
        copy_channels(samples, pixels)
        alpha = np.ascontiguousarray(samples[..., channels])
    return Frame(luminance(pixels) if gray and channels == 3 else pixels, alpha)


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
    picture: Picture = open_picture(io.BytesIO(data), source.limits)
    picture.load()
    transparent = transparent_samples(picture, header.bit_depth)
    return to_frame(picture, source.limits.gray, 1, transparent)


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> PngWriter:
    return PngWriter(file, layout, save_options(layout.metadata, "PNG"))
