"""PNG row by row: as it is shown, of whatever kind.

Source: the PNG specification, third edition (W3C 2025).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from cnntool.files import png
from cnntool.files.image import WHITE, Frame, Image, copy_channels, luminance
from cnntool.files.layout import Layout, NotInRows, Strips, beyond, fitting, layout_of
from cnntool.files.limits import Limits
from cnntool.files.pictures import save_options, transparent_samples
from cnntool.files.pillow import open_picture, read_metadata, to_frame
from cnntool.files.png_decoder import decoded_rows, samples_of, with_see_through
from cnntool.files.png_encoder import PngWriter

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


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
    white, kept = WHITE[frame.pixels.dtype.name], metadata.fitting(frame.pixels.shape[2])
    left_out = tuple(dict.fromkeys(contents.left_out))
    layout = layout_of(Image((frame,), white, "PNG", kept, left_out), header.height)

    def strips(start: int) -> Iterator[Frame]:
        rows = decoded_rows(stream, header, name, fitting(layout.row_bytes))
        for some in beyond(rows, start):
            yield _frame(some, source)

    return layout, strips


def _frame(rows: np.ndarray, source: _Source) -> Frame:
    """Rows of bytes (n, bytes) without their filters as they are shown."""
    header, gray = source.header, source.limits.gray
    has_key = source.transparency is not None and not header.is_deep_color
    if header.bit_depth < 8 or header.color_type == 3 or has_key:
        return _frame_by_pillow(rows, source)
    samples = samples_of(rows, header, header.width)
    if header.color_type == 2 and source.transparency is not None:
        samples = with_see_through(samples, struct.unpack_from(">HHH", source.transparency))
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
