"""Words in the plane as lines of letters, as those of a picture would be too small to read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

import numpy as np

from cnntool.cli.console import console

MOST_LINES = 40


def draw_words(
    points: np.ndarray, names: Sequence[str], words: Sequence[str], marked: Collection[int] = ()
) -> None:
    """Draw points (N, 2) with their names on stderr, below lines of ``words``."""
    from rich.text import Text

    from cnntool.cli.terminal.pictures import say

    screen = console(stderr=True)
    say(words)
    size = max(6, min(MOST_LINES, screen.height - 4)), max(16, screen.width - 1)
    dot = "•" if "utf" in screen.encoding.lower() else "."
    for line, owners in zip(*word_lines(points, names, size, marked, dot), strict=True):
        text = Text()
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
