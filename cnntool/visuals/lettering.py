"""Words in pictures, in the font that Pillow brings along."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
FAINT: Colour = (110, 110, 110)


@lru_cache
def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font in this size, in pixels; in its only one where Pillow has no FreeType."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except (ImportError, OSError):
        return ImageFont.load_default()


def text_width(text: str, size: int) -> int:
    """Pixels that one line takes."""
    return int(np.ceil(font(size).getlength(text)))


def drawable(text: str) -> str:
    """The text in letters that the font has: accents are left off, what it lacks becomes ``?``."""
    return "".join(map(_drawable_letter, text))


def drawable_names(names: Sequence[str]) -> list[str]:
    """Names that can be drawn; those that lose letters begin with their number, from 0."""
    drawn = [drawable(name) for name in names]
    return [
        f"{index} {line}" if "?" in line and "?" not in name else line
        for index, (name, line) in enumerate(zip(names, drawn, strict=True))
    ]


@lru_cache(4096)
def _drawable_letter(letter: str) -> str:
    if letter.isascii():
        return letter if letter.isprintable() else "?"
    if _glyph(letter) not in (None, _glyph("\uffff")):
        return letter
    plain = unicodedata.normalize("NFKD", letter.replace("ß", "ss"))
    plain = "".join(part for part in plain if not unicodedata.combining(part))
    return plain if plain.isascii() and plain.isprintable() else "?"


def _glyph(letter: str) -> bytes | None:
    """The pixels of a letter; all that the font lacks look the same."""
    try:
        mask = font(16).getmask(letter)
    except UnicodeEncodeError:  # Pillow's other font, which has Latin-1 only
        return None
    return bytes(mask)


def shortened(text: str, size: int, width: int) -> str:
    """One line that fits into so many pixels; where letters are left out it ends in dots."""
    line = drawable(text)
    if text_width(line, size) <= width:
        return line
    while line and text_width(line + "...", size) > width:
        line = line[:-1]
    return line.rstrip() + "..."


def end_of(text: str, size: int, width: int) -> str:
    """One line that fits into so many pixels; where letters are left out it begins with dots."""
    line = drawable(text)
    if text_width(line, size) <= width:
        return line
    while line and text_width("..." + line, size) > width:
        line = line[1:]
    return "..." + line.lstrip()


def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return size + max(3, size // 3)


def luminance_of(colour: Colour) -> float:
    """From 0, black, to 255 (ITU-R BT.601)."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def ink_on(colour: Colour) -> Colour:
    """The colour of letters that are read best on a background."""
    return INK if luminance_of(colour) > 140 else PAPER


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines that fit into so many pixels, cut between words; a word that does not ends in dots."""
    lines: list[str] = []
    for word in drawable(text).split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, size, width))
    return lines
