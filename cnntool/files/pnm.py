"""PBM, PGM and PPM (P1 to P6): read at full depth, written as P5 or P6.

Pillow reduces 16-bit colour to 8 bits and goes pixel by pixel for other depths, so we read these
ourselves. Source: the netpbm manual, pbm(5), pgm(5), ppm(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.files.image import WHITE, Frame, Image, ImageInfo, luminance
from cnntool.files.layout import (
    Layout,
    NotInRows,
    PlainWriter,
    Stored,
    Strips,
    fitting,
    strips_of,
)
from cnntool.files.limits import Limits
from cnntool.files.streams import Readable, cut_short, damaged, fill
from cnntool.wording import counted

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

    @property
    def dtype(self) -> np.dtype:
        """Of the pixels: uint8 up to a maxval of 255, uint16 above."""
        return np.dtype(np.uint8 if self.maxval < 256 else np.uint16)

    @property
    def stored_dtype(self) -> np.dtype:
        return self.dtype.newbyteorder(">")

    @property
    def stored_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of what a raw file holds, eight pixels of a bitmap in one."""
        width = -(-self.width // 8) if self.kind == 4 else self.width
        return self.height, width, self.channels


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
    header, layout = _opened(stream, limits)
    if header.kind in (1, 2, 3):
        pixels = _read_plain(stream, header, limits)
    else:
        stored = np.empty(header.stored_shape, header.stored_dtype)
        fill(stream, stored, limits.name)
        pixels = _unpacked(stored, header)
    frame = _as_shown(pixels, header, limits)
    _refuse_more(stream, header, limits.name)
    return layout.image_of(frame)


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """The picture of a raw file (P4 to P6), row by row."""
    name = limits.name
    header, layout = _opened(stream, limits)
    if header.kind in (1, 2, 3):
        raise NotInRows(name, f"is a P{header.kind}, whose pixels are text")
    stored = Stored(stream, stream.tell(), header.stored_dtype, header.stored_shape, name)
    if stored.check_all_there():
        stream.seek(stored.end)
        _refuse_more(stream, header, name)

    def read(top: int, bottom: int) -> Frame:
        return _as_shown(_unpacked(stored.read(top, bottom), header), header, limits)

    return layout, strips_of(read, header.height, fitting(layout.row_bytes), name)


def _opened(stream: Readable, limits: Limits) -> tuple[Header, Layout]:
    header = _read_header(stream, limits.name)
    limits.check_size(header.width, header.height)
    channels, white = 1 if limits.gray else header.channels, WHITE[header.dtype.name]
    sides = header.height, header.width
    return header, Layout(*sides, channels, header.dtype, white, False, "PPM")


def _refuse_more(stream: Readable, header: Header, name: str) -> None:
    if stream.read(64).strip():
        raise InputError(
            f"{name} goes on after its {header.width} x {header.height} pixels: several pictures "
            "in one file are not read, split them first (pamsplit)"
        )


def _as_shown(pixels: np.ndarray, header: Header, limits: Limits) -> Frame:
    """Values (n, W, C), which are scaled in place, as pixels."""
    _scale(pixels, header.maxval, limits.name)
    if header.kind in (1, 4):  # 1 is ink
        pixels = 255 - pixels
    return Frame(luminance(pixels) if limits.gray and header.channels == 3 else pixels)


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> PlainWriter:
    """P5 for grey, P6 for colour; maxval 255 or 65535. A file named .pgm takes no colour."""
    if label.lower().endswith(".pbm"):
        raise RequestError(f"{label}: .pbm holds black and white only: name it .pgm or .ppm")
    if label.lower().endswith(".pgm") and layout.channels == 3:
        raise RequestError(
            f"{label}: .pgm is grey, the image has colour: name it .ppm or add --gray"
        )
    kind = b"P5" if layout.channels == 1 else b"P6"
    maxval = 255 if layout.dtype == np.uint8 else 65535
    file.write(b"%s\n%d %d\n%d\n" % (kind, layout.width, layout.height, maxval))
    return PlainWriter(file, "u1" if layout.dtype == np.uint8 else ">u2")


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


def _unpacked(stored: np.ndarray, header: Header) -> np.ndarray:
    """The values of a raw file as (H, W, C) of the machine's byte order."""
    if header.kind == 4:
        return np.unpackbits(stored[..., 0], axis=1, count=header.width)[..., None]
    if not stored.dtype.isnative:
        stored = stored.byteswap(inplace=True).view(header.dtype)
    return stored


def _read_plain(stream: Readable, header: Header, limits: Limits) -> np.ndarray:
    shape, name = (header.height, header.width, header.channels), limits.name
    pixels = np.empty(shape, header.dtype)
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
        raise cut_short(name, f"{done:,} of {counted(flat.size, 'value')} are there")
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
