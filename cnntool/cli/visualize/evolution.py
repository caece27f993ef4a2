"""`cnntool visualize evolution`: how the first layer's filters came to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import takes
from cnntool.cli.visualize.options import Picture, Scale, Weights, target_of
from cnntool.errors import InputError
from cnntool.wording import evenly

if TYPE_CHECKING:
    from cnntool.study.learned_kernels import Banks
    from cnntool.visuals.filter_sheet import Panel

ANIMATIONS = (".gif", ".webp", ".apng")
"""Names that ask for a frame an epoch; others for one picture of all."""

MOST_SHOWN = 6
"""Epochs in the terminal, one below the other."""


@click.command(
    "evolution",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize evolution digits.npz
  cnntool visualize evolution digits.npz -o sheet.png
  cnntool visualize evolution digits.npz --scale each -o each.gif
  cnntool visualize evolution digits.npz --show""",
)
@takes(Weights, Scale, Picture)
def command(weights: Weights, scale: Scale, picture: Picture) -> None:
    """Draw how the first layer's filters came from noise to what they are, an epoch a frame.

    A .gif, .apng or .webp is an animation (the default is a GIF), any other picture, on stdout and
    in the terminal too, a sheet of all epochs. Above each stand the epoch and the accuracy after
    it: on the validation images, or on those of training where there were none.
    """
    from cnntool.cli.terminal import draw_grids
    from cnntool.cli.visualize.filters import caption, check_drawable
    from cnntool.study.learned_kernels import load_banks
    from cnntool.visuals import filter_sheet as sheet

    target = target_of(picture, weights.model, "evolution", suffix=".gif")
    banks = load_banks(weights.model)
    check_drawable(banks, None)
    stages, words = stages_of(banks), caption(banks, None)
    durations: list[int] = []
    is_sheet = target.path is None or target.path.suffix.lower() not in ANIMATIONS
    most = sheet.MOST_PANELS if is_sheet else sheet.MOST_FRAMES
    if len(stages) > most:
        picture.note(f"{most} of {len(stages)} stages are shown, evenly apart")
    if is_sheet:
        frames = [sheet.evolution_sheet(stages, words, scale.scale)]
    else:
        frames, durations = sheet.evolution_frames(stages, words, scale.scale)
    target.deliver(
        *frames,
        durations=durations,
        draw=lambda: draw_grids(evenly(stages, MOST_SHOWN), words, scale.scale),
    )


def stages_of(banks: Banks) -> list[Panel]:
    """The first layer after every epoch; InputError where the file does not hold that."""
    from cnntool.cli.visualize.filters import START, accuracy_after
    from cnntool.visuals.filter_sheet import Panel

    if len(banks.epochs) < 2:
        held = "only the random start" if banks.epochs else "no filters of single epochs"
        raise InputError(
            f"{Path(banks.name).name} holds {held}: name a file of cnntool train-cnn that is a "
            "whole epoch old at least"
        )
    last = max(banks.epochs)
    return [
        Panel(bank, f"epoch {epoch} of {last}", accuracy_after(banks, epoch))
        if epoch
        else Panel(bank, *START)
        for epoch, bank in banks.epochs.items()
    ]
