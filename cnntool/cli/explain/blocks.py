"""The numbers of one step as text: matrices with their positions, side by side if there is room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnntool.cli.console import console, show, styled, table
from cnntool.wording import ROUNDING

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table
    from rich.text import Text

    from cnntool.engine.windows import Axis

PIPE_WIDTH = 120
"""How wide blocks side by side may be where no terminal says it."""

LARGEST_PLAIN, SMALLEST_PLAIN = 1e9, 1e-4
"""Beyond these, numbers are written with an exponent."""

DIGITS = 6
"""Of values on their way to a pixel, so that rounding can be followed."""

LARGEST_MATRIX = 15
"""Weights on a side of a matrix that is shown whole; of larger ones the middle is."""

LARGEST_SHOWN = 9
"""Elements on a side of a window that is shown whole; of larger ones those that matter most are."""

MOST_LISTED = 12
MOST_CHANNELS = 4


@dataclass(frozen=True)
class Block:
    """Lines of one width: a title, the positions of the columns, the rows, and what follows."""

    lines: tuple[Text, ...]
    rows: int

    @property
    def width(self) -> int:
        return max(line.cell_len for line in self.lines)


def number_texts(values: np.ndarray | Sequence[float], digits: int = 4) -> list[str]:
    """Numbers, flattened, with as many decimals as give the largest so many significant digits.

    Whole numbers are written in full; NaN, where there is no number, is a dot.
    """
    import numpy as np

    flat = np.asarray(values, np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    largest = np.abs(finite).max(initial=0)
    style, decimals = "f", 0
    if largest >= LARGEST_PLAIN or 0 < largest < SMALLEST_PLAIN:
        style, decimals = "e", digits - 1
    elif not np.array_equal(finite, np.rint(finite)):
        decimals = int(min(digits + 2, max(0, digits - 1 - np.floor(np.log10(largest)))))
        texts = [f"{value:.{decimals}f}" for value in finite]
        zeros = min(len(text) - len(text.rstrip("0")) for text in texts)
        decimals = max(min(1, decimals), decimals - zeros)
    if style == "f":
        flat = np.round(flat, decimals) + 0.0  # no -0
    return ["·" if value != value else f"{value:.{decimals}{style}}" for value in flat]


def number_text(value: float, digits: int = 4) -> str:
    return number_texts([value], digits)[0]


def matrix_block(
    values: np.ndarray,
    *,
    title: str,
    styles: Sequence[str],
    marks: Sequence[str] = (),
    rows: Sequence[int] = (),
    columns: Sequence[int] = (),
    foot: str | Text = "",
) -> Block:
    """A matrix (h, w) with the positions of its rows and columns, and a line beneath it.

    ``styles`` has one style a number; ``marks`` two characters that stand around it, ``()`` for
    what was made up and ``[]`` for what won.
    """
    height, width = values.shape
    texts = number_texts(values)
    marks = marks or ["  "] * len(texts)
    column_heads, row_heads = [str(c) for c in columns], [str(r) for r in rows]
    cell = max(map(len, texts + column_heads))
    margin = max(map(len, row_heads), default=0)
    left = " " * (margin + 1 if margin else 0)
    lines = [styled(left, " ", (title, "bold"))]
    heads = "".join(f" {head:>{cell}} " for head in column_heads)
    lines.append(styled(left, (heads, "dim")))
    for i in range(height):
        line = styled((f"{row_heads[i]:>{margin}} " if margin else "", "dim"))
        for k in range(i * width, (i + 1) * width):
            before, after = marks[k][0], marks[k][1]
            line.append(f"{before}{texts[k]:>{cell}}{after}", style=styles[k])
        lines.append(line)
    if foot:
        lines.append(styled(left, " ", foot))
    across = max(line.cell_len for line in lines)
    for line in lines:
        line.pad_right(across - line.cell_len)
    return Block(tuple(lines), height)


def shaded_block(values: np.ndarray, title: str, foot: str | Text = "") -> Block:
    """A matrix, positive numbers on green and negative ones on red; NaN is no number."""
    import numpy as np

    largest = np.nanmax(np.abs(values)) or 1
    styles = ["dim" if v != v else shade(v / largest) for v in values.ravel()]
    return matrix_block(values, title=title, styles=styles, foot=foot)


def matrix_table(matrix: np.ndarray, width: int) -> Table:
    """The weights as a Rich table, positive ones on green and negative ones on red.

    What is too large for ``width`` characters, or 15 weights on a side, is shown by its middle.
    """
    largest = abs(matrix).max() or 1
    matrix = matrix * (abs(matrix) > ROUNDING * largest)
    cell = 2 + max(len(_weight(value)) for value in matrix[_middle(len(matrix))].ravel())
    most = max(1, min(LARGEST_MATRIX, width // cell))
    rows, columns = _middle(matrix.shape[0]), _middle(matrix.shape[1], most)
    shown = matrix[rows, columns]
    made = table(*[""] * shown.shape[1])
    made.padding = (0, 0, 0, 0)
    for row in shown:
        made.add_row(*(styled(f" {_weight(v)} ", style=shade(v / largest)) for v in row))
    if shown.shape != matrix.shape:
        made.caption = f"the middle of {matrix.shape[0]} x {matrix.shape[1]}; --json gives all"
        made.caption_justify = "left"
    return made


def _middle(size: int, most: int = LARGEST_MATRIX) -> slice:
    """At most so many places in the middle, their number as odd or even as the size."""
    most -= (size - most) % 2 if size > most else 0
    first = max(0, (size - most) // 2)
    return slice(first, first + min(size, most))


def _weight(value: float) -> str:
    return f"{value:g}" if value == round(value, 3) else f"{value:.2g}"


def shade(share: float) -> str:
    """The weight's share of the largest one as a background from black to green or red."""
    level = int(40 + 130 * abs(share)) if share else 0
    colour = f"rgb(0,{level},0)" if share > 0 else f"rgb({level},0,0)"
    return f"white on {colour}" if share else "dim"


def window_block(
    pixels: np.ndarray,
    channel: int,
    white: float,
    *,
    marks: Sequence[str],
    rows: Sequence[int],
    columns: Sequence[int],
    more: str = "",
) -> Block:
    """A channel of the pixels (h, w, C) under a window, each on its own brightness.

    NaN is outside the picture; ``more`` ends the title.
    """
    values, count = pixels[..., channel], pixels.shape[2]
    title = f"{channel_names(count)[channel]} window".strip() + more
    styles = ["dim" if v != v else pixel_style(v / white, channel, count) for v in values.ravel()]
    return matrix_block(values, title=title, styles=styles, marks=marks, rows=rows, columns=columns)


def shown_channels(count: int) -> range:
    """The channels that are shown of so many; says so where that is not all of them."""
    if count > MOST_CHANNELS:
        show(f"the first {MOST_CHANNELS} of {count} channels; --json gives all")
    return range(min(count, MOST_CHANNELS))


def show_window(
    shape: Sequence[int],
    blocks: Callable[[], Mapping[str, Block]],
    show_largest: Callable[[], None],
) -> None:
    """Print a window (h, w) as blocks, by the sign before each, or its largest elements alone
    where it is large or a block does not fit into a line."""
    show("")
    if max(shape) <= LARGEST_SHOWN:
        made = blocks()
        if max(block.width for block in made.values()) <= layout_width():
            show_beside(tuple(made.values()), tuple(made))
            return
    show_largest()


def largest_table(
    heads: Sequence[str],
    values: Sequence[np.ndarray],
    places: tuple[np.ndarray, np.ndarray],
    rows: Sequence[int],
    columns: Sequence[int],
    is_inside: np.ndarray,
) -> Table:
    """Some elements of a window: where they are, in parentheses outside the picture, and values.

    ``places`` are their rows and columns in the window, ``rows`` and ``columns`` its positions.
    """
    listed = table("at x,y", *heads, style="dim")
    texts = [number_texts(each[places]) for each in values]
    for row, column, *cells in zip(*places, *texts, strict=True):
        place = f"{columns[column]},{rows[row]}"
        listed.add_row(place if is_inside[row, column] else f"({place})", *cells)
    return listed


def show_beside(blocks: Sequence[Block], signs: Sequence[str]) -> None:
    """Print blocks from left to right with a sign before each, below each other where it is tight.

    ``signs`` has one for each block, ``""`` for the first.
    """
    width, start = layout_width(), 0
    while start < len(blocks):
        stop, used = start, 0
        while stop < len(blocks) and (stop == start or used + blocks[stop].width + 5 <= width):
            used += blocks[stop].width + (5 if stop or start else 0)
            stop += 1
        _show_row(blocks[start:stop], signs[start:stop])
        start = stop


def _show_row(blocks: Sequence[Block], signs: Sequence[str]) -> None:
    height = max(len(block.lines) for block in blocks)
    middle = 2 + (blocks[0].rows - 1) // 2
    for i in range(height):
        line = styled()
        for block, sign in zip(blocks, signs, strict=True):
            if sign:
                line.append(f"  {sign if i == middle else ' '}  ", style="bold")
            line.append_text(block.lines[i] if i < len(block.lines) else styled(" " * block.width))
        show(line)


def layout_width() -> int:
    """Characters in a line of the terminal, or as many as a pipe is given."""
    screen = console()
    return screen.width if screen.is_terminal else PIPE_WIDTH


def size_formula(axis: Axis) -> str:
    """The output size with the numbers filled in: ``⌊(32 + 2 + 2 - 5) / 2⌋ + 1 = 16``."""
    pads = f" + {axis.before} + {axis.after}" if axis.before or axis.after else ""
    rounds = "⌈⌉" if axis.overhang else "⌊⌋"
    inside = f"{axis.size}{pads} - {axis.extent}"
    return f"{rounds[0]}({inside}) / {axis.stride}{rounds[1]} + 1 = {axis.output_size}"


def channel_names(count: int) -> list[str]:
    """``red``, ``green``, ``blue`` or ``channel 0`` and so on; a grey picture's has no name.

    Of very many only so many as are shown.
    """
    if count == 1:
        return [""]
    names = ["red", "green", "blue"] if count == 3 else [f"channel {i}" for i in range(count)]
    return names[:MOST_CHANNELS]


def pixel_texts(pixels: np.ndarray, white: float) -> list[Text]:
    """The values of a pixel, a channel each, on their own brightness."""
    return [
        styled(text, style=f"bold {pixel_style(float(pixel) / white, i, len(pixels))}")
        for i, (text, pixel) in enumerate(zip(number_texts(pixels, DIGITS), pixels, strict=True))
    ]


def pixel_style(share: float, channel: int, count: int) -> str:
    """The brightness from 0 to 1 of a channel of so many as a background, in red, green or blue
    where it is one of them."""
    level = int(min(max(share, 0), 1) * 255)
    parts = [level if count != 3 or channel == index else level // 4 for index in range(3)]
    light = 0.3 * parts[0] + 0.6 * parts[1] + 0.1 * parts[2]
    ink = 0 if light > 120 else 255
    return f"rgb({ink},{ink},{ink}) on rgb({parts[0]},{parts[1]},{parts[2]})"
