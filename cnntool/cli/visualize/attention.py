"""`cnntool visualize attention`: what each token that is said looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Limits, Model, argument, takes
from cnntool.cli.types import PathName
from cnntool.cli.visualize.options import Reported, Target, target_of
from cnntool.wording import readable

if TYPE_CHECKING:
    import numpy as np

    from cnntool.cli.one_input import OneInput
    from cnntool.explain.attention import Looked
    from cnntool.networks.model import SequenceModel

MOST_STEPS = 100
"""Of what is read: more are no picture to look at."""

IN_A_ROW, TERMINAL_LINES = 4, 12


@dataclass(frozen=True)
class Read(Model):
    """A model, and what it reads."""

    given: str = argument("TEXT|IMAGE", PathName("a text, or an image of a captioner, or -"))


@click.command(
    "attention",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize attention say.npz through
  cnntool visualize attention say.npz through -o through.png
  cnntool visualize attention say.npz through --json --show
  cnntool visualize attention shapes.npz sample_images/coffee.jpg""",
)
@takes(Read, Limits, Reported)
def command(read: Read, limits: Limits, picture: Reported) -> None:
    """Draw what a translator or a captioner looked at while it said its tokens.

    Of a text each row is a token that is said and each column one that was read; the darker a cell,
    the more it counts, and a row is 1 together. Over a picture there is a map for each word, all on
    one scale: the hotter a colour, the more the word looked there. With --json also every number.
    """
    from cnntool.cli.one_input import one_input
    from cnntool.explain.attention import attending, end_of, looked_at
    from cnntool.networks.model import KINDS_THAT_SAY, load_sequence_model

    picture.check()
    model = load_sequence_model(read.model, KINDS_THAT_SAY)
    end_of(model)
    attending(model)
    is_text = model.reader.form in ("text", "words")
    text, file = (read.given, None) if is_text else (None, read.given)
    given = one_input(model, text, file, MOST_STEPS, limits, "the text")
    target = target_of(picture, read.model, given.stem, "attention", read={"INPUT": file})
    picture.note(*given.notes)
    found = looked_at(model, given.x, given.lengths)
    draw = _draw_text if given.steps else _draw_picture
    draw(target, model, given, found)


def _said(model: SequenceModel, found: Looked) -> list[str]:
    from cnntool.cli.one_input import said_names

    assert model.writer is not None
    return said_names(model, found.said.tokens(model.writer.end))


def _title(model: SequenceModel, given: OneInput, found: Looked) -> str:
    assert model.writer is not None
    text = f"'{given.title}'"
    name = text if given.steps else Path(given.name).name
    return f"{name} through {Path(model.name).name}: {model.writer.text(found.said.ids)}"


def _draw_text(target: Target, model: SequenceModel, given: OneInput, found: Looked) -> None:
    from cnntool.cli.terminal import draw_cells
    from cnntool.visuals.heat import labelled_map

    said, title = _said(model, found), _title(model, given, found)
    how = "each row a token that is said, each column one that was read; white is 0, darkest is 1"
    target.deliver(
        labelled_map(found.weights, said, given.steps, (title, how)),
        draw=lambda: draw_cells(found.weights, said, given.steps, [title]),
        facts=lambda: _entry(model, given, found),
    )


def _draw_picture(target: Target, model: SequenceModel, given: OneInput, found: Looked) -> None:
    from cnntool.visuals.overlays import attention_maps

    (pixels,), title = given.frames, _title(model, given, found)
    shown = pixels, _maps(model, found), _said(model, found)
    target.deliver(
        attention_maps(*shown, title),
        draw=lambda: _draw_maps(*shown, title),
        facts=lambda: _entry(model, given, found),
    )


def _draw_maps(pixels: np.ndarray, maps: np.ndarray, words: list[str], title: str) -> None:
    """The maps in the terminal, some words at a time, which stand above them; without colour alone,
    as nobody could tell them from the picture."""
    import numpy as np

    from cnntool.cli.terminal import draw_pixels, has_colour, say
    from cnntool.visuals.overlays import attended

    shown = attended(pixels if has_colour() else 0 * pixels, maps)
    say([title])
    for start in range(0, len(words), IN_A_ROW):
        row = shown[start : start + IN_A_ROW]
        row += [0 * row[0]] * (IN_A_ROW - len(row))
        names = " | ".join(words[start : start + IN_A_ROW])
        draw_pixels(np.concatenate(row, axis=1), [names], TERMINAL_LINES)


def _maps(model: SequenceModel, found: Looked) -> np.ndarray:
    """(T, h, w): of each token, for equal parts of the picture."""
    from cnntool.explain.attention import grid_of

    rows, columns = grid_of(model) or (1, found.weights.shape[1])
    return found.weights.reshape(-1, rows, columns)


def _entry(model: SequenceModel, given: OneInput, found: Looked) -> dict[str, Any]:
    said = _said(model, found)
    weights = found.weights if given.steps else _maps(model, found)
    return {
        "input": readable(given.name),
        "model": readable(model.name),
        "columns": given.steps or None,
        "tokens": [
            {"token": token, "log_p": log, "weights": row}
            for token, log, row in zip(said, found.said.log_odds, weights, strict=True)
        ],
    }
