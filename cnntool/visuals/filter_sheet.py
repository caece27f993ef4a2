"""Grids of kernels with words around them: what they are, and what black and white stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.visuals.filter_grid import Grid, filter_grid, limit_of, plan_grid, shades
from cnntool.visuals.lettering import (
    FAINT,
    INK,
    PAPER,
    Colour,
    font,
    line_height,
    shortened,
    text_width,
    wrapped,
)

LETTERS, SMALL = 14, 11
MARGIN = 18
PANEL_GAP = 36
LEAST_TEXT = 420
"""Pixels that lines below may make the sheet wide."""

ROOM = 960
"""Pixels that all grids together have at most, where kernels of one pixel a weight fit."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A bank (F, C, kh, kw), and the line above it where there are several."""

    bank: np.ndarray
    heading: str = ""


def filter_sheet(
    panels: Sequence[Panel],
    caption: str,
    scale: str = "bank",
    columns: int | None = None,
    limit: float | None = None,
) -> np.ndarray:
    """Banks of one shape side by side, as (H, W, 3) uint8 on white.

    Below them stand ``caption`` and what the shades mean, left of every row the number of its first
    filter, from 0. With the scale 'bank' all panels share one, to ``limit`` where that is given.
    """
    from PIL import Image, ImageDraw

    if limit is None:
        limit = limit_of([panel.bank for panel in panels])
    shape = panels[0].bank.shape
    grid = plan_grid(shape, columns, (ROOM, ROOM // len(panels)))
    side = text_width(str(grid.filters - 1), SMALL) + 6 if grid.blocks > 1 else 0
    height, width = grid.size
    across = len(panels) * (side + width) + (len(panels) - 1) * PANEL_GAP
    top = MARGIN + (line_height(LETTERS) + 4 if any(panel.heading for panel in panels) else 0)
    text = max(across, LEAST_TEXT)
    words = _words(caption, grid, shape[1], scale, limit, text)
    used = max(across, *(text_width(line, LETTERS) for line, _ in words))
    sheet_height = top + height + 12 + len(words) * line_height(LETTERS) + MARGIN // 2
    sheet = Image.new("RGB", (used + 2 * MARGIN, sheet_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left = MARGIN + number * (side + width + PANEL_GAP)
        if panel.heading:
            heading = shortened(panel.heading, LETTERS, side + width)
            draw.text((left + side, MARGIN - 2), heading, INK, font(LETTERS))
        _number_rows(draw, grid, left + side - 5, top)
        picture = filter_grid(shades(panel.bank, scale, limit), grid)
        sheet.paste(Image.fromarray(picture), (left + side, top))
    for number, (line, colour) in enumerate(words):
        at = MARGIN, top + height + 10 + number * line_height(LETTERS)
        draw.text(at, line, colour, font(LETTERS))
    return np.asarray(sheet)


def _number_rows(draw, grid: Grid, right: int, top: int) -> None:
    """The first filter of every block, as many as fit below each other."""
    if grid.blocks == 1:
        return
    step = -(-line_height(SMALL) // grid.block_pitch)
    for block in range(0, grid.blocks, step):
        first = block * grid.columns
        middle = top + grid.place(first)[0] + grid.height * grid.factor / 2
        draw.text((right, middle), str(first), FAINT, font(SMALL), anchor="rm")


def _words(
    caption: str, grid: Grid, channels: int, scale: str, limit: float, width: int
) -> list[tuple[str, Colour]]:
    """The lines below, with their colours."""
    below = _legend(grid, channels, scale, limit)
    return [
        (line, colour)
        for text, colour in ((caption, INK), (below, FAINT))
        for line in wrapped(text, LETTERS, width)
    ]


def _legend(grid: Grid, channels: int, scale: str, limit: float) -> str:
    """What the shades mean, and where channels stand."""
    if scale == "minmax":
        text = "each filter from its least weight, black, to its greatest, white"
    elif scale == "each":
        text = "each filter on its own scale: mid grey is 0, black and white its largest weight"
    else:
        text = f"mid grey is 0, black -{limit:.3g}, white +{limit:.3g}"
    if channels == 3:
        return f"{text}, in red, green and blue"
    if channels == 1:
        return text
    return f"{text}; a {'column a filter, a ' if grid.blocks == 1 else ''}row a channel"
