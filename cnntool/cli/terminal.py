"""What the terminal draws: pictures and grids of filters, curves, and words in the plane.

Pictures are half blocks, two pixels a character, on stderr, below lines that say what they are:
letters within a picture would be too small to read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from cnntool.cli.console import complain, console, shows_colour, styled
from cnntool.files.image import Frame, Image
from cnntool.visuals.filter_sheet import filter_grid, limit_of, plan_grid, shades

if TYPE_CHECKING:
    from rich.text import Text

    from cnntool.visuals.charts import Curve
    from cnntool.visuals.filter_sheet import Panel

SHADES = " .:-=+*#%@"


def say(lines: Sequence[str]) -> None:
    """Print lines above a picture on stderr, cut between words where the terminal is narrower."""
    screen = console(stderr=True)
    for line in lines:
        for piece in wrap(line, max(20, screen.width - 1)) if screen.is_terminal else [line]:
            complain(piece)


def draw(image: Image, lines: int | None = None) -> None:
    """Draw an image's first frame on stderr, as large as the terminal, or so many lines, allow.

    In a terminal without colour (NO_COLOR, TERM=dumb, a pipe) it is drawn in ten characters.
    """
    screen = console(stderr=True)
    lines = lines or max(4, screen.height - 4)  # room for a note and the prompt
    pixels = _fit(image, screen.width - 1, 2 * lines)
    if not has_colour():
        for row in pixels[::2].mean(axis=2):
            shades = (SHADES[int(v * (len(SHADES) - 1) / 255 + 0.5)] for v in row)
            screen.print("".join(shades), markup=False)
        return
    from rich.segment import Segment, Segments
    from rich.style import Style

    if len(pixels) % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    segments = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            style = Style(color=_colour(top), bgcolor=_colour(bottom))
            segments.append(Segment("▀", style))
        segments.append(Segment.line())
    screen.print(Segments(segments), end="")


def draw_pixels(
    pixels: np.ndarray, words: Sequence[str] = (), lines: int | None = None, white: float = 255.0
) -> None:
    """Draw pixels (H, W, C), as :func:`draw` does an image of them, below lines of ``words``."""
    say(words)
    draw(Image((Frame(pixels),), white, "PNG"), lines)


def has_colour() -> bool:
    """Whether pictures are drawn in colours on stderr."""
    screen = console(stderr=True)
    return shows_colour(screen) and "utf" in screen.encoding.lower()


def _colour(pixel: np.ndarray) -> str:
    return f"rgb({pixel[0]},{pixel[1]},{pixel[2]})"


def _fit(image: Image, width: int, height: int) -> np.ndarray:
    """(h, w, 3) uint8 within the given size, its proportions kept, alpha over black."""
    from PIL import Image as Pillow

    frame = image.frames[0]
    rows, columns, _ = frame.pixels.shape
    step = max(1, min(rows // (4 * height), columns // (4 * width)))  # enough to average over
    values = frame.pixels[::step, ::step].astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if frame.pixels.dtype.kind == "f" and (low < 0 or high > image.white):
        values = (values - low) * (255 / ((high - low) or 1))
    else:
        values *= 255 / image.white
    if frame.alpha is not None:
        values *= (frame.alpha[::step, ::step] / image.white)[..., None]
    values = np.repeat(values[..., :1], 3, axis=2) if values.shape[2] < 3 else values[..., :3]
    rows, columns = values.shape[:2]
    factor = min(width / columns, height / rows, 1.0)
    size = max(1, round(columns * factor)), max(1, round(rows * factor))
    picture = Pillow.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
    return np.asarray(picture.resize(size, Pillow.Resampling.BOX))


def draw_grids(
    panels: Sequence[Panel],
    words: str,
    scale: str,
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
    scale: str,
    limit: float | None = None,
    columns: int | None = None,
    lines: int | None = None,
) -> None:
    """Draw a bank (F, C, kh, kw) on stderr."""
    screen = console(stderr=True)
    room = 2 * (lines or max(4, screen.height - 4)), screen.width - 1
    grid = plan_grid(bank.shape, columns, room, least=1)
    draw_pixels(filter_grid(shades(bank, scale, limit), grid), lines=lines)


CELL = 2
"""Characters of a cell of a heat map."""


def draw_cells(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], words: Sequence[str]
) -> None:
    """Draw numbers (R, C) from 0 to 1 on stderr, a cell each, below lines of ``words``: the names
    of rows left of them, those of columns read downwards above.

    Without colour a cell is one of ten characters, twice. Columns that do not fit are left out,
    which is said.
    """
    from rich.cells import cell_len, set_cell_size

    from cnntool.visuals.heat import tinted

    screen, coloured = console(stderr=True), has_colour()
    say(words)
    left = min(24, max(map(cell_len, rows)))
    fit = max(1, (screen.width - 1 - left - 1) // CELL) if screen.is_terminal else len(columns)
    for k in range(min(12, max(map(len, columns[:fit])))):
        letters = (set_cell_size(name[k : k + 1], CELL) for name in columns[:fit])
        screen.print(styled(" " * (left + 1) + "".join(letters)), soft_wrap=True)
    for name, numbers, colours in zip(rows, values, tinted(values), strict=True):
        line = styled(f"{set_cell_size(name, left)} ")
        for value, colour in zip(numbers[:fit], colours, strict=False):
            if coloured:
                line.append(" " * CELL, f"on {_colour(colour)}")
            else:
                line.append(SHADES[round(float(value) * (len(SHADES) - 1))] * CELL)
        screen.print(line, soft_wrap=True)
    if fit < len(columns):
        say([f"{len(columns) - fit} more columns do not fit: write a picture with -o"])


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
    screen = console()
    has_dots = "utf" in screen.encoding.lower()
    has_dots &= shows_colour(screen) or len({curve.run for curve in curves}) == 1
    width = max(16, min(WIDEST, screen.width - LABEL - 1))
    screen.print(styled(title, style="bold"))
    for line in chart_lines(curves, width, ROWS, has_dots, form):
        screen.print(line, soft_wrap=True)
    for curve in curves:
        mark = ("⠒⠂" if curve.is_dashed else "⠒⠒") if has_dots else _letter(curve)
        known = curve.y[np.isfinite(curve.y)]
        line = styled(f"{mark} {curve.name}", style=_style(curve))
        line.append(f": {form(known[0])} to {form(known[-1])}", "default")
        screen.print(line, soft_wrap=True)


def chart_lines(
    curves: Sequence[Curve], width: int, rows: int, has_dots: bool, form: Callable[[float], str]
) -> Iterator[Text]:
    """The lines of a chart: ``rows`` with values at their left, an axis, the epochs below it."""
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
        line = styled((form(value) if is_named else "").rjust(LABEL - 2) + " ")
        line.append("┤" if is_named and has_dots else "│" if has_dots else "|")
        for cell, owner in zip(cells[row], owners[row], strict=True):
            letter = chr(0x2800 + cell) if has_dots else _letter(curves[owner])
            line.append(letter if cell else " ", _style(curves[owner]) if cell else "")
        line.rstrip()
        yield line
    yield styled(" " * (LABEL - 1) + ("└" + "─" * width if has_dots else "+" + "-" * width))
    first, last = (str(round(value)) for value in x_range)
    yield styled(f"{' ' * LABEL}{first}{('epoch ' + last).rjust(width - len(first))}")


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


MOST_LINES = 40


def draw_words(
    points: np.ndarray, names: Sequence[str], words: Sequence[str], marked: Collection[int]
) -> None:
    """Draw points (N, 2) with their names on stderr, below lines of ``words``."""
    screen = console(stderr=True)
    say(words)
    size = max(6, min(MOST_LINES, screen.height - 4)), max(16, screen.width - 1)
    dot = "•" if "utf" in screen.encoding.lower() else "."
    for line, owners in zip(*word_lines(points, names, size, marked, dot), strict=True):
        text = styled()
        for is_marked, letters in groupby(zip(line, owners, strict=True), lambda at: at[1]):
            text.append("".join(letter for letter, _ in letters), "red" if is_marked else "")
        text.rstrip()
        screen.print(text, soft_wrap=True)


def word_lines(
    points: np.ndarray,
    names: Sequence[str],
    size: tuple[int, int],
    marked: Collection[int] = (),
    dot: str = ".",
) -> tuple[list[str], np.ndarray]:
    """Lines of letters, (height, width) of them, and where those of ``marked`` stand.

    Each point is a ``dot``, with its name right or left of it where that is free; names come in
    their order, those of ``marked`` first. Each axis has its own scale, and up is up.
    """
    from rich.cells import cell_len

    height, width = size
    letters, owners = np.full(size, " ", object), np.zeros(size, bool)
    low, high = points.min(axis=0), points.max(axis=0)
    share = (points - low) / np.where(high > low, high - low, 1)
    columns = np.rint(share[:, 0] * (width - 1)).astype(int)
    rows = np.rint((1 - share[:, 1]) * (height - 1)).astype(int)
    order = sorted(range(len(names)), key=lambda index: index not in marked)
    for index in reversed(order):  # of several at one place the first one's is seen
        letters[rows[index], columns[index]] = dot
        owners[rows[index], columns[index]] = index in marked
    taken = letters != " "
    for index in order:
        row, column, name = rows[index], columns[index], names[index]
        if not name.isprintable() or cell_len(name) != len(name):
            continue  # a letter that is two wide would move all that follow
        others = taken[row].copy()
        others[column] = False
        for start in (column + 1, column - len(name)):
            end = start + len(name)
            # One more on either side: two names that touch would read as one.
            if start < 0 or end > width or others[max(0, start - 1) : end + 1].any():
                continue
            letters[row, start:end] = list(name)
            taken[row, start:end] = True
            owners[row, start:end] = index in marked
            break
    return ["".join(row) for row in letters], owners
