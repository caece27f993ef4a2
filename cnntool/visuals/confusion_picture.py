"""The confusion matrix as a picture: which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import quotients
from cnntool.visuals import fonts, paper

RIGHT = paper.BLUE
WRONG: paper.Colour = (193, 66, 20)
LINES: paper.Colour = (226, 226, 226)
LETTERS = 13
WIDEST_NAME = 170

MOST_COUNTED = 60
"""Classes up to which counts stand in the cells."""

LARGEST_SIDE = 1700
"""Pixels that the cells of more classes take, where they have room."""


@dataclass(frozen=True)
class _Layout:
    cell: int
    step: int  # every so many classes a name
    names: tuple[str, ...]
    widest: int  # of the names, in pixels
    turned: bool  # whether the names of columns stand upright
    left: int
    top: int


def confusion_picture(confusion: np.ndarray, labels: Sequence[str], title: str = "") -> np.ndarray:
    """A confusion matrix (K, K) with the names of its classes, as (H, W, 3) uint8 on white.

    Rows are the true classes, columns the predicted ones. A cell is shaded by its share of its row:
    blue on the diagonal, red beside it. Up to MOST_COUNTED classes its count stands in it, unless
    it is 0; of more classes cells are smaller, and where names would overlap some are left out.
    """
    confusion = np.asarray(confusion)
    layout = _layout(confusion, labels)
    side = len(confusion) * layout.cell
    how = "rows: true class; columns: predicted class; shade: share of the row"
    titles = [paper.drawable(line) for line in (title, how) if line]
    head = len(titles) * paper.line_height(LETTERS) + 8
    needed = max(paper.text_width(line, LETTERS) for line in titles)
    top = paper.MARGIN + head + layout.top
    sheet = paper.Sheet(
        max(layout.left + side, paper.MARGIN + needed) + paper.MARGIN, top + side + paper.MARGIN
    )
    inks = [paper.INK] * (len(titles) - 1) + [paper.FAINT]
    sheet.write_lines(paper.MARGIN, paper.MARGIN - 4, list(zip(titles, inks, strict=True)), LETTERS)
    shades = _shades(confusion)
    sheet.paste(shades.repeat(layout.cell, 0).repeat(layout.cell, 1), layout.left, top)
    if layout.cell >= 6:
        _draw_grid(sheet, layout, len(confusion), top)
    sheet.draw.rectangle((layout.left, top, layout.left + side, top + side), outline=paper.FAINT)
    _draw_names(sheet, layout, top)
    if len(confusion) <= MOST_COUNTED:
        _draw_counts(sheet, confusion, shades, layout, top)
    return sheet.pixels


def _layout(confusion: np.ndarray, labels: Sequence[str]) -> _Layout:
    classes = len(confusion)
    if classes <= MOST_COUNTED:
        cell = max(26, paper.text_width(str(int(confusion.max(initial=0))), LETTERS) + 10)
    else:
        cell = max(2, min(paper.line_height(LETTERS), LARGEST_SIDE // classes))
    names = tuple(
        paper.shortened(label, LETTERS, WIDEST_NAME) for label in fonts.drawable_names(labels)
    )
    widest = max(paper.text_width(name, LETTERS) for name in names)
    turned = widest > cell - 6
    step = -(-paper.line_height(LETTERS) // cell)
    left = paper.MARGIN + widest + 8
    return _Layout(cell, step, names, widest, turned, left, 6 + (widest if turned else LETTERS + 4))


def _shades(confusion: np.ndarray) -> np.ndarray:
    """(K, K, 3) uint8: white where nothing is, full colour where a whole row is."""
    share = quotients(confusion, confusion.sum(axis=1, keepdims=True))
    strength = np.where(share > 0, 0.08 + 0.92 * share, 0)[..., None]
    full = np.where(np.eye(len(confusion), dtype=bool)[..., None], RIGHT, WRONG)
    return np.rint(255 + (full - 255) * strength).astype(np.uint8)


def _draw_grid(sheet: paper.Sheet, layout: _Layout, classes: int, top: int) -> None:
    side = classes * layout.cell
    for number in range(classes + 1):
        at = number * layout.cell
        sheet.draw.line((layout.left + at, top, layout.left + at, top + side), LINES)
        sheet.draw.line((layout.left, top + at, layout.left + side, top + at), LINES)


def _draw_names(sheet: paper.Sheet, layout: _Layout, top: int) -> None:
    for number in range(0, len(layout.names), layout.step):
        name = layout.names[number]
        middle = number * layout.cell + layout.cell / 2
        sheet.write((layout.left - 7, top + middle), name, LETTERS, anchor="rm")
        across = layout.left + middle
        if layout.turned:
            sheet.write_upright(name, LETTERS, round(across), top - 6)
        else:
            sheet.write((across, top - 6), name, LETTERS, anchor="mb")


def _draw_counts(
    sheet: paper.Sheet, confusion: np.ndarray, shades: np.ndarray, layout: _Layout, top: int
) -> None:
    for row, column in zip(*np.nonzero(confusion), strict=True):
        at = layout.left + (column + 0.5) * layout.cell, top + (row + 0.5) * layout.cell
        ink = paper.ink_on(tuple(shades[row, column].tolist()))
        sheet.write(at, str(confusion[row, column]), LETTERS, ink, anchor="mm")
