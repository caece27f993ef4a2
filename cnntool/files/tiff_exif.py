"""EXIF in a TIFF, which keeps the same tags among those that say how its pixels are stored."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cnntool.files.pillow import library

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Picture

_DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 33432)  # what, camera, software, when, who, rights
_DIRECTORIES = (0x8769, 0x8825)  # EXIF, GPS


def read_exif(picture: Picture) -> bytes | None:
    """The descriptive tags of an opened TIFF as an EXIF block."""
    try:
        kept = _descriptive(picture.getexif())
        return kept.tobytes() if len(kept) else None
    except Exception:  # malformed tags of any kind: the picture is worth more than they
        return None


def save_options(exif: bytes) -> dict[str, object]:
    """The descriptive tags, if a TIFF takes them: those of storage would belie the file."""
    try:
        tags = library().Exif()
        tags.load(exif)
        options = {"exif": _descriptive(tags).tobytes()}
        library().new("L", (1, 1)).save(io.BytesIO(), "TIFF", **options)
    except Exception:  # malformed tags of any kind: the picture is worth more than they
        return {}
    return options


def _descriptive(exif: Exif) -> Exif:
    """The tags that describe the picture rather than how it is stored."""
    kept = library().Exif()
    for tag in _DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for tag in _DIRECTORIES:
        if tag in exif and (directory := exif.get_ifd(tag)):
            kept[tag] = dict(directory)
    return kept
