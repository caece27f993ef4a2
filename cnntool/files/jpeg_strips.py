"""JPEG encoded in strips, several at a time, and joined by restart markers.

A restart marker lets a decoder forget all that came before, so that what stands between two of them
can be encoded alone: on every core at once, and without the four bytes a pixel of the whole picture
that Pillow makes of colour. The pixels are those of a picture encoded in one piece. Source: the
JPEG standard (ITU-T T.81), sections B.2.4.4 (restart interval) and E.1.4 (restart markers).
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, BinaryIO

from cnntool.engine.fast.threads import available_cores, share
from cnntool.files.image import Frame
from cnntool.files.pillow_pixels import to_picture

STRIP_ROWS = 256
"""Rows of a strip at most: a multiple of every height of a block that JPEG knows."""

LONGEST_INTERVAL = 65535
"""Blocks between restart markers at most."""

_END = b"\xff\xd9"
_START_OF_FRAME, _START_OF_SCAN = 0xC0, 0xDA


def write_strips(frame: Frame, file: BinaryIO, quality: int, options: dict[str, Any]) -> None:
    """Encode a frame; ``options`` for the metadata are Pillow's."""
    height, width, _ = frame.pixels.shape
    rows = strip_rows(width)
    tops = range(0, height, rows)
    if len(tops) == 1:
        file.write(_encoded(frame, quality, options))
        return
    write_next = _in_order(file)

    def encode(index: int) -> None:
        strip = Frame(frame.pixels[tops[index] : tops[index] + rows])
        data = _encoded(strip, quality, options if index == 0 else {})
        segments = dict(_segments(data))
        begin = segments[_START_OF_SCAN] + _length(data, segments[_START_OF_SCAN])
        parts = [data[begin : -len(_END)]]
        if index == 0:
            parts.insert(0, _header(data[:begin], segments, height))
        last = index == len(tops) - 1
        parts.append(_END if last else bytes([0xFF, 0xD0 + index % 8]))
        write_next(index, b"".join(parts))

    share(range(len(tops)), lambda: encode, min(len(tops), available_cores()))


def strip_rows(width: int) -> int:
    """Rows of a strip: no more blocks than a restart interval may have, at 8 x 8 pixels each."""
    lines = LONGEST_INTERVAL // -(-width // 8)
    return min(STRIP_ROWS, 8 * lines // 16 * 16)


def _encoded(frame: Frame, quality: int, options: dict[str, Any]) -> bytes:
    """A whole JPEG. Pillow lets other threads run only where it writes into a real file."""
    with _memory_file() as file:
        to_picture(frame).save(file, "JPEG", quality=quality, **options)
        file.seek(0)
        return file.read()


def _memory_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        try:
            return open(os.memfd_create("cnntool"), "w+b")
        except OSError:  # forbidden here
            pass
    return io.BytesIO()


def _in_order(file: BinaryIO) -> Callable[[int, bytes], None]:
    """A function that writes pieces by their numbers, whatever the order in which they come."""
    waiting: dict[int, bytes] = {}
    lock = Lock()
    written = 0

    def write_next(index: int, piece: bytes) -> None:
        nonlocal written
        with lock:
            waiting[index] = piece
            while written in waiting:
                file.write(waiting.pop(written))
                written += 1

    return write_next


def _header(head: bytes, segments: dict[int, int], height: int) -> bytes:
    """The first strip's segments, with the height of the whole and the interval of restarts."""
    frame, scan = segments[_START_OF_FRAME], segments[_START_OF_SCAN]
    # length 2, precision 1, height 2, width 2, components 1, then id, sampling, table of each
    rows, width = (int.from_bytes(head[at : at + 2], "big") for at in (frame + 3, frame + 5))
    samplings = head[frame + 9 : frame + 8 + 3 * head[frame + 7] : 3]
    across, down = (max(s >> 4 for s in samplings), max(s & 15 for s in samplings))
    if len(samplings) == 1:
        across = down = 1  # one component is cut into single blocks
    interval = -(-width // (8 * across)) * (rows // (8 * down))
    restarts = b"\xff\xdd\x00\x04" + interval.to_bytes(2, "big")
    before = head[: frame + 3] + height.to_bytes(2, "big") + head[frame + 5 : scan - 2]
    return before + restarts + head[scan - 2 :]


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Every marker up to the first scan, and where its length stands."""
    at = 2
    while True:
        marker = data[at + 1]
        yield marker, at + 2
        if marker == _START_OF_SCAN:
            return
        at += 2 + _length(data, at + 2)


def _length(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
