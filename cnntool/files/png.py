"""PNG: is it whole, and what comes with its pixels.

Pillow decodes the pixels, of a file without the chunks that say other things: it stumbles over
what is odd in them, and finds what stands behind the pixels too late.

Source: the PNG specification, third edition (W3C 2025), which includes APNG.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from cnntool.files.formats import behind
from cnntool.files.limits import Limits
from cnntool.files.pillow import open_picture
from cnntool.files.streams import cut_short, damaged
from cnntool.wording import counted

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by the colour type."""
LARGEST_NOTE = 1 << 26
"""Bytes of a colour profile and of texts, once unpacked, all together."""

_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND")
_PIXELS = (b"IDAT", b"fdAT")
_XMP, _RAW = "XML:com.adobe.xmp", "Raw profile type "
_RAW_EXIF = _RAW + "exif", _RAW + "APP1"
_RAW_KINDS = {"xmp": "XMP", "iptc": "IPTC", "8bim": "IPTC"}


class Header(NamedTuple):
    """The fields of the first chunk."""

    width: int
    height: int
    bit_depth: int
    color_type: int
    compression: int
    filters: int
    interlaced: int

    @property
    def bits(self) -> int:
        """Of a pixel."""
        return self.bit_depth * SAMPLES[self.color_type]

    @property
    def passes(self) -> list[tuple[int, int, int, int]]:
        """The pictures that its pixels are stored as: first column, first row, steps."""
        if not self.interlaced:
            return [(0, 0, 1, 1)]
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]  # Adam7
        return [*passes, (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]

    @property
    def is_deep_color(self) -> bool:
        """16 bits a sample and more than one sample: what Pillow reduces to 8 bits."""
        return self.bit_depth == 16 and self.color_type in (2, 4, 6)


@dataclass
class Contents:
    """What the chunks beside the pixels say: as they are where they make the picture, else under
    Pillow's names, and by name what is left out."""

    header: Header
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    info: dict[Any, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    room: int = LARGEST_NOTE


def read_header(stream: BinaryIO, name: str) -> Header:
    """What the first chunk says; InputError where that is nothing a PNG can say."""
    stream.seek(len(SIGNATURE))
    data = stream.read(21)
    if len(data) < 21:
        raise cut_short(name, "the end of the PNG is missing")
    if data[:8] != b"\0\0\0\rIHDR":
        raise damaged(name, "it does not begin with a PNG header")
    header = Header(*struct.unpack_from(">IIBBBBB", data, 8))
    if header.color_type not in SAMPLES or header.bit_depth not in (1, 2, 4, 8, 16):
        kind = f"colour type {header.color_type} with {counted(header.bit_depth, 'bit')}"
        raise damaged(name, f"its {kind} does not exist")
    return header


def chunks(stream: BinaryIO, name: str, pixels: bool = True) -> Iterator[tuple[bytes, bytes]]:
    """The name and the data of every chunk up to IEND; InputError for one that is not whole.

    pixels: False passes over the data of the pixels.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(len(SIGNATURE))
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        if len(head) < 8:
            raise cut_short(name, "the end of the PNG is missing")
        length, kind = struct.unpack(">I4s", head)
        shown = repr(kind.decode("ascii", "replace"))
        if stream.tell() + length + 4 > size:
            raise cut_short(name, f"its chunk {shown} is not complete")
        if kind in _PIXELS and not pixels:
            stream.seek(length + 4, os.SEEK_CUR)
            yield kind, b""
            continue
        data = stream.read(length)
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(stream.read(4), "big"):
            raise damaged(name, f"its chunk {shown} does not match its checksum")
        yield kind, data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it stands in the file: length, name, data, checksum."""
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def opened(
    stream: BinaryIO, limits: Limits, pixels: bool = True
) -> tuple[BinaryIO, Contents, Picture]:
    """The file as Pillow is to see it, of the chunks that make the picture; what else it says; and
    the picture with its header read, which knows that.

    pixels: False leaves out those, unchecked.
    """
    contents, has_others = read_contents(stream, limits.name, pixels)
    if has_others or not pixels:
        kept = (each for each in chunks(stream, limits.name, pixels) if each[0] in _PICTURE)
        stream = io.BytesIO(SIGNATURE + b"".join(chunk(*each) for each in kept))
    picture = open_picture(stream, limits)
    picture.info |= contents.info
    return stream, contents, picture


def read_contents(stream: BinaryIO, name: str, pixels: bool = True) -> tuple[Contents, bool]:
    """What stands beside the pixels, wherever it stands; InputError for a chunk that is not whole
    or true to its checksum, and where there are no pixels. And whether anything stands there."""
    contents, kinds = Contents(read_header(stream, name)), set()
    for kind, data in chunks(stream, name, pixels):
        kinds.add(kind)
        if kind in _PICTURE and kind not in _PIXELS:
            contents.chunks[kind] = data
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            _read_text(contents, kind, data)
        elif kind == b"eXIf":
            contents.info["exif"] = data
        elif kind == b"iCCP":
            contents.info["icc_profile"] = _unpacked(contents, data.partition(b"\0")[2][1:])
        elif kind == b"pHYs" and data[8:] == b"\1":
            across, down = struct.unpack_from(">II", data)
            contents.info["dpi"] = across * 0.0254, down * 0.0254
    if b"IDAT" not in kinds:
        raise damaged(name, "it has no pixels")
    contents.left_out += behind(stream.read())
    return contents, not kinds.issubset(_PICTURE)


def _read_text(contents: Contents, kind: bytes, data: bytes) -> None:
    """A text with a keyword: profiles of pictures among them, all others are left out by name."""
    keyword, _, text = data.partition(b"\0")
    is_packed = kind == b"zTXt"
    if kind == b"iTXt":
        is_packed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    elif is_packed:
        text = text[1:]
    key = keyword.decode("latin-1")
    if is_packed and key in (_XMP, *_RAW_EXIF):
        text = _unpacked(contents, text) or b""
    if key == _XMP:
        contents.info["xmp"] = text
        contents.left_out.append("XMP")
    elif key in _RAW_EXIF and "exif" not in contents.info:
        with suppress(ValueError):
            exif = bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
            contents.info["exif"] = exif
    elif key.startswith(_RAW):
        kind_of_raw = key.removeprefix(_RAW)
        contents.left_out.append(_RAW_KINDS.get(kind_of_raw, "a raw profile"))
    elif key != "Software":  # where encoders put their name
        contents.left_out.append("text")


def _unpacked(contents: Contents, data: bytes) -> bytes | None:
    """What zlib packed; None where that is odd, or more than there is room for."""
    unpack = zlib.decompressobj()
    with suppress(zlib.error):
        plain = unpack.decompress(data, max(1, contents.room))
        contents.room -= len(plain)
        return plain if unpack.eof else None
    return None


def has_all_rows(stream: BinaryIO, header: Header, name: str) -> bool:
    """Whether the compressed data of every picture are as long as its rows.

    A stream that ends too soon, but well, passes every decoder's own check as a whole picture.
    """
    missing = _packed_size(header, header.width, header.height)
    unpack = zlib.decompressobj()
    begun = False
    for kind, data in chunks(stream, name):
        if kind == b"fcTL" and begun:
            if missing > 0:
                return False
            missing = _packed_size(header, *struct.unpack_from(">II", data, 4))
            unpack = zlib.decompressobj()
        elif kind in _PIXELS:
            begun = True
            data = data if kind == b"IDAT" else data[4:]
            while data and missing > 0 and not unpack.eof:
                missing -= len(unpack.decompress(data, 1 << 20))
                data = unpack.unconsumed_tail
    return missing <= 0


def _packed_size(header: Header, width: int, height: int) -> int:
    """Bytes of all rows before compression, each with its filter type."""
    total = 0
    for left, top, across, down in header.passes:
        columns = -(-(width - left) // across)
        rows = -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * header.bits + 7) // 8)
    return total
