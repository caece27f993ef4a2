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
    drawable,
    font,
    line_height,
    shortened,
    text_width,
    wrapped,
)

LETTERS, SMALL = 14, 11
MARGIN = 18
GAP = 28
"""Between two panels."""

LEAST_TEXT = 420
"""Pixels that lines below may make the sheet wide."""

WIDEST_HEADING = 210
"""Pixels that a heading may make a panel wide."""

ROOM = 960
"""Pixels of all grids together on either side, where kernels fit into that."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A bank (F, C, kh, kw), and the lines above it, dark and faint."""

    bank: np.ndarray
    heading: str = ""
    note: str = ""

    @property
    def lines(self) -> list[tuple[str, Colour]]:
        words = (self.heading, INK), (self.note, FAINT)
        return [(drawable(text), colour) for text, colour in words if text]


def filter_sheet(
    panels: Sequence[Panel],
    caption: str,
    scale: str = "bank",
    columns: int | None = None,
    *,
    limit: float | None = None,
    across: int | None = None,
    room: int = ROOM,
    unit: str = "filter",
) -> np.ndarray:
    """Banks of one shape, all or so many ``across`` side by side, as (H, W, 3) uint8 on white.

    Below them stand ``caption`` and what the shades mean, left of every row the number of its first
    filter, from 0. With the scale 'bank' all panels share one, to ``limit`` where that is given.
    ``unit`` is what one of a bank is called.
    """
    from PIL import Image, ImageDraw

    if limit is None:
        limit = limit_of([panel.bank for panel in panels])
    across = min(across or len(panels), len(panels))
    rows = -(-len(panels) // across)
    grid = plan_grid(panels[0].bank.shape, columns, (room // rows, room // across))
    side = text_width(str(grid.filters - 1), SMALL) + 6 if grid.blocks > 1 else 0
    lines = [line for panel in panels for line, _ in panel.lines]
    widest = max((text_width(line, LETTERS) for line in lines), default=0)
    cell = side + max(grid.size[1], min(widest, WIDEST_HEADING))
    above = 2 * line_height(LETTERS) if lines else 0  # for both, so that frames are alike
    pitch = above + grid.size[0] + GAP
    width = across * (cell + GAP) - GAP
    legend = legend_of(scale, limit, unit) + _places(grid, panels[0].bank.shape[1], unit)
    words = _words((caption, legend), max(width, LEAST_TEXT))
    width = max(width, *(text_width(line, LETTERS) for line, _ in words))
    bottom = MARGIN + rows * pitch - GAP + 10
    height = bottom + len(words) * line_height(LETTERS) + MARGIN // 2
    sheet = Image.new("RGB", (width + 2 * MARGIN, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        row, column = divmod(number, across)
        left, top = MARGIN + column * (cell + GAP) + side, MARGIN + row * pitch
        for index, (line, colour) in enumerate(panel.lines):
            at = left, top - 4 + index * line_height(LETTERS)
            draw.text(at, shortened(line, LETTERS, cell - side), colour, font(LETTERS))
        _number_rows(draw, grid, left - 5, top + above)
        picture = filter_grid(shades(panel.bank, scale, limit), grid)
        sheet.paste(Image.fromarray(picture), (left, top + above))
    for index, (line, colour) in enumerate(words):
        draw.text((MARGIN, bottom + index * line_height(LETTERS)), line, colour, font(LETTERS))
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


def _words(texts: Sequence[str], width: int) -> list[tuple[str, Colour]]:
    """Lines of so many pixels, the first text dark and others faint."""
    return [
        (line, FAINT if index else INK)
        for index, text in enumerate(texts)
        for line in wrapped(text, LETTERS, width)
    ]


def legend_of(scale: str, limit: float | None, unit: str = "filter") -> str:
    """What black, grey and white mean; without a limit, as of several scales, in words alone."""
    if limit == 0:
        return "everything is 0: mid grey"
    if scale == "minmax":
        return f"each {unit} from its least value, black, to its greatest, white"
    if scale == "each":
        return f"each {unit} on its own scale: mid grey is 0, black and white its largest value"
    if limit is None:
        return "each layer on its own scale: mid grey is 0, black and white its largest value"
    return f"mid grey is 0, black -{limit:.3g}, white +{limit:.3g}"


def _places(grid: Grid, channels: int, unit: str) -> str:
    """Where channels stand."""
    if channels == 3:
        return ", in red, green and blue"
    if channels == 1:
        return ""
    return f"; a column a {unit}, a row a channel" if grid.blocks == 1 else "; a row a channel"
