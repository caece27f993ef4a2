"""PNG, chunk by chunk: what Pillow does not check, and what it cannot write.

Source: the PNG specification, third edition (W3C 2025), which includes APNG.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from cnntool.files.image import DEFAULT_DURATION, Frame, Metadata, strips_of_samples
from cnntool.files.streams import cut_short, damaged

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


class Layout(NamedTuple):
    """What the chunks before the pixels say."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    interlaced: bool
    transparent: bytes | None  # tRNS
    animated: bool
    frames: int

    @property
    def is_deep_color(self) -> bool:
        """16 bits a sample and more than one sample: what Pillow reduces to 8 bits."""
        return self.bit_depth == 16 and self.color_type in (2, 4, 6)


def scan(stream: BinaryIO, name: str) -> Layout:
    """The layout that the chunks before the pixels tell."""
    stream.seek(len(SIGNATURE))
    kind, length = _chunk_header(stream, name)
    if kind != b"IHDR" or length != 13:
        raise damaged(name, "it does not begin with a PNG header")
    width, height, depth, color_type, _, _, interlace = struct.unpack(">IIBBBBB", stream.read(13))
    if color_type not in SAMPLES or depth not in (1, 2, 4, 8, 16):
        raise damaged(name, f"its colour type {color_type} with {depth} bits does not exist")
    stream.read(4)
    has_palette = animated = False
    transparent, frames = None, 1
    while True:
        kind, length = _chunk_header(stream, name)
        if kind in (b"IDAT", b"IEND"):
            if color_type == 3 and not has_palette:
                raise damaged(name, "its palette is missing")
            interlaced = bool(interlace)
            return Layout(
                width, height, depth, color_type, interlaced, transparent, animated, frames
            )
        has_palette |= kind == b"PLTE"
        if kind == b"acTL":
            frames, _ = struct.unpack(">II", stream.read(8))
            animated = True
            length -= 8
        elif kind == b"tRNS":
            transparent = stream.read(length)
            length = 0
        stream.seek(length + 4, 1)


def verify(stream: BinaryIO, name: str) -> bytes | None:
    """Every chunk whole and true to its checksum, up to IEND; InputError otherwise.

    Returns the EXIF block, wherever it stands: after the pixels Pillow finds it too late.
    """
    stream.seek(len(SIGNATURE))
    has_pixels = False
    exif = None
    while True:
        kind, length = _chunk_header(stream, name)
        checksum = zlib.crc32(kind)
        kept = []
        for block in _blocks(stream, length):
            checksum = zlib.crc32(block, checksum)
            length -= len(block)
            if kind == b"eXIf":
                kept.append(block)
        stored = stream.read(4)
        if length or len(stored) < 4:
            raise cut_short(name, f"its chunk {_text(kind)} is not complete")
        if checksum != int.from_bytes(stored, "big"):
            raise damaged(name, f"its chunk {_text(kind)} does not match its checksum")
        if kept:
            exif = b"".join(kept)
        has_pixels |= kind == b"IDAT"
        if kind == b"IEND":
            break
    if not has_pixels:
        raise damaged(name, "it has no pixels")
    return exif


def has_all_rows(stream: BinaryIO, layout: Layout) -> bool:
    """Whether the compressed data of every picture in the file are as long as its rows.

    A stream that ends too soon, but well, passes every decoder's own check as a whole picture.
    """
    missing = _packed_size(layout, layout.width, layout.height)
    unpack = zlib.decompressobj()
    begun = False
    for kind, data in _chunks(stream):
        if kind == b"fcTL" and begun:
            if missing > 0:
                return False
            missing = _packed_size(layout, *struct.unpack_from(">II", data, 4))
            unpack = zlib.decompressobj()
        elif kind in (b"IDAT", b"fdAT"):
            begun = True
            data = data if kind == b"IDAT" else data[4:]
            while data and missing > 0 and not unpack.eof:
                missing -= len(unpack.decompress(data, 1 << 20))
                data = unpack.unconsumed_tail
    return missing <= 0


def write_chunks(
    file: BinaryIO, pictures: Iterator[bytes], frames: list[Frame], metadata: Metadata
) -> None:
    """One PNG, animated if there are several frames, from each frame's own PNG file.

    Every frame is kept at full size and replaces the one before, also when nothing changed.
    """
    sequence = 0
    for index, (picture, frame) in enumerate(zip(pictures, frames, strict=True)):
        chunks = list(_chunks(io.BytesIO(picture)))
        if index == 0:
            file.write(SIGNATURE + chunk(b"IHDR", chunks[0][1]))
            for kind, data in _ancillary(metadata):
                file.write(chunk(kind, data))
            if len(frames) > 1:
                plays = 1 if metadata.loop is None else metadata.loop
                file.write(chunk(b"acTL", struct.pack(">II", len(frames), plays)))
        if len(frames) > 1:
            file.write(chunk(b"fcTL", _frame_control(sequence, frame)))
            sequence += 1
        for kind, data in chunks:
            if kind == b"IDAT" and index == 0:
                file.write(chunk(kind, data))
            elif kind == b"IDAT":
                file.write(chunk(b"fdAT", struct.pack(">I", sequence) + data))
                sequence += 1
    file.write(chunk(b"IEND", b""))


def encode_deep(frame: Frame) -> bytes:
    """A bare PNG file of a uint16 frame with colour or alpha, which Pillow cannot write."""
    height, width, channels = frame.pixels.shape
    samples = channels + (frame.alpha is not None)
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[samples]
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    parts = [SIGNATURE, chunk(b"IHDR", header)]
    pack = zlib.compressobj(1)
    for rows in strips_of_samples(frame, ">u2"):
        if packed := pack.compress(_difference_from_left(rows)):
            parts.append(chunk(b"IDAT", packed))
    parts += [chunk(b"IDAT", pack.flush()), chunk(b"IEND", b"")]
    return b"".join(parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it stands in the file: length, name, data, checksum."""
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _difference_from_left(rows: np.ndarray) -> bytes:
    """Filter type 1 (Sub): each byte less the byte of the pixel to its left."""
    height, width, samples = rows.shape
    raw = rows.view(np.uint8).reshape(height, width * samples * 2)
    filtered = np.empty((height, 1 + raw.shape[1]), np.uint8)
    filtered[:, 0] = 1
    step = samples * 2
    filtered[:, 1 : 1 + step] = raw[:, :step]
    np.subtract(raw[:, step:], raw[:, :-step], out=filtered[:, 1 + step :])
    return filtered.tobytes()


def _ancillary(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile)
    if metadata.dpi:
        across, down = (int(each / 0.0254 + 0.5) for each in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif[6:]


def _frame_control(sequence: int, frame: Frame) -> bytes:
    """fcTL: the whole canvas, disposal none, blending source: the frame replaces all."""
    height, width = frame.pixels.shape[:2]
    duration = DEFAULT_DURATION if frame.duration is None else frame.duration
    time = (min(duration, 65535), 1000)  # in milliseconds, as a fraction of a second
    return struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, *time, 0, 0)


def _packed_size(layout: Layout, width: int, height: int) -> int:
    """Bytes of all rows before compression, each with its filter type."""
    bits = layout.bit_depth * SAMPLES[layout.color_type]
    passes = [(0, 0, 1, 1)]
    if layout.interlaced:  # Adam7: first column, first row, steps
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for left, top, across, down in passes:
        columns = -(-(width - left) // across)
        rows = -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _chunk_header(stream: BinaryIO, name: str) -> tuple[bytes, int]:
    head = stream.read(8)
    if len(head) < 8:
        raise cut_short(name, "the end of the PNG is missing")
    return head[4:], int.from_bytes(head[:4], "big")


def _blocks(stream: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (block := stream.read(min(length, 1 << 20))):
        length -= len(block)
        yield block


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The name and the data of every chunk of a file that is whole."""
    stream.seek(len(SIGNATURE))
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, stream.read(length)
        stream.read(4)


def _text(kind: bytes) -> str:
    return repr(kind.decode("ascii", "replace"))
