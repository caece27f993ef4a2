"""Banks of kernels as grids of small pictures, sharp and on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.choices import SCALES

"""bank: one symmetric scale for all filters; each: one for each; minmax: each from its least to its
greatest weight."""

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
        share = _quotients(2 * bank - least - most, most - least)
    elif scale == "each":
        share = _quotients(bank, np.abs(bank).max(axis=(1, 2, 3), keepdims=True))
    elif scale == "bank":
        share = _quotients(bank, np.float64(limit_of([bank]) if limit is None else limit))
    else:
        raise ValueError(f"the scale is {scale!r}: expected one of {', '.join(SCALES)}")
    return np.floor(np.clip(127.5 * (1 + share), 0, 255) + 0.5).astype(np.uint8)


def limit_of(banks: Sequence[np.ndarray]) -> float:
    """The largest weight in size, of several banks."""
    return max(float(np.abs(bank).max()) for bank in banks)


def _quotients(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below``, 0 where below is 0."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below != 0)


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
    from cnntool.visuals import paper

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
