"""TIFF: its pages through Pillow, or as deep colour through the extra `deep`."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

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
from cnntool.files.limits import Limits
from cnntool.files.pillow import (
    check_mode,
    image_of,
    is_deep,
    library,
    open_picture,
    read_metadata,
    to_frame,
    to_picture,
)
from cnntool.files.streams import check_finite
from cnntool.files.tiff_pages import FLOAT, WHITE_IS_ZERO, Page, check_pieces, read_pages
from cnntool.wording import counted

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Picture


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
    image = image_of(frames, read_page_metadata(stream, pages[0], limits), limits)
    return replace(image, left_out=left_out_of_pages(pages))


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
    exif = _read_exif(stream if picture is None else picture)
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


def left_out_of_pages(pages: list[Page]) -> tuple[str, ...]:
    """What is not read of them, each thing once."""
    others = pages[0].samples - pages[0].colors - pages[0].has_alpha
    more = (f"{counted(others, 'more sample')} a pixel",) if others > 0 else ()
    if pages[0].sample_format == FLOAT and max(pages[0].bits) > 32:
        more = (*more, BEYOND_FLOAT32)
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
    from cnntool.files import deep

    return [
        frame_of(samples, page.channels, limits.gray, page.orientation)
        for page, samples in zip(pages, deep.read_tiff(stream, pages, limits.name), strict=True)
    ]


def _adjustment(page: Page) -> Callable[[np.ndarray], np.ndarray] | None:
    """What Pillow leaves undone: 12 bits to 16, and grey that counts from white."""

    def adjust(samples: np.ndarray) -> np.ndarray:
        samples = full_range(samples, max(page.bits))
        return 65535 - samples if page.photometric == WHITE_IS_ZERO else samples

    return adjust if page.depth == "16-bit" else None


MOST_BYTES = (1 << 32) - (1 << 26)
"""Bytes of pixels in a TIFF whose offsets have 32 bits."""


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """Every frame a page, uncompressed."""
    arrays = [frame.pixels for frame in image.frames]
    arrays += [frame.alpha for frame in image.frames if frame.alpha is not None]
    write_pages(image, file, label, is_big=sum(each.nbytes for each in arrays) > MOST_BYTES)


def write_pages(image: Image, file: BinaryIO, label: str, is_big: bool) -> None:
    """is_big: with offsets of 64 bits."""
    first = image.frames[0].pixels
    if first.dtype != np.uint8 and any(is_deep(frame) for frame in image.frames):
        from cnntool.files import deep

        deep.write_tiff(image, file, label, is_big)
        return
    pictures = [to_picture(frame) for frame in image.frames]
    metadata = image.metadata
    kept = {"icc_profile": metadata.icc_profile, "dpi": metadata.dpi}
    kept |= {"exif": _writable_exif(metadata.exif)} if metadata.exif else {}
    options: dict[str, Any] = {name: value for name, value in kept.items() if value}
    if is_big:
        options["big_tiff"] = True
    pictures[0].save(
        file, "TIFF", save_all=len(pictures) > 1, append_images=pictures[1:], **options
    )


_DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # what, camera, software, when, who, rights
_DIRECTORIES = (0x8769, 0x8825)  # EXIF, GPS


def _descriptive(exif: Exif) -> Exif:
    """The tags that describe the picture: a TIFF has them among those of how it is stored."""
    kept = library().Exif()
    for tag in _DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for tag in _DIRECTORIES:
        if tag in exif and (directory := exif.get_ifd(tag)):
            kept[tag] = dict(directory)
    return kept


def _read_exif(source: Picture | BinaryIO) -> bytes | None:
    """The descriptive tags of an opened TIFF, or of a stream of one, as an EXIF block."""
    with suppress(Exception):  # malformed tags of any kind: the picture is worth more than they
        if isinstance(source, library().Image):
            tags = source.getexif()
        else:  # whose layout of pixels Pillow does not know, as 16 bits with alpha
            source.seek(0)
            tags = library().Exif()
            tags.load_from_fp(source)
        kept = _descriptive(tags)
        return kept.tobytes() if len(kept) else None
    return None


def _writable_exif(exif: bytes) -> bytes | None:
    """The descriptive tags, if a TIFF takes them: those of storage would belie the file."""
    with suppress(Exception):  # as above
        tags = library().Exif()
        tags.load(exif)
        kept = _descriptive(tags).tobytes()
        library().new("L", (1, 1)).save(io.BytesIO(), "TIFF", exif=kept)
        return kept
    return None


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
