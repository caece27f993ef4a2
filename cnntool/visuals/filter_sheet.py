"""Banks of kernels as grids of small pictures, sharp and on one scale, and with words around them.

Of one layer, of several side by side, or of stages of training, a frame or a panel each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.choices import SCALES
from cnntool.engine.arrays import quotients
from cnntool.visuals import paper
from cnntool.wording import evenly, figures

LINE = (176, 190, 210)
"""Between kernels: bluish, as no weight is in a grey kernel."""

LARGEST_TILE = 160
"""Pixels that a kernel has at most on either side."""

LARGEST_SIDE = 2400
MOST_PIXELS = 40_000_000
"""Of a grid that a picture is made of."""

BLOCK_GAP = 10


def shades(bank: np.ndarray, scale: str = "bank", limit: float | None = None) -> np.ndarray:
    """Weights (F, C, kh, kw) as uint8 of the same shape.

    bank: ``127.5 (1 + w / limit)``, so that 0 is mid grey, 128; ``limit`` is the largest weight of
    the bank in size, unless it is given, as for several banks on one scale. each: the same with the
    largest weight of each filter. minmax: ``255 (w - least) / (greatest - least)`` of each filter.
    Filters whose weights are all equal are mid grey there, and those of zeros everywhere.
    """
    bank = np.asarray(bank, np.float64)
    if scale == "minmax":
        least, most = (f(axis=(1, 2, 3), keepdims=True) for f in (bank.min, bank.max))
        share = quotients(2 * bank - least - most, most - least)
    elif scale == "each":
        share = quotients(bank, np.abs(bank).max(axis=(1, 2, 3), keepdims=True))
    elif scale == "bank":
        share = quotients(bank, np.float64(limit_of([bank]) if limit is None else limit))
    else:
        raise ValueError(f"the scale is {scale!r}: expected one of {', '.join(SCALES)}")
    return np.floor(np.clip(127.5 * (1 + share), 0, 255) + 0.5).astype(np.uint8)


def limit_of(banks: Sequence[np.ndarray]) -> float:
    """The largest weight in size, of several banks."""
    return max(float(np.abs(bank).max()) for bank in banks)


@dataclass(frozen=True)
class Grid:
    """Where the kernels of a bank stand.

    Filters stand side by side, ``columns`` in a block, and their channels one below the other; of
    colour kernels, of three channels, there is one picture a filter. Blocks stand one below the
    other. Each pixel of a kernel is a square of ``factor`` pixels.
    """

    filters: int
    channels: int  # rows of a block
    height: int  # of a kernel
    width: int
    columns: int
    factor: int

    @property
    def line(self) -> int:
        """Pixels between two kernels."""
        return 1 + (self.factor >= 4) + (self.factor >= 16)

    @property
    def blocks(self) -> int:
        return -(-self.filters // self.columns)

    @property
    def pitch(self) -> tuple[int, int]:
        """Pixels from a kernel to the next one, down and across."""
        return self.height * self.factor + self.line, self.width * self.factor + self.line

    @property
    def block_pitch(self) -> int:
        """Pixels from a block to the one below it; blocks of a single row are no more than rows."""
        height = self.channels * self.pitch[0]
        return height if self.channels == 1 else height + self.line + BLOCK_GAP

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        last = self.channels * self.pitch[0] + self.line
        return (
            (self.blocks - 1) * self.block_pitch + last,
            self.columns * self.pitch[1] + self.line,
        )

    def place(self, index: int, channel: int = 0) -> tuple[int, int]:
        """Row and column of a kernel's upper left pixel."""
        block, column = divmod(index, self.columns)
        down, across = self.pitch
        return block * self.block_pitch + channel * down + self.line, column * across + self.line


def plan_grid(
    shape: tuple[int, int, int, int],
    columns: int | None = None,
    room: tuple[int, int] = (960, 960),
    least: int = 2,
) -> Grid:
    """The grid for a bank (F, C, kh, kw), as large as (height, width) of ``room`` allows.

    Without ``columns`` it is about as high as wide. A weight takes a square of ``least`` pixels at
    least, of one where the picture would be larger than LARGEST_SIDE, also where that is beyond
    the room.
    """
    filters, channels, height, width = shape
    rows = 1 if channels == 3 else channels
    columns = min(columns or _columns(filters, rows * height / width), filters)
    blocks = -(-filters // columns)
    factor = min(
        (room[0] - (blocks - 1) * BLOCK_GAP * (rows > 1)) // (blocks * rows) // height,
        room[1] // columns // width,
        LARGEST_TILE // max(height, width),
    )
    grid = Grid(filters, rows, height, width, columns, max(least, factor))
    while grid.factor > least and (grid.size[0] > room[0] or grid.size[1] > room[1]):
        grid = replace(grid, factor=grid.factor - 1)
    return grid if max(grid.size) <= LARGEST_SIDE else replace(grid, factor=1)


def _columns(filters: int, tallness: float) -> int:
    """As many as make the grid a little wider than high, and its last row full where that can be.

    tallness: how many times as high as wide a filter is, all its rows of channels counted.
    """
    wanted = min(filters, max(1.0, (1.3 * filters * tallness) ** 0.5))
    full = [n for n in range(1, filters + 1) if filters % n == 0 and 2 / 3 < n / wanted < 3 / 2]
    return min(full, key=lambda n: max(n / wanted, wanted / n)) if full else round(wanted)


def filter_grid(pixels: np.ndarray, grid: Grid) -> np.ndarray:
    """Shades (F, C, kh, kw), uint8, as a picture (H, W, 3): grey, or colour for three channels.

    Thin lines stand around every kernel.
    """
    tiles = pixels.transpose(0, 2, 3, 1)[:, None]  # (F, 1, kh, kw, 3)
    if pixels.shape[1] != 3:
        tiles = pixels[..., None]  # (F, C, kh, kw, 1)
    (down, across), line, columns = grid.pitch, grid.line, grid.columns
    height, width = down - line, across - line
    cells = np.full((grid.blocks * columns, grid.channels, down, across, 3), LINE, np.uint8)
    enlarged = tiles.repeat(grid.factor, axis=2).repeat(grid.factor, axis=3)
    cells[: grid.filters, :, :height, :width] = enlarged
    cells[grid.filters :] = paper.PAPER
    cells = cells.reshape(grid.blocks, columns, grid.channels, down, across, 3)
    blocks = cells.transpose(0, 2, 3, 1, 4, 5)  # (blocks, C, down, columns, across, 3)
    blocks = blocks.reshape(grid.blocks, grid.channels * down, columns * across, 3)
    picture = np.full((*grid.size, 3), paper.PAPER, np.uint8)
    for number, block in enumerate(blocks):
        top, _ = grid.place(number * columns)
        picture[top : top + len(block), line:] = block
        filters = min(columns, grid.filters - number * columns)
        picture[top - line : top, : filters * across + line] = LINE
        picture[top : top + len(block), :line] = LINE
    return picture


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
    above = over + (2 * paper.line_height(paper.LETTERS) if lines else 0)  # frames are alike
    pitch = above + grid.size[0] + GAP
    legend = legend_of(scale, limit, unit) + _places(grid, panels[0].bank.shape[1], unit)
    width, height = across * (cell + GAP) - GAP, rows * pitch - GAP + 10
    sheet = paper.captioned_sheet(width, height, (caption, legend))
    for number, panel in enumerate(panels):
        row, column = divmod(number, across)
        left, top = paper.MARGIN + column * (cell + GAP) + side, paper.MARGIN + row * pitch
        sheet.write_lines(left, top - 4, panel.lines, width=cell - side)
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
    return f"mid grey is 0, black -{figures(limit)}, white +{figures(limit)}"


def _places(grid: Grid, channels: int, unit: str) -> str:
    """Where channels stand."""
    if channels == 3:
        return ", in red, green and blue"
    if channels == 1:
        return ""
    return f"; a column a {unit}, a row a channel" if grid.blocks == 1 else "; a row a channel"


MOST_FRAMES, MOST_PANELS = 120, 12
FRAME_ROOM, SHEET_ROOM = 480, 1400
SHEET_COLUMNS = 6

TOTAL_MILLISECONDS = 8000
"""That an animation takes, where its frames are neither too short to see nor too long to wait."""

SHORTEST, LONGEST, LAST = 80, 700, 2000


def evolution_frames(
    stages: Sequence[Panel], caption: str, scale: str = "bank"
) -> tuple[list[np.ndarray], list[int]]:
    """A picture (H, W, 3) of each stage, all of one size and on one scale, and milliseconds each.

    Of very many stages MOST_FRAMES are shown; the last one stays longer.
    """
    shown = evenly(stages, MOST_FRAMES)
    limit = limit_of([stage.bank for stage in stages])
    frames = [
        filter_sheet([stage], caption, scale, limit=limit, room=FRAME_ROOM) for stage in shown
    ]
    each = min(LONGEST, max(SHORTEST, TOTAL_MILLISECONDS // len(shown)))
    return _of_one_width(frames), [*[each] * (len(shown) - 1), LAST]


def evolution_sheet(stages: Sequence[Panel], caption: str, scale: str = "bank") -> np.ndarray:
    """All stages, or MOST_PANELS of them, on one sheet that reads from left to right."""
    shown = evenly(stages, MOST_PANELS)
    limit = limit_of([stage.bank for stage in stages])
    across = min(len(shown), SHEET_COLUMNS)
    return filter_sheet(shown, caption, scale, limit=limit, across=across, room=SHEET_ROOM)


def _of_one_width(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Frames that headings made wider or narrower, with paper to their right."""
    widest = max(frame.shape[1] for frame in frames)
    return [
        np.pad(frame, ((0, 0), (0, widest - frame.shape[1]), (0, 0)), constant_values=255)
        for frame in frames
    ]
