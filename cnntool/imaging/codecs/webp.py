"""Animated WebP: a file that keeps every frame and its time.

libwebp compresses the frames; the file around them is ours, since libwebp merges equal neighbours.
Source: WebP Container Specification (Google).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from cnntool.imaging.image import DEFAULT_DURATION, Frame, Metadata

_ANIMATED, _HAS_EXIF, _HAS_ALPHA, _HAS_PROFILE = 0x02, 0x08, 0x10, 0x20
_REPLACES = 0x02  # a frame's pixels are not blended with those before


def write_animation(
    file: BinaryIO, pictures: Iterator[bytes], frames: list[Frame], metadata: Metadata
) -> None:
    """One animation from each frame's own WebP file, all frames whole."""
    height, width = frames[0].pixels.shape[:2]
    flags = _ANIMATED
    flags |= _HAS_ALPHA if frames[0].alpha is not None else 0
    flags |= _HAS_PROFILE if metadata.icc_profile else 0
    flags |= _HAS_EXIF if metadata.exif else 0
    size = _three(width - 1) + _three(height - 1)
    parts = [_chunk(b"VP8X", struct.pack("<I", flags) + size)]
    if metadata.icc_profile:
        parts.append(_chunk(b"ICCP", metadata.icc_profile))
    plays = 1 if metadata.loop is None else min(metadata.loop, 65535)
    parts.append(_chunk(b"ANIM", struct.pack("<IH", 0, plays)))
    for picture, frame in zip(pictures, frames, strict=True):
        duration = DEFAULT_DURATION if frame.duration is None else frame.duration
        place = _three(0) + _three(0) + size + _three(min(duration, 0xFFFFFF))
        parts.append(_chunk(b"ANMF", place + bytes([_REPLACES]) + _compressed(picture)))
    if metadata.exif:
        parts.append(_chunk(b"EXIF", metadata.exif[6:]))
    body = b"WEBP" + b"".join(parts)
    file.write(b"RIFF" + struct.pack("<I", len(body)) + body)


def _compressed(picture: bytes) -> bytes:
    """The chunks of a one-picture WebP that hold its pixels."""
    kept = b""
    at = 12
    while at + 8 <= len(picture):
        kind, length = struct.unpack_from("<4sI", picture, at)
        length += 8 + length % 2
        if kind in (b"ALPH", b"VP8 ", b"VP8L"):
            kept += picture[at : at + length]
        at += length
    return kept


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
