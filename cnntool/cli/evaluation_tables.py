"""What `cnntool evaluate` shows: figures, a row a class, who is taken for whom, and mistakes; of a
text how well it was foretold, token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cnntool.cli.console import (
    console,
    harmless,
    json_text,
    labelled,
    one_line,
    show,
    shows_colour,
    table,
)
from cnntool.datasets.texts.tokens import END, UNITS, UNKNOWN
from cnntool.training.measures import bits, perplexity
from cnntool.training.report import Report, TextReport, confusions
from cnntool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions

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


def _plain(*heads: str, right: Sequence[str] = ()) -> Table:
    """A table of which the columns of names share the room that those of numbers leave."""
    made = table(*heads, left=[head for head in heads if head not in right])
    for head, column in zip(heads, made.columns, strict=True):
        column.min_width = NUMBER_WIDTH if head in right else None
    return made


def _name(text: str, style: str = "") -> Text:
    """A name, of which a narrow column shows the beginning."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


class _Path:
    """A path of which a narrow column shows the end, as that tells it from others."""

    def __init__(self, path: str) -> None:
        self._text = one_line(path)

    def __rich_measure__(self, screen: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, len(self._text))

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[Text]:
        text, room = self._text, options.max_width
        yield _name(text if len(text) <= room else f"...{text[3 - room :]}")


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
    rows = _plain("class", *names, "images", right=(*names, "images"))
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
        rows.add_row(_name(report.labels[k], "cyan"), *cells, f"{scores.support[k]:,}")
    for name, mean in (("macro average", scores.macro), ("weighted", scores.weighted)):
        cells = [_share(value) for value in (mean.precision, mean.recall, mean.f1)]
        rows.add_row(_name(name), *cells, f"{report.count:,}", style="bold")
    show(rows)
    if any(mask.any() for mask in scores.undefined.values()):
        over = ", ".join(f"{name} {scores.macro.classes[name.lower()]:,}" for name in names)
        _remark(f"averages are over the classes that have a figure: {over}")
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
    pairs = _plain("class", "taken for", "images", "of its own", right=("images", "of its own"))
    for pair in confusions(report.confusion)[:SHOWN_PAIRS]:
        names = report.labels[pair.target], report.labels[pair.predicted]
        pairs.add_row(*map(_name, names), f"{pair.count:,}", f"{pair.share:.1%}")
    show(pairs)
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
    matrix = table(
        "" if cell else "true \\ predicted",
        *(name if cell else f" {name}" for name in columns),
    )
    matrix.padding = (0, 0, 0, 0)
    matrix.columns[0].justify = "left"
    support = report.confusion.sum(axis=1)
    for row, name in enumerate(rows):
        cells = []
        for column, count in enumerate(report.confusion[row].tolist()):
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


def _cut(label: str) -> str:
    return label if len(label) <= NAME_WIDTH else label[: NAME_WIDTH - 3] + "..."


def _mistakes(report: Report) -> Table:
    heads = "image", "true", "taken for", "probability"
    rows = _plain(*heads, right=("probability",) if report.mistakes[0].file else heads[::3])
    for mistake in report.mistakes[:SHOWN_MISTAKES]:
        place = str(mistake.index) if mistake.file is None else _Path(mistake.file)
        names = (_name(report.labels[each]) for each in (mistake.target, mistake.predicted))
        rows.add_row(place, *names, f"{mistake.probability:.1%}")
    return rows


HEAT = ("#1a9850", "#91cf60", "#d9ef8b", "#fee08b", "#fc8d59", "#d73027")
"""From what was expected to what was not (ColorBrewer's RdYlGn, by Cynthia Brewer)."""

BITS_A_COLOUR = 2.0


def show_text_report(report: TextReport, title: str) -> None:
    """Print what a language model made of a text on stdout."""
    noun = UNITS[report.corpus.vocabulary.level]
    count = counted(report.count, noun)
    show((title, "bold cyan"), f"  {count}, {report.part}")
    show()
    rows = [
        ("loss", f"{report.loss:.4f}", f"nats a {noun}"),
        ("perplexity", f"{report.perplexity:,.2f}", f"{noun}s it is in doubt between"),
    ]
    corpus, unknown = report.corpus, report.unknown
    if unknown:
        known = f"{perplexity(report.known_loss):,.2f}"
        rows.append(("  of known ones", known, f"without {unknown:,} {UNKNOWN}"))
    if noun != "character":
        rows.append((f"bits per {noun}", f"{report.bits_per_token:.4f}", ""))
    if report.bits_per_character is not None:
        uncounted = f"how {unknown:,} {UNKNOWN} are spelled is not counted" if unknown else ""
        rows.append(("bits per character", f"{report.bits_per_character:.4f}", uncounted))
    rows.append(("likeliest was right", f"{report.accuracy:.2%}", ""))
    own = f", and {corpus.own_unknown_rate:.2%} are {UNKNOWN} in the text itself"
    words = f"of its {noun}s{own if len(corpus.own_unknown) else ''}"
    rows.append(("unknown", f"{corpus.unknown_rate:.2%}", words))
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
    surprisals = [None, *report.losses.tolist()]
    for index, (token, nats) in enumerate(zip(corpus.ids.tolist(), surprisals, strict=True)):
        entry = {
            "index": index,
            "token": tokens[token],
            "surprisal": None if nats is None else round(nats, 5),
            "bits": None if nats is None else round(bits(nats), 5),
        }
        print(json_text(entry))


def _colour_tokens(report: TextReport) -> None:
    """The text, each token on the colour of its surprisal, and what the colours mean."""
    screen, vocabulary = console(), report.corpus.vocabulary
    line, ids = Text(), report.corpus.ids.tolist()
    surprisals = [0.0, *report.losses.tolist()]
    for token, nats, text in zip(ids, surprisals, vocabulary.decoded(ids), strict=False):
        if text == "\n" or vocabulary.tokens[token] == END:
            line.append("↵", _style(nats))
            screen.print(line)
            line = Text()
            continue
        body = text.lstrip(" ") if vocabulary.level == "word" else text
        line.append(text[: len(text) - len(body)])
        line.append(harmless(body), _style(nats))
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
