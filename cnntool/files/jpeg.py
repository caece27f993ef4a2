"""Is a JPEG whole, and is it what it says? It has no checksums, and decoders paint what is missing.

Source: the JPEG standard (ITU-T T.81), annexes B, F and G.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from cnntool.errors import InputError
from cnntool.files.streams import cut_short, damaged
from cnntool.wording import counted

MOST_SCANS = 100
"""Each takes as long as decoding the whole picture; encoders write some ten."""

_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd8\xff])")  # neither a stuffed 0xff nor a restart
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
END, SCAN, _TABLES, RESTARTS = 0xD9, 0xDA, 0xC4, 0xDD
_HUFFMAN, _ARITHMETIC, _PROGRESSIVE = (0xC0, 0xC1, 0xC2), (0xC9, 0xCA), (0xC2, 0xCA)
_NOT_READ = {0xC3: "lossless", 0xC7: "lossless", 0xCB: "lossless", 0xCF: "lossless"}
_NOT_READ |= {marker: "hierarchical" for marker in (0xC5, 0xC6, 0xCD, 0xCE)}
FRAMES = (*_HUFFMAN, *_ARITHMETIC, *_NOT_READ)
_ZEROS = bytes(16)
_ENDING_ZEROS = 4  # that the last codes of a picture may have
_MEANINGLESS = bytes(range(1, 255)) * 4  # no 0xff: a decoder that has all it needs skips it


class Scan(NamedTuple):
    """One pass over the picture: from where to where its coded data reach."""

    start: int
    end: int
    has_zeros: bool
    is_padded: bool  # it ends in zeros that can stand for no picture: no data, or lost ones


class Structure(NamedTuple):
    """What the markers of a JPEG say."""

    is_huffman: bool
    is_progressive: bool
    has_restarts: bool
    scans: tuple[Scan, ...]
    end: int  # of the picture; a file may go on


def check(data: bytes, name: str) -> Structure:
    """InputError for a JPEG without its end, with scans missing or zeros that encode nothing, and
    for a kind that we do not read."""
    frame, has_restarts, scans, end = 0, False, [], 0
    zero_codes: dict[int, int] = {}  # by Huffman table: what a code of zeros stands for
    missing: dict[int, np.ndarray] = {}  # by component: bits that each coefficient still lacks
    for marker, body, start, end in segments(data, name):
        if marker in FRAMES:
            frame = marker
            _check_kind(marker, body, name)
            missing = {number: np.full(64, 14) for number in body[6::3]}
        elif marker == _TABLES:
            zero_codes |= _zero_codes(body)
        elif marker == RESTARTS:
            has_restarts = any(body)
        elif marker == SCAN:
            if has_restarts:
                _check_restarts(data[start:end], name)
            header = 1 + 2 * body[0]
            band = body[header : header + 3] if frame in _PROGRESSIVE else (0, 63, 0)
            first, last, bits = band
            for number in body[1:header:2]:
                missing[number][first : last + 1] = bits & 15
            has_zeros, is_padded = data.find(_ZEROS, start, end) >= 0, False
            if has_zeros and last and not bits >> 4:
                codes = [zero_codes.get(0x10 | tables & 15, 0) for tables in body[2:header:2]]
                is_padded = any(code & 15 for code in codes)
                if is_padded and _ZEROS in data[start:end].rstrip(b"\0"):
                    raise zeroed(name)
            scans.append(Scan(start, end, has_zeros, is_padded))
    if not scans:
        raise cut_short(name, "it has no picture")
    if len(scans) > MOST_SCANS:
        raise InputError(
            f"{name} is a JPEG of {len(scans)} scans, and {MOST_SCANS} are the most that are read: "
            "save it anew"
        )
    if any(bits.any() for bits in missing.values()):
        raise cut_short(name, f"it ends after {counted(len(scans), 'scan')}, and more are missing")
    return Structure(frame in _HUFFMAN, frame in _PROGRESSIVE, has_restarts, tuple(scans), end + 2)


def _check_restarts(scan: bytes, name: str) -> None:
    """InputError where the restart markers of a scan are not 0 to 7, again and again: what was lost
    took some of them with it."""
    for place, number in enumerate(_RESTART.findall(scan)):
        if number[0] & 7 != place % 8:
            raise damaged(name, f"its restart marker {place + 1:,} is missing, and data with it")


def zeroed(name: str) -> InputError:
    return damaged(name, "a part of its data is zeros, which stand for no picture")


def segments(data: bytes, name: str = "the JPEG") -> Iterator[tuple[int, bytes, int, int]]:
    """Each marker up to that of the end, what belongs to it, and from where to where coded data
    follow."""
    found = _MARKER.search(data, 2)
    while found and found[1][0] != END:
        marker, at = found[1][0], found.end()
        start = at + int.from_bytes(data[at : at + 2], "big")
        found = _MARKER.search(data, start)
        yield marker, data[at + 2 : start], start, found.start() if found else len(data)
    if not found:
        raise cut_short(name, "the end of the JPEG is missing")


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Width and height; the data may end behind them."""
    for marker, body, _, _ in segments(data + b"\xff\xd9", name):
        if marker in FRAMES:
            return int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
    raise damaged(name, "a JPEG in it has no size")


def _check_kind(marker: int, body: bytes, name: str) -> None:
    remedy = "convert it to PNG first"
    if marker in _NOT_READ:
        raise InputError(f"{name} is a {_NOT_READ[marker]} JPEG, which is not read: {remedy}")
    if body[0] != 8:
        raise InputError(
            f"{name} is a JPEG of {body[0]} bits per channel, which is not read: {remedy}"
        )


def _zero_codes(body: bytes) -> dict[int, int]:
    """By the number of each Huffman table (AC: 0x10 and more): the symbol of its code of zeros.

    Of AC coefficients that is the end of a block, or else a run, whose low half is the size of
    what follows: there a long row of zeros is a row of equal coefficients, as no picture has.
    """
    codes, at = {}, 0
    while at + 17 < len(body):
        codes[body[at]] = body[at + 17]
        at += 17 + sum(body[at + 1 : at + 17])
    return codes


def check_decoded(
    data: bytes,
    structure: Structure,
    pixels: np.ndarray,
    is_same: Callable[[bytes], bool],
    name: str,
) -> None:
    """InputError for a JPEG of which a part is missing, by what other data are decoded to.

    pixels: (H, W, C), of which only the first and the last row are needed. is_same: whether other
    data are decoded to the same picture.
    """
    is_doubtful = structure.is_progressive or looks_painted(pixels)
    if structure.is_huffman and is_doubtful and not is_same(with_more_data(data, structure)):
        raise cut_short(name, "part of the picture is missing")
    is_padded = any(scan.is_padded for scan in structure.scans)
    if is_padded and not is_same(with_other_padding(data, structure)):
        raise zeroed(name)
    if any(map(is_same, with_other_ends(data, structure))):
        raise damaged(name, "a part of its data is zeros, which misled the decoder")


def looks_painted(pixels: np.ndarray) -> bool:
    """Whether a corner of a decoded JPEG (H, W, C) is as decoders paint where data are missing.

    The grey: half of all inks, twice, or of the light.
    """
    height, width, _ = pixels.shape
    corners = pixels[:: max(1, height - 1), :: max(1, width - 1)]
    return bool(np.isin(corners, (63, 64, 128)).all(axis=2).any())


def with_more_data(data: bytes, structure: Structure) -> bytes:
    """A JPEG with meaningless bytes at the end of every scan.

    It decodes to the same picture, unless some of the data were missing. What is between two
    restart markers is missing as a whole where the later one is not there, so they go on.
    """
    parts, done = [], 0
    for scan in structure.scans:
        parts += [data[done : scan.end], _MEANINGLESS]
        if structure.has_restarts:
            places = {
                data.rfind(bytes([0xFF, 0xD0 + k]), scan.start, scan.end): k for k in range(8)
            }
            last = places[max(places)]
            for count in range(last + 1, last + 17):
                parts += [bytes([0xFF, 0xD0 + count % 8]), _MEANINGLESS]
        done = scan.end
    return b"".join([*parts, data[done:]])


def with_other_padding(data: bytes, structure: Structure) -> bytes:
    """The JPEG with other bytes for the zeros that a scan ends in, but the first few.

    It decodes to the same picture where they only fill up, as some cameras do, and not where they
    stand for data that were lost.
    """
    changed = bytearray(data)
    for scan in structure.scans:
        if scan.is_padded:
            kept = len(data[scan.start : scan.end].rstrip(b"\0")) + _ENDING_ZEROS
            first = scan.start + kept
            changed[first : scan.end] = b"\x5a" * (scan.end - first)
    return bytes(changed)


def with_other_ends(data: bytes, structure: Structure) -> list[bytes]:
    """The JPEG with the last bytes of a scan changed, for each scan that has zeros in its data.

    It decodes to the same picture only where the decoder, misled by the zeros, was done before.
    Of flat pictures, whose ends repeat themselves, nothing can be said.
    """
    changed = []
    for scan in structure.scans:
        end = data[scan.end - 8 : scan.end]
        if scan.has_zeros and len(set(end)) >= 6:
            other = bytes(0x5A if byte != 0x5A else 0xA5 for byte in end)
            changed.append(data[: scan.end - 8] + other + data[scan.end :])
    return changed[:4]
