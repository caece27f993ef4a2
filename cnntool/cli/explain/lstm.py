"""`cnntool explain lstm`: what the gates of one unit do, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.console import picked, show, styled, table
from cnntool.cli.explain.options import Report
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, option, takes
from cnntool.cli.types import WholeNumber
from cnntool.errors import InputError, RequestError
from cnntool.wording import signed, span

if TYPE_CHECKING:
    from rich.text import Text

    from cnntool.explain.recurrent import UnitTrace
    from cnntool.networks.model import TrainedText
    from cnntool.networks.model_file import Header

MOST_TOKENS = 10_000
COLUMN = 8
EQUATIONS = {
    "lstm": "c = forget c + input new;  h = output tanh(c)",
    "gru": "h = update h + (1 - update) new,  new looks at reset h",
    "rnn": "h = tanh(ih + hh + bias)",
}


@dataclass(frozen=True)
class Asked(Model):
    """Which unit of which model, and what it reads."""

    section = "What"
    text: str = option(
        "--text",
        str,
        "What the model reads; - reads it from stdin.",
        metavar="TEXT",
        required=True,
    )
    unit: int | None = option(
        "--unit",
        WholeNumber(0),
        "Which of the hidden units, from 0.  [default: the one that changes most over TEXT]",
    )
    layer: int | None = option(
        "--layer",
        WholeNumber(1),
        "Which of the recurrent layers, from 1.  [default: the last]",
    )


@click.command(
    "lstm",
    cls=SectionedCommand,
    epilog="""\b
A unit of an lstm has three gates, from 0 (closed) to 1 (open), and a candidate from -1 to 1:
  c = forget c + input new        what is kept of the cell, and what is put into it
  h = output tanh(c)              what of it is shown to the next layer and the next step
A gru has the gates reset and update, an rnn has none.

\b
Examples:
  cnntool explain lstm words.npz --text 'the king is dead , long live the king'
  cnntool explain lstm chars.npz --text 'He said: "Go (now)!"' --unit 7
  cnntool explain lstm chars.npz --text 'a (b) c' --json | jq -c '.tokens[] | [.token, .c]'""",
)
@takes(Asked, Report)
def command(asked: Asked, report: Report) -> None:
    """Show the gates, the cell and the hidden state of one unit while the model reads TEXT, token
    by token.
    """
    from cnntool.cli.typed_text import check_length, name_unknown, typed_text
    from cnntool.explain.recurrent import unit_trace
    from cnntool.networks.layers.recurrent import Recurrent
    from cnntool.networks.model import KINDS_OF_SEQUENCES, load_trained
    from cnntool.networks.model_file import load_header

    model = asked.model
    if (header := load_header(model)).kind in KINDS_OF_SEQUENCES:
        what = f"{model} is a {header.kind}: expected a language model"
        raise InputError(f"{what}{_instead(model, header)}")
    trained = load_trained(model, "rnn")
    units = [each.units for each in trained.network.layers if isinstance(each, Recurrent)]
    layer = asked.layer or len(units)
    if layer > len(units):
        raise RequestError(f"--layer {layer}: {model} has {span(1, len(units), 'layer')}")
    if asked.unit is not None and asked.unit >= units[layer - 1]:
        raise RequestError(
            f"--unit {asked.unit}: {model} has {span(0, units[layer - 1] - 1, 'unit')}"
        )
    text = typed_text(asked.text, trained, has_option=False)
    ids = trained.vocabulary.encode(text)
    check_length(len(ids), "token", MOST_TOKENS, asked.text == "-", "--text")
    name_unknown(text, trained.vocabulary, "--text")
    found = unit_trace(trained, ids, layer, asked.unit)
    tokens = ids.tolist()
    report.give(_entry, _show, trained, tokens, found)


def _instead(model: str, header: Header) -> str:
    """What shows a model of sequences, in the words that end a sentence; none of series."""
    form = header.preprocessing.get("form")
    if form == "steps":
        return ""
    if form == "picture":
        return f"; `cnntool explore {model}` shows what it makes of an image"
    return f"; `cnntool visualize states {model}` shows its gates, with --json every number"


def _entry(trained: TrainedText, tokens: list[int], found: UnitTrace) -> dict[str, Any]:
    names = trained.vocabulary.tokens
    return {
        "model": trained.name,
        **picked(found, "cell", "layer", "unit"),
        "tokens": [
            {"token": names[token], **dict(zip(found.values, values, strict=True))}
            for token, *values in zip(tokens, *found.values.values(), strict=True)
        ],
    }


def _show(trained: TrainedText, tokens: list[int], found: UnitTrace) -> None:
    from cnntool.cli.generated_text import token_text

    show((trained.name, "bold cyan"), f"  {found.cell}{found.layer}, unit {found.unit}")
    show(EQUATIONS[found.cell])
    show("")
    steps = table("token", *found.values)
    first, *others = steps.columns
    first.style, first.justify, first.overflow, first.max_width = "cyan", "left", "ellipsis", 24
    for column in others:
        column.min_width = COLUMN
    for token, *values in zip(tokens, *found.values.values(), strict=True):
        cells = map(_value, found.values, values)
        steps.add_row(styled(token_text(trained.vocabulary, token)), *cells)
    show(steps)


def _value(name: str, value: float) -> Text:
    """Green where a gate is open or a value positive, red where it is closed or negative."""
    from cnntool.networks.layers.recurrent import GATE_NAMES

    is_gate = name in GATE_NAMES
    share = value if is_gate else (value + 1) / 2
    style = "green" if share > 0.75 else "red" if share < 0.25 else ""
    return styled(f"{value:.3f}" if is_gate else signed(value), style=style)
