"""TIFF directories: depth, layout and completeness of every page, before anything is decoded.

Source: TIFF 6.0 (Adobe, 1992); BigTIFF (libtiff's specification).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Container
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.streams import cut_short, damaged
from cnntool.wording import counted

UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # sample formats
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3  # photometric interpretations
CMYK, YCBCR = 5, 6
_JPEG, _WEBP = 7, 50001  # compressions
_NOT_READ = {8: "L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32844: "LogL"}
_NOT_READ |= {4: "a transparency mask", 32803: "a raw camera mosaic", 32845: "LogLuv"}
_NOT_READ |= {34892: "linear raw"}
_TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "2u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4"}
_TYPES |= {10: "2i4", 11: "f4", 12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # what, camera, software, when, who, rights
DIRECTORIES = (0x8769, 0x8825)  # EXIF, GPS
_MOST_PAGES = 100_000
_MOST_PIECES, _MOST_SAMPLES = 1 << 20, 64


@dataclass(frozen=True, eq=False)
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
    compression: int  # 1: none
    planes: int  # samples that lie one after the other, not side by side
    piece: tuple[int, int]  # width and height of a strip or tile
    is_tiled: bool
    offsets: np.ndarray  # of the pieces
    counts: np.ndarray  # of their bytes
    dpi: tuple[float, float] | None
    icc_profile: bytes | None
    subsampling: tuple[int, ...]  # of the colours of YCbCr, across and down
    slices: int  # of a volume
    left_out: tuple[str, ...]  # what else the file holds of the picture
    order: str  # of bytes: "<" or ">"
    bits_reversed: bool  # in each byte
    has_exif: bool

    @property
    def is_compressed(self) -> bool:
        return self.compression != 1

    @property
    def pixel_bits(self) -> int:
        return sum(self.bits) if len(self.bits) == self.samples else max(self.bits) * self.samples

    @property
    def row_bytes(self) -> int:
        """Of a row of all samples, or of those of a plane where each has its own."""
        return -(-self.width * self.pixel_bits // self.planes // 8)

    @property
    def is_plain(self) -> bool:
        """Whether samples are to be kept as they stand."""
        kinds = [(UNSIGNED, 8), (UNSIGNED, 16), (FLOAT, 32)]
        return (
            not self.is_compressed
            and not self.is_tiled
            and self.planes == 1
            and (self.sample_format, max(self.bits)) in kinds
            and self.photometric in (BLACK_IS_ZERO, RGB)
            and self.extra_samples in ((), (2,))
            and self.samples == self.colors + len(self.extra_samples)
            and not self.bits_reversed
        )

    @property
    def colors(self) -> int:
        """Samples of a pixel that are colour."""
        return 4 if self.photometric == CMYK else 3 if self.photometric in (RGB, YCBCR) else 1

    @property
    def alpha_sample(self) -> int | None:
        """Which sample of a pixel is alpha."""
        if self.photometric == RGB and self.samples == 4 and not self.extra_samples:
            return 3
        alphas = [
            k for k, meaning in enumerate(self.extra_samples, self.colors) if meaning in (1, 2)
        ]
        return alphas[0] if alphas and alphas[0] < self.samples else None

    @property
    def channels(self) -> int:
        return 3 if self.photometric in (RGB, PALETTE, CMYK, YCBCR) else 1

    @property
    def has_alpha(self) -> bool:
        return self.alpha_sample is not None

    @property
    def depth(self) -> str:
        if self.sample_format == FLOAT:
            return "float"
        bits = max(self.bits)
        return "1-bit" if bits == 1 else "8-bit" if bits <= 8 else "16-bit"

    @property
    def is_deep(self) -> bool:
        """Whether Pillow would reduce it: 16-bit or float with more samples; or has no decoder."""
        if self.sample_format == FLOAT:
            return self.samples > 1 or max(self.bits) != 32
        if self.compression == _JPEG:
            return max(self.bits) > 8
        return (max(self.bits) == 16 and self.samples > 1) or self.compression == _WEBP

    @property
    def kind(self) -> str:
        """In words, for messages about kinds that are not read."""
        packing = f", packed by method {self.compression}" if self.is_compressed else ""
        if self.sample_format == FLOAT:
            return "floats" + packing
        return f"{counted(max(self.bits), 'bit')} per colour channel{packing}"


def _page(tags: dict[int, np.ndarray], order: str) -> Page:
    """The page whose directory has these tags, in a file of this order of bytes."""

    def some(tag: int) -> tuple[int, ...]:
        return tuple(tags[tag][:_MOST_SAMPLES].tolist()) if tag in tags else ()

    def one(tag: int, default: int) -> int:
        return (some(tag) or (default,))[0]

    width, height, samples = one(256, 0), one(257, 0), one(277, 1)
    is_tiled = 324 in tags
    strip = width, min(one(278, height) or height, height)
    none = np.empty(0, np.uint64)
    return Page(
        width=width,
        height=height,
        bits=some(258) or (1,),
        samples=samples,
        sample_format=max(some(339) or (UNSIGNED,)),
        photometric=one(262, BLACK_IS_ZERO),
        orientation=one(274, 1) if 1 <= one(274, 1) <= 8 else 1,
        extra_samples=some(338),
        compression=one(259, 1),
        planes=samples if one(284, 1) == 2 else 1,
        piece=(one(322, 0), one(323, 0)) if is_tiled else strip,
        is_tiled=is_tiled,
        offsets=tags.get(324 if is_tiled else 273, none),
        counts=tags.get(325 if is_tiled else 279, none),
        dpi=_dpi(one(296, 2), some(282), some(283)),
        icc_profile=tags[34675].tobytes() if 34675 in tags else None,
        subsampling=some(530) or (2, 2),
        slices=one(32997, 1),
        left_out=tuple(name for tag, name in _LEFT_OUT.items() if tag in tags),
        order=order,
        bits_reversed=one(266, 1) != 1,
        has_exif=any(tag in tags for tag in (*DESCRIPTIVE, *DIRECTORIES)),
    )


def _dpi(unit: int, *sides: tuple[int, ...]) -> tuple[float, float] | None:
    """Dots per inch across and down, each a numerator and a denominator in the file."""
    per_inch = {2: 1.0, 3: 2.54}.get(unit)
    if per_inch is None or not all(len(each) == 2 and each[1] for each in sides):
        return None
    across, down = (each[0] / each[1] * per_inch for each in sides)
    return across, down


def read_pages(stream: BinaryIO, name: str) -> list[Page]:
    """Every page in order. InputError for a broken directory or a kind of pixel we do not read."""
    directories = _Directories(stream, name)
    pages: list[Page] = []
    seen: set[int] = set()
    while offset := directories.following:
        if offset in seen or len(pages) >= _MOST_PAGES:
            raise damaged(name, "its pages lead back to each other")
        seen.add(offset)
        page = _page(directories.read(offset), directories.order)
        _check_kind(page, name)
        pages.append(page)
    if not pages:
        raise damaged(name, "it has no pages")
    if len({(page.depth == "float", page.depth == "16-bit") for page in pages}) > 1:
        raise InputError(f"{name} has pages of different depths: save them as separate files")
    return pages


@dataclass(frozen=True)
class Tag:
    """A tag as it stands in a file: its type, the number of its values and their bytes."""

    kind: int
    count: int
    data: bytes


def read_tags(stream: BinaryIO, name: str, wanted: Container[int]) -> dict[int, Tag]:
    """These tags of the first page of a file that `read_pages` has read."""
    directories = _Directories(stream, name)
    tags = {}
    for tag, kind, count, inline in directories.entries(directories.following):
        if tag in wanted and kind in _TYPES:
            size = count * int(_TYPES[kind][-1]) * (2 if _TYPES[kind][0] == "2" else 1)
            if size > len(inline):
                stream.seek(struct.unpack(directories.pointer, inline)[0])
                inline = stream.read(size)
            if len(inline) < size:
                raise cut_short(name, "the values of a tag lie past the end of the file")
            tags[tag] = Tag(kind, count, inline[:size])
    return tags


class _Directories:
    """Reads the directory of one page after the other; `following` is where the next one lies.

    The values of all tags together may take as many bytes as the file has: pages that share them
    do not get around the limits.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream, self.name = stream, name
        self.size = self.room = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        head = stream.read(16)
        self.order = "<" if head[:2] == b"II" else ">"
        self.is_big = head[2:4] in (b"+\0", b"\0+")
        self.pointer = self.order + ("Q" if self.is_big else "I")
        (self.following,) = struct.unpack_from(self.pointer, head, 8 if self.is_big else 4)

    def read(self, offset: int) -> dict[int, np.ndarray]:
        """The tags of the directory at this offset that we know."""
        return {
            tag: self._values(tag, _TYPES[kind], number, inline)
            for tag, kind, number, inline in self.entries(offset)
            if kind in _TYPES
        }

    def entries(self, offset: int) -> list[tuple[int, int, int, bytes]]:
        """Tag, type, count and what stands in the entry itself, of each in the directory there."""
        if offset >= self.size:
            raise cut_short(self.name, "its directory lies past the end of the file")
        self.stream.seek(offset)
        count_format = self.order + ("Q" if self.is_big else "H")
        (count,) = struct.unpack(count_format, self.stream.read(struct.calcsize(count_format)))
        if not 1 <= count <= 4096:
            raise damaged(self.name, f"a page has {count} tags")
        pointer_size = struct.calcsize(self.pointer)
        entry_size = 4 + 2 * pointer_size
        directory = self.stream.read(count * entry_size + pointer_size)
        if len(directory) < count * entry_size + pointer_size:
            raise cut_short(self.name, "a directory is not complete")
        (self.following,) = struct.unpack(self.pointer, directory[-pointer_size:])
        entries = []
        for at in range(0, count * entry_size, entry_size):
            tag, kind = struct.unpack_from(self.order + "HH", directory, at)
            (number,) = struct.unpack_from(self.pointer, directory, at + 4)
            entries.append((tag, kind, number, directory[at + 4 + pointer_size : at + entry_size]))
        return entries

    def _values(self, tag: int, kind: str, number: int, inline: bytes) -> np.ndarray:
        """A tag's numbers: in its own entry when they fit, else where that points."""
        dtype = np.dtype(self.order + kind[-2:])
        size = number * dtype.itemsize * (2 if kind[0] == "2" else 1)
        if size > len(inline):
            self.room -= size
            if self.room < 0:
                raise damaged(self.name, "its tags hold more bytes than the file has")
            if tag not in _WANTED:
                return np.empty(0, dtype)
            self.stream.seek(struct.unpack(self.pointer, inline)[0])
            inline = self.stream.read(size)
        if len(inline) < size:
            raise cut_short(self.name, "the values of a tag lie past the end of the file")
        return np.frombuffer(inline[:size], dtype)


_WANTED = {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 296}
_WANTED |= {322, 323, 324, 325, 338, 339, 530, 32997, 34675}
_LEFT_OUT = {700: "XMP", 33723: "IPTC", 34377: "Photoshop data", 330: "sub-images"}
_LEFT_OUT |= dict.fromkeys((33550, 33922, 34264, 34735, 34736, 34737), "GeoTIFF tags")


def check_pieces(page: Page, size: int, name: str) -> None:
    """Every strip or tile of the page lies within the file of `size` bytes, and none is missing."""
    across, down = page.piece
    if across < 1 or down < 1:
        raise damaged(name, "its tiles have no size")
    expected = -(-page.width // across) * -(-page.height // down) * page.planes
    offsets, counts = page.offsets, page.counts
    row_bits = page.width * sum(page.bits)
    if not len(counts) and len(offsets) == 1 and not page.is_compressed:
        counts = np.array([-(-row_bits // 8) * page.height])
    there = min(len(offsets), len(counts))
    if there < expected:
        raise damaged(name, f"it has {there} of the {expected} pieces that its size asks for")
    if len(offsets) > _MOST_PIECES:
        raise damaged(name, f"it has {len(offsets):,} pieces, and {_MOST_PIECES:,} are the most")
    counts = counts[:expected].astype(np.float64)  # exact up to 2^53: a size of no file
    if (offsets[:expected] + counts > size).any():
        raise cut_short(name, "part of the picture lies past the end of the file")
    if not counts.all():
        raise damaged(name, "a piece of the picture is empty")
    is_plain = not page.is_compressed and not page.is_tiled
    if is_plain and counts.sum() < page.height * (row_bits // 8):
        raise cut_short(name, "it has fewer bytes of pixels than its size asks for")


def _check_kind(page: Page, name: str) -> None:
    bits = max(page.bits)
    if page.photometric in _NOT_READ:
        raise InputError(
            f"{name} holds {_NOT_READ[page.photometric]}, which is not read: convert it to RGB"
        )
    if page.photometric == YCBCR and not page.is_compressed and page.subsampling != (1, 1):
        raise InputError(
            f"{name} holds uncompressed YCbCr of fewer colours than pixels, which is not read: "
            "convert it to RGB"
        )
    if page.slices > 1:
        raise InputError(
            f"{name} holds a volume of {page.slices} slices, which is not read: save each as a page"
        )
    if len(set(page.bits)) > 1:
        raise InputError(
            f"{name} has channels of {min(page.bits)} to {bits} bits, which are not read: convert "
            "it to 8 bits"
        )
    if page.sample_format == SIGNED or (page.sample_format == UNSIGNED and bits > 16):
        signed = "signed " if page.sample_format == SIGNED else ""
        raise InputError(
            f"{name} holds {signed}{bits}-bit integers, which are not read: save it as "
            "16-bit unsigned or as 32-bit float"
        )
    if page.sample_format not in (UNSIGNED, FLOAT, 4):
        raise InputError(f"{name} holds complex numbers: save their magnitude as 32-bit float")
