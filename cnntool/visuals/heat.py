"""Numbers as colours on white paper: a confusion matrix, other named cells, and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnntool.engine.arrays import quotients
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

NUMBERED, LINED = 30, 6
"""Pixels from which on a cell has its number in it, in hundredths, and lines around it."""

RIGHT: paper.Colour = paper.BLUE
WRONG: paper.Colour = (193, 66, 20)
MOST_COUNTED, LARGEST_SIDE = 60, 1700
"""Classes of a confusion matrix up to which counts stand in the cells, and the pixels that the
cells of more classes take, where they have room."""


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
    cell, shown = cell_size(len(columns)), np.argwhere(values >= 0.005).tolist()
    numbers = {(i, j): f"{values[i, j]:.2f}".lstrip("0") for i, j in shown}
    numbers = numbers if cell >= NUMBERED else {}
    return _named_cells(tinted(values), numbers, rows, columns, lines, cell)


def confusion_map(confusion: np.ndarray, labels: Sequence[str], title: str = "") -> np.ndarray:
    """A confusion matrix (K, K) with the names of its classes, as (H, W, 3) uint8 on white.

    Rows are the true classes, columns the predicted ones. A cell is shaded by its share of its row:
    blue on the diagonal, red beside it. Up to MOST_COUNTED classes its count stands in it, unless
    it is 0; of more classes cells are smaller, and where names would overlap some are left out.
    """
    confusion = np.asarray(confusion)
    classes, counts = len(confusion), {}
    cell = max(2, min(paper.line_height(LETTERS), LARGEST_SIDE // classes))
    if classes <= MOST_COUNTED:
        counts = {(i, j): str(confusion[i, j]) for i, j in np.argwhere(confusion).tolist()}
        cell = max(26, *(paper.text_width(count, LETTERS) + 10 for count in counts.values()))
    how = "rows: true class; columns: predicted class; shade: share of the row"
    lines = [line for line in (title, how) if line]
    return _named_cells(_row_shares(confusion), counts, labels, labels, lines, cell)


def _row_shares(confusion: np.ndarray) -> np.ndarray:
    """(K, K, 3) uint8: white where nothing is, full colour where a whole row is."""
    share = quotients(confusion, confusion.sum(axis=1, keepdims=True))
    strength = np.where(share > 0, 0.08 + 0.92 * share, 0)[..., None]
    full = np.where(np.eye(len(confusion), dtype=bool)[..., None], RIGHT, WRONG)
    return np.rint(255 + (full - 255) * strength).astype(np.uint8)


def _named_cells(
    colours: np.ndarray,
    numbers: Mapping[tuple[int, int], str],
    rows: Sequence[str],
    columns: Sequence[str],
    lines: Sequence[str],
    cell: int,
) -> np.ndarray:
    """Cells of these colours (R, C, 3), with numbers by row and column in some of them."""
    row_names = _shown(rows, LONGEST_NAME)
    left = max(paper.text_width(name, LETTERS) for name in row_names) + 8
    head = head_height(columns, cell) + 6
    sheet = paper.captioned_sheet(
        left + cell * len(columns) + 1, head + cell * len(rows) + 12, lines, least_text=560
    )
    x, y = paper.MARGIN + left, paper.MARGIN + head
    write_columns(sheet, columns, cell, x, y - 6)
    sheet.paste(colours.repeat(cell, axis=0).repeat(cell, axis=1), x, y, paper.FRAME)
    if cell >= LINED:
        _draw_grid(sheet, x, y, (len(rows), len(columns)), cell)
    for number in range(0, len(rows), name_step(cell)):
        sheet.write((x - 8, y + (number + 0.5) * cell), row_names[number], LETTERS, anchor="rm")
    for (row, column), text in numbers.items():
        red, green, blue = colours[row, column].tolist()
        at = x + (column + 0.5) * cell, y + (row + 0.5) * cell
        sheet.write(at, text, LETTERS, paper.ink_on((red, green, blue)), anchor="mm")
    return sheet.pixels


def cell_size(columns: int) -> int:
    """Pixels that a cell has on a side, of so many side by side."""
    return max(SMALLEST, min(LARGEST, WIDEST // columns))


def _draw_grid(sheet: paper.Sheet, left: int, top: int, size: tuple[int, int], cell: int) -> None:
    """Thin lines around cells, (rows, columns) of them."""
    right, bottom = left + size[1] * cell, top + size[0] * cell
    for row in range(size[0] + 1):
        at = top + row * cell
        sheet.draw.line([(left, at), (right, at)], paper.FRAME)
    for column in range(size[1] + 1):
        at = left + column * cell
        sheet.draw.line([(at, top), (at, bottom)], paper.FRAME)


def name_step(cell: int) -> int:
    """Of how many rows or columns of cells one has its name, so that none lies over another."""
    return -(-paper.line_height(SMALL) // cell)


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
    for number in range(0, len(shown), name_step(cell) if any(upright) else 1):
        name, middle = shown[number], left + (number + 0.5) * cell
        if upright[number]:
            bottom = at + paper.text_width(name, LETTERS) + 2 if hangs else at
            sheet.write_upright(name, LETTERS, round(middle), bottom)
        else:
            place = (middle, at + LETTERS if hangs else at - 3)
            sheet.write(place, name, LETTERS, anchor="ms")


def _shown(names: Sequence[str], width: int) -> list[str]:
    return [paper.shortened(name, LETTERS, width) for name in fonts.drawable_names(names)]


WORD_LETTERS, TEXT_WIDTH = 17, 760
"""Pixels of words in a text, whose numbers are small, and of its lines."""

SIDE, GAP, LINE_GAP, LETTER = 5, 5, 12, 14
"""Pixels beside a word, between two, between two lines of them, and of a letter at least."""


def coloured_words(
    words: Sequence[str],
    values: np.ndarray,
    lines: Sequence[str],
    ends: tuple[str, str],
    are_letters: bool = False,
    framed: int | None = None,
) -> np.ndarray:
    """Words with the colours of their values (N,), 0 being white and the largest the fullest, and
    ``lines`` of text below them, (H, W, 3) uint8.

    ends: what the colours at the two ends of the scale say. are_letters: they stand close to each
    other, without the numbers that words have below them. framed: the word that it is about.
    """
    limit = float(np.abs(values).max()) or 1.0
    names = [
        paper.shortened(name, WORD_LETTERS, TEXT_WIDTH - 2 * SIDE)
        for name in fonts.drawable_names(words)
    ]
    side, gap = (1, 0) if are_letters else (SIDE, GAP)
    below = 0 if are_letters else paper.line_height(SMALL)
    decimals = max(2 if limit < 10 else 0, 1 - int(np.floor(np.log10(limit))))
    numbers = [f"{round(value, decimals) + 0.0:+.{decimals}f}" for value in values.tolist()]
    least = [LETTER] * len(names)
    if not are_letters:
        least = [paper.text_width(number, SMALL) for number in numbers]
    widths = [
        max(paper.text_width(name, WORD_LETTERS), width) + 2 * side
        for name, width in zip(names, least, strict=True)
    ]
    places, across = _flow(widths, gap)
    high = paper.line_height(WORD_LETTERS) + 4
    pitch = high + below + LINE_GAP
    rows = places[-1][0] + 1
    sheet = paper.captioned_sheet(across, rows * pitch + 30, lines, least_text=560)
    colours = tinted(values, -limit, limit).tolist()
    each = zip(places, widths, names, numbers, colours, strict=True)
    for index, ((row, left), width, name, number, (r, g, b)) in enumerate(each):
        x, y = paper.MARGIN + left, paper.MARGIN + row * pitch
        outline = paper.INK if index == framed else None
        sheet.draw.rectangle((x, y, x + width - 1, y + high), (r, g, b), outline, width=2)
        middle = x + width / 2
        sheet.write((middle, y + high / 2 + 1), name, WORD_LETTERS, paper.ink_on((r, g, b)), "mm")
        if below:
            sheet.write((middle, y + high + 3), number, SMALL, paper.FAINT, "ma")
    sheet.draw_scale(ends, paper.MARGIN + rows * pitch, lambda t: tinted(2 * t - 1, -1))
    return sheet.pixels


def _flow(widths: Sequence[int], gap: int) -> tuple[list[tuple[int, int]], int]:
    """The line of each word and how far right it begins, and how wide the lines are."""
    places, row, left, across = [], 0, 0, 0
    for width in widths:
        if left and left + width > TEXT_WIDTH:
            row, left = row + 1, 0
        places.append((row, left))
        left += width + gap
        across = max(across, left - gap)
    return places, across
