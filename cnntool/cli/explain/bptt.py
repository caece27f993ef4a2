"""`cnntool explain bptt`: how a gradient vanishes or explodes on its way back through time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cnntool.choices import CELLS
from cnntool.cli.console import picked, show, table
from cnntool.cli.explain.blocks import layout_width
from cnntool.cli.explain.options import Report
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, argument, encoding_option, option, takes
from cnntool.cli.types import Number, PathName, Spec, WholeNumber
from cnntool.errors import InputError, RequestError
from cnntool.wording import bar, counted, evenly, figures, suggestion

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from cnntool.explain.recurrent import GradientFlow
    from cnntool.networks.model import TrainedText

MOST_STEPS, MOST_WINDOWS, MOST_ROWS = 1000, 256, 24
KEPT, KEPT_IN_ALL = 1.03, 3.0
"""A gradient keeps its size where no step changes it by more, nor all together: 0.99 a step is
little, but leaves a twentieth after 300."""

NAMES = {"slope": "slope of tanh"}
BAR_CELLS = 20
RECALLED = 128
"""Windows whose first token is asked for."""


def read_cells(text: str) -> tuple[str, ...]:
    """Names of cells, with commas between."""
    names = tuple(name.strip().lower() for name in text.split(","))
    for name in names:
        if name not in CELLS:
            raise ValueError(f"no cell '{name[:40]}'{suggestion(name, CELLS)}")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Windows(Model):
    """A model and a text, how far back in it, and what stands beside the model."""

    text: str = argument("TEXT", PathName("a text file, or - for stdin"))
    steps: int | None = option(
        "--steps",
        WholeNumber(1, MOST_STEPS),
        f"How many steps back.  [default: the model's --seq-length, at most {MOST_STEPS}]",
    )
    encoding: str | None = encoding_option("Of TEXT, such as utf-16")
    compare: tuple[str, ...] = option(
        "--compare",
        Spec("CELL,...", read_cells),
        "Beside it small cells that learned to remember: rnn, lstm, gru.",
        default=(),
    )
    gain: float | None = option(
        "--gain",
        Number(above=0),
        "Beside it untrained cells of the model's size instead, with so many times as large "
        "weights of the state.",
    )
    seed: int = option("--seed", WholeNumber(0), "Of the cells beside it.  [default: 0]", default=0)


@click.command(
    "bptt",
    cls=SectionedCommand,
    epilog="""\b
MODEL reads windows of TEXT and predicts one token behind each. The gradient of that loss by the
state that was carried into the last k steps says how much those steps can still be learned from:
  dL/dh   by the hidden state       dL/dc   by the cell state of an lstm
Each is the root mean square over the windows of the norm of the gradient. What falls by a factor
each step vanishes, what grows explodes; a gate that stays open keeps it: forget of an lstm, update
of a gru. An rnn has the slope of tanh in its place, which is small where a unit is sure.

--compare trains small cells for a moment to recall the first of some tokens, and shows their
gradient on that task: lstm and gru keep it, and an rnn does not. With --gain they are untrained and
read TEXT: the weights of an rnn's state are orthogonal and keep a gradient, --gain 0.5 makes it
vanish, 2 explode, until saturated units stop it.

\b
Examples:
  cnntool explain bptt words.npz text.txt
  cnntool explain bptt words.npz text.txt --steps 60 --compare rnn,lstm,gru
  cnntool explain bptt words.npz text.txt --compare rnn --gain 0.5
  cnntool explain bptt words.npz text.txt --json | jq '.cells[0].factors'""",
)
@takes(Windows, Report)
def command(windows: Windows, report: Report) -> None:
    """Show how much of a gradient is left, step by step back through time: of a trained model on a
    text, and beside it of cells that learned to remember, and why.
    """
    from cnntool.explain.recurrent import spread_windows
    from cnntool.networks.model import load_trained

    if not windows.compare:
        given = {"--gain": windows.gain is not None, "--seed": windows.seed != 0}
        for name in filter(given.get, given):
            raise RequestError(
                f"{name} is of cells beside it: name them, such as with --compare rnn"
            )
    trained = load_trained(windows.model, "rnn")
    corpus = trained.read(windows.text, windows.encoding)
    steps = windows.steps or min(trained.seq_length, MOST_STEPS)
    if len(corpus) <= steps:
        raise InputError(
            f"{corpus.name} has {counted(len(corpus), 'token')}, and {counted(steps, 'step')} back "
            f"need {steps + 1:,}: name a longer text, or set a smaller --steps"
        )
    ids = spread_windows(corpus.ids, steps, MOST_WINDOWS)
    flows = _flows(trained, ids, windows)
    report.give(_entry, _show, windows, flows)


def _flows(trained: TrainedText, ids: np.ndarray, asked: Windows) -> dict[str, GradientFlow]:
    """That of a model, and of other cells beside it, by what they are called.

    Those have learned to remember; with a gain they are untrained, of the model's size, and read
    what it reads. InputError where a gradient grows beyond all numbers.
    """
    import numpy as np

    from cnntool.explain.recurrent import gradient_flow, recall_flow, with_cells, with_gain
    from cnntool.training.remembering import recall_windows, remembering

    own, steps, seed = gradient_flow(trained.network, ids), len(ids) - 1, asked.seed
    flows = {f"trained {own.cell}": own}
    for cell in asked.compare:
        if asked.gain is None:
            windows = recall_windows(np.random.default_rng((seed, 1)), steps + 1, RECALLED)
            flows[f"{cell} that learned to remember"] = recall_flow(
                remembering(cell, seed), windows
            )
            continue
        fresh = with_cells(trained.network, cell)
        fresh.initialise(np.random.default_rng(seed))
        name = f"fresh {cell}" + ("" if asked.gain == 1 else f", gain {asked.gain:g}")
        flows[name] = gradient_flow(with_gain(fresh, asked.gain), ids)
    for name, flow in flows.items():
        if not flow.is_finite:
            remedy = "or a smaller --gain" if name.startswith("fresh") else "its weights are large"
            raise InputError(
                f"{trained.name}: the gradient of the {name} grows beyond all numbers within "
                f"{counted(steps, 'step')}: set fewer --steps; {remedy}"
            )
    return flows


def _entry(windows: Windows, flows: dict[str, GradientFlow]) -> dict:
    return {
        "model": windows.model,
        "text": windows.text,
        "steps": next(iter(flows.values())).steps,
        "cells": [
            {
                "name": name,
                **picked(flow, "cell", "norms"),
                "factors": {path: flow.factor(path) for path in flow.norms},
                **picked(flow, "gates", "kept", "recalled"),
            }
            for name, flow in flows.items()
        ],
    }


def _show(windows: Windows, flows: dict[str, GradientFlow]) -> None:
    about = f" on {windows.text}: the gradient, by how many steps back"
    show((windows.model, "bold cyan"), about)
    steps = counted(next(iter(flows.values())).steps, "step")
    for name, flow in flows.items():
        show("")
        show((name, "bold"))
        show(_table(flow))
        for path in flow.norms:
            show(_verdict(path, flow))
        for line in _gates(flow):
            show(line)
        if flow.recalled is not None:
            show(f"it recalls {flow.recalled:.0%} of the first tokens {steps} later")


def _table(flow: GradientFlow) -> Table:
    has_bars = len(flow.norms) * (11 + BAR_CELLS) + 6 <= layout_width()
    is_alone = len({path.partition(".")[0] for path in flow.norms}) == 1
    steps = table("back")
    for path in flow.norms:
        layer, _, part = path.partition(".")
        head = f"dL/d{part}" if is_alone else f"{layer} {part}"
        steps.add_column(head, justify="right", no_wrap=True)
        if has_bars:
            steps.add_column(no_wrap=True, min_width=BAR_CELLS)
    scales = {path: _scale(norms) for path, norms in flow.norms.items()}
    for back in evenly(range(flow.steps + 1), MOST_ROWS):
        cells = [str(back)]
        for path, norms in flow.norms.items():
            cells.append(figures(norms[back]))
            if has_bars:
                cells.append(_bar(norms[back], *scales[path]))
        steps.add_row(*cells)
    return steps


def _scale(norms) -> tuple[float, float]:
    """The decades that the bars of a column span."""
    logs = [math.log10(norm) for norm in norms.tolist() if norm > 0 and math.isfinite(norm)]
    if not logs:
        return 0.0, 1.0
    high = max(logs)
    return min(min(logs), high - 1), high


def _bar(norm: float, low: float, high: float) -> str:
    """A length by the logarithm of the norm: a straight slope is geometric decay."""
    if not norm > 0 or not math.isfinite(norm):
        return ""
    return bar(max(1 / BAR_CELLS, (math.log10(norm) - low) / (high - low)), BAR_CELLS)


def _verdict(path: str, flow: GradientFlow) -> str:
    factor, norms = flow.factor(path), flow.norms[path]
    (alive,) = norms.nonzero()
    if len(alive) and alive[-1] + 1 < len(norms):
        gone = counted(int(alive[-1]) + 1, "step")
        return f"{path}: nothing of it is left after {gone}: it vanishes"
    if math.isnan(factor):
        return f"{path}: there is nothing to compare"
    steps, left = len(norms) - 1 - flow.first(path), flow.left(path)
    late = flow.factor(path, max(1, (len(norms) - 1) // 2))
    keeps = 1 / KEPT <= late <= KEPT and 1 / KEPT_IN_ALL <= left <= KEPT_IN_ALL
    how = "keeps its size" if keeps else "explodes" if left > 1 else "vanishes"
    is_left = f"{figures(left, 2)} of it is left after {counted(steps, 'step')}"
    text = f"{path}: x {factor:.3f} a step, {is_left}"
    if factor < 1 and not keeps:
        text += f"; a tenth every {math.log(0.1) / math.log(factor):.1f} steps"
    return f"{text}: it {how}"


def _gates(flow: GradientFlow) -> Iterator[str]:
    """Why it is so: what the gates let through, on average and on the gradient's way."""
    from cnntool.explain.recurrent import PASSES

    _, passing = PASSES[flow.cell]
    for layer, means in flow.gates.items():
        named = ", ".join(f"{NAMES.get(gate, gate)} {mean:.2f}" for gate, mean in means.items())
        kept = flow.kept.get(layer)
        where = "" if kept is None else f"; {NAMES.get(passing, passing)} {kept:.2f} on its way"
        yield f"{layer}: on average {named}{where}"
