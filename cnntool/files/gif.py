"""GIF: read once it is known to be whole, written with every frame and its time.

Pillow compresses the frames; the file around them is ours, since Pillow merges equal neighbours.
Source: the GIF89a specification (CompuServe, 1990).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from cnntool.files.image import DEFAULT_DURATION, Frame, Image, ImageInfo, Metadata, alike
from cnntool.files.metadata import read_metadata
from cnntool.files.pillow import MODES, open_picture
from cnntool.files.pillow_images import image_of, read_frames
from cnntool.files.streams import Reading, cut_short, damaged


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the blocks and the first picture's header say."""
    layout = _scan(stream, reading.name)
    picture = open_picture(stream, "GIF", reading.name)
    channels = MODES[picture.mode].channels
    alpha = "transparency" in picture.info
    return ImageInfo(
        "GIF", layout.width, layout.height, channels, "8-bit", layout.frames, picture.mode, alpha
    )


def read(stream: BinaryIO, reading: Reading) -> Image:
    """Every frame as it is shown, the earlier ones beneath it included."""
    layout = _scan(stream, reading.name)
    reading.check_size(layout.width, layout.height, layout.frames)
    picture = open_picture(stream, "GIF", reading.name)
    _, metadata = read_metadata(picture, None)
    metadata = Metadata(loop=_plays(metadata.loop))
    frames = read_frames(picture, layout.frames, reading)
    return image_of(frames, "GIF", metadata, reading)


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """Every frame whole, replacing the one before. Colours beyond 256 a frame are quantized,
    alpha becomes all or nothing at one half, times are rounded to 10 ms with their sum kept.
    """
    frames = alike(list(image.frames))
    height, width = frames[0].pixels.shape[:2]
    transparent = frames[0].alpha is not None
    disposal = 2 if transparent else 1
    times = _hundredths(frames)
    shared = None  # the first frame's palette serves the later ones that have the same
    for frame, time in zip(frames, times, strict=True):
        palette, hole, data = _compress(frame)
        depth = (len(palette) // 3).bit_length() - 2
        if shared is None:
            shared = palette
            file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 | depth, 0, 0))
            file.write(palette)
            if len(frames) > 1:
                file.write(_repeats(image.metadata.loop))
        flags = disposal << 2 | (hole is not None)
        if len(frames) > 1 or hole is not None or time:
            file.write(b"!\xf9\x04" + struct.pack("<BHBB", flags, time, hole or 0, 0))
        own = palette != shared
        descriptor = struct.pack("<HHHHB", 0, 0, width, height, 0x80 | depth if own else 0)
        file.write(b"," + descriptor + (palette if own else b"") + data)
    file.write(b";")


class _Layout(NamedTuple):
    """The canvas and the number of pictures on it."""

    width: int
    height: int
    frames: int


def _scan(stream: BinaryIO, name: str) -> _Layout:
    """Walk through all blocks to the end mark; InputError for a file that is cut or broken."""
    stream.seek(6)
    width, height, flags, _, _ = struct.unpack("<HHBBB", _take(stream, 7, name))
    _take(stream, _table_size(flags), name)
    frames = 0
    while (kind := _take(stream, 1, name)) != b";":
        if kind == b"!":
            _take(stream, 1, name)
        elif kind == b",":
            _take(stream, _table_size(_take(stream, 9, name)[8]) + 1, name)
            frames += 1
        else:
            raise damaged(name, f"it has an unknown block {kind[0]}")
        while length := _take(stream, 1, name)[0]:
            _take(stream, length, name)
    if not frames:
        raise damaged(name, "it has no picture")
    return _Layout(width, height, frames)


def _plays(repeats: int | None) -> int | None:
    """How often an animation plays in all, from the repeats that a GIF states (0: for ever)."""
    return repeats + 1 if repeats else repeats


def _repeats(loop: int | None) -> bytes:
    """The extension that makes an animation play more than once."""
    if loop in (None, 1):
        return b""
    repeats = min(max(loop - 1, 0), 65535)
    return b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", repeats, 0)


def _hundredths(frames: list[Frame]) -> Iterator[int]:
    """Each frame's time in 1/100 s; what rounding takes from one it gives to the next."""
    elapsed = shown = 0
    for frame in frames:
        if frame.duration is None and len(frames) == 1:
            yield 0
            continue
        elapsed += DEFAULT_DURATION if frame.duration is None else frame.duration
        time = min(max(round(elapsed / 10) - shown, int(bool(frame.duration))), 65535)
        shown += time
        yield time


def _compress(frame: Frame) -> tuple[bytes, int | None, bytes]:
    """The palette (RGB, padded to a power of two), the transparent index, and the LZW data."""
    from PIL import Image as Pillow

    indices, palette, hole = _indexed(frame)
    count = max(2, 1 << (len(palette) - 1).bit_length())
    table = np.zeros((count, 3), np.uint8)
    table[: len(palette)] = palette
    picture = Pillow.fromarray(indices)  # grey: Pillow writes its 256 greys, the data are the same
    buffer = io.BytesIO()
    picture.save(buffer, "GIF", optimize=False, interlace=0)
    return table.tobytes(), hole, _image_data(buffer.getvalue())


def _indexed(frame: Frame) -> tuple[np.ndarray, np.ndarray, int | None]:
    """(H, W) indices, the palette (N, 3) with N <= 256, and the index that is transparent."""
    opaque = None if frame.alpha is None else frame.alpha >= 128
    room = 256 if opaque is None else 255
    if frame.pixels.shape[2] == 1 and opaque is None:
        return (
            frame.pixels[..., 0],
            np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(-1, 3),
            None,
        )
    pixels = np.repeat(frame.pixels, 3, axis=2) if frame.pixels.shape[2] == 1 else frame.pixels
    if opaque is not None:
        pixels = pixels * opaque[..., None].astype(np.uint8)
    indices, palette = _quantized(pixels, room)
    if opaque is None:
        return indices, palette, None
    indices[~opaque] = len(palette)
    return indices, np.concatenate([palette, np.zeros((1, 3), np.uint8)]), len(palette)


def _quantized(pixels: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and a palette of at most `room` colours; exact when the frame has no more."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(pixels))
    colors = picture.getcolors(room)
    if colors is None:
        reduced = picture.quantize(room, Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.NONE)
        palette = np.array(reduced.getpalette("RGB")[: 3 * room], np.uint8).reshape(-1, 3)
        return np.array(reduced), palette
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    known = np.sort([r << 16 | g << 8 | b for _, (r, g, b) in colors]).astype(np.uint32)
    palette = np.stack([known >> 16, known >> 8 & 255, known & 255], axis=1).astype(np.uint8)
    return np.searchsorted(known, packed).astype(np.uint8), palette


def _image_data(picture: bytes) -> bytes:
    """The compressed pixels of a one-picture GIF: code size, blocks, end of blocks."""
    at = 13 + _table_size(picture[10])
    while picture[at : at + 1] == b"!":
        at += 2
        while picture[at]:
            at += picture[at] + 1
        at += 1
    return picture[at + 10 + _table_size(picture[at + 9]) : -1]


def _table_size(flags: int) -> int:
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _take(stream: BinaryIO, size: int, name: str) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise cut_short(name, "the end of the GIF is missing")
    return data
