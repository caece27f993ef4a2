"""TIFF: its pages through Pillow, or as deep colour through the extra `deep`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import BinaryIO

import numpy as np

from cnntool.files import tiff_exif, tiff_pages
from cnntool.files.image import Frame, Image, ImageInfo, Metadata
from cnntool.files.metadata import plain_dpi, read_metadata, save_options
from cnntool.files.orientation import swaps_sides
from cnntool.files.pillow import check_mode, open_picture
from cnntool.files.pillow_images import image_of
from cnntool.files.pillow_pixels import is_deep, to_frame, to_picture
from cnntool.files.streams import Reading, check_finite


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the directories say; size and depth are the first page's."""
    pages = tiff_pages.read_pages(stream, reading.name)
    first = pages[0]
    width, height = first.width, first.height
    if swaps_sides(first.orientation):
        width, height = height, width
    if first.is_deep:
        colors = "RGB" if first.channels == 3 else "L"
        mode = f"{colors}{'A' * first.has_alpha};{'float' if first.depth == 'float' else 16}"
    else:
        mode = open_picture(stream, "TIFF", reading.name).mode
    return ImageInfo(
        "TIFF", width, height, first.channels, first.depth, len(pages), mode, first.has_alpha
    )


def read(stream: BinaryIO, reading: Reading) -> Image:
    """Every page at its own size and depth."""
    name = reading.name
    pages = tiff_pages.read_pages(stream, name)
    size = stream.seek(0, os.SEEK_END)
    for page in pages:
        reading.check_size(page.width, page.height)
        tiff_pages.verify(page, size, name)
    total = sum(page.width * page.height for page in pages)
    reading.check_pixels(total, pages[0].width, pages[0].height, len(pages))
    if any(page.is_deep for page in pages):
        return _read_deep(stream, pages, reading)
    picture = open_picture(stream, "TIFF", name)
    if any(page.is_compressed for page in pages):
        _silence_libtiff()
    frames = []
    for index, page in enumerate(pages):
        picture.seek(index)
        check_mode(picture.mode, name)
        if index == 0:
            _, metadata = read_metadata(picture, tiff_exif.read_exif(picture))
            metadata = Metadata(metadata.icc_profile, _dpi(page), metadata.exif)
        picture.load()  # and sets it upright
        frame = to_frame(picture, reading.gray, adjust=_adjustment(page))
        if page.depth == "float":
            check_finite(frame.pixels, name)
        frames.append(Frame(frame.pixels, frame.alpha))
    return image_of(frames, "TIFF", metadata, reading)


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """Every frame a page, uncompressed."""
    first = image.frames[0].pixels
    if first.dtype != np.uint8 and any(is_deep(frame) for frame in image.frames):
        from cnntool.files import deep

        deep.write_tiff(image, file, label)
        return
    pictures = [to_picture(frame) for frame in image.frames]
    options = save_options(image.metadata)
    if exif := options.pop("exif", None):
        options.update(tiff_exif.save_options(exif))
    pictures[0].save(
        file, "TIFF", save_all=len(pictures) > 1, append_images=pictures[1:], **options
    )


def _read_deep(stream: BinaryIO, pages: list[tiff_pages.Page], reading: Reading) -> Image:
    from cnntool.files import deep

    frames = [
        deep.to_frame(samples, page.channels, page.orientation, reading.gray)
        for page, samples in zip(pages, deep.read_tiff(stream, pages, reading.name), strict=True)
    ]
    metadata = Metadata(pages[0].icc_profile, _dpi(pages[0]))
    return image_of(frames, "TIFF", metadata, reading)


def _dpi(page: tiff_pages.Page) -> tuple[float, float] | None:
    dpi = plain_dpi(page.dpi)
    return dpi[::-1] if dpi and swaps_sides(page.orientation) else dpi


def _adjustment(page: tiff_pages.Page) -> Callable[[np.ndarray], np.ndarray] | None:
    """What Pillow leaves undone: 12 bits to 16, and grey that counts from white."""
    if page.depth != "16-bit":
        return None
    inverted = page.photometric == tiff_pages.WHITE_IS_ZERO
    if page.bits < 16:
        return partial(_from_bits, bits=page.bits, inverted=inverted)
    return (lambda samples: 65535 - samples) if inverted else None


def _from_bits(samples: np.ndarray, bits: int, inverted: bool) -> np.ndarray:
    most = (1 << bits) - 1
    samples = (samples.astype(np.uint32) * 65535 + most // 2) // most
    return 65535 - samples if inverted else samples


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
