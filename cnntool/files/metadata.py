"""What comes with the pixels, as Pillow tells it and as it takes it back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnntool.files.image import Metadata
from cnntool.files.orientation import split_orientation, swaps_sides

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def read_metadata(picture: Picture, exif: bytes | None) -> tuple[int, Metadata]:
    """The orientation that is still to be applied (1 to 8), and what is kept of the rest.

    exif: the EXIF block, which each format keeps in a place of its own.
    """
    info = picture.info
    orientation, exif = split_orientation(exif)
    dpi = plain_dpi(info.get("dpi"))
    if dpi and swaps_sides(orientation):
        dpi = dpi[::-1]
    profile = info.get("icc_profile")
    loop = info.get("loop")
    return orientation, Metadata(
        profile if isinstance(profile, bytes) and len(profile) > 128 else None,
        dpi,
        exif,
        loop if isinstance(loop, int) and loop >= 0 else None,
    )


def save_options(metadata: Metadata) -> dict[str, object]:
    """The metadata of a single picture as options of Pillow's `save`."""
    kept = {"icc_profile": metadata.icc_profile, "dpi": metadata.dpi, "exif": metadata.exif}
    return {name: value for name, value in kept.items() if value}


def plain_dpi(dpi: object) -> tuple[float, float] | None:
    """Two sensible numbers, or None."""
    try:
        across, down = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(each) and 0.1 <= each <= 1e5 for each in (across, down))
    return (across, down) if sensible else None
