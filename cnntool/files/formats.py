"""The file formats: their names, extensions, first bytes, and what each can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cnntool.errors import RequestError
from cnntool.wording import nearest


@dataclass(frozen=True)
class Format:
    """What one file format can hold."""

    name: str
    extensions: tuple[str, ...]  # the usual one first
    dtypes: tuple[str, ...] = ("uint8",)
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
        Format("JPEG2000", (".jp2", ".j2k"), alpha=True, keeps=()),
        Format("NPY", (".npy",), ("uint8", "uint16", "float32", "float64"), alpha=True, keeps=()),
    )
}

EXTENSIONS = {extension: each.name for each in FORMATS.values() for extension in each.extensions}
"""From a file name's extension, in lower case with its dot, to the format's name."""

READABLE = "PNG, JPEG, TIFF, WebP, BMP, PNM/PGM/PPM, GIF, AVIF, JPEG 2000, .npy"
HEAD = 64
"""Bytes of a file that tell its format."""


def format_for(path: str | os.PathLike) -> str:
    """The format that a name asks for: 'a.JPG' -> 'JPEG'. RequestError if it is none of ours."""
    extension = os.path.splitext(os.fspath(path))[1].lower()
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    known = " ".join(EXTENSIONS)
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


def can_hold(format: str, *, dtype: str = "uint8", alpha: bool = False, frames: int = 1) -> bool:
    """Whether a format keeps this depth ('uint8', 'uint16', 'float32'), alpha, number of frames."""
    able = FORMATS[format]
    return dtype in able.dtypes and (able.alpha or not alpha) and (able.frames or frames == 1)


def format_of_bytes(head: bytes) -> str | None:
    """The format that a file's first bytes tell, or None when it is none of ours."""
    for start, name in _SIGNATURES.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and (b"avif" in head[8:] or b"avis" in head[8:]):
        return "AVIF"
    if (
        head[:1] == b"P"
        and head[1:2] in b"123456"
        and head[2:3] in (b" ", b"\t", b"\r", b"\n", b"#")
    ):
        return "PPM"
    return None


def foreign_kind(head: bytes) -> str | None:
    """What else the first bytes look like ('a PDF document'), for a message that helps."""
    if head[4:8] == b"ftyp":
        return "a HEIC or video file"
    for start, kind in _FOREIGN.items():
        if head.startswith(start):
            return kind
    return None


_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\0\0\0\x0cjP  ": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\x93NUMPY": "NPY",
}
_FOREIGN = {
    b"%PDF": "a PDF document",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file (SVG?)",
    b"<html": "a web page",
    b"<!DOCTYPE": "a web page",
    b"PK\x03\x04": "a ZIP archive (.npz?)",
    b"8BPS": "a Photoshop file",
    b"gimp xcf": "a GIMP file",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL": "a JPEG XL image",
    b"\0\0\1\0": "an icon",
    b"\x76\x2f\x31\x01": "an OpenEXR image",
    b"P7": "a PAM image",
    b"Pf": "a PFM image",
    b"PF": "a PFM image",
}
