"""Grids of kernels with words around them: what they are, and what black and white stand for.

Of one layer, of several side by side, or of stages of training, a frame or a panel each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cnntool.visuals import paper
from cnntool.visuals.filter_grid import Grid, filter_grid, limit_of, plan_grid, shades

SMALL = 11
GAP = 28
"""Between two panels."""

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
    def lines(self) -> list[paper.Line]:
        words = (self.heading, paper.INK), (self.note, paper.FAINT)
        return [(paper.drawable(text), colour) for text, colour in words if text]


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
    filter, from 0; where each filter is a column, its number above it and those of the channels
    left. With the scale 'bank' all panels share one, to ``limit`` where that is given.
    ``unit`` is what one of a bank is called.
    """
    if limit is None:
        limit = limit_of([panel.bank for panel in panels])
    across = min(across or len(panels), len(panels))
    rows = -(-len(panels) // across)
    grid = plan_grid(panels[0].bank.shape, columns, (room // rows, room // across))
    side = max((paper.text_width(str(at), SMALL) + 6 for at in _row_numbers(grid)), default=0)
    over = paper.line_height(SMALL) if _has_column_numbers(grid) else 0
    lines = [line for panel in panels for line, _ in panel.lines]
    widest = max((paper.text_width(line, paper.LETTERS) for line in lines), default=0)
    cell = side + max(grid.size[1], min(widest, WIDEST_HEADING))
    above = (
        2 * paper.line_height(paper.LETTERS) if lines else 0
    )  # for both, so that frames are alike
    above += over
    pitch = above + grid.size[0] + GAP
    legend = legend_of(scale, limit, unit) + _places(grid, panels[0].bank.shape[1], unit)
    width, height = across * (cell + GAP) - GAP, rows * pitch - GAP + 10
    sheet = paper.captioned_sheet(width, height, (caption, legend))
    for number, panel in enumerate(panels):
        row, column = divmod(number, across)
        left, top = paper.MARGIN + column * (cell + GAP) + side, paper.MARGIN + row * pitch
        headings = [
            (paper.shortened(line, paper.LETTERS, cell - side), ink) for line, ink in panel.lines
        ]
        sheet.write_lines(left, top - 4, headings)
        _number_rows(sheet, grid, left - 5, top + above)
        _number_columns(sheet, grid, left, top + above - 3)
        sheet.paste(filter_grid(shades(panel.bank, scale, limit), grid), left, top + above)
    return sheet.pixels


def _has_column_numbers(grid: Grid) -> bool:
    """Whether each filter is a column, its channels one below the other."""
    return grid.channels > 1 and grid.blocks == 1


def _row_numbers(grid: Grid) -> dict[int, int]:
    """The number at the left of a row, and the row's upper edge in the grid.

    It is that of the first filter, or of the channel where each filter is a column; of low rows as
    many are numbered as fit below each other.
    """
    if _has_column_numbers(grid):
        step = -(-paper.line_height(SMALL) // grid.pitch[0])
        return {channel: grid.place(0, channel)[0] for channel in range(0, grid.channels, step)}
    if grid.blocks == 1:
        return {}
    step = -(-paper.line_height(SMALL) // grid.block_pitch)
    firsts = range(0, grid.blocks * grid.columns, step * grid.columns)
    return {first: grid.place(first)[0] for first in firsts}


def _number_rows(sheet: paper.Sheet, grid: Grid, right: int, top: int) -> None:
    for number, at in _row_numbers(grid).items():
        middle = top + at + grid.height * grid.factor / 2
        sheet.write((right, middle), str(number), SMALL, paper.FAINT, anchor="rm")


def _number_columns(sheet: paper.Sheet, grid: Grid, left: int, bottom: int) -> None:
    """Above each filter that is a column its number, as many as fit side by side."""
    if not _has_column_numbers(grid):
        return
    widest = paper.text_width(str(grid.filters - 1), SMALL) + 6
    for filter in range(0, grid.filters, -(-widest // grid.pitch[1])):
        middle = left + grid.place(filter)[1] + grid.width * grid.factor / 2
        sheet.write((middle, bottom), str(filter), SMALL, paper.FAINT, anchor="ms")


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


MOST_FRAMES, MOST_PANELS = 120, 12
FRAME_ROOM, STRIP_ROOM = 480, 1400
STRIP_COLUMNS = 6

TOTAL_MILLISECONDS = 8000
"""That an animation takes, where its frames are neither too short to see nor too long to wait."""

SHORTEST, LONGEST, LAST = 80, 700, 2000

Item = TypeVar("Item")


def chosen(stages: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly apart, the first and the last among them."""
    if len(stages) <= most:
        return list(stages)
    return [stages[round(i * (len(stages) - 1) / (most - 1))] for i in range(most)]


def evolution_frames(
    stages: Sequence[Panel], caption: str, scale: str = "bank"
) -> tuple[list[np.ndarray], list[int]]:
    """A picture (H, W, 3) of each stage, all of one size and on one scale, and milliseconds each.

    Of very many stages MOST_FRAMES are shown; the last one stays longer.
    """
    shown = chosen(stages, MOST_FRAMES)
    limit = limit_of([stage.bank for stage in stages])
    frames = [
        filter_sheet([stage], caption, scale, limit=limit, room=FRAME_ROOM) for stage in shown
    ]
    each = min(LONGEST, max(SHORTEST, TOTAL_MILLISECONDS // len(shown)))
    return _of_one_width(frames), [*[each] * (len(shown) - 1), LAST]


def evolution_strip(stages: Sequence[Panel], caption: str, scale: str = "bank") -> np.ndarray:
    """All stages, or MOST_PANELS of them, on one sheet that reads from left to right."""
    shown = chosen(stages, MOST_PANELS)
    limit = limit_of([stage.bank for stage in stages])
    across = min(len(shown), STRIP_COLUMNS)
    return filter_sheet(shown, caption, scale, limit=limit, across=across, room=STRIP_ROOM)


def _of_one_width(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Frames that headings made wider or narrower, with paper to their right."""
    widest = max(frame.shape[1] for frame in frames)
    return [
        np.pad(frame, ((0, 0), (0, widest - frame.shape[1]), (0, 0)), constant_values=255)
        for frame in frames
    ]
