"""TIFF: its pages through Pillow; deep colour as it stands or, packed, through the extra `deep`."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import (
    BEYOND_FLOAT32,
    Frame,
    Image,
    ImageInfo,
    Metadata,
    frame_of,
    full_range,
    plain_dpi,
    swaps_sides,
)
from cnntool.files.layout import Layout, PlainWriter, layout_of
from cnntool.files.limits import Limits
from cnntool.files.pillow import (
    check_mode,
    image_of,
    library,
    open_picture,
    read_metadata,
    to_frame,
)
from cnntool.files.streams import check_finite, cut_short
from cnntool.files.tiff_pages import (
    BLACK_IS_ZERO,
    DESCRIPTIVE,
    DIRECTORIES,
    FLOAT,
    RGB,
    WHITE_IS_ZERO,
    Page,
    check_pieces,
    read_pages,
)
from cnntool.wording import counted

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Picture
    from PIL.TiffImagePlugin import ImageFileDirectory_v2


def probe(stream: BinaryIO, limits: Limits) -> ImageInfo:
    """What the directories say; size and depth are the first page's."""
    pages = read_pages(stream, limits.name)
    first = pages[0]
    width, height = first.width, first.height
    if swaps_sides(first.orientation):
        width, height = height, width
    picture = None if first.is_deep else opened_by_pillow(stream, limits)
    if picture is None:
        colors = "RGB" if first.channels == 3 else "L"
        deep = {"float": ";float", "16-bit": ";16"}.get(first.depth, "")
        mode = f"{colors}{'A' * first.has_alpha}{deep}"
    else:
        mode = picture.mode
    return ImageInfo(
        "TIFF", width, height, first.channels, first.depth, len(pages), mode, first.has_alpha
    )


def read(stream: BinaryIO, limits: Limits) -> Image:
    """Every page at its own size and depth."""
    pages = checked_pages(stream, limits)
    frames = read_frames(stream, pages, limits)
    metadata = read_page_metadata(stream, pages[0], limits)
    image = image_of(frames, metadata, limits)
    return replace(image, left_out=left_out_of_pages(pages, metadata))


def read_frames(stream: BinaryIO, pages: list[Page], limits: Limits) -> list[Frame]:
    """The pixels of checked pages."""
    picture = None if any(page.is_deep for page in pages) else opened_by_pillow(stream, limits)
    if picture is None:
        return _read_deep(stream, pages, limits)
    return _read_pages(picture, pages, limits)


def checked_pages(stream: BinaryIO, limits: Limits) -> list[Page]:
    """The pages, all of which the file holds, and which are within the limits."""
    name = limits.name
    pages = read_pages(stream, name)
    size = stream.seek(0, os.SEEK_END)
    for page in pages:
        limits.check_size(page.width, page.height)
        check_pieces(page, size, name)
        limits.check_tile(*page.piece, (page.width, page.height))
        limits.check_channels(page.width, page.height, page.samples)
    total = sum(page.width * page.height for page in pages)
    limits.check_size(pages[0].width, pages[0].height, len(pages), total)
    return pages


def read_page_metadata(stream: BinaryIO, page: Page, limits: Limits) -> Metadata:
    """The metadata of the first page."""
    picture = opened_by_pillow(stream, limits)
    exif = _read_exif(stream, picture)
    metadata = Metadata(page.icc_profile, None, exif)
    if picture is not None and not page.is_deep:
        picture.info["exif"] = exif
        _, metadata = read_metadata(picture)
    return replace(metadata, dpi=plain_dpi(page.dpi, page.orientation))


def opened_by_pillow(stream: BinaryIO, limits: Limits) -> Picture | None:
    """The file as opened by Pillow; None where that knows no such layout of pixels."""
    with suppress(library().UnidentifiedImageError):
        return open_picture(stream, limits)
    return None


def left_out_of_pages(pages: list[Page], metadata: Metadata) -> tuple[str, ...]:
    """What is not read of them, of which this is, each thing once."""
    others = pages[0].samples - pages[0].colors - pages[0].has_alpha
    more = (f"{counted(others, 'more sample')} a pixel",) if others > 0 else ()
    if pages[0].sample_format == FLOAT and max(pages[0].bits) > 32:
        more = (*more, BEYOND_FLOAT32)
    if pages[0].has_exif and metadata.exif is None:
        more = (*more, "EXIF that Pillow does not read")
    return tuple(dict.fromkeys(name for page in pages for name in page.left_out)) + more


def _read_pages(picture: Picture, pages: list[Page], limits: Limits) -> list[Frame]:
    if any(page.is_compressed for page in pages):
        _silence_libtiff()
    frames = []
    for index, page in enumerate(pages):
        picture.seek(index)
        check_mode(picture.mode, limits.name)
        picture.load()  # and sets it upright
        frame = to_frame(picture, limits.gray, adjust=_adjustment(page))
        if page.depth == "float":
            check_finite(frame.pixels, limits.name)
        frames.append(Frame(frame.pixels, frame.alpha))
    return frames


def _read_deep(stream: BinaryIO, pages: list[Page], limits: Limits) -> list[Frame]:
    if all(page.is_plain for page in pages):
        return [plain_frame(stream, page, limits, 0, page.height) for page in pages]
    from cnntool.files import deep

    return [
        frame_of(samples, page.channels, limits.gray, page.orientation)
        for page, samples in zip(pages, deep.read_tiff(stream, pages, limits.name), strict=True)
    ]


def plain_frame(stream: BinaryIO, page: Page, limits: Limits, top: int, bottom: int) -> Frame:
    """Rows of a plain page, set upright as if they were all of it."""
    kind = {8: "u1", 16: "u2", 32: "f4"}[max(page.bits)]
    data = stored_rows(stream, page, 0, top, bottom, limits.name)
    samples = np.frombuffer(data, page.order + kind)
    if page.sample_format == FLOAT:
        check_finite(samples, limits.name)
    samples = samples.reshape(bottom - top, page.width, page.samples)
    return frame_of(samples, page.colors, limits.gray, page.orientation)


def stored_rows(
    stream: BinaryIO, page: Page, plane: int, top: int, bottom: int, name: str
) -> bytes:
    """The bytes of rows that are not packed, whatever strips they lie in."""
    rows, parts = page.piece[1], []
    first = plane * -(-page.height // rows)
    for strip in range(top // rows, -(-bottom // rows)):
        begin, end = max(top, strip * rows), min(bottom, (strip + 1) * rows)
        offset = int(page.offsets[first + strip]) + (begin - strip * rows) * page.row_bytes
        parts.append(read_at(stream, offset, (end - begin) * page.row_bytes, name))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_at(stream: BinaryIO, offset: int, count: int, name: str) -> bytes:
    stream.seek(offset)
    data = stream.read(count)
    if len(data) < count:
        raise cut_short(name, "part of the picture is missing")
    return data


def _adjustment(page: Page) -> Callable[[np.ndarray], np.ndarray] | None:
    """What Pillow leaves undone: 12 bits to 16, and grey that counts from white."""

    def adjust(samples: np.ndarray) -> np.ndarray:
        samples = full_range(samples, max(page.bits))
        return 65535 - samples if page.photometric == WHITE_IS_ZERO else samples

    return adjust if page.depth == "16-bit" else None


MOST_BYTES = (1 << 32) - (1 << 26)
"""Bytes of pixels in a TIFF whose offsets have 32 bits."""


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """Every frame a page of one uncompressed strip."""
    pages = [layout_of(replace(image, frames=(frame,))) for frame in image.frames]
    is_big = sum(page.height * page.row_bytes for page in pages) > MOST_BYTES
    for left, page, frame in zip(range(len(pages))[::-1], pages, image.frames, strict=True):
        _page_writer(file, page, label, is_big, has_next=left > 0).write(frame)
        if left and page.height * page.row_bytes % 2:
            file.write(b"\0")  # what follows begins at an even byte


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> PlainWriter:
    """The same of the only page, row by row."""
    is_big = layout.height * layout.row_bytes > MOST_BYTES
    return _page_writer(file, layout, label, is_big, has_next=False)


def _page_writer(
    file: BinaryIO, page: Layout, label: str, is_big: bool, has_next: bool
) -> PlainWriter:
    """What takes the rows of a page, whose directory stands before them."""
    head = b""
    pointer, number, entry = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    if not file.tell():
        head = b"II" + (struct.pack("<HHHQ", 43, 8, 0, 16) if is_big else struct.pack("<HI", 42, 8))
    at, size = file.tell() + len(head), page.height * page.row_bytes
    exif = _writable_exif(page.metadata.exif)
    directory = _directory(page, exif, label, is_big)
    tags = bytearray(directory.tobytes(at))
    if has_next:
        next_at = struct.calcsize("<" + number) + len(directory) * entry
        struct.pack_into("<" + pointer, tags, next_at, at + len(tags) + size + size % 2)
    file.write(head + tags)
    return PlainWriter(file, page.dtype.newbyteorder("<").str)


def _directory(
    page: Layout, exif: dict[int, Any], label: str, is_big: bool
) -> ImageFileDirectory_v2:
    """The tags of a page whose pixels follow them."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    if is_big and not hasattr(ImageFileDirectory_v2, "_get_ifh"):  # Pillow before 11.1
        raise InputError(
            f"{label} would have {page.height * page.row_bytes:,} bytes, more than the installed "
            "Pillow can write as TIFF: pip install -U pillow"
        )
    tags = ImageFileDirectory_v2(b"II" + (b"+\0\x08" + bytes(11) if is_big else b"*\0" + bytes(4)))
    samples, metadata = page.channels + page.has_alpha, page.metadata
    tags[_WIDTH], tags[_HEIGHT], tags[_STRIP_ROWS] = page.width, page.height, page.height
    tags[_BITS], tags[_SAMPLES] = (8 * page.dtype.itemsize,) * samples, samples
    tags[_COMPRESSION], tags[_PLANES] = 1, 1
    tags[_PHOTOMETRIC] = RGB if page.channels == 3 else BLACK_IS_ZERO
    tags[_STRIP_OFFSETS], tags[_STRIP_COUNTS] = 0, page.height * page.row_bytes
    if is_big:
        tags.tagtype[_STRIP_OFFSETS] = tags.tagtype[_STRIP_COUNTS] = _LONG8
    if page.dtype.kind == "f":
        tags[_SAMPLE_FORMAT] = (FLOAT,) * samples
    if page.has_alpha:
        tags[_EXTRA_SAMPLES] = 2
    if metadata.dpi:
        tags[_UNIT], (tags[_ACROSS], tags[_DOWN]) = 2, metadata.dpi
    if metadata.icc_profile:
        tags[_PROFILE] = metadata.icc_profile
    tags.update(exif)
    return tags


_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _STRIP_ROWS, _STRIP_COUNTS = 273, 277, 278, 279
_ACROSS, _DOWN, _PLANES, _UNIT, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 282, 283, 284, 296, 338, 339
_PROFILE, _LONG8 = 34675, 16
_BIG = 43


def _descriptive(exif: Exif) -> Exif:
    """The tags that describe the picture: a TIFF has them among those of how it is stored."""
    kept = library().Exif()
    for tag in DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for tag in DIRECTORIES:
        if tag in exif and (directory := exif.get_ifd(tag)):
            kept[tag] = dict(directory)
    return kept


def _read_exif(stream: BinaryIO, picture: Picture | None) -> bytes | None:
    """The descriptive tags of a TIFF, by Pillow's picture of it if it has one, as an EXIF block."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    with suppress(Exception):  # malformed tags of any kind: the picture is worth more than they
        if picture is not None:
            tags = picture.getexif()
        else:  # whose layout of pixels Pillow does not know, as 16 bits with alpha
            stream.seek(0)
            head = stream.read(16)
            first = ImageFileDirectory_v2(head if head[2] == _BIG else head[:8])
            tags = library().Exif()
            tags.endian, tags.bigtiff = first._endian, head[2] == _BIG
            tags.load_from_fp(stream, first.next)
        kept = _descriptive(tags)
        return kept.tobytes() if len(kept) else None
    return None


def _writable_exif(exif: bytes | None) -> dict[int, Any]:
    """The descriptive tags, if a TIFF takes them: those of storage would belie the file."""
    with suppress(Exception):  # as above
        tags = library().Exif()
        tags.load(exif)
        kept = _descriptive(tags)
        kept.load(kept.tobytes())
        library().new("L", (1, 1)).save(io.BytesIO(), "TIFF", exif=kept)
        return {tag: kept.get_ifd(tag) if tag in DIRECTORIES else kept[tag] for tag in kept}
    return {}


def _silence_libtiff() -> None:
    """Keep libtiff from writing to standard error; where it is out of reach, it may."""
    import ctypes

    from PIL import _imaging

    with suppress(OSError, AttributeError):
        libtiff = ctypes.CDLL(_imaging.__file__)
        for set_handler in (libtiff.TIFFSetErrorHandler, libtiff.TIFFSetWarningHandler):
            set_handler.argtypes = [ctypes.c_void_p]
            set_handler.restype = ctypes.c_void_p
            set_handler(None)
