"""What `cnntool evaluate` shows: figures, a row a class, who is taken for whom, and mistakes; of a
text how well it was foretold, token by token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from cnntool.cli.console import console, labelled, one_line, show, shows_colour
from cnntool.datasets.texts.tokens import END, UNITS
from cnntool.training.measures import bits
from cnntool.training.report import Report, TextReport, confusions
from cnntool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CLASSES = 40
"""Rows of classes in a terminal; of more, those with the lowest F1 are shown."""

SHOWN_CLASSES = 20
SHOWN_PAIRS = 12
SHOWN_MISTAKES = 10
PLAIN_CLASSES = 60
"""Classes up to which a matrix goes into a pipe."""

NAME_WIDTH = 24
COLUMN_WIDTH = 6
NUMBER_WIDTH = 6


def show_report(report: Report, title: str, part: str) -> None:
    """Print a report on stdout."""
    images = f"{counted(report.count, 'image')}, {part}, in {counted(len(report.labels), 'class')}"
    show((title, "bold cyan"), f"  {images}")
    show()
    show(labelled(_figures(report)))
    show()
    _show_classes(report)
    show()
    _show_confusion(report)
    if report.mistakes:
        shown = surest(SHOWN_MISTAKES, len(report.mistakes))
        heading = shown if report.mistakes[0].file else f"{shown}; images count from 0"
        show()
        show((heading, "italic"))
        show(_mistakes(report))


def surest(most: int, mistakes: int) -> str:
    """What is shown of mistakes, at most ``most``: ``the 10 surest of 61 mistakes``."""
    if mistakes <= most:
        return "the only mistake" if mistakes == 1 else f"all {mistakes} mistakes, the surest first"
    return f"the {most} surest of {mistakes:,} mistakes"


def _plain(*headers: str, right: Sequence[str] = ()) -> Table:
    """A table of which the columns of names share the room that those of numbers leave."""
    most = _room(headers, right)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        is_number = header in right
        table.add_column(
            header,
            justify="right" if is_number else "left",
            min_width=max(NUMBER_WIDTH, len(header)) if is_number else None,
            max_width=None if is_number else most,
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _room(headers: Sequence[str], right: Sequence[str]) -> int | None:
    """Letters for each column of names; None in a pipe, where there is no limit."""
    screen = console()
    if not screen.is_terminal:
        return None
    numbers = sum(2 + max(NUMBER_WIDTH, len(header)) for header in right)
    return max(8, (screen.width - numbers) // (len(headers) - len(right)) - 2)


def _figures(report: Report) -> list[tuple[str, str, Text]]:
    wrong = len(report.mistakes)
    right = f"{report.count - wrong:,} right, {wrong:,} wrong"
    rows = [("accuracy", f"{report.accuracy:.2%}", right)]
    if report.k < len(report.labels):
        rows.append((f"top-{report.k}", f"{report.top_k:.2%}", "the class is among the likeliest"))
    rows.append(("loss", f"{report.loss:.4f}", "cross-entropy in nats"))
    return [(name, figure, Text(remark, "dim")) for name, figure, remark in rows]


def _show_classes(report: Report) -> None:
    names = "precision", "recall", "F1"
    table = _plain("class", *names, "images", right=(*names, "images"))
    scores = report.scores
    values = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
    order = np.arange(len(report.labels))
    is_cut = console().is_terminal and len(report.labels) > MOST_CLASSES
    if is_cut:
        order = np.argsort(scores.f1 + scores.undefined["f1"], kind="stable")[:SHOWN_CLASSES]
    for k in order.tolist():
        cells = [
            Text("-", style="dim") if scores.undefined[name][k] else _share(column[k])
            for name, column in values.items()
        ]
        table.add_row(Text(report.labels[k], style="cyan"), *cells, f"{scores.support[k]:,}")
    for name, mean in (("macro average", scores.macro), ("weighted", scores.weighted)):
        cells = [_share(value) for value in (mean.precision, mean.recall, mean.f1)]
        table.add_row(name, *cells, f"{report.count:,}", style="bold")
    show(table)
    if is_cut:
        _remark(f"the {SHOWN_CLASSES} lowest F1; --json gives every class")


def _remark(text: str) -> None:
    show((text, "italic dim"))


def _share(value: float) -> Text:
    style = "green" if value >= 0.9 else "yellow" if value >= 0.6 else "red"
    return Text(f"{value:.1%}", style=style)


def _show_confusion(report: Report) -> None:
    """The matrix where it fits, else the pairs of classes that are confused most often."""
    screen, classes = console(), len(report.labels)
    if not screen.is_terminal and classes <= PLAIN_CLASSES:
        show(_matrix(report, report.labels, report.labels, 0))
        return
    rows, columns = _abbreviated(report.labels)
    cell = 1 + max(len(str(report.confusion.max())), *map(len, columns))
    if max(map(len, rows)) + 2 + classes * cell <= screen.width and classes <= PLAIN_CLASSES:
        show(_matrix(report, rows, columns, cell))
        _remark("rows: true class; columns: predicted class")
        return
    table = _plain("class", "taken for", "images", "of its own", right=("images", "of its own"))
    for pair in confusions(report.confusion)[:SHOWN_PAIRS]:
        names = report.labels[pair.target], report.labels[pair.predicted]
        table.add_row(*map(Text, names), f"{pair.count:,}", f"{pair.share:.1%}")
    show(table)
    _remark("--confusion draws the whole matrix, --json gives it")


def _abbreviated(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names for rows and columns: where they are too wide for columns, those have numbers."""
    if max(map(len, labels)) <= COLUMN_WIDTH:
        return list(labels), list(labels)
    width = len(str(len(labels) - 1))
    rows = [f"{index:{width}} {_cut(label)}" for index, label in enumerate(labels)]
    return rows, [str(index) for index in range(len(labels))]


def _matrix(report: Report, rows: Sequence[str], columns: Sequence[str], cell: int) -> Table:
    """A row a true class; cells of this width are shaded, of width 0 they are plain."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=0)
    table.add_column("" if cell else "true \\ predicted", no_wrap=True)
    for name in columns:
        table.add_column(Text(name if cell else f" {name}"), justify="right", no_wrap=True)
    support = report.confusion.sum(axis=1)
    for row, name in enumerate(rows):
        cells = []
        for column, count in enumerate(report.confusion[row].tolist()):
            share = count / support[row] if support[row] else 0.0
            cells.append(_cell(count, share, row == column, cell))
        table.add_row(Text(name, style="cyan") + "  ", *cells)
    return table


def _cell(count: int, share: float, is_right: bool, width: int) -> Text:
    if not width:
        return Text(f" {count}")
    if not count:
        return Text("·".rjust(width), style="dim")
    level = round(60 + 110 * share)
    colour = f"rgb(0,{level // 2},{level})" if is_right else f"rgb({min(255, level + 60)},40,0)"
    return Text(str(count).rjust(width), style=f"white on {colour}")


def _cut(label: str) -> str:
    return label if len(label) <= NAME_WIDTH else label[: NAME_WIDTH - 3] + "..."


def _mistakes(report: Report) -> Table:
    headers = "image", "true", "taken for", "probability"
    right = ("probability",) if report.mistakes[0].file else ("image", "probability")
    table = _plain(*headers, right=right)
    shown = [
        (mistake, report.labels[mistake.target], report.labels[mistake.predicted])
        for mistake in report.mistakes[:SHOWN_MISTAKES]
    ]
    room = _room(headers, right)
    if room is not None and report.mistakes[0].file:  # what short names leave is the path's
        widths = (
            max(map(len, column))
            for column in zip(headers[1:3], *(row[1:] for row in shown), strict=True)
        )
        room = 3 * room - sum(min(width, room) for width in widths)
        table.columns[0].max_width = room
    for mistake, *names in shown:
        place = str(mistake.index) if mistake.file is None else _end_of(mistake.file, room)
        table.add_row(Text(place), *map(Text, names), f"{mistake.probability:.1%}")
    return table


def _end_of(path: str, room: int | None) -> str:
    """A path of which a narrow column shows the end, as that tells it from others."""
    path = one_line(path)
    return path if room is None or len(path) <= room else f"...{path[3 - room :]}"


HEAT = ("#1a9850", "#91cf60", "#d9ef8b", "#fee08b", "#fc8d59", "#d73027")
"""From what was expected to what was not (ColorBrewer's RdYlGn, by Cynthia Brewer)."""

BITS_A_COLOUR = 2.0


def show_text_report(report: TextReport, title: str) -> None:
    """Print what a language model made of a text on stdout."""
    noun = UNITS[report.corpus.vocabulary.level]
    count = counted(report.judgement.count, noun)
    show((title, "bold cyan"), f"  {count}, {report.part}")
    show()
    rows = [
        ("loss", f"{report.loss:.4f}", f"nats a {noun}"),
        ("perplexity", f"{report.perplexity:,.2f}", f"{noun}s it is in doubt between"),
    ]
    if noun != "character":
        rows.append((f"bits per {noun}", f"{report.bits_per_token:.4f}", ""))
    if report.bits_per_character is not None:
        rows.append(("bits per character", f"{report.bits_per_character:.4f}", ""))
    rows.append(("likeliest was right", f"{report.judgement.accuracy:.2%}", ""))
    rows.append(("unknown", f"{report.corpus.unknown_rate:.2%}", f"of its {noun}s"))
    show(labelled(rows))


def show_tokens(report: TextReport, as_json: bool) -> None:
    """Print every token with its surprisal: in colour where that is seen, else as JSON."""
    screen = console()
    if as_json or not (screen.is_terminal and shows_colour(screen)):
        _print_tokens(report)
    else:
        _colour_tokens(report)


def _print_tokens(report: TextReport) -> None:
    """A line of JSON a token; the first, which is given, has no surprisal."""
    corpus, tokens = report.corpus, report.corpus.vocabulary.tokens
    surprisals = [None, *report.judgement.losses.tolist()]
    for index, (token, nats) in enumerate(zip(corpus.ids.tolist(), surprisals, strict=True)):
        entry = {
            "index": index,
            "token": tokens[token],
            "surprisal": None if nats is None else round(nats, 5),
            "bits": None if nats is None else round(bits(nats), 5),
        }
        print(json.dumps(entry, ensure_ascii=False))


def _colour_tokens(report: TextReport) -> None:
    """The text, each token on the colour of its surprisal, and what the colours mean."""
    screen, vocabulary = console(), report.corpus.vocabulary
    decoder = vocabulary.decoder()
    line = Text()
    surprisals = [0.0, *report.judgement.losses.tolist()]
    for token, nats in zip(report.corpus.ids.tolist(), surprisals, strict=True):
        text = decoder.feed(token)
        if text == "\n" or vocabulary.tokens[token] == END:
            line.append("↵", _style(nats))
            screen.print(line)
            line = Text()
            continue
        body = text.lstrip(" ") if vocabulary.level == "word" else text
        line.append(text[: len(text) - len(body)])
        line.append(body, _style(nats))
    if line:
        screen.print(line)
    legend = Text("bits: ")
    for index, colour in enumerate(HEAT):
        low = BITS_A_COLOUR * index
        high = f"-{low + BITS_A_COLOUR:g}" if index + 1 < len(HEAT) else "+"
        legend.append(f" {low:g}{high} ", f"black on {colour}")
    screen.print(legend)


def _style(nats: float) -> str:
    index = min(len(HEAT) - 1, int(bits(nats) / BITS_A_COLOUR))
    return f"black on {HEAT[index]}"
