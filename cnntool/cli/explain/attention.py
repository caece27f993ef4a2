"""`cnntool explain attention`: the numbers of one step of what a decoder looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.console import complain, picked, show, styled, table
from cnntool.cli.explain.blocks import layout_width
from cnntool.cli.explain.options import Report
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Limits, Model, argument, option, takes
from cnntool.cli.types import PathName, WholeNumber
from cnntool.wording import bar, counted, readable, shortened, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from rich.table import Table

    from cnntool.cli.one_input import OneInput
    from cnntool.explain.attention import AttentionStep
    from cnntool.networks.model import SequenceModel

MOST_ODDS, MOST_PLACES = 5, 12
BAR_CELLS = 30

SCORES = {
    "general": "score = h . (k W)",
    "additive": "score = v . tanh(h U + k W)",
}


@dataclass(frozen=True)
class Read(Model):
    """A model, and what it reads."""

    section = "What"
    image: str | None = argument("[IMAGE]", PathName("an image or -"), required=False)
    text: str | None = option(
        "--text",
        str,
        "What a translator reads; - reads it from stdin. A captioner takes IMAGE.",
        metavar="TEXT",
    )

    def load(self) -> SequenceModel:
        """InputError for a model that says no text."""
        from cnntool.explain.attention import end_of
        from cnntool.networks.model import KINDS_THAT_SAY, load_sequence_model

        model = load_sequence_model(self.model, KINDS_THAT_SAY)
        end_of(model)
        return model

    def given(self, model: SequenceModel, limits: Limits) -> OneInput:
        """What the model reads; what there is to say of it is said."""
        from cnntool.cli.one_input import one_input

        found = one_input(model, self.text, self.image, limits=limits)
        for note in found.notes:
            complain(note)
        return found


@dataclass(frozen=True)
class Asked(Read):
    """Which step."""

    section = "What"
    step: int = option(
        "--step",
        WholeNumber(1),
        "Which of the tokens that the model says, from 1.  [default: 1]",
        default=1,
    )


@click.command(
    "attention",
    cls=SectionedCommand,
    epilog="""\b
Before each token the decoder, in state h, scores every step k of what was read; the softmax of the
scores weighs a mean of them, the context c, from which with h the next token is told:
  score = h . (k W)               or v . tanh(h U + k W) of attend additive
  c = sum of softmax x k
  mix = tanh([c, h] W + b)        what the layers behind it read

\b
Examples:
  cnntool explain attention say.npz --text phone --step 2
  cnntool explain attention say.npz --text phone --json | jq .weights
  cnntool explain attention shapes.npz sample_images/coffee.jpg""",
)
@takes(Asked, Limits, Report)
def command(asked: Asked, limits: Limits, report: Report) -> None:
    """Show what a translator or a captioner looks at before it says a token: the score of each step
    of what it read, the weights, their mean, and the odds of the next token.
    """
    from cnntool.explain.attention import attending, attention_step

    model = asked.load()
    attending(model)
    given = asked.given(model, limits)
    found = attention_step(model, given.x, given.lengths, asked.step)
    report.give(_entry, _show, model, given, found)


def _likeliest(found: AttentionStep) -> Sequence[int]:
    import numpy as np

    return np.argsort(-found.odds, kind="stable")[:MOST_ODDS].tolist()


def _places(model: SequenceModel, given: OneInput, found: AttentionStep) -> Sequence[str]:
    """What the steps that are looked at are called: tokens, or places or bands of a picture."""
    from cnntool.explain.attention import place_names

    return given.steps or place_names(model, len(found.keys))


def _entry(model: SequenceModel, given: OneInput, found: AttentionStep) -> dict[str, Any]:
    from cnntool.cli.one_input import said_names

    assert model.writer is not None
    said = said_names(model, found.said.tokens(model.writer.end))
    return {
        "model": readable(model.name),
        "input": readable(given.name),
        "says": said,
        "step": found.step,
        "token": said[found.step - 1],
        "score": found.score,
        "steps": _places(model, given, found),
        **picked(found, "query", "scores", "weights", "keys", "context"),
        "mix": found.mixed,
        "next": [
            {"token": name, "probability": found.odds[index]}
            for index, name in zip(
                _likeliest(found), said_names(model, _likeliest(found)), strict=True
            )
        ],
        "differences": found.differences(),
    }


def _show(model: SequenceModel, given: OneInput, found: AttentionStep) -> None:
    from cnntool.cli.one_input import said_names
    from cnntool.explain.attention import attending

    assert model.writer is not None
    said = said_names(model, found.said.tokens(model.writer.end))
    layer = model.network.layers[attending(model)]
    show((model.name, "bold cyan"), f"  {given.title} -> {shortened(' '.join(said), 50)}")
    show(f"step {found.step} of {len(said)}, by {layer}: it says ", (said[found.step - 1], "bold"))
    show("")
    _vector("h, the state", found.query)
    show("")
    show(_weights(_places(model, given, found), found, not given.steps))
    show("")
    _vector("c, the mean of k by the softmax", found.context)
    _vector("mix, tanh([c, h] W + b)", found.mixed)
    show("")
    odds = table("odds", "", names="next", left=("",))
    for index, name in zip(_likeliest(found), said_names(model, _likeliest(found)), strict=True):
        odds.add_row(name, f"{found.odds[index]:.2%}", bar(float(found.odds[index]), BAR_CELLS))
    show(odds)
    show("")
    _say_differences(found)


def _weights(names: Sequence[str], found: AttentionStep, is_picture: bool) -> Table:
    """A row a step; of the places of a picture those that count most, and the others as one."""
    import numpy as np

    total, most = float(found.weights.sum()), float(found.weights.max())
    order = range(len(names))
    if is_picture and len(names) > MOST_PLACES:
        order = np.argsort(-found.weights, kind="stable")[:MOST_PLACES].tolist()
    rows = table(
        SCORES[found.score],
        "softmax",
        "",
        names="k",
        left=("",),
        footer=("sum", "", f"{total:.4f}"),
    )
    for index in order:
        weight = float(found.weights[index])
        style = "bold" if weight == most else ""
        cells = signed(float(found.scores[index])), f"{weight:.4f}"
        rows.add_row(
            styled(names[index], style="bold cyan"),
            *(styled(cell, style=style) for cell in cells),
            bar(weight, BAR_CELLS),
        )
    if left := len(names) - len(order):
        weight = total - float(found.weights[list(order)].sum())
        rows.add_row(f"{counted(left, 'other')}", "", f"{abs(weight):.4f}", bar(weight, BAR_CELLS))
    rows.columns[0].overflow, rows.columns[0].max_width = "ellipsis", 24
    return rows


def _vector(name: str, values: np.ndarray) -> None:
    """A vector, as many of its numbers as fit into a line."""
    head = f"{name}, {counted(len(values), 'number')}:"
    room = max(2, (min(80, layout_width()) - len(head) - 4) // 7)
    shown = " ".join(signed(float(value)) for value in values[:room])
    show(head, f" {shown}{' ...' if len(values) > room else ''}")


def _say_differences(found: AttentionStep) -> None:
    parts = ", ".join(f"{name} {value:.0e}" for name, value in found.differences().items())
    show(f"by hand in float64 they differ by {parts}")
