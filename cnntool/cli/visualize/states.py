"""`cnntool visualize states`: what the units of a recurrent layer do, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Limits, Model, argument, option, takes
from cnntool.cli.types import PathName
from cnntool.cli.visualize.options import WHAT, Reported, target_of
from cnntool.wording import counted, figures, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnntool.cli.one_input import OneInput
    from cnntool.explain.recurrent import States
    from cnntool.networks.model import SequenceModel
    from cnntool.visuals.state_picture import StateMap

MOST_STEPS = 200
"""That are a picture to look at."""

TERMINAL_LINES, TERMINAL_WIDTH = 8, 72
WAYS = ("from the beginning", "from the end")


@dataclass(frozen=True)
class Asked(Model):
    """Which layer of which model, and what it reads."""

    section = WHAT
    clip: str | None = argument(
        "[CLIP|IMAGE]", PathName("a folder of frames, an animation or an image"), required=False
    )
    text: str | None = option(
        "--text", str, "What a model of texts reads; - reads it from stdin.", metavar="TEXT"
    )
    layer: str | None = option(
        "--layer",
        str,
        "A recurrent layer, such as lstm1; `cnntool info MODEL` lists them.  [default: the last "
        "one that reads]",
        metavar="NAME",
    )


@click.command(
    "states",
    cls=SectionedCommand,
    epilog="""\b
Gates are from 0, closed and white, to 1; the candidate new, the cell c and the state h are around
0: orange above it, blue below. A row is a unit, a column a step. Of an lstm
  c = forget c + input new        h = output tanh(c)
and of a gru h = update h + (1 - update) new.

\b
Examples:
  cnntool visualize states address.npz --text '123 Main St Springfield IL'
  cnntool visualize states mood.npz --text 'not bad at all' --layer lstm1 -o states.png
  cnntool visualize states say.npz --text through
  cnntool visualize states say.npz --text phone --json | jq '.directions[0].h'""",
)
@takes(Asked, Limits, Reported)
def command(asked: Asked, limits: Limits, picture: Reported) -> None:
    """Draw the gates, the cell and the hidden state of all units of a recurrent layer over the
    words of a text or the frames of a clip, in both directions where it reads in both.

    Of a tagger, below each word or frame stands the tag that it gets; of a translator the encoder
    is drawn. With --json also every number.
    """
    from cnntool.cli.one_input import one_input
    from cnntool.explain.recurrent import states_of
    from cnntool.networks.model import load_sequence_model
    from cnntool.visuals.state_picture import state_picture

    picture.check()
    model = load_sequence_model(asked.model)
    given = one_input(model, asked.text, asked.clip, MOST_STEPS, limits)
    target = target_of(
        picture, asked.model, given.stem, asked.layer, "states", read={"CLIP": asked.clip}
    )
    found = states_of(model, given.x, given.lengths, asked.layer)
    picture.note(*given.notes)
    steps = _steps(given, found)
    answers, lines = _answers(model, given), _lines(model, given, found)
    maps = _maps(found)
    target.deliver(
        state_picture(maps, WAYS[: len(maps)], steps, lines, answers, given.frames),
        draw=lambda: _draw(maps, lines[0]),
        facts=lambda: _entry(model, given, found, steps, answers),
    )


def _steps(given: OneInput, found: States) -> Sequence[str]:
    """What the steps are called; those of a picture are its bands."""
    count = len(found.directions[0]["h"])
    return given.steps or [str(number) for number in range(1, count + 1)]


def _answers(model: SequenceModel, given: OneInput) -> list[str]:
    """The tag of each step, of a tagger."""
    if model.header.kind != "tagger":
        return []
    tags = model.scores(given.x, given.lengths)[:, 0].argmax(axis=1)
    return [model.labels[tag] for tag in tags]


def _maps(found: States) -> list[list[StateMap]]:
    """Of each direction in the order of the equations; the cell on one scale in both."""
    import numpy as np

    from cnntool.networks.layers.recurrent import GATE_NAMES
    from cnntool.visuals.state_picture import StateMap

    cells = [np.abs(each["c"]).max() for each in found.directions if "c" in each]
    limits = {"c": float(max(cells, default=1)) or 1.0}

    def state_map(name: str, values: np.ndarray) -> StateMap:
        limit = limits.get(name, 1.0)
        return StateMap(name, values, 0.0 if name in GATE_NAMES else -limit, limit)

    return [[state_map(*item) for item in each.items()] for each in found.directions]


def _lines(model: SequenceModel, given: OneInput, found: States) -> list[str]:
    name = f"'{given.title}'"
    shown = Path(given.name).name if given.frames else name
    units = found.directions[0]["h"].shape[1]
    first = f"{shown} through {Path(model.name).name}: {counted(units, 'unit')} of {found.layer}"
    if model.header.kind == "classifier":
        scores = model.scores(given.x, given.lengths)[0]
        first += f"; {model.labels[int(scores.argmax())]}"
    most = max((abs(each["c"]).max() for each in found.directions if "c" in each), default=0)
    cell = f", and c from -{figures(most, 2)} to {figures(most, 2)}" if most else ""
    is_rnn = len(found.directions[0]) == 1
    gates = "" if is_rnn else "gates from 0, white, to 1; "
    others = "h" if is_rnn else "new and h"
    return [first, f"{gates}{others} from -1, blue, to 1, orange{cell}; a row a unit"]


def _draw(maps: list[list[StateMap]], title: str) -> None:
    """The maps in the terminal, each below what it is; without colour the brighter the higher."""
    import numpy as np

    from cnntool.cli.terminal import draw_pixels, has_colour, say
    from cnntool.visuals.heat import tinted

    say([title])
    for way, direction in zip(WAYS, maps, strict=False):
        for each in direction:
            share = (each.values.T - each.low) / (each.high - each.low)
            pixels = np.rint(255 * share[..., None]).astype(np.uint8)
            if has_colour():
                pixels = tinted(each.values.T, each.low, each.high)
            wide = max(1, TERMINAL_WIDTH // len(each.values))
            words = [f"{each.name}, {way}"]
            draw_pixels(pixels.repeat(wide, axis=1), words, TERMINAL_LINES)


def _entry(
    model: SequenceModel,
    given: OneInput,
    found: States,
    steps: Sequence[str],
    answers: Sequence[str],
) -> dict[str, Any]:
    return {
        "input": readable(given.name),
        "model": readable(model.name),
        "layer": found.layer,
        "cell": found.cell,
        "steps": list(steps),
        "answers": list(answers) or None,
        "directions": found.directions,
    }
