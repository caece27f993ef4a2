"""A text whose words are coloured by what each of them says for an answer, or against it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.visuals import fonts, paper
from cnntool.visuals.heat import tinted

LETTERS, SMALL = 17, 11
"""Pixels of the words, and of their numbers."""

WIDTH = 760
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
    sheet.draw_scale(ends, paper.MARGIN + rows * pitch, lambda t: tinted(2 * t - 1, -1))
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
