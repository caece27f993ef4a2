"""Numbers as blocks of text: matrices with their positions, side by side where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnntool.cli.console import console, show

if TYPE_CHECKING:
    import numpy as np
    from rich.text import Text

PIPE_WIDTH = 120
"""How wide blocks side by side may be where no terminal says it."""

LARGEST_PLAIN, SMALLEST_PLAIN = 1e9, 1e-4
"""Beyond these, numbers are written with an exponent."""


@dataclass(frozen=True)
class Block:
    """Lines of one width: a title, the positions of the columns, the rows, and what follows."""

    lines: tuple[Text, ...]
    rows: int

    @property
    def width(self) -> int:
        return max(line.cell_len for line in self.lines)


def number_texts(values: np.ndarray, digits: int = 4) -> list[str]:
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
        zeros = min(len(text) - len(text.rstrip("0")) for text in _fixed(finite, decimals))
        decimals = max(min(1, decimals), decimals - zeros)
    if style == "f":
        flat = np.round(flat, decimals) + 0.0  # no -0
    return ["·" if value != value else f"{value:.{decimals}{style}}" for value in flat]


def _fixed(values: np.ndarray, decimals: int) -> list[str]:
    return [f"{value:.{decimals}f}" for value in values]


def number_text(value: float, digits: int = 4) -> str:
    return number_texts([value], digits)[0]


def matrix_block(
    values: np.ndarray,
    *,
    title: str,
    styles: Sequence[str] = (),
    marks: Sequence[str] = (),
    rows: Sequence[int] = (),
    columns: Sequence[int] = (),
    foot: str = "",
) -> Block:
    """A matrix (h, w) with the positions of its rows and columns, and a line beneath it.

    ``styles`` has one style a number; ``marks`` two characters that stand around it, ``()`` for
    what was made up and ``[]`` for what won.
    """
    from rich.text import Text

    height, width = values.shape
    texts = number_texts(values)
    styles, marks = styles or [""] * len(texts), marks or ["  "] * len(texts)
    column_heads, row_heads = [str(c) for c in columns], [str(r) for r in rows]
    cell = max(map(len, texts + column_heads))
    margin = max(map(len, row_heads), default=0)
    left = " " * (margin + 1 if margin else 0)
    lines = [Text.assemble(left, " ", (title, "bold"))]
    heads = "".join(f" {head:>{cell}} " for head in column_heads)
    lines.append(Text.assemble(left, (heads, "dim")))
    for i in range(height):
        line = Text.assemble((f"{row_heads[i]:>{margin}} " if margin else "", "dim"))
        for k in range(i * width, (i + 1) * width):
            before, after = marks[k]
            line.append(f"{before}{texts[k]:>{cell}}{after}", style=styles[k])
        lines.append(line)
    if foot:
        lines.append(Text.assemble(left, " ", foot))
    across = max(line.cell_len for line in lines)
    for line in lines:
        line.pad_right(across - line.cell_len)
    return Block(tuple(lines), height)


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
    from rich.text import Text

    height = max(len(block.lines) for block in blocks)
    middle = 2 + (blocks[0].rows - 1) // 2
    for i in range(height):
        line = Text()
        for block, sign in zip(blocks, signs, strict=True):
            if sign:
                line.append(f"  {sign if i == middle else ' '}  ", style="bold")
            line.append_text(block.lines[i] if i < len(block.lines) else Text(" " * block.width))
        show(line)


def layout_width() -> int:
    """Characters in a line of the terminal, or as many as a pipe is given."""
    screen = console()
    return screen.width if screen.is_terminal else PIPE_WIDTH


def pixel_style(share: float, channel: int | None = None) -> str:
    """A pixel's brightness from 0 to 1 as a background, in red, green or blue where it is one."""
    level = int(min(max(share, 0), 1) * 255)
    parts = [level if channel in (None, index) else level // 4 for index in range(3)]
    light = 0.3 * parts[0] + 0.6 * parts[1] + 0.1 * parts[2]
    ink = 0 if light > 120 else 255
    return f"rgb({ink},{ink},{ink}) on rgb({parts[0]},{parts[1]},{parts[2]})"
