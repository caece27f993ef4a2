"""The file formats: their names, extensions, first bytes, and what each can hold."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import NamedTuple

from cnntool.errors import RequestError
from cnntool.wording import counted, nearest


class Format(NamedTuple):
    """What one file format can hold."""

    name: str
    extensions: tuple[str, ...]  # the usual one first
    dtypes: tuple[str, ...] = ("uint8",)
    gray_dtypes: tuple[str, ...] = ()  # beside them, of one channel without alpha
    alpha: bool = False
    frames: bool = False
    quality: bool = False  # takes a quality from 1 to 100
    longest_side: int = 2**31 - 1
    keeps: tuple[str, ...] = ("icc_profile", "dpi", "exif")  # of the metadata
    longest_exif: int = 2**31 - 1


FORMATS = {
    each.name: each
    for each in (
        Format("PNG", (".png", ".apng"), ("uint8", "uint16"), alpha=True, frames=True),
        Format(
            "JPEG",
            (".jpg", ".jpeg", ".jpe", ".jfif"),
            quality=True,
            longest_side=65500,
            longest_exif=65533,  # what fits into one segment
        ),
        Format("TIFF", (".tif", ".tiff"), ("uint8", "uint16", "float32"), alpha=True, frames=True),
        Format(
            "WEBP",
            (".webp",),
            alpha=True,
            frames=True,
            quality=True,
            longest_side=16383,
            keeps=("icc_profile", "exif"),
        ),
        Format("BMP", (".bmp",), keeps=("dpi",)),
        Format("PPM", (".ppm", ".pgm", ".pnm", ".pbm"), ("uint8", "uint16"), keeps=()),
        Format("GIF", (".gif",), alpha=True, frames=True, longest_side=65535, keeps=()),
        Format(
            "AVIF",
            (".avif",),
            alpha=True,
            quality=True,
            longest_side=65535,
            keeps=("icc_profile", "exif"),
        ),
        Format("JPEG2000", (".jp2", ".j2k"), gray_dtypes=("uint16",), alpha=True, keeps=()),
        Format("NPY", (".npy",), ("uint8", "uint16", "float32", "float64"), alpha=True, keeps=()),
    )
}

EXTENSIONS = {extension: each.name for each in FORMATS.values() for extension in each.extensions}
"""From a file name's extension, in lower case with its dot, to the format's name."""

READABLE = "PNG, JPEG, TIFF, WebP, BMP, PNM/PGM/PPM, GIF, AVIF, JPEG 2000, .npy"
HEAD = 64
"""Bytes of a file that tell its format."""


def format_for(path: str | os.PathLike, but: Collection[str] = ()) -> str:
    """The format that a name asks for: 'a.JPG' -> 'JPEG'. RequestError if it is none of ours, which
    names those that there are but for these extensions."""
    extension = os.path.splitext(os.fspath(path))[1].lower()
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    known = " ".join(each for each in EXTENSIONS if each not in but)
    if not extension:
        raise RequestError(f"{path} has no extension to tell the format: end it in one of {known}")
    near = nearest(extension, EXTENSIONS)
    hint = f" (did you mean {near}?)" if near else ""
    raise RequestError(f"{path}: {extension} is no format this tool writes{hint}: use {known}")


def format_named(name: str) -> str:
    """The format that a person calls so: 'png', 'jpg', 'PGM', '.tif'. RequestError if unknown."""
    if name.upper() in FORMATS:
        return name.upper()
    extension = "." + name.lower().lstrip(".")
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    known = ", ".join(each.lower() for each in FORMATS)
    raise RequestError(f"'{name}' is no format this tool writes: use one of {known}")


def can_hold(
    format: str, *, dtype: str = "uint8", alpha: bool = False, frames: int = 1, samples: int = 3
) -> bool:
    """Whether a format keeps this depth ('uint8', 'uint16', 'float32') in pixels of so many values,
    alpha, number of frames."""
    able = FORMATS[format]
    dtypes = able.dtypes + (able.gray_dtypes if samples == 1 else ())
    return dtype in dtypes and (able.alpha or not alpha) and (able.frames or frames == 1)


def format_of_bytes(head: bytes) -> str | None:
    """The format that a file's first bytes tell, or None when it is none of ours."""
    return _kind_of(head, _SIGNATURES)


def behind(rest: bytes) -> tuple[str, ...]:
    """What a file goes on with behind its picture, by name; what merely fills up is nothing."""
    rest = rest.lstrip(_FILLING)
    if not rest.strip(_FILLING + b"\xff"):
        return ()
    kind = format_of_bytes(rest[:HEAD])
    return (f"another {kind} behind it" if kind else f"{counted(len(rest), 'byte')} behind it",)


_FILLING = b"\0\x1a\r\n\t "


def foreign_kind(head: bytes) -> str | None:
    """What else the first bytes look like ('a PDF document'), for a message that helps."""
    return _kind_of(head, _FOREIGN)


def _kind_of(head: bytes, kinds: dict[str, bytes]) -> str | None:
    return next((kind for kind, start in kinds.items() if re.match(start, head, re.DOTALL)), None)


_SIGNATURES = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "TIFF": rb"II[*+]\x00|MM\x00[*+]",
    "WEBP": rb"RIFF....WEBP",
    "BMP": rb"BM",
    "PPM": rb"P[1-6][ \t\r\n#]",
    "GIF": rb"GIF8[79]a",
    "AVIF": rb"....ftyp.*avi[fs]",
    "JPEG2000": rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51",
    "NPY": rb"\x93NUMPY",
}
_FOREIGN = {
    "a HEIC or video file": rb"....ftyp",
    "a PDF document": rb"%PDF",
    "an SVG drawing": rb"<svg",
    "an XML file (SVG?)": rb"<\?xml",
    "a web page": rb"<html|<!DOCTYPE",
    "a ZIP archive (.npz?)": rb"PK\x03\x04",
    "a Photoshop file": rb"8BPS",
    "a GIMP file": rb"gimp xcf",
    "a JPEG XL image": rb"\xff\x0a|\x00\x00\x00\x0cJXL",
    "an icon": rb"\x00\x00\x01\x00",
    "an OpenEXR image": rb"\x76\x2f\x31\x01",
    "a PAM image": rb"P7",
    "a PFM image": rb"P[fF]",
}
