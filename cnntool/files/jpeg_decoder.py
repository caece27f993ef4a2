"""JPEG decoded by Pillow, a strip at a time, in little memory.

The decoder asks for room for the whole picture, four bytes a pixel, and fills it from the top. What
it has written is copied and given back strip by strip, so that little of the room is ever memory.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cnntool.files.image import copy_channels, luminance
from cnntool.files.layout import fitting
from cnntool.files.limits import Limits
from cnntool.files.pillow import library, open_picture, pixel_strips
from cnntool.files.streams import cut_short, damaged

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile as Picture

CHANNELS = {"L": 1, "RGB": 3}
"""By the mode of what is decoded piece by piece."""
_PIECE = 1 << 14
"""Bytes of a JPEG that are decoded at a time: of flat pictures they are many rows."""
_SMALL = 1 << 22
"""Pixels of a picture for which Pillow may as well take room."""


def decoded_rows(data: bytes, limits: Limits) -> Iterator[np.ndarray]:
    """The rows (n, W, C) as they are stored, grey where that is asked for, a strip at a time.

    InputError or OSError for data that end early.
    """
    picture = cast("Picture", open_picture(io.BytesIO(data), limits))
    width, height = picture.size
    is_whole = picture.mode not in CHANNELS or "progressive" in picture.info
    if is_whole or width * height < _SMALL:
        picture.load()
        yield from pixel_strips(picture, limits.gray)
        return
    for rows in _piecewise(picture, data, limits.name):
        yield luminance(rows) if limits.gray and rows.shape[2] == 3 else rows


def _piecewise(picture: Picture, data: bytes, name: str) -> Iterator[np.ndarray]:
    width, height = picture.size
    room = _room(4 * width * height)
    target = library().frombuffer("RGBX", (width, height), room, "raw", "RGBX", 0, 1)
    pixels = np.frombuffer(room, np.uint8).reshape(height, width, 4)
    is_there = pixels[:, -1, 3]  # which the decoder sets, as the last of a row
    feed = _Feed(picture, target, data, name)
    channels = CHANNELS[picture.mode]
    step, done = fitting(channels * width), 0
    for top in range(0, height, step):
        bottom = min(top + step, height)
        while done < bottom:
            if is_there[done]:
                done += 1
            else:
                feed.go_on()
        rows = np.empty((bottom - top, width, channels), np.uint8)
        copy_channels(pixels[top:bottom], rows)
        _give_back(room, 4 * width * top, 4 * width * bottom)
        yield rows
    while not feed.is_over:
        feed.go_on()


class _Feed:
    """Pillow's decoder, which is given a piece of the data after the other."""

    def __init__(self, picture: Picture, target: Any, data: bytes, name: str) -> None:
        as_colors = ("RGB", "")  # also greys, three times each
        self.decoder = library()._getdecoder("RGBX", "jpeg", as_colors, picture.decoderconfig)
        self.decoder.setimage(target.im, (0, 0, *target.size))
        self.data, self.name = data, name
        self.at, self.waiting, self.is_over = 0, b"", False

    def go_on(self) -> None:
        piece = self.data[self.at : self.at + _PIECE]
        if not piece or self.is_over:
            raise cut_short(self.name, "part of the picture is missing")
        self.at += len(piece)
        self.waiting += piece
        taken, error = self.decoder.decode(self.waiting)
        if taken < 0 and error < 0:
            raise damaged(self.name, "its compressed data cannot be decoded")
        self.is_over = taken < 0
        self.waiting = self.waiting[max(0, taken) :]


def _room(size: int) -> mmap.mmap:
    """Bytes of which none is memory before it is written."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _give_back(room: mmap.mmap, start: int, end: int) -> None:
    """Make bytes no memory any more, where the system can: the pages that end in them."""
    if hasattr(room, "madvise"):
        start, end = (each // mmap.PAGESIZE * mmap.PAGESIZE for each in (start, end))
        if start < end:
            room.madvise(mmap.MADV_DONTNEED, start, end - start)
