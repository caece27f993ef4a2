"""What every picture is made of: white paper, words in Pillow's own font, and pictures on it."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
FAINT: Colour = (110, 110, 110)
FRAME: Colour = (205, 205, 205)
BLUE: Colour = (23, 92, 164)

MARGIN = 18
"""Pixels around all that stands on a sheet."""

LETTERS = 14
LEAST_TEXT = 420
"""Pixels that captions may make a sheet wide."""

Line = tuple[str, Colour]


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
    return _fitting(line, size, width, lambda count: line[:count].rstrip() + "...")


def end_of(text: str, size: int, width: int) -> str:
    """One line that fits into so many pixels; where letters are left out it begins with dots."""
    line = drawable(text)
    return _fitting(line, size, width, lambda count: "..." + line[len(line) - count :].lstrip())


def _fitting(line: str, size: int, width: int, part: Callable[[int], str]) -> str:
    """The line, or its part of as many letters as fit."""
    if text_width(line, size) <= width:
        return line
    counts = range(len(line))
    fit = bisect_right(counts, width, key=lambda count: text_width(part(count), size))
    return part(max(0, fit - 1))


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


def captions(texts: Sequence[str], size: int, width: int) -> list[Line]:
    """Texts in lines of so many pixels, the first text dark and the others faint."""
    return [
        (line, FAINT if number else INK)
        for number, text in enumerate(texts)
        for line in wrapped(text, size, width)
    ]


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines that fit into so many pixels, cut between words; a word that does not ends in dots."""
    lines: list[str] = []
    for word in drawable(text).split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, size, width))
    return lines


class Sheet:
    """White paper of so many pixels; ``draw`` is Pillow's pen on it."""

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self._image)

    @property
    def width(self) -> int:
        return self._image.width

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        return np.asarray(self._image)

    def write(
        self,
        at: tuple[float, float],
        text: str,
        size: int = LETTERS,
        colour: Colour = INK,
        anchor: str | None = None,
    ) -> None:
        """One line from its upper left corner (x, y), or where Pillow's ``anchor`` says."""
        self.draw.text(at, text, colour, font(size), anchor=anchor)

    def write_lines(self, left: int, top: int, lines: Sequence[Line], size: int = LETTERS) -> None:
        """Lines below each other, each in its colour."""
        for number, (line, colour) in enumerate(lines):
            self.write((left, top + number * line_height(size)), line, size, colour)

    def write_upright(self, text: str, size: int, middle: int, bottom: int) -> None:
        """A line that is read from bottom to top, centred on a column."""
        from PIL import Image, ImageDraw

        height = line_height(size)
        line = Image.new("L", (text_width(text, size) + 2, height), 0)
        ImageDraw.Draw(line).text((0, height / 2), text, 255, font(size), anchor="lm")
        turned = line.transpose(Image.Transpose.ROTATE_90)
        place = middle - height // 2, bottom - turned.height
        self._image.paste(Image.new("RGB", turned.size, INK), place, turned)

    def paste(self, pixels: np.ndarray, left: int, top: int, frame: Colour | None = None) -> None:
        """A picture (h, w) or (h, w, 3), uint8, with a thin line around it where one is wanted."""
        from PIL import Image

        picture = Image.fromarray(np.ascontiguousarray(pixels))
        self._image.paste(picture, (left, top))
        if frame is not None:
            right, bottom = left + picture.width, top + picture.height
            self.draw.rectangle((left - 1, top - 1, right, bottom), outline=frame)


def captioned_sheet(
    width: int,
    height: int,
    texts: Sequence[str],
    *,
    letters: int = LETTERS,
    least_text: int = LEAST_TEXT,
    below: int = MARGIN // 2,
) -> Sheet:
    """Paper with room for ``width`` x ``height`` pixels within its MARGIN, and texts below that.

    The texts may make it wider, up to ``least_text``; ``below`` them are so many pixels.
    """
    lines = captions(texts, letters, max(width, least_text))
    widest = max([width, *(text_width(line, letters) for line, _ in lines)])
    top = MARGIN + height
    sheet = Sheet(widest + 2 * MARGIN, top + len(lines) * line_height(letters) + below)
    sheet.write_lines(MARGIN, top, lines, letters)
    return sheet


def fitted_size(size: tuple[int, int], most: int) -> tuple[int, int]:
    """(height, width) of a picture, at most so many pixels on either side.

    A small one is enlarged by a whole factor, so that its pixels stay square and sharp.
    """
    longest = max(size)
    if longest <= most:
        return size[0] * (most // longest), size[1] * (most // longest)
    return max(1, round(size[0] * most / longest)), max(1, round(size[1] * most / longest))


def fitted(pixels: np.ndarray, most: int, averages: bool = False) -> np.ndarray:
    """A picture (h, w) or (h, w, 3), uint8, as (h', w', 3) of its :func:`fitted_size`.

    A large one is made smaller by Lanczos' filter, or by plain averages, which invent no values.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    height, width = fitted_size(pixels.shape[:2], most)
    way = Image.Resampling.BOX if averages else Image.Resampling.LANCZOS
    if height >= pixels.shape[0] and width >= pixels.shape[1]:
        way = Image.Resampling.NEAREST
    return np.asarray(picture.resize((width, height), way))
