"""Is a file whole, and how large is it? What decoders do not check, for GIF, WebP and JPEG 2000.

PNGs are checked in png.py, JPEGs in jpeg.py, TIFFs in tiff_pages.py, .npy and PNM as they are read.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from cnntool.files.limits import Limits
from cnntool.files.streams import cut_short, damaged


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
    """Width and height of the canvas; InputError for a file shorter than it says. The stream then
    stands behind it."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(30)
    end = int.from_bytes(head[4:8], "little") + 8
    if end > size:
        raise cut_short(name, "the end of the WebP is missing")
    stream.seek(end)
    return webp_size(head)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas, by the first 30 bytes of a WebP.

    Source: WebP Container Specification and WebP Lossless Bitstream Specification (Google), and
    RFC 6386, section 9.1.
    """
    kind, _, head = struct.unpack_from("<4sI10s", data, 12)
    if kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 6)
    return width & 0x3FFF, height & 0x3FFF


def lerc_size(data: bytes) -> tuple[int, int]:
    """Width and height of a LERC blob, which has a checksum from version 3 on; ValueError for what
    is none, such as one that is packed again.

    Source: Esri, LERC specification, version 2.
    """
    magic, version = struct.unpack_from("<6si", data)
    if magic != b"Lerc2 ":
        raise ValueError("no LERC")
    height, width = struct.unpack_from("<2i", data, 14 if version >= 3 else 10)
    return width, height


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
    at = data.find(_CODESTREAM)
    if at < 0 or data.find(b"\xff\xd9", at) < 0:
        raise cut_short(limits.name, "the end of the JPEG 2000 is missing")
    width, height, across, down = jpeg_2000_sizes(data)
    limits.check_size(width, height)
    limits.check_tile(min(across, width), min(down, height), (width, height))
    return (data[at + 42] & 0x7F) + 1


_CODESTREAM = b"\xff\x4f\xff\x51"


def jpeg_2000_sizes(data: bytes) -> tuple[int, int, int, int]:
    """Width and height of a JPEG 2000, and of its tiles."""
    at = data.find(_CODESTREAM)
    width, height, _, _, across, down = struct.unpack_from(">6I", data, at + 8)
    return width, height, across, down
