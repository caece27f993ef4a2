"""Small pictures on one sheet: each with words below it, or in rows with words left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.visuals import paper

TILE, GAP = 112, 16
"""Of a contact sheet: pixels that a picture has at most on either side, and those between two."""

WIDEST_CAPTION, CAPTION = 200, 13
LEAST_TITLE = 600
"""Pixels up to which a title makes the sheet wider."""


@dataclass(frozen=True)
class Captioned:
    """A picture (H, W) or (H, W, 3), uint8, and the lines below it; the first is darkest.

    file: a last line, such as a file's name, that makes nothing wider: of a long one the end is
        shown, which tells it from others.
    """

    pixels: np.ndarray
    lines: tuple[str, ...]
    file: str = ""


def pixels_of(planes: np.ndarray) -> np.ndarray:
    """Planes (C, H, W) from 0 to 1 as uint8: (H, W, 3) of three, else the first in grey (H, W)."""
    pixels = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8)
    return pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]


def contact_sheet(
    tiles: Sequence[Captioned], columns: int | None = None, title: str = "", most: int = TILE
) -> np.ndarray:
    """The pictures row by row, as (H, W, 3) uint8 on white.

    Small ones are enlarged by a whole factor, so that their pixels stay square and sharp; large
    ones are made smaller, to ``most`` pixels on either side. Lines that are too long end in dots.
    Without ``columns`` the sheet is about as wide as high. Raises ValueError where there are no
    pictures.
    """
    if not tiles:
        raise ValueError("a contact sheet needs a picture at least")
    shown = [paper.fitted(tile.pixels, most) for tile in tiles]
    lines = max(len(tile.lines) + bool(tile.file) for tile in tiles)
    longest = max(
        (paper.text_width(paper.drawable(line), CAPTION) for t in tiles for line in t.lines),
        default=0,
    )
    heights, widths = zip(*(picture.shape[:2] for picture in shown), strict=True)
    cell_width = max(*widths, min(longest, WIDEST_CAPTION), 48)
    cell_height = max(heights) + 6 + lines * paper.line_height(CAPTION)
    columns = min(columns or _columns(len(tiles), cell_width, cell_height), len(tiles))
    rows = -(-len(tiles) // columns)
    width = GAP + columns * (cell_width + GAP)
    width = max(width, min(paper.text_width(paper.drawable(title), CAPTION), LEAST_TITLE) + 2 * GAP)
    top = GAP + (paper.line_height(CAPTION) + 6 if title else 0)
    sheet = paper.Sheet(width, top + rows * (cell_height + GAP))
    if title:
        sheet.write(
            (GAP, GAP - 2), paper.shortened(title, CAPTION, width - 2 * GAP), CAPTION, paper.FAINT
        )
    for index, (tile, picture) in enumerate(zip(tiles, shown, strict=True)):
        row, column = divmod(index, columns)
        left, middle = GAP + column * (cell_width + GAP), top + row * (cell_height + GAP)
        middle += max(heights)  # between pictures and words
        sheet.paste(picture, left, middle - len(picture), paper.FRAME)
        words = *tile.lines, paper.end_of(tile.file, CAPTION, cell_width)
        coloured = [
            (line, paper.FAINT if number else paper.INK) for number, line in enumerate(words)
        ]
        sheet.write_lines(left, middle + 6, coloured, CAPTION, cell_width)
    return sheet.pixels


def _columns(count: int, width: int, height: int) -> int:
    """As many as make the sheet about a third wider than high."""
    return max(1, round((1.3 * count * (height + GAP) / (width + GAP)) ** 0.5))


LARGEST_PATCH = 72
"""Pixels that a patch of a row has at most on either side; larger ones are made smaller."""

PATCH_GAP, ROW_GAP, REMARK = 4, 8, 11
LONGEST_COLUMN, COLUMN_GAP = 32, 30
"""Rows that a column has where another fits beside it, and the pixels between the two."""

WIDEST, LEAST_PATCH = 1800, 36
"""Pixels that several columns take at most, and a patch in them on its longer side."""


@dataclass(frozen=True, eq=False)
class PatchRow:
    """The patches of one filter, each (h, w) or (h, w, 3) uint8, all of one size, and two short
    lines left of them."""

    name: str
    remark: str
    patches: Sequence[np.ndarray]


def patch_sheet(rows: Sequence[PatchRow], lines: Sequence[str]) -> np.ndarray:
    """Rows of patches with ``lines`` of text below, the first the darkest, as (H, W, 3) uint8.

    Patches are enlarged by a whole factor, so that their pixels stay square and sharp. More rows
    than LONGEST_COLUMN stand in several columns of smaller patches, read from the top down.
    """
    count = max(len(row.patches) for row in rows)
    side = 8 + max(
        max(paper.text_width(row.name, paper.LETTERS), paper.text_width(row.remark, REMARK))
        for row in rows
    )
    fit = WIDEST // (side + count * (LEAST_PATCH + PATCH_GAP) + COLUMN_GAP)
    columns = max(1, min(fit, -(-len(rows) // LONGEST_COLUMN)))
    in_column = -(-len(rows) // columns)
    most = max(LEAST_PATCH, LARGEST_PATCH // columns)
    height, width = paper.fitted_size(rows[0].patches[0].shape[:2], most)
    column_width = side + count * (width + PATCH_GAP) - PATCH_GAP
    pitch = max(height, paper.LETTERS + REMARK + 4) + ROW_GAP
    across = columns * (column_width + COLUMN_GAP) - COLUMN_GAP
    sheet = paper.captioned_sheet(across, in_column * pitch + 4, lines)
    for number, row in enumerate(rows):
        column, place = divmod(number, in_column)
        left, top = (
            paper.MARGIN + column * (column_width + COLUMN_GAP) + side,
            paper.MARGIN + place * pitch,
        )
        middle = top + height / 2
        sheet.write((left - 8, middle - 1), row.name, anchor="rs")
        sheet.write((left - 8, middle + 3), row.remark, REMARK, paper.FAINT, anchor="rt")
        for index, patch in enumerate(row.patches):
            sheet.paste(
                paper.fitted(patch, most), left + index * (width + PATCH_GAP), top, paper.FRAME
            )
    return sheet.pixels


def patch_grid(rows: Sequence[PatchRow]) -> np.ndarray:
    """The patches alone, in rows with a line between, as (H, W, 3) uint8; those that a row lacks
    are white."""
    first = rows[0].patches[0]
    down, across = first.shape[0] + 1, first.shape[1] + 1
    count = max(len(row.patches) for row in rows)
    grid = np.full((len(rows) * down, count * across, 3), paper.PAPER, np.uint8)
    for number, row in enumerate(rows):
        for place, patch in enumerate(row.patches):
            pixels = patch if patch.ndim == 3 else patch[..., None]
            top, left = number * down, place * across
            grid[top : top + down - 1, left : left + across - 1] = pixels
    return grid
