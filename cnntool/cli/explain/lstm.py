"""`cnntool explain lstm`: what the gates of one unit do, token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.explain.options import json_option
from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import PathName, WholeNumber

if TYPE_CHECKING:
    import numpy as np

    from cnntool.networks.trained_text import TrainedText

MOST_TOKENS = 10_000
COLUMN = 8
EQUATIONS = {
    "lstm": "c = forget c + input new;  h = output tanh(c)",
    "gru": "h = update h + (1 - update) new,  new looks at reset h",
    "rnn": "h = tanh(ih + hh + bias)",
}


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
@click.argument("model", metavar="MODEL", type=PathName("a model file"))
@option(
    "--text",
    section="What",
    required=True,
    metavar="TEXT",
    help="What the model reads; - reads it from stdin.",
)
@option(
    "--unit",
    section="What",
    type=WholeNumber(0),
    metavar="N",
    help="Which of the hidden units, from 0.  [default: the one that changes most over TEXT]",
)
@option(
    "--layer",
    section="What",
    type=WholeNumber(1),
    metavar="N",
    help="Which of the recurrent layers, from 1.  [default: the last]",
)
@json_option
def command(model: str, text: str, unit: int | None, layer: int | None, as_json: bool) -> None:
    """Show the gates, the cell and the hidden state of one unit while the model reads TEXT, token
    by token.
    """
    from cnntool.cli.console import print_json
    from cnntool.cli.writing import name_unknown, typed_text
    from cnntool.errors import InputError, RequestError, not_finite
    from cnntool.networks.trained_text import load_text_model
    from cnntool.wording import counted

    trained = load_text_model(model)
    architecture = trained.network.architecture
    layer = layer or architecture.layers
    if layer > architecture.layers:
        raise RequestError(f"--layer {layer}: {model} has layers 1 to {architecture.layers}")
    if unit is not None and unit >= architecture.hidden_size:
        raise RequestError(f"--unit {unit}: {model} has units 0 to {architecture.hidden_size - 1}")
    name, kind = ("stdin", InputError) if text == "-" else ("--text", RequestError)
    text = typed_text(text, trained)
    ids = trained.vocabulary.encode(text)
    if not 1 <= len(ids) <= MOST_TOKENS:
        raise kind(f"{name} has {counted(len(ids), 'token')}: expected 1 to {MOST_TOKENS:,}")
    name_unknown(text, trained.vocabulary, "--text")
    traces = trained.network.trace(ids, layer - 1)
    if not all(_is_finite(trace) for trace in traces.values()):
        raise not_finite(f"{model}: its network")
    if unit is None:
        unit = int(next(reversed(traces.values())).std(axis=0).argmax())
    rows = {name: trace[:, unit] for name, trace in traces.items()}
    if as_json:
        print_json(_entry(trained, ids, rows, layer, unit))
    else:
        _show(trained, ids, rows, layer, unit)


def _is_finite(trace: np.ndarray) -> bool:
    import numpy as np

    return bool(np.isfinite(trace).all())


def _entry(
    trained: TrainedText, ids: np.ndarray, rows: dict[str, np.ndarray], layer: int, unit: int
) -> dict[str, Any]:
    tokens = trained.vocabulary.tokens
    return {
        "model": trained.name,
        "cell": trained.network.architecture.cell,
        "layer": layer,
        "unit": unit,
        "tokens": [
            {"token": tokens[token], **{name: float(row[index]) for name, row in rows.items()}}
            for index, token in enumerate(ids.tolist())
        ],
    }


def _show(
    trained: TrainedText, ids: np.ndarray, rows: dict[str, np.ndarray], layer: int, unit: int
) -> None:
    from rich.table import Table
    from rich.text import Text

    from cnntool.cli.console import show
    from cnntool.cli.writing import token_text

    cell = trained.network.architecture.cell
    show(Text.assemble((trained.name, "bold cyan"), f"  {cell}{layer}, unit {unit}"))
    show(EQUATIONS[cell])
    show("")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("token", no_wrap=True, style="cyan", overflow="ellipsis", max_width=24)
    for name in rows:
        table.add_column(name, justify="right", no_wrap=True, min_width=COLUMN)
    for index, token in enumerate(ids.tolist()):
        values = (_value(name, float(row[index])) for name, row in rows.items())
        table.add_row(Text(token_text(trained.vocabulary, token)), *values)
    show(table)


def _value(name: str, value: float):
    """Green where a gate is open or a value positive, red where it is closed or negative."""
    from rich.text import Text

    is_gate = name in ("input", "forget", "output", "reset", "update")
    share = value if is_gate else (value + 1) / 2
    style = "green" if share > 0.75 else "red" if share < 0.25 else ""
    return Text(f"{value:.3f}" if is_gate else f"{value:+.3f}", style=style)
