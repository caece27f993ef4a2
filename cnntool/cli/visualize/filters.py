"""`cnntool visualize filters`: the kernels of a layer as a grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import flag, option, takes
from cnntool.cli.types import WholeNumber
from cnntool.cli.visualize.options import WHAT, Layer, Picture, Scale, Weights, target_of
from cnntool.errors import InputError, RequestError
from cnntool.wording import counted

if TYPE_CHECKING:
    import numpy as np

    from cnntool.study.learned_kernels import Banks
    from cnntool.visuals.filter_sheet import Panel

START = "before training", "random weights"


@dataclass(frozen=True)
class Grid:
    """What stands in the grid."""

    section = WHAT
    before: bool = flag(
        "--before",
        "Put the random start beside what was learned, on the same scale: of the first layer.",
    )
    columns: int | None = option(
        "--columns",
        WholeNumber(1, 4096),
        "Filters side by side.  [default: about as many as make a square]",
    )


@click.command(
    "filters",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize filters digits.npz
  cnntool visualize filters digits.npz --before -o learned.png
  cnntool visualize filters digits.npz --layer conv2 --scale each
  cnntool visualize filters digits.npz --show""",
)
@takes(Weights, Layer, Scale, Grid, Picture)
def command(weights: Weights, asked: Layer, scale: Scale, grid: Grid, picture: Picture) -> None:
    """Draw the kernels of a layer as a grid, as in figure 3 of the AlexNet paper.

    Kernels of three channels are shown in colour; of others each channel is a row. Filters count
    from 0, row by row: left of each row stands the number of its first one. Where each filter is a
    column, its number stands above it, and left those of the channels.
    """
    from cnntool.cli.terminal import draw_grids
    from cnntool.study.learned_kernels import load_banks
    from cnntool.visuals.filter_sheet import Panel, filter_sheet

    model, layer = weights.model, asked.layer
    target = target_of(picture, model, layer, "filters", "before" if grid.before else None)
    banks = load_banks(model)
    bank = check_drawable(banks, layer)
    panels = [Panel(bank)]
    if grid.before:
        panels = [Panel(start_of(banks, layer), *START), panel_of(banks, bank)]
    shown = panels, caption(banks, layer), scale.scale, grid.columns
    target.deliver(filter_sheet(*shown), draw=lambda: draw_grids(*shown))


def check_drawable(banks: Banks, layer: str | None) -> np.ndarray:
    """The bank of a layer; RequestError where its picture would be too large to look at."""
    bank = banks.bank(layer)
    check_size(bank, banks.layer_name(layer))
    return bank


def check_size(bank: np.ndarray, layer: str) -> None:
    """RequestError where the picture of a bank (F, C, kh, kw) would be too large to look at."""
    from cnntool.visuals.filter_sheet import MOST_PIXELS, plan_grid

    height, width = plan_grid(bank.shape).size
    if height * width > MOST_PIXELS:
        raise RequestError(
            f"{layer} would take {width:,} x {height:,} pixels: choose another --layer"
        )


def start_of(banks: Banks, layer: str | None) -> np.ndarray:
    """The first layer's kernels before training.

    RequestError for another layer, InputError where the file does not hold them.
    """
    first = next(iter(banks.layers))
    if banks.layer_name(layer) != first:
        raise RequestError(
            f"--before is for {first}: of {layer} the random start is in no file, leave it out"
        )
    if 0 not in banks.epochs:
        raise InputError(
            f"{banks.name} does not hold the random start: name a file of cnntool train-cnn, or "
            "leave out --before"
        )
    return banks.epochs[0]


def panel_of(banks: Banks, bank: np.ndarray) -> Panel:
    """The first layer's kernels as they are, with how long they were trained and what for."""
    from cnntool.visuals.filter_sheet import Panel

    for epoch, kept in banks.epochs.items():
        if epoch and (kept == bank).all():
            return Panel(bank, f"after {counted(epoch, 'epoch')}", accuracy_after(banks, epoch))
    return Panel(bank, "after training")


def caption(banks: Banks, layer: str | None) -> str:
    """``digits.npz, conv1: 8 filters of 5x5``, with the channels where there are several."""
    name = banks.layer_name(layer)
    filters, channels, height, width = banks.layers[name].shape
    over = f" over {channels} channels" if channels > 1 else ""
    return (
        f"{Path(banks.name).name}, {name}: {counted(filters, 'filter')} of {height}x{width}{over}"
    )


def accuracy_after(banks: Banks, epoch: int) -> str:
    """``validation accuracy 97.2%``, '' where the file does not say."""
    from cnntool.training.progress import number_of

    history = banks.model.header.history if banks.model else ()
    facts = history[epoch - 1] if epoch <= len(history) else {}
    for key, words in (("validation_accuracy", "validation accuracy"), ("accuracy", "accuracy")):
        if 0 <= (value := number_of(facts, key)) <= 1:
            return f"{words} {value:.1%}"
    return ""
