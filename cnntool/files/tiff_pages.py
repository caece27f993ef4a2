"""TIFF directories: depth, layout and completeness of every page, before anything is decoded.

Source: TIFF 6.0 (Adobe, 1992); BigTIFF (libtiff's specification).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from cnntool.errors import InputError
from cnntool.files.streams import cut_short, damaged

UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # sample formats
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3  # photometric interpretations
CMYK, YCBCR = 5, 6
_NOT_READ = {8: "L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32844: "LogL"}
_NOT_READ |= {4: "a transparency mask", 32803: "a raw camera mosaic", 32845: "LogLuv"}
_NOT_READ |= {34892: "linear raw"}
_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii"}
_TYPES |= {11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MOST_PAGES = 100_000


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF, as its directory describes it."""

    width: int
    height: int
    bits: tuple[int, ...]  # of each sample
    samples: int
    sample_format: int
    photometric: int
    orientation: int
    extra_samples: tuple[int, ...]  # 1: alpha that colours are multiplied by, 2: alpha beside them
    is_compressed: bool
    planes: int  # samples that lie one after the other, not side by side
    piece: tuple[int, int]  # width and height of a strip or tile
    is_tiled: bool
    offsets: tuple[int, ...]  # of the pieces
    counts: tuple[int, ...]  # of their bytes
    dpi: tuple[float, float] | None
    icc_profile: bytes | None

    @property
    def channels(self) -> int:
        return 3 if self.photometric in (RGB, PALETTE, CMYK, YCBCR) else 1

    @property
    def has_alpha(self) -> bool:
        implied = self.photometric == RGB and self.samples == 4 and not self.extra_samples
        return implied or not {1, 2}.isdisjoint(self.extra_samples)

    @property
    def depth(self) -> str:
        if self.sample_format == FLOAT:
            return "float"
        bits = max(self.bits)
        return "1-bit" if bits == 1 else "8-bit" if bits <= 8 else "16-bit"

    @property
    def is_deep(self) -> bool:
        """Whether Pillow would reduce it or cannot read it: 16-bit or float with more samples."""
        if self.sample_format == FLOAT:
            return self.samples > 1 or max(self.bits) != 32
        return max(self.bits) == 16 and self.samples > 1


def _page(tags: dict[int, tuple]) -> Page:
    """The page whose directory has these tags, each with a tuple of numbers."""

    def one(tag: int, default: int) -> int:
        return tags[tag][0] if tags.get(tag) else default

    width, height, samples = one(256, 0), one(257, 0), one(277, 1)
    is_tiled = 324 in tags
    strip = width, min(one(278, height) or height, height)
    return Page(
        width=width,
        height=height,
        bits=tags.get(258) or (1,),
        samples=samples,
        sample_format=max(tags.get(339) or (UNSIGNED,)),
        photometric=one(262, BLACK_IS_ZERO),
        orientation=one(274, 1) if 1 <= one(274, 1) <= 8 else 1,
        extra_samples=tags.get(338, ()),
        is_compressed=one(259, 1) != 1,
        planes=samples if one(284, 1) == 2 else 1,
        piece=(one(322, 0), one(323, 0)) if is_tiled else strip,
        is_tiled=is_tiled,
        offsets=tags.get(324 if is_tiled else 273, ()),
        counts=tags.get(325 if is_tiled else 279, ()),
        dpi=_dpi(tags),
        icc_profile=bytes(tags[34675]) if tags.get(34675) else None,
    )


def _dpi(tags: dict[int, tuple]) -> tuple[float, float] | None:
    unit = tags[296][0] if tags.get(296) else 2
    per_inch = {2: 1.0, 3: 2.54}.get(unit)
    known = all(len(tags.get(tag, ())) == 2 and tags[tag][1] for tag in (282, 283))
    if per_inch is None or not known:
        return None
    across, down = (tags[tag][0] / tags[tag][1] * per_inch for tag in (282, 283))
    return across, down


def read_pages(stream: BinaryIO, name: str) -> list[Page]:
    """Every page in order. InputError for a broken directory or a kind of pixel we do not read."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    pages: list[Page] = []
    seen = set()
    while offset:
        if offset in seen or len(pages) >= _MOST_PAGES:
            raise damaged(name, "its pages lead back to each other")
        if offset >= size:
            raise cut_short(name, "its directory lies past the end of the file")
        seen.add(offset)
        page, offset = _read_page(stream, offset, order, big, name)
        _check_kind(page, name)
        pages.append(page)
    if not pages:
        raise damaged(name, "it has no pages")
    if len({(page.depth == "float", page.depth == "16-bit") for page in pages}) > 1:
        raise InputError(f"{name} has pages of different depths: save them as separate files")
    return pages


def check_pieces(page: Page, size: int, name: str) -> None:
    """Every strip or tile of the page lies within the file of `size` bytes, and none is missing."""
    across, down = page.piece
    if across < 1 or down < 1:
        raise damaged(name, "its tiles have no size")
    expected = -(-page.width // across) * -(-page.height // down) * page.planes
    offsets, counts = page.offsets, page.counts
    row_bits = page.width * sum(page.bits)
    if not counts and len(offsets) == 1 and not page.is_compressed:
        counts = (-(-row_bits // 8) * page.height,)
    if len(offsets) < expected or len(counts) < expected:
        there = min(len(offsets), len(counts))
        raise damaged(name, f"it has {there} of the {expected} pieces that its size asks for")
    for offset, count in zip(offsets[:expected], counts[:expected], strict=True):
        if offset + count > size:
            raise cut_short(name, "part of the picture lies past the end of the file")
        if not count:
            raise damaged(name, "a piece of the picture is empty")
    is_plain = not page.is_compressed and not page.is_tiled
    if is_plain and sum(counts) < page.height * (row_bits // 8):
        raise cut_short(name, "it has fewer bytes of pixels than its size asks for")


def _read_page(stream: BinaryIO, offset: int, order: str, big: bool, name: str) -> tuple[Page, int]:
    """The page whose directory is at `offset`, and the offset of the next one (0: none)."""
    pointer, entry_size = ("Q", 20) if big else ("I", 12)
    stream.seek(offset)
    count_format = order + ("Q" if big else "H")
    (count,) = struct.unpack(count_format, stream.read(struct.calcsize(count_format)))
    if not 1 <= count <= 4096:
        raise damaged(name, f"a page has {count} tags")
    pointer_size = struct.calcsize(order + pointer)
    directory = stream.read(count * entry_size + pointer_size)
    if len(directory) < count * entry_size + pointer_size:
        raise cut_short(name, "a directory is not complete")
    tags = {}
    for at in range(0, count * entry_size, entry_size):
        tag, kind = struct.unpack_from(order + "HH", directory, at)
        if kind not in _TYPES or tag not in _WANTED:
            continue
        (number,) = struct.unpack_from(order + pointer, directory, at + 4)
        room = directory[at + entry_size - pointer_size : at + entry_size]
        tags[tag] = _read_values(stream, order, _TYPES[kind], number, room, pointer, name)
    (following,) = struct.unpack_from(order + pointer, directory, count * entry_size)
    return _page(tags), following


_WANTED = {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 296}
_WANTED |= {322, 323, 324, 325, 338, 339, 34675}


def _read_values(
    stream: BinaryIO, order: str, kind: str, number: int, room: bytes, pointer: str, name: str
) -> tuple:
    """A tag's values: in its own `room` when they fit, else where that points."""
    size = number * struct.calcsize("<" + kind)
    if size > len(room):
        stream.seek(struct.unpack(order + pointer, room)[0])
        room = stream.read(size) if size <= 1 << 28 else b""
    if len(room) < size:
        raise cut_short(name, "the values of a tag lie past the end of the file")
    return struct.unpack_from(f"{order}{number * len(kind)}{kind[0]}", room)


def _check_kind(page: Page, name: str) -> None:
    bits = max(page.bits)
    if page.photometric in _NOT_READ:
        raise InputError(
            f"{name} holds {_NOT_READ[page.photometric]}, which is not read: convert it to RGB"
        )
    if page.photometric == CMYK and bits != 8:
        raise InputError(
            f"{name} holds {bits}-bit CMYK, which is not read: convert it to RGB, or to 8 bits"
        )
    if page.sample_format == SIGNED or (page.sample_format == UNSIGNED and bits > 16):
        signed = "signed " if page.sample_format == SIGNED else ""
        raise InputError(
            f"{name} holds {signed}{bits}-bit integers, which are not read: save it as "
            "16-bit unsigned or as 32-bit float"
        )
    if page.sample_format not in (UNSIGNED, FLOAT, 4):
        raise InputError(f"{name} holds complex numbers: save their magnitude as 32-bit float")
