"""Gates, cells and hidden states of all units over the steps of a sequence, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.visuals import paper
from cnntool.visuals.heat import (
    LETTERS,
    SMALL,
    head_height,
    tinted,
    write_columns,
)

NAMES = 70
"""Pixels left of the maps, for what they are and the numbers of their units."""

MAP, TALLEST_UNIT = 130, 12
"""Pixels of the height of a map, as long as a unit has one and no more than those."""

STEPS, FEWEST, MOST = 700, 10, 44
"""Pixels that the steps share, and those that one has."""

FRAMES, SMALLEST_FRAME, LARGEST_FRAME = 1400, 16, 72
"""The same where each step is a frame, which is drawn."""

GAP, BESIDE = 8, 36
WIDEST = 1600


@dataclass(frozen=True, eq=False)
class StateMap:
    """Numbers (T, H) of all units over time, from ``low`` to ``high``, and what they are."""

    name: str
    values: np.ndarray
    low: float
    high: float


def state_picture(
    directions: Sequence[Sequence[StateMap]],
    titles: Sequence[str],
    steps: Sequence[str],
    lines: Sequence[str],
    answers: Sequence[str] = (),
    frames: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """The maps of each direction below each other, a column a step, as (H, W, 3) uint8.

    Directions stand side by side where there is room. Above the maps are the frames, or one picture
    of which each step is a band, and the names of the steps; below them the answer to each, if
    there are any.
    """
    cell = _cell(len(steps), has_frames=len(frames) == len(steps))
    width = NAMES + cell * len(steps)
    height = _Column(cell, steps, answers, frames).height(directions[0])
    is_beside = len(directions) * (width + BESIDE) <= WIDEST
    across = (width + BESIDE) * len(directions) - BESIDE if is_beside else width
    down = height if is_beside else (height + BESIDE // 2) * len(directions)
    sheet = paper.captioned_sheet(across, down + 8, lines, least_text=560)
    for number, (maps, title) in enumerate(zip(directions, titles, strict=True)):
        left = paper.MARGIN + (number * (width + BESIDE) if is_beside else 0)
        top = paper.MARGIN + (0 if is_beside else number * (height + BESIDE // 2))
        _Column(cell, steps, answers, frames).draw(sheet, left, top, maps, title)
    return sheet.pixels


def _cell(steps: int, has_frames: bool) -> int:
    room, least, most = (
        (FRAMES, SMALLEST_FRAME, LARGEST_FRAME) if has_frames else (STEPS, FEWEST, MOST)
    )
    return max(least, min(most, room // steps))


def unit_height(units: int) -> int:
    """Pixels of a unit in a map of so many."""
    return max(1, min(TALLEST_UNIT, MAP // units))


@dataclass(frozen=True, eq=False)
class _Column:
    """The maps of one direction, and what stands above and below them."""

    cell: int
    steps: Sequence[str]
    answers: Sequence[str]
    frames: Sequence[np.ndarray]

    def height(self, maps: Sequence[StateMap]) -> int:
        below = head_height(self.answers, self.cell) + 6 if self.answers else 0
        return self._head() + sum(_map_height(each) + GAP for each in maps) + below

    def _head(self) -> int:
        title, names = paper.line_height(LETTERS) + 4, head_height(self.steps, self.cell) + 6
        return title + names + (self._frame_height() + 4 if self.frames else 0)

    def _frame_height(self) -> int:
        return max(len(each) for each, _ in self._pictures())

    def _pictures(self) -> list[tuple[np.ndarray, int]]:
        """The frames, no wider than a step, each with where it begins; or the one picture."""
        if len(self.frames) == len(self.steps):
            shown = [paper.fitted(each, self.cell - 2) for each in self.frames]
            starts = range(0, self.cell * len(self.steps), self.cell)
            return [
                (each, start + (self.cell - each.shape[1]) // 2)
                for each, start in zip(shown, starts, strict=True)
            ]
        (picture,), width = self.frames, self.cell * len(self.steps)
        height = max(1, round(len(picture) * width / picture.shape[1]))
        return [(paper.resized(picture, (height, width)), 0)]

    def draw(
        self, sheet: paper.Sheet, left: int, top: int, maps: Sequence[StateMap], title: str
    ) -> None:
        x, y = left + NAMES, top
        sheet.write((x, y), title, LETTERS, paper.INK)
        y += paper.line_height(LETTERS) + 4
        if self.frames:
            high = self._frame_height()
            for shown, across in self._pictures():
                sheet.paste(shown, x + across, y + (high - len(shown)) // 2)
            y += high + 4
        y += head_height(self.steps, self.cell) + 6
        write_columns(sheet, self.steps, self.cell, x, y - 6)
        for each in maps:
            self._draw_map(sheet, each, left, y)
            y += _map_height(each) + GAP
        if self.answers:
            write_columns(sheet, self.answers, self.cell, x, y, hangs=True)

    def _draw_map(self, sheet: paper.Sheet, each: StateMap, left: int, top: int) -> None:
        """The map, its name left of it, and the numbers of its first and last unit."""
        unit, units = unit_height(each.values.shape[1]), each.values.shape[1]
        colours = tinted(each.values.T, each.low, each.high)
        x, high = left + NAMES, units * unit
        sheet.paste(colours.repeat(unit, axis=0).repeat(self.cell, axis=1), x, top, paper.FRAME)
        middle = top + high / 2
        sheet.write((x - 26, middle), each.name, LETTERS, anchor="rm")
        if units > 1 and high > 2 * SMALL:
            sheet.write((x - 5, top + SMALL / 2), "0", SMALL, paper.FAINT, anchor="rm")
            at = top + high - SMALL / 2
            sheet.write((x - 5, at), str(units - 1), SMALL, paper.FAINT, anchor="rm")


def _map_height(each: StateMap) -> int:
    units = each.values.shape[1]
    return units * unit_height(units)
