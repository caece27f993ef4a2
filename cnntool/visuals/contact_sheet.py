"""Many small pictures on one sheet, each with words below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.visuals.lettering import (
    FAINT,
    INK,
    PAPER,
    drawable,
    end_of,
    font,
    line_height,
    shortened,
    text_width,
)

TILE = 112
"""Pixels that a picture has at most on either side."""

WIDEST_CAPTION = 200
LEAST_TITLE = 600
"""Pixels up to which a title makes the sheet wider."""

LETTERS = 13
GAP = 16
FRAME = (205, 205, 205)


@dataclass(frozen=True)
class Captioned:
    """A picture (H, W) or (H, W, 3), uint8, and the lines below it; the first is darkest.

    file: a last line, such as a file's name, that makes nothing wider: of a long one the end is
        shown, which tells it from others.
    """

    pixels: np.ndarray
    lines: tuple[str, ...]
    file: str = ""


def contact_sheet(
    tiles: Sequence[Captioned], columns: int | None = None, title: str = ""
) -> np.ndarray:
    """The pictures row by row, as (H, W, 3) uint8 on white.

    Small ones are enlarged by a whole factor, so that their pixels stay square and sharp; large
    ones are made smaller. Lines that are too long end in dots. Without ``columns`` the sheet is
    about as wide as high. Raises ValueError where there are no pictures.
    """
    from PIL import Image, ImageDraw

    if not tiles:
        raise ValueError("a contact sheet needs a picture at least")
    shown = [_fitted(tile.pixels) for tile in tiles]
    lines = max(len(tile.lines) + bool(tile.file) for tile in tiles)
    longest = max(
        (text_width(drawable(line), LETTERS) for t in tiles for line in t.lines), default=0
    )
    picture_height = max(picture.height for picture in shown)
    cell_width = max(*(picture.width for picture in shown), min(longest, WIDEST_CAPTION), 48)
    cell_height = picture_height + 6 + lines * line_height(LETTERS)
    columns = min(columns or _columns(len(tiles), cell_width, cell_height), len(tiles))
    rows = -(-len(tiles) // columns)
    width = GAP + columns * (cell_width + GAP)
    width = max(width, min(text_width(drawable(title), LETTERS), LEAST_TITLE) + 2 * GAP)
    top = GAP + (line_height(LETTERS) + 6 if title else 0)
    sheet = Image.new("RGB", (width, top + rows * (cell_height + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.fontmode = "L"
    if title:
        short = shortened(title, LETTERS, width - 2 * GAP)
        draw.text((GAP, GAP - 2), short, FAINT, font(LETTERS))
    for index, (tile, picture) in enumerate(zip(tiles, shown, strict=True)):
        row, column = divmod(index, columns)
        x, y = GAP + column * (cell_width + GAP), top + row * (cell_height + GAP)
        place = x, y + picture_height - picture.height
        sheet.paste(picture, place)
        right, bottom = place[0] + picture.width, place[1] + picture.height
        draw.rectangle((place[0] - 1, place[1] - 1, right, bottom), outline=FRAME)
        words = [shortened(line, LETTERS, cell_width) for line in tile.lines]
        for number, line in enumerate([*words, end_of(tile.file, LETTERS, cell_width)]):
            at = x, y + picture_height + 6 + number * line_height(LETTERS)
            draw.text(at, line, INK if number == 0 else FAINT, font(LETTERS))
    return np.asarray(sheet)


def _fitted(pixels: np.ndarray):
    """A picture enlarged by a whole factor, or made smaller, to at most TILE on either side."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    longest = max(picture.size)
    if longest <= TILE:
        factor = TILE // longest
        size = picture.width * factor, picture.height * factor
        return picture.resize(size, Image.Resampling.NEAREST)
    picture.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return picture


def _columns(count: int, width: int, height: int) -> int:
    """As many as make the sheet about a third wider than high."""
    return max(1, round((1.3 * count * (height + GAP) / (width + GAP)) ** 0.5))
