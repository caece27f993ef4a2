"""Words in the plane: each a dot with its name beside it, where there is room for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from cnntool.visuals import fonts, paper

WIDTH, HEIGHT = 1200, 800
MARGIN, LETTERS, SMALL = 40, 15, 13
DOT, GAP = 3, 4
AXIS: paper.Colour = (222, 222, 222)
MARKED: paper.Colour = (196, 62, 28)

Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def word_map(
    points: np.ndarray,
    names: Sequence[str],
    lines: Sequence[str],
    marked: Collection[int] = (),
) -> np.ndarray:
    """Points (N, 2) as dots with their names, and ``lines`` of text below, (H, W, 3) uint8.

    Each axis has its own scale. Names come in their order, those of ``marked`` first and in red; a
    name that would lie over another is left out, and its dot stays.
    """
    size = WIDTH - 2 * paper.MARGIN, HEIGHT - paper.MARGIN
    sheet = paper.captioned_sheet(*size, lines, letters=SMALL, least_text=0, below=MARGIN)
    pen = sheet.draw
    places, origin = _places(points)
    pen.line([(origin[0], MARGIN // 2), (origin[0], HEIGHT - MARGIN // 2)], AXIS)
    pen.line([(MARGIN // 2, origin[1]), (WIDTH - MARGIN // 2, origin[1])], AXIS)
    drawn = fonts.drawable_names(names)
    order = sorted(range(len(names)), key=lambda index: index not in marked)
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in places]
    for index in order:
        x, y = places[index]
        pen.ellipse(
            (x - DOT, y - DOT, x + DOT, y + DOT), MARKED if index in marked else paper.FAINT
        )
        name = drawn[index]
        box = next(_free(places[index], paper.text_width(name, LETTERS), taken), None)
        if box is not None:
            taken.append(box)
            sheet.write(box[:2], name, LETTERS, MARKED if index in marked else paper.INK)
    return sheet.pixels


def _places(points: np.ndarray) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Where the points and their origin lie, in pixels; up is up."""
    low, high = np.minimum(points.min(axis=0), 0), np.maximum(points.max(axis=0), 0)
    room = np.array([WIDTH, HEIGHT]) - 4 * MARGIN  # names stand beside their dots
    spread = np.where(high > low, high - low, 1)
    scale = room / spread
    middle = (low + high) / 2
    moved = (points - middle) * scale * [1, -1] + [WIDTH / 2, HEIGHT / 2]
    origin = -middle * scale * [1, -1] + [WIDTH / 2, HEIGHT / 2]
    places = [(int(x), int(y)) for x, y in moved.round()]
    return places, (round(float(origin[0])), round(float(origin[1])))


def _free(place: tuple[int, int], width: int, taken: Sequence[Box]) -> Iterator[Box]:
    """Boxes of a name about its dot that lie in the picture and over nothing else."""
    x, y = place
    high = paper.line_height(LETTERS)
    across = x + DOT + GAP, x - DOT - GAP - width, x - width // 2
    down = y - high // 2, y - DOT - high, y + DOT
    corners = [(left, top) for top in down for left in across]
    for left, top in corners:
        box = left, top, left + width, top + high
        is_inside = left >= 0 and top >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT
        if is_inside and not any(_overlap(box, other) for other in taken):
            yield box


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
