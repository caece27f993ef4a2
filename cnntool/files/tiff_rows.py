"""TIFF and BigTIFF row by row: plain samples from where they stand, all else in small files.

A few strips, or tiles of a row of them, make a small TIFF with the same tags, which is read as any
other: so every kind that is read whole is read in rows, and gives the same pixels. Writing, too,
takes the tags of a small file.

Source: TIFF 6.0 (Adobe, 1992); BigTIFF (libtiff's specification).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from cnntool.files.image import WHITE, Frame, Image
from cnntool.files.layout import (
    Layout,
    NotInRows,
    Strips,
    fitting,
    layout_of,
    strips_of,
)
from cnntool.files.limits import Limits
from cnntool.files.streams import NotFinite
from cnntool.files.tiff import (
    checked_pages,
    left_out_of_pages,
    opened_by_pillow,
    plain_frame,
    read_at,
    read_frames,
    read_page_metadata,
    stored_rows,
    write_rows,
)
from cnntool.files.tiff_pages import Page, Tag, read_tags
from cnntool.wording import counted

__all__ = ["open_rows", "write_rows"]

_WIDTH, _HEIGHT = 256, 257
_STRIP_OFFSETS, _STRIP_ROWS, _STRIP_COUNTS = 273, 278, 279
_TILE_OFFSETS, _TILE_COUNTS = 324, 325
_OF_DECODING = {258, 259, 262, 266, 277, 284, 292, 293, 317, 320, 322, 323, 332, 334, 338}
_OF_DECODING |= {339, 347, 512, 519, 520, 521, 529, 530, 531, 532, 34016, 50674}
"""The tags that tell what the bytes of a piece mean."""
_LONG = 4
_LARGEST_PIECE = 1 << 26
"""Bytes of a strip or tile, unpacked, that are held at a time."""


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """The only page of a file, stored upright."""
    name = limits.name
    pages = checked_pages(stream, limits)
    page = pages[0]
    if len(pages) > 1:
        raise NotInRows(name, f"has {counted(len(pages), 'page')}")
    if page.orientation != 1:
        raise NotInRows(name, "is turned by its orientation")
    source = _Source(stream, limits, page, read_tags(stream, name, _OF_DECODING))
    source.check_tags()
    rows = fitting(page.row_bytes)
    if page.is_tiled or page.is_compressed:
        if page.piece[0] * page.piece[1] * page.pixel_bits > 8 * _LARGEST_PIECE:
            raise NotInRows(name, f"has strips or tiles of {page.piece[1]:,} rows")
        rows = max(1, rows // page.piece[1]) * page.piece[1]
    strips = strips_of(source.read, page.height, rows, name)
    first = next(strips(0))
    white = WHITE.get(first.pixels.dtype.name, limits.float_white)
    metadata = read_page_metadata(stream, page, limits).fitting(first.pixels.shape[2])
    begun = Image((first,), white, "TIFF", metadata, left_out_of_pages(pages, metadata))
    return layout_of(begun, page.height), strips


@dataclass(frozen=True)
class _Source:
    """A page, with the tags that tell what its bytes mean."""

    stream: BinaryIO
    limits: Limits
    page: Page
    tags: dict[int, Tag]

    def check_tags(self) -> None:
        """NotInRows where tags, repeated or of another type, mean for the library that reads the
        whole what they do not mean for us; InputError where they mean nothing to it."""
        page, name = self.page, self.limits.name
        empty = self._small([b""] * page.planes, page.width, page.height, page.piece[1])
        whole, same = (opened_by_pillow(each, self.limits) for each in (self.stream, empty))
        if (whole and (whole.mode, whole.size)) != (same and (same.mode, same.size)):
            raise NotInRows(name, "has tags that contradict each other")
        if (whole is None or page.is_deep) and not page.is_plain:
            from cnntool.files import deep

            deep.check_tiff(self.stream, page, name)

    def read(self, top: int, bottom: int) -> Frame:
        """Rows that begin with a piece where pieces are whole."""
        if self.page.is_plain:
            return plain_frame(self.stream, self.page, self.limits, top, bottom)
        if self.page.is_tiled:
            return self._tiles(top, bottom)
        if self.page.is_compressed:
            across = [self._piece(k) for k in self._strips_between(top, bottom)]
            return self._decoded(across, self.page.width, bottom - top, self.page.piece[1])
        planes = [
            stored_rows(self.stream, self.page, plane, top, bottom, self.limits.name)
            for plane in range(self.page.planes)
        ]
        return self._decoded(planes, self.page.width, bottom - top, bottom - top)

    def _piece(self, index: int) -> bytes:
        offset, count = (int(each[index]) for each in (self.page.offsets, self.page.counts))
        return read_at(self.stream, offset, count, self.limits.name)

    def _strips_between(self, top: int, bottom: int) -> Iterator[int]:
        rows = self.page.piece[1]
        strips = -(-self.page.height // rows)
        for plane in range(self.page.planes):
            yield from range(plane * strips + top // rows, plane * strips + -(-bottom // rows))

    def _tiles(self, top: int, bottom: int) -> Frame:
        """Tiles side by side, a few at a time."""
        page = self.page
        across, down = page.piece
        columns, height = -(-page.width // across), -(-page.height // down)
        step = fitting((bottom - top) * across * page.pixel_bits // 8)
        pixels = alpha = None
        not_finite = 0
        for left in range(0, columns, step):
            right = min(left + step, columns)
            tiles = [
                self._piece((plane * height + row) * columns + column)
                for plane in range(page.planes)
                for row in range(top // down, -(-bottom // down))
                for column in range(left, right)
            ]
            at = slice(left * across, min(right * across, page.width))
            try:
                frame = self._decoded(tiles, at.stop - at.start, bottom - top, down)
            except NotFinite as error:
                not_finite += error.count
                continue
            if pixels is None:
                shape, dtype = (bottom - top, page.width), frame.pixels.dtype
                pixels = np.empty((*shape, frame.pixels.shape[2]), dtype)
                alpha = None if frame.alpha is None else np.empty(shape, dtype)
            pixels[:, at] = frame.pixels
            if alpha is not None:
                alpha[:, at] = frame.alpha
        if not_finite or pixels is None:
            raise NotFinite(not_finite, self.limits.name)
        return Frame(pixels, alpha)

    def _decoded(self, pieces: list[bytes], width: int, height: int, rows: int) -> Frame:
        """Pieces of so many rows as a picture of its own."""
        small = self._small(pieces, width, height, rows)
        return read_frames(small, checked_pages(small, self.limits), self.limits)[0]

    def _small(self, pieces: list[bytes], width: int, height: int, rows: int) -> io.BytesIO:
        tags = self.tags | {_WIDTH: self._numbers(width), _HEIGHT: self._numbers(height)}
        if not self.page.is_tiled:
            tags[_STRIP_ROWS] = self._numbers(rows)
        return io.BytesIO(_small_tiff(self.page.order, tags, pieces, self.page.is_tiled))

    def _numbers(self, *values: int) -> Tag:
        return Tag(_LONG, len(values), struct.pack(f"{self.page.order}{len(values)}I", *values))


def _small_tiff(order: str, tags: dict[int, Tag], pieces: list[bytes], is_tiled: bool) -> bytes:
    """A TIFF of one page with these tags and pieces of pixels."""
    count = len(pieces)
    places = (_TILE_OFFSETS, _TILE_COUNTS) if is_tiled else (_STRIP_OFFSETS, _STRIP_COUNTS)
    sizes = [len(piece) for piece in pieces]
    values_at = 8 + 2 + 12 * (len(tags) + 2) + 4
    pixels_at = values_at + sum(len(tag.data) for tag in tags.values() if len(tag.data) > 4)
    pixels_at += 8 * count if count > 1 else 0
    offsets = pixels_at + np.cumsum([0, *sizes[:-1]])
    for place, numbers in zip(places, (offsets.tolist(), sizes), strict=True):
        tags = tags | {place: Tag(_LONG, count, struct.pack(f"{order}{count}I", *numbers))}
    entries, values = b"", b""
    for number, tag in sorted(tags.items()):
        inline = tag.data.ljust(4, b"\0")
        if len(tag.data) > 4:
            inline = struct.pack(order + "I", values_at + len(values))
            values += tag.data
        entries += struct.pack(order + "HHI", number, tag.kind, tag.count) + inline
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    head += struct.pack(order + "H", len(tags)) + entries + bytes(4) + values
    return b"".join([head, *pieces])
