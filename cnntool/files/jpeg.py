"""JPEG: one picture of 8 bits, through Pillow, which does not say when its end is missing."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np

from cnntool.files.image import Image, ImageInfo
from cnntool.files.jpeg_scans import has_end_mark, with_longer_scans
from cnntool.files.jpeg_strips import write_strips
from cnntool.files.metadata import save_options
from cnntool.files.pillow import open_picture
from cnntool.files.pillow_images import describe, read_single
from cnntool.files.streams import Reading, cut_short

_PAINTED = 63, 64, 128  # where data are missing: all inks by half, twice, and mid grey
_LONGEST_EXIF = 65533  # what fits into one segment


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the header says."""
    return describe(open_picture(stream, "JPEG", reading.name), "JPEG")


def read(stream: BinaryIO, reading: Reading) -> Image:
    """The picture; InputError when any of it is missing."""
    image = read_single(stream, reading, "JPEG")
    stream.seek(0)
    data = stream.read()
    if not has_end_mark(data):
        raise cut_short(reading.name, "the end of the JPEG is missing")
    pixels = image.frames[0].pixels
    corners = pixels[:: max(1, pixels.shape[0] - 1), :: max(1, pixels.shape[1] - 1)]
    if np.isin(corners, _PAINTED).all(axis=2).any():
        again = read_single(io.BytesIO(with_longer_scans(data)), reading, "JPEG")
        if not np.array_equal(pixels, again.frames[0].pixels):
            raise cut_short(reading.name, "part of the picture is missing")
    return image


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """The picture at this quality, and the metadata; an EXIF block that is too long is dropped."""
    options = save_options(image.metadata)
    if len(options.get("exif", b"")) > _LONGEST_EXIF:
        del options["exif"]
    write_strips(image.frames[0], file, quality, options)
