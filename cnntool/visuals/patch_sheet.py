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

    Patches are enlarged by a whole factor, so that their pixels stay square and sharp.
    """
    from PIL import Image, ImageDraw

    first = rows[0].patches[0]
    height, width = _tile_size(first.shape[:2])
    count = max(len(row.patches) for row in rows)
    side = 8 + max(
        max(text_width(row.name, LETTERS), text_width(row.remark, SMALL)) for row in rows
    )
    across = side + count * (width + GAP) - GAP
    text = max(across, LEAST_TEXT)
    words = [
        (piece, FAINT if number else INK)
        for number, line in enumerate(lines)
        for piece in wrapped(line, LETTERS, text)
    ]
    pitch = max(height, LETTERS + SMALL + 4) + ROW_GAP
    words_top = MARGIN + len(rows) * pitch + 4
    used = max([across, *(text_width(line, LETTERS) for line, _ in words)])
    bottom = words_top + len(words) * line_height(LETTERS) + MARGIN // 2
    sheet = Image.new("RGB", (used + 2 * MARGIN, bottom), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = MARGIN + number * pitch
        middle = top + height / 2
        right = MARGIN + side - 8
        draw.text((right, middle - 1), row.name, INK, font(LETTERS), anchor="rs")
        draw.text((right, middle + 3), row.remark, FAINT, font(SMALL), anchor="rt")
        for place, patch in enumerate(row.patches):
            left = MARGIN + side + place * (width + GAP)
            tile = Image.fromarray(np.ascontiguousarray(patch)).convert("RGB")
            is_larger = height >= patch.shape[0] and width >= patch.shape[1]
            way = Image.Resampling.NEAREST if is_larger else Image.Resampling.LANCZOS
            sheet.paste(tile.resize((width, height), way), (left, top))
            box = left - 1, top - 1, left + width, top + height
            draw.rectangle(box, outline=FRAME)
    for number, (line, colour) in enumerate(words):
        at = MARGIN, words_top + number * line_height(LETTERS)
        draw.text(at, line, colour, font(LETTERS))
    return np.asarray(sheet)


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


def _tile_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a tile for patches of this size."""
    longest = max(size)
    if longest <= LARGEST_TILE:
        factor = LARGEST_TILE // longest
        return size[0] * factor, size[1] * factor
    height, width = (max(1, round(side * LARGEST_TILE / longest)) for side in size)
    return height, width
