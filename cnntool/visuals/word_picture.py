"""A text whose words are coloured by what each of them says for an answer, or against it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.visuals import fonts, paper
from cnntool.visuals.heat import tinted

LETTERS, SMALL, FOOT = 17, 11, 12
"""Pixels of the words, of their numbers, and of the words beside the scale."""

WIDTH = 760
SIDE, GAP, LINE_GAP, LETTER = 5, 5, 12, 14
"""Pixels beside a word, between two, between two lines of them, and of a letter at least."""

SCALE, BAR = 180, 12
"""Pixels of the scale of colours."""


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
        paper.shortened(name, LETTERS, WIDTH - 2 * SIDE) for name in fonts.drawable_names(words)
    ]
    side, gap = (1, 0) if are_letters else (SIDE, GAP)
    below = 0 if are_letters else paper.line_height(SMALL)
    decimals = max(2 if limit < 10 else 0, 1 - int(np.floor(np.log10(limit))))
    numbers = [f"{round(value, decimals) + 0.0:+.{decimals}f}" for value in values.tolist()]
    least = [LETTER] * len(names)
    if not are_letters:
        least = [paper.text_width(number, SMALL) for number in numbers]
    widths = [
        max(paper.text_width(name, LETTERS), width) + 2 * side
        for name, width in zip(names, least, strict=True)
    ]
    places, across = _flow(widths, gap)
    high = paper.line_height(LETTERS) + 4
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
        sheet.write((middle, y + high / 2 + 1), name, LETTERS, paper.ink_on((r, g, b)), "mm")
        if below:
            sheet.write((middle, y + high + 3), number, SMALL, paper.FAINT, "ma")
    _draw_scale(sheet, ends, limit, paper.MARGIN + rows * pitch)
    return sheet.pixels


def _flow(widths: Sequence[int], gap: int) -> tuple[list[tuple[int, int]], int]:
    """The line of each word and how far right it begins, and how wide the lines are."""
    places, row, left, across = [], 0, 0, 0
    for width in widths:
        if left and left + width > WIDTH:
            row, left = row + 1, 0
        places.append((row, left))
        left += width + gap
        across = max(across, left - gap)
    return places, across


def _draw_scale(sheet: paper.Sheet, ends: tuple[str, str], limit: float, top: int) -> None:
    """The colours from one end to the other, between the words for them."""
    low, high = (paper.shortened(end, FOOT, 180) for end in ends)
    start = paper.MARGIN + paper.text_width(low, FOOT) + 8
    length = min(SCALE, sheet.width - paper.MARGIN - start - 8 - paper.text_width(high, FOOT))
    length = max(8, length)
    bar = np.tile(tinted(np.linspace(-limit, limit, length), -limit, limit), (BAR, 1, 1))
    sheet.paste(bar, start, top, paper.FRAME)
    middle = top + BAR / 2
    sheet.write((paper.MARGIN, middle), low, FOOT, paper.FAINT, anchor="lm")
    sheet.write((start + length + 8, middle), high, FOOT, paper.FAINT, anchor="lm")
