"""Animations as they are written: every frame whole, in its place, for its time.

Pillow and libwebp compress the frames; the file around them is ours, since both leave out a frame
that equals the one before, and then a result has fewer frames than its source.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cnntool.files import png
from cnntool.files.image import DEFAULT_DURATION, Frame, Metadata

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def write_gif(frames: Sequence[Frame], loop: int | None, file: BinaryIO) -> None:
    """A GIF of frames that replace each other. Colours beyond 256 a frame are quantized,
    alpha becomes all or nothing at one half, times are rounded to 10 ms with their sum kept.
    """
    from PIL import GifImagePlugin

    disposal = 0 if len(frames) == 1 else 1 if frames[0].alpha is None else 2
    shared = None  # the first frame's palette serves the later ones that have the same
    for frame, time in zip(frames, _hundredths(frames), strict=True):
        picture, options = _indexed(frame)
        if shared is None:
            shared = picture.getpalette()
            repeats = {} if loop in (None, 1) else {"loop": min(max(loop - 1, 0), 65535)}
            picture.info["version"] = b"89a"
            header, _ = GifImagePlugin.getheader(picture, None, repeats if len(frames) > 1 else {})
            file.writelines(header)
        own = picture.getpalette() != shared
        options |= {"duration": 10 * time, "disposal": disposal, "include_color_table": own}
        file.writelines(GifImagePlugin.getdata(picture, (0, 0), **options))
    file.write(b";")


def _hundredths(frames: Sequence[Frame]) -> Iterator[int]:
    """Each frame's time in 1/100 s; what rounding takes from one it gives to the next."""
    elapsed = shown = 0
    for frame in frames:
        if frame.duration is None and len(frames) == 1:
            yield 0
            continue
        elapsed += _duration(frame)
        time = min(max(round(elapsed / 10) - shown, int(bool(frame.duration))), 65535)
        shown += time
        yield time


def _indexed(frame: Frame) -> tuple[Picture, dict[str, int]]:
    """The frame with a palette, exact up to 256 colours, and which of them is transparent."""
    from PIL import Image as Pillow

    pixels = frame.pixels
    if frame.alpha is None and pixels.shape[2] == 1:
        picture = Pillow.fromarray(np.ascontiguousarray(pixels[..., 0]))
        picture.putpalette([level for level in range(256) for _ in range(3)])
        return picture, {}
    pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    opaque = np.ones(pixels.shape[:2], bool) if frame.alpha is None else frame.alpha >= 128
    colors = 256 if frame.alpha is None else 255
    picture = Pillow.fromarray(pixels * opaque[..., None].astype(np.uint8))
    picture = picture.quantize(colors, Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.NONE)
    if frame.alpha is None:
        return picture, {}
    palette = picture.getpalette() or []
    hole = len(palette) // 3
    picture.putpalette([*palette, 0, 0, 0])
    picture.paste(hole, mask=Pillow.fromarray(~opaque))
    return picture, {"transparency": hole}


def write_apng(
    pictures: Iterator[bytes], frames: Sequence[Frame], loop: int | None, file: BinaryIO
) -> None:
    """An APNG from each frame's own PNG file, of which the first has the metadata too.

    Source: the PNG specification, third edition (W3C 2025), section 11.3.6.
    """
    numbers = count()

    def numbered(data: bytes) -> bytes:
        return struct.pack(">I", next(numbers)) + data

    file.write(png.SIGNATURE)
    for index, (picture, frame) in enumerate(zip(pictures, frames, strict=True)):
        chunks = list(png.chunks(io.BytesIO(picture), "a frame"))
        if index == 0:
            for kind, data in chunks:
                if kind not in (b"IDAT", b"IEND"):
                    file.write(png.chunk(kind, data))
            plays = 1 if loop is None else loop
            file.write(png.chunk(b"acTL", struct.pack(">II", len(frames), plays)))
        file.write(png.chunk(b"fcTL", numbered(_frame_control(frame))))
        for kind, data in chunks:
            if kind == b"IDAT":
                later = index > 0
                file.write(png.chunk(b"fdAT", numbered(data)) if later else png.chunk(kind, data))
    file.write(png.chunk(b"IEND", b""))


def _frame_control(frame: Frame) -> bytes:
    """Where the frame stands, how long it is shown, and that it replaces all."""
    height, width = frame.pixels.shape[:2]
    time = (min(_duration(frame), 65535), 1000)  # in milliseconds, as a fraction of a second
    return struct.pack(">IIIIHHBB", width, height, 0, 0, *time, 0, 0)


def write_webp(
    pictures: Iterator[bytes], frames: Sequence[Frame], metadata: Metadata, file: BinaryIO
) -> None:
    """An animated WebP from each frame's own WebP file.

    Source: WebP Container Specification (Google).
    """
    height, width = frames[0].pixels.shape[:2]
    size = _three(width - 1) + _three(height - 1)
    flags = _ANIMATED
    flags |= _HAS_ALPHA if frames[0].alpha is not None else 0
    flags |= _HAS_PROFILE if metadata.icc_profile else 0
    flags |= _HAS_EXIF if metadata.exif else 0
    parts = [_riff_chunk(b"VP8X", struct.pack("<I", flags) + size)]
    if metadata.icc_profile:
        parts.append(_riff_chunk(b"ICCP", metadata.icc_profile))
    plays = 1 if metadata.loop is None else min(metadata.loop, 65535)
    parts.append(_riff_chunk(b"ANIM", struct.pack("<IH", 0, plays)))
    for picture, frame in zip(pictures, frames, strict=True):
        place = _three(0) + _three(0) + size + _three(min(_duration(frame), 0xFFFFFF))
        pixels = b"".join(_webp_pixels(picture))
        parts.append(_riff_chunk(b"ANMF", place + bytes([_REPLACES]) + pixels))
    if metadata.exif:
        parts.append(_riff_chunk(b"EXIF", metadata.exif[6:]))
    file.write(_riff_chunk(b"RIFF", b"WEBP" + b"".join(parts)))


_ANIMATED, _HAS_EXIF, _HAS_ALPHA, _HAS_PROFILE = 0x02, 0x08, 0x10, 0x20
_REPLACES = 0x02  # a frame's pixels are not blended with those before


def _webp_pixels(picture: bytes) -> Iterator[bytes]:
    """The chunks of a one-picture WebP that hold its pixels."""
    at = 12
    while at + 8 <= len(picture):
        kind, length = struct.unpack_from("<4sI", picture, at)
        length += 8 + length % 2
        if kind in (b"ALPH", b"VP8 ", b"VP8L"):
            yield picture[at : at + length]
        at += length


def _riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _duration(frame: Frame) -> int:
    return DEFAULT_DURATION if frame.duration is None else frame.duration
