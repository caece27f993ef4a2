"""What `cnntool evaluate` shows of a text: how well it was foretold, token by token."""

from __future__ import annotations

from rich.text import Text

from cnntool.cli.console import console, harmless, json_text, labelled, show, shows_colour
from cnntool.datasets.texts.tokens import END, UNITS, UNKNOWN
from cnntool.training.evaluation import TextReport
from cnntool.training.measures import bits, perplexity
from cnntool.wording import counted

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
