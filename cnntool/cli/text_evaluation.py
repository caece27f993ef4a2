"""What `cnntool evaluate` does and shows for a language model."""

from __future__ import annotations

import json
import math
from typing import Any

from rich.table import Table
from rich.text import Text

from cnntool.cli.console import complain, console, print_json, reading, show, shows_colour
from cnntool.cli.text_wording import unit
from cnntool.datasets.texts.tokens import END
from cnntool.networks.model import load_text_model
from cnntool.training.measures import bits
from cnntool.training.report import TextReport, evaluate_text
from cnntool.wording import counted

HEAT = ("#1a9850", "#91cf60", "#d9ef8b", "#fee08b", "#fc8d59", "#d73027")
"""From what was expected to what was not (ColorBrewer's RdYlGn, by Cynthia Brewer)."""

BITS_A_COLOUR = 2.0


def evaluate_language_model(
    model: str,
    text: str,
    part: str | None,
    encoding: str | None,
    as_json: bool,
    tokens: bool,
    quiet: bool,
) -> None:
    """Measure a language model on a text, and print what was found.

    encoding: of the text, None for that of the model's own.
    """
    trained = load_text_model(model)
    with reading(text, quiet) as advance:
        corpus = trained.read(text, encoding, advance)
    report = evaluate_text(trained, corpus, part)
    if not quiet:
        for note in _notes(report, text):
            complain(note)
    screen = console()
    if tokens and (as_json or not (screen.is_terminal and shows_colour(screen))):
        _print_tokens(report)
    elif tokens:
        _colour_tokens(report)
    elif as_json:
        print_json(_entry(report, model, text))
    else:
        _show(report, f"{model} on {text}")


def _notes(report: TextReport, text: str) -> list[str]:
    if report.part == "validation":
        return [f"{text}: this is the end that training held out; --part all takes all"]
    if report.learned_from:
        return [f"{text}: the model learned from this text, a new one may be harder"]
    return []


def _entry(report: TextReport, model: str, text: str) -> dict[str, Any]:
    corpus = report.corpus
    return {
        "model": model,
        "text": text,
        "part": report.part,
        "level": corpus.vocabulary.level,
        "tokens": report.judgement.count,
        "characters": corpus.characters,
        "learned_from": report.learned_from,
        "loss": report.loss,
        "perplexity": report.perplexity if math.isfinite(report.perplexity) else None,
        "bits_per_token": report.bits_per_token,
        "bits_per_character": report.bits_per_character,
        "accuracy": report.judgement.accuracy,
        "unknown_rate": corpus.unknown_rate,
    }


def _show(report: TextReport, title: str) -> None:
    noun = unit(report.corpus.vocabulary.level)
    count = counted(report.judgement.count, noun)
    show(Text.assemble((title, "bold cyan"), f"  {count}, {report.part}"))
    show("")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row("loss", f"{report.loss:.4f}", f"nats a {noun}")
    table.add_row("perplexity", f"{report.perplexity:,.2f}", f"{noun}s it is in doubt between")
    if noun != "character":
        table.add_row(f"bits per {noun}", f"{report.bits_per_token:.4f}", "")
    if report.bits_per_character is not None:
        table.add_row("bits per character", f"{report.bits_per_character:.4f}", "")
    table.add_row("likeliest was right", f"{report.judgement.accuracy:.2%}", "")
    table.add_row("unknown", f"{report.corpus.unknown_rate:.2%}", f"of its {noun}s")
    show(table)


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
