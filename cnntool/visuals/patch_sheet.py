"""Patches in rows, a row for each filter, the strongest left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.visuals.lettering import (
    FAINT,
    INK,
    PAPER,
    font,
    line_height,
    text_width,
    wrapped,
)

LETTERS, SMALL = 14, 11
MARGIN, GAP, ROW_GAP = 18, 4, 8
LARGEST_TILE = 72
"""Pixels that a patch has at most on either side; larger ones are made smaller."""

LONGEST_COLUMN, COLUMN_GAP = 32, 30
"""Rows that a column has where another fits beside it, and the pixels between the two."""

WIDEST, LEAST_TILE = 1800, 36
"""Pixels that several columns take at most, and a patch in them on its longer side."""

LEAST_TEXT = 420
FRAME = (205, 205, 205)


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
    from PIL import Image, ImageDraw

    count = max(len(row.patches) for row in rows)
    side = 8 + max(
        max(text_width(row.name, LETTERS), text_width(row.remark, SMALL)) for row in rows
    )
    fit = WIDEST // (side + count * (LEAST_TILE + GAP) + COLUMN_GAP)
    columns = max(1, min(fit, -(-len(rows) // LONGEST_COLUMN)))
    in_column = -(-len(rows) // columns)
    most = max(LEAST_TILE, LARGEST_TILE // columns)
    height, width = _tile_size(rows[0].patches[0].shape[:2], most)
    column_width = side + count * (width + GAP) - GAP
    across = columns * (column_width + COLUMN_GAP) - COLUMN_GAP
    words = [
        (piece, FAINT if number else INK)
        for number, line in enumerate(lines)
        for piece in wrapped(line, LETTERS, max(across, LEAST_TEXT))
    ]
    pitch = max(height, LETTERS + SMALL + 4) + ROW_GAP
    words_top = MARGIN + in_column * pitch + 4
    used = max([across, *(text_width(line, LETTERS) for line, _ in words)])
    bottom = words_top + len(words) * line_height(LETTERS) + MARGIN // 2
    sheet = Image.new("RGB", (used + 2 * MARGIN, bottom), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        column, place = divmod(number, in_column)
        left = MARGIN + column * (column_width + COLUMN_GAP) + side
        _draw_row(sheet, draw, row, (left, MARGIN + place * pitch), (height, width))
    for number, (line, colour) in enumerate(words):
        at = MARGIN, words_top + number * line_height(LETTERS)
        draw.text(at, line, colour, font(LETTERS))
    return np.asarray(sheet)


def _draw_row(sheet, draw, row: PatchRow, start: tuple[int, int], size: tuple[int, int]) -> None:
    """The patches from ``start`` (x, y) to the right, each of ``size``, and the words left of
    them."""
    from PIL import Image

    (left, top), (height, width) = start, size
    middle = top + height / 2
    draw.text((left - 8, middle - 1), row.name, INK, font(LETTERS), anchor="rs")
    draw.text((left - 8, middle + 3), row.remark, FAINT, font(SMALL), anchor="rt")
    for patch in row.patches:
        tile = Image.fromarray(np.ascontiguousarray(patch)).convert("RGB")
        is_larger = height >= patch.shape[0] and width >= patch.shape[1]
        way = Image.Resampling.NEAREST if is_larger else Image.Resampling.LANCZOS
        sheet.paste(tile.resize((width, height), way), (left, top))
        draw.rectangle((left - 1, top - 1, left + width, top + height), outline=FRAME)
        left += width + GAP


def patch_grid(rows: Sequence[PatchRow]) -> np.ndarray:
    """The patches alone, in rows with a line between, as (H, W, 3) uint8; those that a row lacks
    are white."""
    first = rows[0].patches[0]
    down, across = first.shape[0] + 1, first.shape[1] + 1
    count = max(len(row.patches) for row in rows)
    grid = np.full((len(rows) * down, count * across, 3), PAPER, np.uint8)
    for number, row in enumerate(rows):
        for place, patch in enumerate(row.patches):
            pixels = patch if patch.ndim == 3 else patch[..., None]
            top, left = number * down, place * across
            grid[top : top + down - 1, left : left + across - 1] = pixels
    return grid


def _tile_size(size: tuple[int, int], most: int) -> tuple[int, int]:
    """(height, width) of a tile for patches of this size, at most so many pixels on either side."""
    longest = max(size)
    if longest <= most:
        factor = most // longest
        return size[0] * factor, size[1] * factor
    height, width = (max(1, round(side * most / longest)) for side in size)
    return height, width
