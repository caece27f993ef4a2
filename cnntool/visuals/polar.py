"""The directions of filters: how many lie in each, and at which frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnntool.study.filter_statistics import FilterFacts
from cnntool.visuals import paper

RADIUS = 190
"""Pixels of a circle."""

AROUND = 46
"""Room for labels and small gratings about a circle."""

FINENESS = 3
"""Pixels that are drawn for one: their average has smooth edges."""

SMALL = 12
RINGS: paper.Colour = (214, 214, 214)
SECTOR: paper.Colour = (120, 165, 214)
CLEAR = paper.BLUE
UNCLEAR: paper.Colour = (168, 168, 168)
ICON = 23
DOT = 5
HIGHEST = 0.5
"""Nyquist's frequency in cycles a pixel: the rim of the circle of frequencies."""


def polar_picture(
    filters: Sequence[FilterFacts], counts: Sequence[int], lines: Sequence[str]
) -> np.ndarray:
    """Two circles side by side with ``lines`` of text below, as (H, W, 3) uint8 on white.

    Left, how many oriented edges lie in each of the directions: ``counts`` for equal sectors of 180
    degrees, the first about 0. Their area grows with the count. Right, every filter that lives by
    orientation and frequency. As an orientation has no sign, both halves of a circle show the same.
    Small gratings at the rim show what has that orientation.
    """
    side = 2 * (RADIUS + AROUND)
    sheet = paper.captioned_sheet(2 * side, paper.line_height(paper.LETTERS) + side + 2, lines)
    panels = (
        ("oriented edges in each direction", _rose(counts)),
        ("every filter by its spatial frequency", _dots(filters)),
    )
    for number, (title, circle) in enumerate(panels):
        across = paper.MARGIN + number * side + side // 2
        down = paper.MARGIN + paper.line_height(paper.LETTERS) + side // 2
        sheet.write((across, paper.MARGIN), title, anchor="mt")
        sheet.paste(circle, across - RADIUS - DOT, down - RADIUS - DOT)
        _draw_rim(sheet, (across, down))
    return sheet.pixels


def rose_radius(count: float, most: int) -> float:
    """The share of the circle's radius that a sector of so many reaches: areas are as counts."""
    return (count / most) ** 0.5 if most else 0.0


def _rose_rings(counts: Sequence[int]) -> list[tuple[float, str]]:
    """Radii of the rings, as shares, and their labels: at most three whole numbers."""
    most = max(counts, default=0)
    if not most:
        return [(1.0, "")]
    numbers = sorted({most, -(-most // 4), -(-most // 2)})
    return [(rose_radius(number, most), f"{number}") for number in numbers]


FREQUENCY_RINGS = [(f / HIGHEST, f"{f:g}") for f in (0.1, 0.2, 0.3, 0.4, HIGHEST)]


class _Circle:
    """Paper of FINENESS times the size, with its origin in the middle and y upward."""

    def __init__(self, rings: Sequence[tuple[float, str]]) -> None:
        self._rings = rings
        self._half = RADIUS + DOT
        side = 2 * self._half * FINENESS
        self._sheet = paper.Sheet(side, side)
        self._draw = self._sheet.draw
        for share, _ in rings:
            self._draw.ellipse(self._box(0, 0, share * RADIUS), outline=RINGS, width=FINENESS)
        for angle in range(0, 180, 45):
            x, y = _on_circle(angle, RADIUS)
            self._draw.line((*self._at(-x, -y), *self._at(x, y)), RINGS, FINENESS)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (self._half + x) * FINENESS, (self._half - y) * FINENESS

    def _box(self, x: float, y: float, radius: float) -> tuple[float, float, float, float]:
        return *self._at(x - radius, y + radius), *self._at(x + radius, y - radius)

    def label(self) -> None:
        """Write numbers on the rings, along the line at 67.5 degrees, between two that are
        drawn."""
        for share, label in self._rings:
            if not label:
                continue
            x, y = self._at(*_on_circle(67.5, share * RADIUS))
            half = paper.text_width(label, SMALL * FINENESS) / 2 + 2 * FINENESS
            high = 7 * FINENESS
            self._draw.rectangle((x - half, y - high, x + half, y + high), fill=paper.PAPER)
            self._sheet.write((x, y), label, SMALL * FINENESS, paper.FAINT, anchor="mm")

    def sector(self, middle: float, width: float, radius: float) -> None:
        """A piece of the disc, in degrees counterclockwise; Pillow counts the other way."""
        start, end = -middle - width / 2, -middle + width / 2
        box = self._box(0, 0, radius)
        self._draw.pieslice(box, start, end, fill=SECTOR, outline=paper.PAPER, width=FINENESS)

    def dot(self, x: float, y: float, colour: paper.Colour, is_filled: bool) -> None:
        fill = colour if is_filled else None
        outline = paper.PAPER if is_filled else colour
        box = self._box(x, y, DOT)
        self._draw.ellipse(box, fill=fill, outline=outline, width=FINENESS)

    def finished(self) -> np.ndarray:
        """(H, W, 3) uint8, in its own size."""
        return paper.fitted(self._sheet.pixels, 2 * self._half, averages=True)


def _on_circle(angle: float, radius: float) -> tuple[float, float]:
    return radius * np.cos(np.radians(angle)), radius * np.sin(np.radians(angle))


def _rose(counts: Sequence[int]) -> np.ndarray:
    circle, most = _Circle(_rose_rings(counts)), max(counts, default=0)
    width = 180 / len(counts)
    for index, count in enumerate(counts):
        for half in (0, 180):
            if count:
                radius = RADIUS * rose_radius(count, most)
                circle.sector(index * width + half, width, radius)
    circle.label()
    return circle.finished()


def _dots(filters: Sequence[FilterFacts]) -> np.ndarray:
    """A filled dot for each oriented edge, over the rings that stand for others."""
    circle = _Circle(FREQUENCY_RINGS)
    circle.label()  # below the dots, which it must not hide
    for each in sorted(filters, key=lambda each: each.is_oriented):
        if each.orientation is None or each.frequency is None:
            continue
        # Only towards a corner of the plane of frequencies are there any beyond the rim.
        x, y = _on_circle(each.orientation, RADIUS * min(1.0, each.frequency / HIGHEST))
        for sign in (1, -1):
            colour = CLEAR if each.is_oriented else UNCLEAR
            circle.dot(sign * x, sign * y, colour, each.is_oriented)
    return circle.finished()


def _draw_rim(sheet: paper.Sheet, centre: tuple[int, int]) -> None:
    """Around the circle, angles on the right and above, and gratings of those all around."""
    for angle in range(0, 360, 45):
        across, up = _on_circle(angle, RADIUS + 22)
        x, y = centre[0] + across, centre[1] - up
        if angle < 180:
            sheet.write((x, y), f"{angle}°", SMALL, anchor="mm")
        else:
            sheet.paste(grating(angle), round(x) - ICON // 2, round(y) - ICON // 2)


def grating(angle: float) -> np.ndarray:
    """(ICON, ICON, 3) uint8: stripes whose brightness changes along an angle, in a disc."""
    across = np.arange(ICON) - ICON // 2
    up = -across[:, None]
    along = across * np.cos(np.radians(angle)) + up * np.sin(np.radians(angle))
    shade = 150 + 90 * np.cos(2 * np.pi * along / (ICON / 3))
    edge = np.clip(ICON / 2 - np.hypot(across, up), 0, 1)
    shade = 255 + (shade - 255) * edge
    return np.repeat(np.rint(shade)[..., None], 3, axis=2).astype(np.uint8)
