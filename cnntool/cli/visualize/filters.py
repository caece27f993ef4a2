"""`cnntool visualize filters`: the kernels of a layer as a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import WholeNumber
from cnntool.cli.visualize.options import (
    WHAT,
    PictureOptions,
    destination,
    layer_option,
    model_argument,
    picture_options,
    scale_option,
)

if TYPE_CHECKING:
    import numpy as np

    from cnntool.networks.learned_kernels import Banks
    from cnntool.visuals.filter_sheet import Panel

START = "before training", "random weights"


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
@model_argument
@layer_option
@scale_option
@option(
    "--before",
    section=WHAT,
    is_flag=True,
    help="Put the random start beside what was learned, on the same scale: of the first layer.",
)
@option(
    "--columns",
    section=WHAT,
    type=WholeNumber(1, 4096),
    metavar="N",
    help="Filters side by side.  [default: about as many as make a square]",
)
@picture_options
def command(
    picture: PictureOptions,
    model: str,
    layer: str | None,
    scale: str,
    before: bool,
    columns: int | None,
) -> None:
    """Draw the kernels of a layer as a grid, as in figure 3 of the AlexNet paper.

    Kernels of three channels are shown in colour; of others each channel is a row. Filters count
    from 0, row by row: left of each row stands the number of its first one. Where each filter is a
    column, its number stands above it, and left those of the channels.
    """
    from cnntool.cli.terminal.grids import draw_grids
    from cnntool.networks.learned_kernels import load_banks
    from cnntool.visuals.filter_sheet import Panel, filter_sheet

    what = "-".join(filter(None, (layer, "filters", "before" if before else "")))
    target = destination(picture, model, what)
    banks = load_banks(model)
    bank = check_drawable(banks, layer)
    panels = [Panel(bank)]
    if before:
        panels = [Panel(start_of(banks, layer), *START), panel_of(banks, bank)]
    words = caption(banks, layer)
    target.deliver(
        filter_sheet(panels, words, scale, columns),
        draw=lambda: draw_grids(panels, words, scale, columns),
    )


def check_drawable(banks: Banks, layer: str | None) -> np.ndarray:
    """The bank of a layer; RequestError where its picture would be too large to look at."""
    bank = banks.bank(layer)
    check_size(bank, banks.layer_name(layer))
    return bank


def check_size(bank: np.ndarray, layer: str) -> None:
    """RequestError where the picture of a bank (F, C, kh, kw) would be too large to look at."""
    from cnntool.errors import RequestError
    from cnntool.visuals.filter_grid import MOST_PIXELS, plan_grid

    height, width = plan_grid(bank.shape).size
    if height * width > MOST_PIXELS:
        raise RequestError(
            f"{layer} would take {width:,} x {height:,} pixels: choose another --layer"
        )


def start_of(banks: Banks, layer: str | None) -> np.ndarray:
    """The first layer's kernels before training.

    RequestError for another layer, InputError where the file does not hold them.
    """
    from cnntool.errors import InputError, RequestError

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
    from cnntool.wording import counted

    for epoch, kept in banks.epochs.items():
        if epoch and (kept == bank).all():
            return Panel(bank, f"after {counted(epoch, 'epoch')}", accuracy_after(banks, epoch))
    return Panel(bank, "after training")


def caption(banks: Banks, layer: str | None) -> str:
    """``digits.npz, conv1: 8 filters of 5x5``, with the channels where there are several."""
    from pathlib import Path

    from cnntool.wording import counted

    name = banks.layer_name(layer)
    filters, channels, height, width = banks.layers[name].shape
    over = f" over {channels} channels" if channels > 1 else ""
    return (
        f"{Path(banks.name).name}, {name}: {counted(filters, 'filter')} of {height}x{width}{over}"
    )


def accuracy_after(banks: Banks, epoch: int) -> str:
    """``validation accuracy 97.2%``, '' where the file does not say."""
    history = banks.model.header.history
    facts = history[epoch - 1] if epoch <= len(history) else {}
    for key, words in (("validation_accuracy", "validation accuracy"), ("accuracy", "accuracy")):
        value = facts.get(key)
        if isinstance(value, int | float) and 0 <= value <= 1:
            return f"{words} {value:.1%}"
    return ""
