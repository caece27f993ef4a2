"""Is a file whole, and is it what it says? What decoders leave out, for PNG, GIF and WebP.

Pillow fills in what is missing at the end of some files and does not check pixels against their
checksums. (A JPEG is checked in jpeg.py, a TIFF in tiff_pages.py, .npy and PNM as they are read.)
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from cnntool.files.limits import Limits
from cnntool.files.streams import cut_short, damaged

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by the colour type of a PNG."""


class PngHeader(NamedTuple):
    """The fields of a PNG's first chunk."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    compression: int
    filters: int
    interlaced: int

    @property
    def is_deep_color(self) -> bool:
        """16 bits a sample and more than one sample: what Pillow reduces to 8 bits."""
        return self.bit_depth == 16 and self.color_type in (2, 4, 6)


def png_header(stream: BinaryIO, name: str) -> PngHeader:
    """What the first chunk says; InputError where that is nothing a PNG can say."""
    stream.seek(len(PNG_SIGNATURE))
    data = stream.read(21)
    if len(data) < 21:
        raise cut_short(name, "the end of the PNG is missing")
    if data[:8] != b"\0\0\0\rIHDR":
        raise damaged(name, "it does not begin with a PNG header")
    header = PngHeader(*struct.unpack_from(">IIBBBBB", data, 8))
    if header.color_type not in SAMPLES or header.bit_depth not in (1, 2, 4, 8, 16):
        kind = f"colour type {header.color_type} with {header.bit_depth} bits"
        raise damaged(name, f"its {kind} does not exist")
    return header


def png_chunks(stream: BinaryIO, name: str) -> Iterator[tuple[bytes, bytes]]:
    """The name and the data of every chunk up to IEND; InputError for one that is not whole.

    Source: the PNG specification, third edition (W3C 2025), which includes APNG.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(len(PNG_SIGNATURE))
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        if len(head) < 8:
            raise cut_short(name, "the end of the PNG is missing")
        length, kind = struct.unpack(">I4s", head)
        shown = repr(kind.decode("ascii", "replace"))
        if stream.tell() + length + 4 > size:
            raise cut_short(name, f"its chunk {shown} is not complete")
        data = stream.read(length)
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(stream.read(4), "big"):
            raise damaged(name, f"its chunk {shown} does not match its checksum")
        yield kind, data


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it stands in the file: length, name, data, checksum."""
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def check_png(stream: BinaryIO, name: str) -> bytes | None:
    """Every chunk whole and true to its checksum, and pixels among them; InputError otherwise.

    Returns the EXIF block, wherever it stands: after the pixels Pillow finds it too late.
    """
    kinds = set()
    exif = None
    for kind, data in png_chunks(stream, name):
        if kind == b"eXIf":
            exif = data
        kinds.add(kind)
    if b"IDAT" not in kinds:
        raise damaged(name, "it has no pixels")
    return exif


def has_all_rows(stream: BinaryIO, name: str) -> bool:
    """Whether the compressed data of every picture in a PNG are as long as its rows.

    A stream that ends too soon, but well, passes every decoder's own check as a whole picture.
    """
    header = png_header(stream, name)
    missing = _packed_size(header, header.width, header.height)
    unpack = zlib.decompressobj()
    begun = False
    for kind, data in png_chunks(stream, name):
        if kind == b"fcTL" and begun:
            if missing > 0:
                return False
            missing = _packed_size(header, *struct.unpack_from(">II", data, 4))
            unpack = zlib.decompressobj()
        elif kind in (b"IDAT", b"fdAT"):
            begun = True
            data = data if kind == b"IDAT" else data[4:]
            while data and missing > 0 and not unpack.eof:
                missing -= len(unpack.decompress(data, 1 << 20))
                data = unpack.unconsumed_tail
    return missing <= 0


def _packed_size(header: PngHeader, width: int, height: int) -> int:
    """Bytes of all rows before compression, each with its filter type."""
    bits = header.bit_depth * SAMPLES[header.color_type]
    passes = [(0, 0, 1, 1)]
    if header.interlaced:  # Adam7: first column, first row, steps
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for left, top, across, down in passes:
        columns = -(-(width - left) // across)
        rows = -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def check_gif(stream: BinaryIO, name: str) -> tuple[int, int, int]:
    """Width and height that hold every picture, and how many there are; InputError for a file
    without one, or cut before its end mark. A picture may be larger than the first one's canvas.

    Source: the GIF89a specification (CompuServe, 1990).
    """

    def take(size: int) -> bytes:
        data = stream.read(size)
        if len(data) < size:
            raise cut_short(name, "the end of the GIF is missing")
        return data

    def skip_palette(flags: int) -> None:
        take(3 * (2 << (flags & 7)) if flags & 0x80 else 0)

    stream.seek(6)
    width, height, flags, _, _ = struct.unpack("<HHBBB", take(7))
    skip_palette(flags)
    frames = 0
    while (kind := take(1)) != b";":
        if kind == b"!":
            take(1)
        elif kind == b",":
            left, top, across, down, flags = struct.unpack("<HHHHB", take(9))
            width, height = max(width, left + across), max(height, top + down)
            skip_palette(flags)
            take(1)
            frames += 1
        else:
            raise damaged(name, f"it has an unknown block {kind[0]}")
        while length := take(1)[0]:
            take(length)
    if not frames:
        raise damaged(name, "it has no picture")
    return width, height, frames


def check_webp(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Width and height of the canvas; InputError for a file shorter than it says.

    Source: WebP Container Specification and WebP Lossless Bitstream Specification (Google), and
    RFC 6386, section 9.1.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(4)
    if int.from_bytes(stream.read(4), "little") + 8 > size:
        raise cut_short(name, "the end of the WebP is missing")
    stream.seek(12)
    kind, _, head = struct.unpack("<4sI10s", stream.read(18))
    if kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 6)
    return width & 0x3FFF, height & 0x3FFF


def check_boxes(stream: BinaryIO, limits: Limits) -> int:
    """The bits of a channel of an AVIF or a JPEG 2000; InputError where its end is missing.

    Source: ISO/IEC 14496-12 for boxes, the AV1 ISO Media File Format (AOM) for av1C, and ITU-T
    T.800, annex A, for SIZ.
    """
    stream.seek(0)
    data = stream.read()
    if limits.format == "AVIF":
        at = data.find(b"av1C")
        flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
        return 12 if flags & 0x20 else 10 if flags & 0x40 else 8
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0 or data.find(b"\xff\xd9", at) < 0:
        raise cut_short(limits.name, "the end of the JPEG 2000 is missing")
    width, height, _, _, across, down = struct.unpack_from(">6I", data, at + 8)
    limits.check_size(width, height)
    limits.check_tile(min(across, width), min(down, height), (width, height))
    return (data[at + 42] & 0x7F) + 1
