"""BMP: one picture of 8 bits, through Pillow."""

from __future__ import annotations

from typing import BinaryIO

from cnntool.files.image import Image, ImageInfo
from cnntool.files.metadata import save_options
from cnntool.files.pillow import open_picture
from cnntool.files.pillow_images import describe, read_single
from cnntool.files.pillow_pixels import to_picture
from cnntool.files.streams import Reading


def probe(stream: BinaryIO, reading: Reading) -> ImageInfo:
    """What the header says."""
    return describe(open_picture(stream, "BMP", reading.name), "BMP")


def read(stream: BinaryIO, reading: Reading) -> Image:
    """The picture, whole."""
    return read_single(stream, reading, "BMP")


def write(image: Image, file: BinaryIO, quality: int, label: str) -> None:
    """The pixels and their resolution: a BMP keeps no EXIF and no colour profile."""
    options = save_options(image.metadata)
    options.pop("exif", None)
    options.pop("icc_profile", None)
    to_picture(image.frames[0]).save(file, "BMP", **options)
