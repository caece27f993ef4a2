"""WebP: one picture through Pillow, or an animation that keeps every frame and its time.

libwebp compresses the frames; the file around them is ours, since libwebp merges equal neighbours.
Source: WebP Container Specification (Google).
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from cnntool.files.image import DEFAULT_DURATION, Frame, Image, ImageInfo, Metadata, alike
from cnntool.files.metadata import read_metadata, save_options
from cnntool.files.pillow import open_picture
from cnntool.files.pillow_images import describe, image_of, read_frames
from cnntool.files.pillow_pixels import to_picture
from cnntool.files.streams import Reading, cut_short


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the header says."""
    picture = open_picture(stream, "WEBP", reading.name)
    return describe(picture, "WEBP", getattr(picture, "n_frames", 1))


def read(stream: BinaryIO, reading: Reading) -> Image:
    """Every frame as it is shown; InputError for a file shorter than it says."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(4)
    if int.from_bytes(stream.read(4), "little") + 8 > size:
        raise cut_short(reading.name, "the end of the WebP is missing")
    picture = open_picture(stream, "WEBP", reading.name)
    count = picture.n_frames
    reading.check_size(*picture.size, count)
    orientation, metadata = read_metadata(picture, picture.info.get("exif"))
    frames = read_frames(picture, count, reading, orientation)
    if count == 1:
        frames = [Frame(frames[0].pixels, frames[0].alpha)]
        metadata = Metadata(metadata.icc_profile, metadata.dpi, metadata.exif)
    return image_of(frames, "WEBP", metadata, reading)


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """One picture, or an animation of all frames, at this quality."""
    frames = alike(list(image.frames))
    if len(frames) > 1:
        pictures = (_bare(frame, quality) for frame in frames)
        _write_animation(file, pictures, frames, image.metadata)
        return
    options = save_options(image.metadata)
    options.pop("dpi", None)
    to_picture(frames[0]).save(file, "WEBP", quality=quality, **options)


def _bare(frame: Frame, quality: int) -> bytes:
    """A WebP file of the frame and nothing else."""
    buffer = io.BytesIO()
    to_picture(frame).save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


_ANIMATED, _HAS_EXIF, _HAS_ALPHA, _HAS_PROFILE = 0x02, 0x08, 0x10, 0x20
_REPLACES = 0x02  # a frame's pixels are not blended with those before


def _write_animation(
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
