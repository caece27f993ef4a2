"""Pillow, kept to what we let it do: silent, our limits, and the modes that we read."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from cnntool.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class Mode(NamedTuple):
    """How a Pillow mode becomes an array."""

    read_as: str  # the mode that a strip is converted to
    channels: int
    alpha: bool
    depth: str


MODES = {
    "1": Mode("L", 1, False, "1-bit"),
    "L": Mode("L", 1, False, "8-bit"),
    "LA": Mode("LA", 1, True, "8-bit"),
    "La": Mode("LA", 1, True, "8-bit"),
    "P": Mode("RGB", 3, False, "8-bit"),
    "PA": Mode("RGBA", 3, True, "8-bit"),
    "RGB": Mode("RGB", 3, False, "8-bit"),
    "RGBX": Mode("RGB", 3, False, "8-bit"),
    "RGBA": Mode("RGBA", 3, True, "8-bit"),
    "RGBa": Mode("RGBA", 3, True, "8-bit"),
    "YCbCr": Mode("RGB", 3, False, "8-bit"),
    "CMYK": Mode("RGB", 3, False, "8-bit"),  # (1 - ink) (1 - black), without its colour profile
    "I;16": Mode("I;16", 1, False, "16-bit"),
    "I;16L": Mode("I;16L", 1, False, "16-bit"),
    "I;16B": Mode("I;16B", 1, False, "16-bit"),
    "I;16N": Mode("I;16N", 1, False, "16-bit"),
    "F": Mode("F", 1, False, "float"),
}


def library() -> ModuleType:
    """PIL.Image, with our limits in place of its own, and silent."""
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.filterwarnings("ignore", module=r"PIL\.")
    silence("PIL")
    return Image


def silence(library_name: str) -> None:
    """Keep a library's log out of standard error, unless the program set up logging."""
    log = logging.getLogger(library_name)
    if not log.handlers:
        log.addHandler(logging.NullHandler())


READ_BYTES = 1 << 22
"""Of a file at a time: after each piece the decoder waits for its turn among the imports."""

_ahead: dict[str, Picture] = {}


def decode_ahead(path: str, max_pixels: int) -> None:
    """Decode a JPEG or PNG file for the next open_picture of it, before NumPy is even imported.

    Whatever is wrong with the file is left to be found and said then; pipes are left alone.
    """
    if not os.path.isfile(path):
        return
    module = library()
    try:
        with open(path, "rb") as file:
            picture = module.open(file, formats=("JPEG", "PNG"))
            is_single = getattr(picture, "n_frames", 1) == 1
            if is_single and picture.width * picture.height <= max_pixels:
                picture.decodermaxblock = READ_BYTES
                picture.load()
                _ahead[path] = picture
    except Exception:
        return


def open_picture(stream: BinaryIO, format: str, name: str) -> Picture:
    """The picture with its header read. InputError for a mode that we do not read."""
    picture = _ahead.pop(str(getattr(stream, "name", "")), None)
    if picture is not None and picture.format == format:
        check_mode(picture.mode, name)
        return picture
    module = library()
    importlib.import_module(f"PIL.{format.title()}ImagePlugin".replace("Webp", "WebP"))
    stream.seek(0)
    picture = module.open(stream, formats=("JPEG", "MPO") if format == "JPEG" else (format,))
    check_mode(picture.mode, name)
    return picture


def check_mode(mode: str, name: str) -> Mode:
    """How to read this mode; InputError with a remedy for one that we do not read."""
    if mode not in MODES:
        what = {"I": "32-bit integers"}.get(mode, mode)
        remedy = "save it as 16-bit or float" if mode == "I" else "convert it to RGB first"
        raise InputError(f"{name} holds {what}, which is not read: {remedy}")
    return MODES[mode]
