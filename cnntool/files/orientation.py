"""EXIF orientation: how a camera was held, read from the EXIF block and undone in the pixels.

Source: Exif 2.32 (CIPA DC-008), tag 0x0112, values 1 to 8.
"""

from __future__ import annotations

import struct

import numpy as np

_ORIENTATION = 0x0112
_PREFIX = b"Exif\0\0"


def split_orientation(exif: bytes | None) -> tuple[int, bytes | None]:
    """The orientation (1 to 8) and the EXIF block, starting with `Exif\\0\\0`, without it.

    The embedded thumbnail is unlinked as well, since it shows the picture as it was. Everything
    else keeps its place. A block that cannot be read gives (1, None).
    """
    if not exif:
        return 1, None
    block = bytearray(exif[len(_PREFIX) :] if exif.startswith(_PREFIX) else exif)
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        end = start + 2 + 12 * count
        struct.pack_into(order + "I", block, end, 0)  # no second directory: no thumbnail
        orientation = 1
        for entry in range(start + 2, end, 12):
            tag, kind = struct.unpack_from(order + "HH", block, entry)
            if tag == _ORIENTATION:
                value = struct.unpack_from(order + ("H" if kind == 3 else "I"), block, entry + 8)[0]
                orientation = value if 1 <= value <= 8 else 1
                block[entry : end + 4] = block[entry + 12 : end + 4] + bytes(12)
                struct.pack_into(order + "H", block, start, count - 1)
                break
    except (KeyError, struct.error):
        return 1, None
    return orientation, _PREFIX + bytes(block)


def swaps_sides(orientation: int) -> bool:
    """Whether the picture as shown is as wide as the stored one is high."""
    return orientation >= 5


def as_stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an upright picture (H, W, ...) with the rows and columns of the stored one.

    Writing stored rows into the view sets the picture upright without another copy.
    """
    if orientation in (2, 3, 6, 7):
        shown = shown[:, ::-1]
    if orientation in (3, 4, 7, 8):
        shown = shown[::-1]
    return shown.swapaxes(0, 1) if swaps_sides(orientation) else shown


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """The stored picture (H, W, ...) as it is to be shown, C-contiguous."""
    if orientation == 1:
        return np.ascontiguousarray(stored)
    height, width = stored.shape[:2]
    sides = (width, height) if swaps_sides(orientation) else (height, width)
    shown = np.empty((*sides, *stored.shape[2:]), stored.dtype)
    as_stored(shown, orientation)[...] = stored
    return shown
