"""How the filters of a layer came to be: a frame a stage of training, or all on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from cnntool.visuals.filter_grid import limit_of
from cnntool.visuals.filter_sheet import Panel, filter_sheet

MOST_FRAMES, MOST_PANELS = 120, 12
FRAME_ROOM, STRIP_ROOM = 480, 1400
STRIP_COLUMNS = 6

TOTAL_MILLISECONDS = 8000
"""That an animation takes, where its frames are neither too short to see nor too long to wait."""

SHORTEST, LONGEST, LAST = 80, 700, 2000

Item = TypeVar("Item")


def chosen(stages: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly apart, the first and the last among them."""
    if len(stages) <= most:
        return list(stages)
    return [stages[round(i * (len(stages) - 1) / (most - 1))] for i in range(most)]


def evolution_frames(
    stages: Sequence[Panel], caption: str, scale: str = "bank"
) -> tuple[list[np.ndarray], list[int]]:
    """A picture (H, W, 3) of each stage, all of one size and on one scale, and milliseconds each.

    Of very many stages MOST_FRAMES are shown; the last one stays longer.
    """
    shown = chosen(stages, MOST_FRAMES)
    limit = limit_of([stage.bank for stage in stages])
    frames = [
        filter_sheet([stage], caption, scale, limit=limit, room=FRAME_ROOM) for stage in shown
    ]
    each = min(LONGEST, max(SHORTEST, TOTAL_MILLISECONDS // len(shown)))
    return _of_one_width(frames), [*[each] * (len(shown) - 1), LAST]


def evolution_strip(stages: Sequence[Panel], caption: str, scale: str = "bank") -> np.ndarray:
    """All stages, or MOST_PANELS of them, on one sheet that reads from left to right."""
    shown = chosen(stages, MOST_PANELS)
    limit = limit_of([stage.bank for stage in stages])
    across = min(len(shown), STRIP_COLUMNS)
    return filter_sheet(shown, caption, scale, limit=limit, across=across, room=STRIP_ROOM)


def _of_one_width(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Frames that headings made wider or narrower, with paper to their right."""
    widest = max(frame.shape[1] for frame in frames)
    return [
        np.pad(frame, ((0, 0), (0, widest - frame.shape[1]), (0, 0)), constant_values=255)
        for frame in frames
    ]
