"""What every picture is made of: white paper, words and pictures on it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnntool.visuals import fonts
from cnntool.visuals.fonts import drawable

if TYPE_CHECKING:
    from PIL import ImageDraw

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

SCALE, SCALE_HEIGHT, SCALE_LETTERS = 200, 12, 12
"""Pixels of a scale of colours at most, and of the words at its ends."""

Line = tuple[str, Colour]


LEAST_SPACE = 0.3
"""Of the size of letters, between two words: Pillow's own font has less, and words run together."""


def text_width(text: str, size: int) -> int:
    """Pixels that one line takes."""
    across, font, word = _words(text, size)[-1]
    return int(np.ceil(across + font.getlength(word)))


def _words(text: str, size: int) -> list[tuple[float, fonts.Font, str]]:
    """Where the words of a line begin; what is in a font of the system is one, as some is written
    from right to left."""
    across, found = 0.0, []
    for path, piece in fonts.runs(text):
        font = fonts.load(path, size)
        gap = max(font.getlength(" "), round(LEAST_SPACE * size))
        for number, word in enumerate(piece.split(" ") if path == fonts.OWN else [piece]):
            across += gap if number else 0
            found.append((across, font, word))
            across += font.getlength(word)
    return found


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


def _wrapped(text: str, size: int, width: int) -> list[str]:
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
        _write(self.draw, at, text, size, colour, anchor or "la")

    def write_lines(
        self,
        left: int,
        top: int,
        lines: Sequence[Line],
        size: int = LETTERS,
        width: int | None = None,
    ) -> None:
        """Lines below each other, each in its colour; to a width, where there is one."""
        for number, (line, colour) in enumerate(lines):
            line = line if width is None else shortened(line, size, width)
            self.write((left, top + number * line_height(size)), line, size, colour)

    def write_upright(self, text: str, size: int, middle: int, bottom: int) -> None:
        """A line that is read from bottom to top, centred on a column."""
        from PIL import Image, ImageDraw

        height = line_height(size)
        line = Image.new("L", (text_width(text, size) + 2, height), 0)
        _write(ImageDraw.Draw(line), (0, height / 2), text, size, 255, "lm")
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

    def draw_scale(
        self, ends: tuple[str, str], top: int, colours: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """The ``colours`` (n, 3) of shares (n,) from 0 to 1, between the words for both ends."""
        width = self.width - 2 * MARGIN
        low, high = (shortened(end, SCALE_LETTERS, (width - 60) // 2) for end in ends)
        start = text_width(low, SCALE_LETTERS) + 8
        length = max(8, min(SCALE, width - start - 8 - text_width(high, SCALE_LETTERS)))
        bar = np.tile(colours(np.linspace(0, 1, length)), (SCALE_HEIGHT, 1, 1))
        self.paste(bar, MARGIN + start, top + 2, FRAME)
        middle, after = top + 2 + SCALE_HEIGHT / 2, MARGIN + start + length + 8
        for left, words in ((MARGIN, low), (after, high)):
            self.write((left, middle), words, SCALE_LETTERS, FAINT, anchor="lm")


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour | int,
    anchor: str,
) -> None:
    """One line, word by word on one base line."""
    font, (x, y) = fonts.load(fonts.path_for(text), size), at
    if share := {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]]:
        x -= share * text_width(text, size)
    y += font.getbbox(text, anchor=f"l{anchor[1]}")[1] - font.getbbox(text, anchor="ls")[1]
    for across, each, word in _words(text, size):
        draw.text((x + across, y), word, colour, each, anchor="ls")


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

    The first is dark, the others faint. They may make it wider, up to ``least_text``; ``below``
    them are so many pixels.
    """
    room = max(width, least_text)
    lines = [
        (line, FAINT if number else INK)
        for number, text in enumerate(texts)
        for line in _wrapped(text, letters, room)
    ]
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
    size = fitted_size(pixels.shape[:2], most)
    if size[0] >= pixels.shape[0] and size[1] >= pixels.shape[1]:
        way = "NEAREST"
    else:
        way = "BOX" if averages else "LANCZOS"
    shown = resized(pixels, size, way)
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


def resized(pixels: np.ndarray, size: tuple[int, int], way: str = "NEAREST") -> np.ndarray:
    """A picture, or numbers float32, in another (height, width), the ``way`` that Pillow calls
    so."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize(size[::-1], Image.Resampling[way]))
