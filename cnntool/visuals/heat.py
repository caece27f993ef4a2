"""Heat maps with named rows and columns: numbers as colours on white paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.visuals import fonts, paper

MOST: paper.Colour = (8, 56, 118)
"""Of a number at the end of a scale that begins at 0, which is white."""

FOR: paper.Colour = (200, 76, 20)
AGAINST: paper.Colour = (24, 98, 174)
"""Of numbers above and below 0, which is white; told apart also by who sees no red."""

LETTERS, SMALL = 13, 11
LONGEST_NAME, LONGEST_UPRIGHT = 170, 160
"""Pixels of the name of a row, and of a column's that is read upwards."""

SMALLEST, LARGEST = 10, 44
"""Pixels of a cell."""

WIDEST = 1100
"""Pixels that cells share, as long as they are not smaller than the smallest."""

NUMBERED = 30
"""Pixels from which on a cell has its number in it, in hundredths."""


def tinted(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Numbers of any shape as colours (..., 3) uint8: from 0, white, to ``high``; where ``low`` is
    below 0, those above it in one colour and those below it in another."""
    share = np.clip(np.asarray(values, np.float64) / (max(abs(low), abs(high)) or 1.0), -1, 1)
    above, below = (FOR, AGAINST) if low < 0 else (MOST, MOST)
    ends = np.where(share[..., None] < 0, np.array(below, float), np.array(above, float))
    white = np.array(paper.PAPER, float)
    return np.rint(white + (ends - white) * np.abs(share)[..., None]).astype(np.uint8)


def labelled_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], lines: Sequence[str]
) -> np.ndarray:
    """Numbers (R, C) from 0 to 1 as cells with the names of their rows left of them and those of
    the columns above, and ``lines`` of text below, (H, W, 3) uint8.

    Names that are too long end in dots; those of columns that are too wide are read upwards.
    """
    cell = cell_size(len(columns))
    row_names = _shown(rows, LONGEST_NAME)
    left = max(paper.text_width(name, LETTERS) for name in row_names) + 8
    head = head_height(columns, cell) + 6
    sheet = paper.captioned_sheet(
        left + cell * len(columns) + 1, head + cell * len(rows) + 12, lines, least_text=560
    )
    x, y = paper.MARGIN + left, paper.MARGIN + head
    write_columns(sheet, columns, cell, x, y - 6)
    cells = tinted(values).repeat(cell, axis=0).repeat(cell, axis=1)
    sheet.paste(cells, x, y)
    draw_grid(sheet, x, y, (len(rows), len(columns)), cell)
    for number, name in enumerate(row_names):
        sheet.write((x - 8, y + (number + 0.5) * cell), name, LETTERS, anchor="rm")
    if cell >= NUMBERED:
        _write_numbers(sheet, values, x, y, cell)
    return sheet.pixels


def cell_size(columns: int) -> int:
    """Pixels that a cell has on a side, of so many side by side."""
    return max(SMALLEST, min(LARGEST, WIDEST // columns))


def draw_grid(sheet: paper.Sheet, left: int, top: int, size: tuple[int, int], cell: int) -> None:
    """Thin lines around cells, (rows, columns) of them."""
    right, bottom = left + size[1] * cell, top + size[0] * cell
    for row in range(size[0] + 1):
        at = top + row * cell
        sheet.draw.line([(left, at), (right, at)], paper.FRAME)
    for column in range(size[1] + 1):
        at = left + column * cell
        sheet.draw.line([(at, top), (at, bottom)], paper.FRAME)


def upright_names(names: Sequence[str], cell: int) -> list[bool]:
    """Which names of columns are read upwards: those that are wider than a cell, and all of them
    where those are most."""
    is_wide = [paper.text_width(name, LETTERS) > cell - 2 for name in _shown(names, WIDEST)]
    return [True] * len(is_wide) if 2 * sum(is_wide) > len(is_wide) else is_wide


def head_height(names: Sequence[str], cell: int) -> int:
    """Pixels that the names of columns take above them."""
    upright = zip(_shown(names, LONGEST_UPRIGHT), upright_names(names, cell), strict=True)
    heights = [paper.text_width(name, LETTERS) + 2 for name, is_upright in upright if is_upright]
    return max([paper.line_height(LETTERS), *heights])


def write_columns(
    sheet: paper.Sheet,
    names: Sequence[str],
    cell: int,
    left: int,
    at: int,
    hangs: bool = False,
) -> None:
    """The names of columns, their lower ends at ``at``, or their upper ones where they hang below;
    of columns narrower than letters some."""
    shown, upright = _shown(names, LONGEST_UPRIGHT), upright_names(names, cell)
    every = -(-paper.line_height(SMALL) // cell) if any(upright) else 1
    for number in range(0, len(shown), every):
        name, middle = shown[number], left + (number + 0.5) * cell
        if upright[number]:
            bottom = at + paper.text_width(name, LETTERS) + 2 if hangs else at
            sheet.write_upright(name, LETTERS, round(middle), bottom)
        else:
            place = (middle, at + LETTERS if hangs else at - 3)
            sheet.write(place, name, LETTERS, anchor="ms")


def _shown(names: Sequence[str], width: int) -> list[str]:
    return [paper.shortened(name, LETTERS, width) for name in fonts.drawable_names(names)]


def _write_numbers(sheet: paper.Sheet, values: np.ndarray, left: int, top: int, cell: int) -> None:
    colours = tinted(values)
    for (row, column), value in np.ndenumerate(values):
        if value >= 0.005:
            red, green, blue = colours[row, column].tolist()
            at = left + (column + 0.5) * cell, top + (row + 0.5) * cell
            ink = paper.ink_on((red, green, blue))
            sheet.write(at, f"{value:.2f}".lstrip("0"), SMALL, ink, anchor="mm")
