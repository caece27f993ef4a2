"""Tables of classes: how well each is told, and which are taken for which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cnntool.cli.console import console, one_line, show, table
from cnntool.training.measures import ClassScores
from cnntool.training.report import confusions
from cnntool.wording import shortened

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

MOST_CLASSES = 40
"""Rows of classes in a terminal; of more, those with the lowest F1 are shown."""

SHOWN_CLASSES = 20
SHOWN_PAIRS = 12
PLAIN_CLASSES = 60
"""Classes up to which a matrix goes into a pipe."""

NAME_WIDTH = 24
COLUMN_WIDTH = 6
NUMBER_WIDTH = 6


def show_classes(
    labels: Sequence[str], scores: ClassScores, unit: str, head: str = "class"
) -> None:
    """A row a class, and the averages; of very many the worst. unit: what there are some of."""
    names = "precision", "recall", "F1"
    rows = plain_table(head, *names, unit, right=(*names, unit))
    values = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
    order = np.arange(len(labels))
    is_cut = console().is_terminal and len(labels) > MOST_CLASSES
    if is_cut:
        order = np.argsort(scores.f1 + scores.undefined["f1"], kind="stable")[:SHOWN_CLASSES]
    for k in order.tolist():
        cells = [
            Text("-", style="dim") if scores.undefined[name][k] else share_text(column[k])
            for name, column in values.items()
        ]
        rows.add_row(name_text(labels[k], "cyan"), *cells, f"{scores.support[k]:,}")
    for name, mean in (("macro average", scores.macro), ("weighted", scores.weighted)):
        cells = [share_text(value) for value in (mean.precision, mean.recall, mean.f1)]
        rows.add_row(name_text(name), *cells, f"{scores.support.sum():,}", style="bold")
    show(rows)
    if any(mask.any() for mask in scores.undefined.values()):
        over = ", ".join(f"{name} {scores.macro.classes[name.lower()]:,}" for name in names)
        remark(f"averages are over the classes that have a figure: {over}")
    if is_cut:
        remark(f"the {SHOWN_CLASSES} lowest F1; --json gives every class")


def remark(text: str) -> None:
    show((text, "italic dim"))


def share_text(value: float) -> Text:
    style = "green" if value >= 0.9 else "yellow" if value >= 0.6 else "red"
    return Text(f"{value:.1%}", style=style)


def show_confusion(confusion: np.ndarray, labels: Sequence[str], unit: str) -> None:
    """The matrix where it fits, else the pairs of classes that are confused most often."""
    screen, classes = console(), len(labels)
    if not screen.is_terminal and classes <= PLAIN_CLASSES:
        show(_matrix(confusion, labels, labels, 0))
        return
    rows, columns = _abbreviated(labels)
    cell = 1 + max(len(str(confusion.max())), *map(len, columns))
    if max(map(len, rows)) + 2 + classes * cell <= screen.width and classes <= PLAIN_CLASSES:
        show(_matrix(confusion, rows, columns, cell))
        remark("rows: true class; columns: predicted class")
        return
    pairs = plain_table("class", "taken for", unit, "of its own", right=(unit, "of its own"))
    for pair in confusions(confusion)[:SHOWN_PAIRS]:
        names = labels[pair.target], labels[pair.predicted]
        pairs.add_row(*map(name_text, names), f"{pair.count:,}", f"{pair.share:.1%}")
    show(pairs)
    remark("--confusion draws the whole matrix, --json gives it")


def _abbreviated(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names for rows and columns: where they are too wide for columns, those have numbers."""
    if max(map(len, labels)) <= COLUMN_WIDTH:
        return list(labels), list(labels)
    width = len(str(len(labels) - 1))
    rows = [f"{index:{width}} {shortened(label, NAME_WIDTH)}" for index, label in enumerate(labels)]
    return rows, [str(index) for index in range(len(labels))]


def _matrix(confusion: np.ndarray, rows: Sequence[str], columns: Sequence[str], cell: int) -> Table:
    """A row a true class; cells of this width are shaded, of width 0 they are plain."""
    matrix = table(
        "" if cell else "true \\ predicted",
        *(name if cell else f" {name}" for name in columns),
    )
    matrix.padding = (0, 0, 0, 0)
    matrix.columns[0].justify = "left"
    support = confusion.sum(axis=1)
    for row, name in enumerate(rows):
        cells = []
        for column, count in enumerate(confusion[row].tolist()):
            share = count / support[row] if support[row] else 0.0
            cells.append(_cell(count, share, row == column, cell))
        matrix.add_row(Text(name, style="cyan") + "  ", *cells)
    return matrix


def _cell(count: int, share: float, is_right: bool, width: int) -> Text:
    if not width:
        return Text(f" {count}")
    if not count:
        return Text("·".rjust(width), style="dim")
    level = round(60 + 110 * share)
    colour = f"rgb(0,{level // 2},{level})" if is_right else f"rgb({min(255, level + 60)},40,0)"
    return Text(str(count).rjust(width), style=f"white on {colour}")


def plain_table(*heads: str, right: Sequence[str] = ()) -> Table:
    """A table of which the columns of names share the room that those of numbers leave."""
    made = table(*heads, left=[head for head in heads if head not in right])
    for head, column in zip(heads, made.columns, strict=True):
        column.min_width = NUMBER_WIDTH if head in right else None
    return made


def name_text(text: str, style: str = "") -> Text:
    """A name, of which a narrow column shows the beginning."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


class PathText:
    """A path of which a narrow column shows the end, as that tells it from others."""

    def __init__(self, path: str) -> None:
        self._text = one_line(path)

    def __rich_measure__(self, screen: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, len(self._text))

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[Text]:
        text, room = self._text, options.max_width
        yield name_text(text if len(text) <= room else f"...{text[3 - room :]}")
