"""`cnntool explain lstm`: what the gates of one unit do, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.explain.options import Report
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, option, takes
from cnntool.cli.types import PathName, WholeNumber

if TYPE_CHECKING:
    import numpy as np
    from rich.text import Text

    from cnntool.networks.model import TrainedText
    from cnntool.networks.network import Network

MOST_TOKENS = 10_000
COLUMN = 8
GATES = ("input", "forget", "output", "reset", "update")
EQUATIONS = {
    "lstm": "c = forget c + input new;  h = output tanh(c)",
    "gru": "h = update h + (1 - update) new,  new looks at reset h",
    "rnn": "h = tanh(ih + hh + bias)",
}


@dataclass(frozen=True)
class Asked:
    """Which unit of which model, and what it reads."""

    section = "What"
    model: str = argument("MODEL", PathName("a model file"))
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
    import numpy as np

    from cnntool.cli.console import print_json
    from cnntool.cli.writing import name_unknown, typed_text
    from cnntool.errors import InputError, RequestError, not_finite
    from cnntool.networks.model import load_text_model
    from cnntool.networks.zoo import language_sizes
    from cnntool.wording import counted

    trained, model = load_text_model(asked.model), asked.model
    sizes = language_sizes(trained.network)
    layer = asked.layer or sizes["layers"]
    if layer > sizes["layers"]:
        raise RequestError(f"--layer {layer}: {model} has layers 1 to {sizes['layers']}")
    if asked.unit is not None and asked.unit >= sizes["hidden_size"]:
        last = sizes["hidden_size"] - 1
        raise RequestError(f"--unit {asked.unit}: {model} has units 0 to {last}")
    name, kind = ("stdin", InputError) if asked.text == "-" else ("--text", RequestError)
    text = typed_text(asked.text, trained)
    ids = trained.vocabulary.encode(text)
    if not 1 <= len(ids) <= MOST_TOKENS:
        raise kind(f"{name} has {counted(len(ids), 'token')}: expected 1 to {MOST_TOKENS:,}")
    name_unknown(text, trained.vocabulary, "--text")
    traces = trace(trained.network, ids, layer - 1)
    if not all(np.isfinite(trace).all() for trace in traces.values()):
        raise not_finite(f"{model}: its network")
    unit = asked.unit
    if unit is None:
        unit = int(next(reversed(traces.values())).std(axis=0).argmax())
    rows = {name: trace[:, unit].tolist() for name, trace in traces.items()}
    if report.as_json:
        print_json(_entry(trained, ids, rows, sizes["cell"], layer, unit))
    else:
        _show(trained, ids, rows, sizes["cell"], layer, unit)


def trace(network: Network, ids: np.ndarray, layer: int) -> dict[str, np.ndarray]:
    """What the units of a recurrent layer do while a text of ids (T,) is read, each (T, H): the
    gates, the cell state ``c`` where there is one, and ``h``; recurrent layers count from 0."""
    cells = [index for index, (_, at, shape) in enumerate(network.each()) if at.state(shape)]
    h, caches = network.run(ids[:, None], stop=cells[layer] + 1)
    found = network.layers[cells[layer]].trace(h, caches[-1])
    return {name: values[:, 0] for name, values in found.items()}


def _entry(
    trained: TrainedText,
    ids: np.ndarray,
    rows: dict[str, list[float]],
    cell: str,
    layer: int,
    unit: int,
) -> dict[str, Any]:
    tokens = trained.vocabulary.tokens
    return {
        "model": trained.name,
        "cell": cell,
        "layer": layer,
        "unit": unit,
        "tokens": [
            {"token": tokens[token], **dict(zip(rows, values, strict=True))}
            for token, *values in zip(ids.tolist(), *rows.values(), strict=True)
        ],
    }


def _show(
    trained: TrainedText,
    ids: np.ndarray,
    rows: dict[str, list[float]],
    cell: str,
    layer: int,
    unit: int,
) -> None:
    from rich.text import Text

    from cnntool.cli.console import show, table
    from cnntool.cli.writing import token_text

    show(Text.assemble((trained.name, "bold cyan"), f"  {cell}{layer}, unit {unit}"))
    show(EQUATIONS[cell])
    show("")
    steps = table("token", *rows)
    first, *others = steps.columns
    first.style, first.justify, first.overflow, first.max_width = "cyan", "left", "ellipsis", 24
    for column in others:
        column.min_width = COLUMN
    for token, *values in zip(ids.tolist(), *rows.values(), strict=True):
        cells = (_value(name, value) for name, value in zip(rows, values, strict=True))
        steps.add_row(Text(token_text(trained.vocabulary, token)), *cells)
    show(steps)


def _value(name: str, value: float) -> Text:
    """Green where a gate is open or a value positive, red where it is closed or negative."""
    from rich.text import Text

    is_gate = name in GATES
    share = value if is_gate else (value + 1) / 2
    style = "green" if share > 0.75 else "red" if share < 0.25 else ""
    return Text(f"{value:.3f}" if is_gate else f"{value:+.3f}", style=style)
