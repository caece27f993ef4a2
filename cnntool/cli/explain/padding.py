"""`cnntool explain padding`: output sizes, the windows drawn, and receptive fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.explain.layers import LayerSpec, LayerType
from cnntool.cli.explain.options import json_option
from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import LARGEST_STEP, PaddingType, WholeNumber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnntool.engine.windows import Axis
    from cnntool.networks.receptive_field import ReceptiveField

LARGEST_SIZE = 1_000_000
LISTED_WINDOWS = 1000  # in JSON


@click.command(
    "padding",
    cls=SectionedCommand,
    epilog="""\b
A LAYER is KIND:SIZE and settings with commas between:
  conv:5,padding=2      conv:3,stride=2,padding=same      conv:3,dilation=2
  max:2                 average:3,stride=2,padding=1      max:3,stride=2,ceil
  global                one window over everything; also average:global
Kinds are conv, max, average, lp, gaussian, min and median. The stride is 1 for conv and the size
for the others, the padding 0.

\b
Examples:
  cnntool explain padding 10 --kernel 3 --stride 2 --padding same
  cnntool explain padding 7 --kernel 3 --dilation 2 --padding 1
  cnntool explain padding 8 --kernel 3 --stride 3 --ceil
  cnntool explain padding 32 conv:5 max:2 conv:5 max:2 conv:5
  cnntool explain padding 224 conv:7,stride=2,padding=3 max:3,stride=2,padding=1 --json""",
)
@click.argument("size", metavar="SIZE", type=WholeNumber(1, LARGEST_SIZE))
@click.argument("layers", metavar="[LAYER]...", nargs=-1, type=LayerType())
@option(
    "-k",
    "--kernel",
    section="One layer",
    type=WholeNumber(1, LARGEST_STEP),
    metavar="N",
    help="The size of its window.  [default: 3]",
)
@option(
    "--stride",
    section="One layer",
    type=WholeNumber(1, LARGEST_STEP),
    metavar="N",
    help="Step between windows.  [default: 1]",
)
@option(
    "--padding",
    section="One layer",
    type=PaddingType("elements"),
    metavar="HOW",
    help="same, valid, full, or N on both sides; same centres the windows on inputs 0, stride, "
    "2 stride, ...  [default: valid]",
)
@option(
    "--dilation",
    section="One layer",
    type=WholeNumber(1, LARGEST_STEP),
    metavar="N",
    help="Step between the taps of a window.  [default: 1]",
)
@option(
    "--ceil",
    section="One layer",
    is_flag=True,
    help="Keep a last window that reaches beyond the padding, as pools may.",
)
@json_option
def command(size: int, layers: tuple[LayerSpec, ...], as_json: bool, **window) -> None:
    """Show where windows lie on an axis of SIZE elements, and how many outputs there are.

    For one layer the formula with its numbers, and every window drawn over the signal and its
    padding. For a chain of LAYERs the output size, the jump (how many inputs lie between
    neighbouring outputs) and the receptive field (how many inputs one output sees). The rows and
    the columns of an image are such an axis each.
    """
    from cnntool.cli.console import print_json
    from cnntool.networks.receptive_field import receptive_fields

    given = [f"--{name}" for name, value in window.items() if value not in (None, False)]
    if layers and given:
        raise click.UsageError(f"{given[0]} is for one layer: write it into the LAYER")
    if layers:
        fields = _planned(receptive_fields, size, [window_layer(layer) for layer in layers])
        if as_json:
            print_json(_chain_entry(size, layers, fields))
        else:
            from cnntool.cli.explain.geometry_tables import show_chain

            show_chain(size, [layer.text for layer in layers], fields)
        return
    axis = _plan_one(size, **window)
    if as_json:
        print_json(_axis_entry(axis))
    else:
        from cnntool.cli.explain.geometry_tables import show_axis

        show_axis(axis)


def window_layer(layer: LayerSpec):
    """The layer as the engine plans it."""
    from cnntool.networks.receptive_field import WindowLayer

    settings = layer.size, layer.stride, layer.padding, layer.dilation, layer.ceil
    return WindowLayer(*settings, is_pool=layer.kind != "conv")


def _plan_one(size: int, kernel, stride, padding, dilation, ceil) -> Axis:
    from cnntool.engine.windows import plan_axis

    settings = kernel or 3, stride or 1, dilation or 1, "valid" if padding is None else padding
    return _planned(plan_axis, size, *settings, ceil_mode=ceil)


def _planned(plan, *arguments, **settings):
    """The plan, or a RequestError with what does not fit."""
    from cnntool.errors import RequestError

    try:
        return plan(*arguments, **settings)
    except ValueError as error:
        raise RequestError(f"{error}: use a smaller kernel, or other padding") from None


def _axis_entry(axis: Axis) -> dict:
    count = min(axis.output_size, LISTED_WINDOWS)
    return {
        "size": axis.size,
        "kernel": axis.kernel_size,
        "stride": axis.stride,
        "dilation": axis.dilation,
        "padding": [axis.before, axis.after],
        "extent": axis.extent,
        "output": axis.output_size,
        "windows": [list(axis.input_positions(i, 1)[:: axis.dilation]) for i in range(count)],
    }


def _chain_entry(size: int, layers: Sequence[LayerSpec], fields: Sequence[ReceptiveField]) -> dict:
    return {
        "size": size,
        "layers": [
            {
                "layer": layer.text,
                "kernel": field.axis.kernel_size,
                "stride": field.axis.stride,
                "dilation": field.axis.dilation,
                "padding": [field.axis.before, field.axis.after],
                "output": field.axis.output_size,
                "jump": field.jump,
                "receptive_field": field.size,
                "start": field.start,
                "centre": field.centre,
            }
            for layer, field in zip(layers, fields, strict=True)
        ],
    }
