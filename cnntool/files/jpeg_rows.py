"""JPEG row by row: checked as the whole is, as far as may be before it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files import jpeg
from cnntool.files.image import Frame
from cnntool.files.jpeg_decoder import CHANNELS, decoded_rows
from cnntool.files.jpeg_encoder import JpegWriter
from cnntool.files.layout import Layout, NotInRows, Strips, beyond
from cnntool.files.limits import Limits
from cnntool.files.pictures import save_options
from cnntool.files.pillow import left_out_of, open_picture, read_metadata


def open_rows(stream: BinaryIO, limits: Limits) -> tuple[Layout, Strips]:
    """A JPEG of colours or greys that is not progressive and is stored upright. Whether all of it
    is there may be known but after the last row."""
    name = limits.name
    stream.seek(0)
    data = stream.read()
    structure = jpeg.check(data, name)
    picture = open_picture(stream, limits)
    width, height = picture.size
    limits.check_size(width, height)
    orientation, metadata = read_metadata(picture)
    if structure.is_progressive:
        raise NotInRows(name, "is a progressive JPEG")
    if picture.mode not in CHANNELS:
        raise NotInRows(name, "is a JPEG of printing inks")
    if orientation != 1:
        raise NotInRows(name, "is turned by its EXIF orientation")

    def is_same(other: bytes) -> bool:
        with suppress(InputError, OSError):
            both = zip(decoded_rows(data, limits), decoded_rows(other, limits), strict=True)
            return all(np.array_equal(one, another) for one, another in both)
        return False

    def strips(start: int) -> Iterator[Frame]:
        for rows in beyond(checked_rows(), start):
            yield Frame(rows)

    def checked_rows() -> Iterator[np.ndarray]:
        ends: list[np.ndarray] = []
        for rows in decoded_rows(data, limits):
            ends = [*ends[:1], rows[0], rows[-1]]
            yield rows
        jpeg.check_decoded(data, structure, np.stack([ends[0], ends[-1]]), is_same, name)

    channels = 1 if limits.gray else CHANNELS[picture.mode]
    kind = (np.dtype(np.uint8), 255.0, False, "JPEG")
    kept = metadata.fitting(channels), left_out_of(picture, data[structure.end :])
    return Layout(height, width, channels, *kind, *kept), strips


def write_rows(file: BinaryIO, layout: Layout, quality: int, label: str) -> JpegWriter:
    return JpegWriter(file, layout, {"quality": quality, **save_options(layout.metadata, "JPEG")})
