"""PBM, PGM and PPM (P1 to P6): read at full depth, written as P5 or P6.

Pillow reduces 16-bit colour to 8 bits and goes pixel by pixel for other depths, so we read these
ourselves. Source: the netpbm manual, pbm(5), pgm(5), ppm(5).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.files.image import WHITE, Frame, Image, ImageInfo, luminance, strips_of_samples
from cnntool.files.limits import Limits
from cnntool.files.streams import Readable, cut_short, damaged, fill

_LONGEST_HEADER, _LONGEST_WORD = 1 << 16, 1 << 23
"""Bytes before a number of the header, and between the line breaks of a plain file."""


class Header(NamedTuple):
    """What stands before the pixels. `maxval` is the value of white; 1 for bitmaps."""

    kind: int  # the digit after the P
    width: int
    height: int
    maxval: int

    @property
    def channels(self) -> int:
        return 3 if self.kind in (3, 6) else 1

    def empty_pixels(self) -> np.ndarray:
        """(H, W, C) to be filled: uint8 up to a maxval of 255, uint16 above."""
        kind = np.uint8 if self.maxval < 256 else np.uint16
        return np.empty((self.height, self.width, self.channels), kind)


def probe(stream: Readable, limits: Limits) -> ImageInfo:
    """What the header says."""
    header = _read_header(stream, limits.name)
    depth = "1-bit" if header.kind in (1, 4) else "8-bit" if header.maxval < 256 else "16-bit"
    mode = {"1-bit": "1", "8-bit": "L", "16-bit": "I;16"}[depth]
    if header.channels == 3:
        mode = "RGB" if depth == "8-bit" else "RGB;16"
    return ImageInfo("PPM", header.width, header.height, header.channels, depth, 1, mode)


def read(stream: Readable, limits: Limits) -> Image:
    """The picture: uint8 up to a maxval of 255, uint16 above, white scaled to 255 or 65535."""
    name = limits.name
    header = _read_header(stream, name)
    limits.check_size(header.width, header.height)
    if header.kind in (1, 2, 3):
        pixels = _read_plain(stream, header, limits)
    elif header.kind == 4:
        pixels = _read_bits(stream, header, name)
    else:
        pixels = _read_raw(stream, header, name)
    _scale(pixels, header.maxval, name)
    if header.kind in (1, 4):  # 1 is ink
        pixels = 255 - pixels
    if stream.read(64).strip():
        raise InputError(
            f"{name} goes on after its {header.width} x {header.height} pixels: several pictures "
            "in one file are not read, split them first (pamsplit)"
        )
    if limits.gray and header.channels == 3:
        pixels = luminance(pixels)
    return Image((Frame(pixels),), WHITE[pixels.dtype.name], "PPM")


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """P5 for grey, P6 for colour; maxval 255 or 65535. A file named .pgm takes no colour."""
    pixels = image.frames[0].pixels
    height, width, channels = pixels.shape
    if label.lower().endswith(".pbm"):
        raise RequestError(f"{label}: .pbm holds black and white only: name it .pgm or .ppm")
    if label.lower().endswith(".pgm") and channels == 3:
        raise RequestError(
            f"{label}: .pgm is grey, the image has colour: name it .ppm or add --gray"
        )
    kind = b"P5" if channels == 1 else b"P6"
    maxval = 255 if pixels.dtype == np.uint8 else 65535
    file.write(b"%s\n%d %d\n%d\n" % (kind, width, height, maxval))
    if pixels.dtype == np.uint8:
        file.write(np.ascontiguousarray(pixels).data.cast("B"))
        return
    for rows in strips_of_samples(image.frames[0], ">u2"):
        file.write(rows.tobytes())


def _read_header(stream: Readable, name: str) -> Header:
    kind = int(stream.read(2)[1:])
    width, height = _read_number(stream, name), _read_number(stream, name)
    maxval = 1 if kind in (1, 4) else _read_number(stream, name)
    if not 1 <= maxval <= 65535:
        raise damaged(name, f"its maxval is {maxval}, expected 1 to 65535")
    return Header(kind, width, height, maxval)


def _read_number(stream: Readable, name: str) -> int:
    """The next number of the header; takes the one white space after it too."""
    digits, is_comment = b"", False
    for _ in range(_LONGEST_HEADER):
        byte = stream.read(1)
        is_comment = byte == b"#" or (is_comment and byte not in (b"\n", b"\r", b""))
        if is_comment:
            continue
        if not byte:
            raise cut_short(name, "the header ends too soon")
        if not byte.isspace():
            digits += byte
            if not byte.isdigit() or len(digits) > 10:
                raise damaged(name, f"its header has {digits!r} in place of a number")
        elif digits:
            return int(digits)
    raise damaged(name, f"a comment in its header is longer than {_LONGEST_HEADER:,} bytes")


def _read_raw(stream: Readable, header: Header, name: str) -> np.ndarray:
    pixels = header.empty_pixels()
    fill(stream, pixels, name)
    if pixels.itemsize == 2 and sys.byteorder == "little":
        pixels.byteswap(inplace=True)
    return pixels


def _read_bits(stream: Readable, header: Header, name: str) -> np.ndarray:
    packed = np.empty((header.height, -(-header.width // 8)), np.uint8)
    fill(stream, packed, name)
    return np.unpackbits(packed, axis=1, count=header.width)[..., None]


def _read_plain(stream: Readable, header: Header, limits: Limits) -> np.ndarray:
    pixels, name = header.empty_pixels(), limits.name
    flat = pixels.reshape(-1)
    done = 0
    for text in _plain_text(stream, limits):
        values = _digits(text) if header.kind == 1 else _numbers(text, name)
        if values.size and (values.min() < 0 or values.max() > header.maxval):
            raise damaged(name, f"it has values outside 0 to its maxval {header.maxval}")
        if done + values.size > flat.size:
            raise damaged(name, f"it has more values than the {flat.size:,} its header says")
        flat[done : done + values.size] = values
        done += values.size
    if done < flat.size:
        raise cut_short(name, f"{done:,} of {flat.size:,} values are there")
    return pixels


def _digits(text: bytes) -> np.ndarray:
    """The values of a bitmap, which nothing need separate."""
    return np.frombuffer(text.translate(None, b" \t\r\n\v\f"), np.uint8) - np.uint8(ord("0"))


def _numbers(text: bytes, name: str) -> np.ndarray:
    words = text.split()
    try:
        return np.fromiter(map(int, words), np.int64, len(words))
    except (ValueError, OverflowError):
        raise damaged(name, "its pixels are not all numbers") from None


def _plain_text(stream: Readable, limits: Limits) -> Iterator[bytes]:
    """The rest of a plain file in pieces that end between words, without comments."""
    rest, count = b"", 0
    while block := stream.read(1 << 20):
        text, count = rest + block, count + len(block)
        limits.check_bytes(count)
        if len(text) > _LONGEST_WORD:
            raise damaged(limits.name, f"a comment in it is longer than {_LONGEST_WORD:,} bytes")
        end = max(text.rfind(b"\n"), text.rfind(b"\r"))
        if b"#" not in text[end + 1 :]:
            end = max(end, text.rfind(b" "), text.rfind(b"\t"))
        rest = text[end + 1 :]
        yield re.sub(rb"#[^\r\n]*", b"", text[: end + 1])
    yield re.sub(rb"#[^\r\n]*", b"", rest)


def _scale(pixels: np.ndarray, maxval: int, name: str) -> None:
    """Scale the values in place so that maxval becomes full white."""
    white = 255 if maxval < 256 else 65535
    if maxval == white:
        return
    levels = np.arange(white + 1, dtype=np.int64)
    table = ((2 * levels * white + maxval) // (2 * maxval)).clip(0, white).astype(pixels.dtype)
    for rows in pixels:
        if rows.max() > maxval:
            raise damaged(name, f"it has values above its maxval {maxval}")
        rows[...] = table[rows]
