"""JPEG: what tells a whole picture from one whose end is missing.

A JPEG has no checksums, and decoders paint what is missing in grey without an error. Source: the
JPEG standard (ITU-T T.81), annex B.
"""

from __future__ import annotations

from collections.abc import Iterator

_END = b"\xff\xd9"
_MEANINGLESS = bytes(range(1, 255)) * 4  # no 0xff: a decoder that has all it needs skips it


def has_end_mark(data: bytes) -> bool:
    """Whether the end of the image is marked: not so in a file cut short or filled with zeros."""
    scans = [begin for begin, _ in _scans(data)]
    return bool(scans) and data.find(_END, scans[0]) >= 0


def with_longer_scans(data: bytes) -> bytes:
    """The file with meaningless bytes after each scan's compressed data.

    It decodes to the same picture, unless some of the data were missing.
    """
    parts = []
    done = 0
    for _, end in _scans(data):
        parts += [data[done:end], _MEANINGLESS]
        done = end
    return b"".join([*parts, data[done:]])


def _scans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each scan's compressed data begin and end, up to the end mark."""
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
            begin, at = at, _end_of_scan(data, at)
            yield begin, at


def _end_of_scan(data: bytes, at: int) -> int:
    """The next marker that is neither a stuffed byte nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0:
        following = data[at + 1 : at + 2]
        if following and (following in b"\x00\xff" or b"\xd0" <= following <= b"\xd7"):
            at += 1 if following == b"\xff" else 2
        else:
            return at
    return len(data)
