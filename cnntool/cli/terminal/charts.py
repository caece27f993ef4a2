"""Curves in the terminal: lines of dots (eight to a Braille character), or of letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnntool.cli.console import console, shows_colour

if TYPE_CHECKING:
    from rich.text import Text

    from cnntool.visuals.curve_chart import Curve

STYLES = ("bold blue", "bold red", "bold green", "bold magenta", "bold yellow", "bold cyan")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ROWS, WIDEST, LABEL = 10, 76, 9

DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each of a Braille character's 4 x 2 dots. Source: Unicode, block U+2800."""


def print_chart(title: str, curves: Sequence[Curve], form: Callable[[float], str]) -> None:
    """Draw curves on stdout, with their names, last values and best ones below.

    form: how a value is written. With colours, or for one run, lines are dots; else, and where the
    terminal lacks the letters, each run is drawn in a letter of its own, dashed lines in small
    letters and others in capital ones.
    """
    from rich.text import Text

    screen = console()
    has_dots = "utf" in screen.encoding.lower()
    has_dots &= shows_colour(screen) or len({curve.run for curve in curves}) == 1
    width = max(16, min(WIDEST, screen.width - LABEL - 1))
    screen.print(Text(title, "bold"))
    for line in chart_lines(curves, width, ROWS, has_dots, form):
        screen.print(line, soft_wrap=True)
    for curve in curves:
        mark = ("⠒⠂" if curve.is_dashed else "⠒⠒") if has_dots else _letter(curve)
        known = curve.y[np.isfinite(curve.y)]
        line = Text(f"{mark} {curve.name}", _style(curve))
        line.append(f": {form(known[0])} to {form(known[-1])}", "default")
        screen.print(line, soft_wrap=True)


def chart_lines(
    curves: Sequence[Curve], width: int, rows: int, has_dots: bool, form: Callable[[float], str]
) -> Iterator[Text]:
    """The lines of a chart: ``rows`` with values at their left, an axis, the epochs below it."""
    from rich.text import Text

    down, across = (4, 2) if has_dots else (1, 1)
    x_range, y_range = _range(curves, "x"), _range(curves, "y")
    cells = np.zeros((rows, width), int)
    owners = np.full((rows, width), -1)
    for number, curve in enumerate(curves):
        x = _scaled(curve.x, x_range, width * across - 1)
        y = _scaled(-curve.y, (-y_range[1], -y_range[0]), rows * down - 1)
        for i, j in _dots(x, y, curve.is_dashed and has_dots):
            cells[i // down, j // across] |= DOTS[i % down, j % across] if has_dots else 1
            owners[i // down, j // across] = number
    for row in range(rows):
        share = 1 - row / (rows - 1)
        is_named = row in (0, rows // 2, rows - 1)
        value = y_range[0] + share * (y_range[1] - y_range[0])
        line = Text((form(value) if is_named else "").rjust(LABEL - 2) + " ")
        line.append("┤" if is_named and has_dots else "│" if has_dots else "|")
        for cell, owner in zip(cells[row], owners[row], strict=True):
            letter = chr(0x2800 + cell) if has_dots else _letter(curves[owner])
            line.append(letter if cell else " ", _style(curves[owner]) if cell else "")
        line.rstrip()
        yield line
    yield Text(" " * (LABEL - 1) + ("└" + "─" * width if has_dots else "+" + "-" * width))
    first, last = (str(round(value)) for value in x_range)
    yield Text(f"{' ' * LABEL}{first}{('epoch ' + last).rjust(width - len(first))}")


def _style(curve: Curve) -> str:
    style = STYLES[curve.run % len(STYLES)]
    return style.removeprefix("bold ") if curve.is_dashed else style


def _letter(curve: Curve) -> str:
    letter = LETTERS[curve.run % len(LETTERS)]
    return letter if curve.is_dashed else letter.upper()


def _range(curves: Sequence[Curve], axis: str) -> tuple[float, float]:
    """The least and the largest of all values."""
    values = np.concatenate([getattr(curve, axis) for curve in curves]).astype(float)
    return float(np.nanmin(values)), float(np.nanmax(values))


def _scaled(values: np.ndarray, within: tuple[float, float], most: int) -> np.ndarray:
    """From 0 to ``most``; the middle where there is but one value."""
    low, high = within
    if high <= low:
        return np.where(np.isfinite(values), most / 2, np.nan)
    return (values - low) / (high - low) * most


def _dots(x: np.ndarray, y: np.ndarray, is_dotted: bool) -> Iterator[tuple[int, int]]:
    """Row and column of every dot of a line through points, which breaks where one is NaN."""
    count = 0
    for k in range(len(x)):
        if not np.isfinite(y[k]):
            continue
        joined = k > 0 and np.isfinite(y[k - 1])
        start = (x[k - 1], y[k - 1]) if joined else (x[k], y[k])
        steps = int(max(abs(x[k] - start[0]), abs(y[k] - start[1]))) + 1
        for t in np.linspace(1 / steps, 1, steps) if joined else [1.0]:
            count += 1
            if is_dotted and count % 3 == 0:
                continue
            column = start[0] + t * (x[k] - start[0])
            row = start[1] + t * (y[k] - start[1])
            yield round(float(row)), round(float(column))
