"""JPEG: what tells a whole picture from one whose end is missing.

A JPEG has no checksums, and decoders paint what is missing in grey without an error. Source: the
JPEG standard (ITU-T T.81), annex B.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_END = b"\xff\xd9"
_MEANINGLESS = bytes(range(1, 255)) * 4  # no 0xff: a decoder that has all it needs skips it


def has_end_mark(data: bytes) -> bool:
    """Whether the end of the image is marked: not so in a file cut short or filled with zeros."""
    first = next(_scans(data), None)
    return first is not None and data.find(_END, first.begin) >= 0


def with_longer_scans(data: bytes) -> bytes:
    """The file with meaningless bytes after each scan's compressed data.

    It decodes to the same picture, unless some of the data were missing.
    """
    parts = []
    done = 0
    for scan in _scans(data):
        parts += [data[done : scan.end], _MEANINGLESS]
        for restart in range(scan.restarts, scan.restarts + 16):  # where the next ones are due
            parts += [bytes([0xFF, 0xD0 + restart % 8]), _MEANINGLESS]
        done = scan.end
    return b"".join([*parts, data[done:]])


class Scan(NamedTuple):
    """Where a scan's compressed data begin and end, and how many restart markers they have."""

    begin: int
    end: int
    restarts: int


def _scans(data: bytes) -> Iterator[Scan]:
    """The scans up to the end mark."""
    at = 2
    while at + 4 <= len(data):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data) or data[at : at + 2] == _END:
            return
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD7:  # no length follows
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            scan = _scan_at(data, at)
            yield scan
            at = scan.end


def _scan_at(data: bytes, begin: int) -> Scan:
    """The scan up to the next marker that is neither a stuffed byte nor a restart."""
    restarts = 0
    at = begin
    while (at := data.find(b"\xff", at)) >= 0:
        following = data[at + 1 : at + 2]
        if following == b"\xff":
            at += 1
        elif following == b"\0":
            at += 2
        elif b"\xd0" <= following <= b"\xd7":
            restarts += 1
            at += 2
        else:
            return Scan(begin, at, restarts)
    return Scan(begin, len(data), restarts)
