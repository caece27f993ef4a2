"""Grids of kernels and maps in the terminal: sharp, with words in lines of their own."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np

from cnntool.cli.console import complain, console
from cnntool.cli.terminal.pictures import draw
from cnntool.files.image import Frame, Image
from cnntool.visuals.filter_grid import filter_grid, limit_of, plan_grid, shades
from cnntool.visuals.filter_sheet import Panel


def say(lines: Sequence[str]) -> None:
    """Print lines above a picture on stderr, cut between words where the terminal is narrower."""
    screen = console(stderr=True)
    for line in lines:
        for piece in wrap(line, max(20, screen.width - 1)) if screen.is_terminal else [line]:
            complain(piece)


def draw_grids(
    panels: Sequence[Panel],
    words: str,
    scale: str = "bank",
    columns: int | None = None,
    lines: int | None = None,
) -> None:
    """Draw grids on stderr, one below the other, without letters, which would be too small.

    A weight is a few of the terminal's pixels where that fits, so that the grid stays sharp. All
    are on one scale. ``lines`` that each of them may take.  [default: all of the screen]
    """
    limit = limit_of([panel.bank for panel in panels])
    say([words])
    for panel in panels:
        if panel.heading:
            say([", ".join(filter(None, (panel.heading, panel.note)))])
        draw_grid(panel.bank, scale, limit, columns, lines)


def draw_grid(
    bank: np.ndarray,
    scale: str = "bank",
    limit: float | None = None,
    columns: int | None = None,
    lines: int | None = None,
) -> None:
    """Draw a bank (F, C, kh, kw) on stderr."""
    screen = console(stderr=True)
    room = 2 * (lines or max(4, screen.height - 4)), screen.width - 1
    grid = plan_grid(bank.shape, columns, room, least=1)
    picture = filter_grid(shades(bank, scale, limit), grid)
    draw(Image((Frame(picture),), 255.0, "PNG"), lines)
