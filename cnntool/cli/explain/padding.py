"""`cnntool explain padding`: output sizes, the windows drawn, and receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import console, show, styled, table
from cnntool.cli.explain.blocks import layout_width, size_formula
from cnntool.cli.explain.options import LayerSpec, Report, layer, planning
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, refuse, takes
from cnntool.cli.types import LARGEST_STEP, Padding, WholeNumber

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from cnntool.engine.windows import Axis
    from cnntool.networks.receptive_field import ReceptiveField, WindowLayer

LARGEST_SIZE = 1_000_000
LISTED_WINDOWS = 1000  # in JSON
MOST_WINDOWS = 24
BAR_CELLS = 24
REMEDY = "use a smaller kernel, or other padding"
SIGNAL, PADDING, TAP, TAP_ON_PADDING, GAP = "■", "□", "●", "○", "·"
SIGNAL_STYLE, PADDING_STYLE, TAP_STYLE = "cyan", "yellow", "bold green"


@dataclass(frozen=True)
class Chain:
    """An axis, and the layers over it."""

    size: int = argument("SIZE", WholeNumber(1, LARGEST_SIZE))
    layers: tuple[LayerSpec, ...] = argument("[LAYER]...", layer(), many=True, required=False)


@dataclass(frozen=True)
class OneLayer:
    """A single layer by options."""

    section = "One layer"
    kernel: int | None = option(
        "-k --kernel", WholeNumber(1, LARGEST_STEP), "The size of its window.  [default: 3]"
    )
    stride: int | None = option(
        "--stride", WholeNumber(1, LARGEST_STEP), "Step between windows.  [default: 1]"
    )
    padding: str | int | None = option(
        "--padding",
        Padding("elements"),
        "same, valid, full, or N on both sides; same centres the windows on inputs 0, stride, "
        "2 stride, ...  [default: valid]",
    )
    dilation: int | None = option(
        "--dilation",
        WholeNumber(1, LARGEST_STEP),
        "Step between the taps of a window.  [default: 1]",
    )
    ceil: bool = flag("--ceil", "Keep a last window that reaches beyond the padding, as pools may.")


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
@takes(Chain, OneLayer, Report)
def command(chain: Chain, one: OneLayer, report: Report) -> None:
    """Show where windows lie on an axis of SIZE elements, and how many outputs there are.

    For one layer the formula with its numbers, and every window drawn over the signal and its
    padding. For a chain of LAYERs the output size, the jump (how many inputs lie between
    neighbouring outputs) and the receptive field (how many inputs one output sees). The rows and
    the columns of an image are such an axis each.
    """
    from cnntool.networks.receptive_field import WindowLayer, plan_layer, receptive_fields

    size, layers = chain.size, chain.layers
    if layers:
        refuse(one, asdict(one), "is for one layer: write it into the LAYER")
        with planning(REMEDY):
            fields = receptive_fields(size, [window_layer(layer) for layer in layers])
        report.give(_chain_entry, _show_chain, size, layers, fields)
        return
    padding = "valid" if one.padding is None else one.padding
    alone = WindowLayer(one.kernel or 3, one.stride or 1, padding, one.dilation or 1, one.ceil)
    with planning(REMEDY):
        axis = plan_layer(size, alone)
    report.give(_axis_entry, _show_axis, axis)


def window_layer(layer: LayerSpec) -> WindowLayer:
    """The layer as the engine plans it."""
    from cnntool.networks.receptive_field import WindowLayer

    settings = layer.size, layer.stride, layer.padding, layer.dilation, layer.ceil
    return WindowLayer(*settings, is_pool=layer.kind != "conv")


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


def _show_axis(axis: Axis) -> None:
    """Print the output size as a formula, and the windows over the signal where they fit."""
    show("extent = (kernel - 1) · dilation + 1")
    show(f"       = ({axis.kernel_size} - 1) · {axis.dilation} + 1 = {axis.extent}")
    rounds = "⌈⌉" if axis.overhang else "⌊⌋"
    show(f"output = {rounds[0]}(size + before + after - extent) / stride{rounds[1]} + 1")
    show(f"       = {size_formula(axis)}")
    show("")
    lines = _drawing(axis, layout_width())
    if lines is None:
        show("too wide to draw in this terminal; --json lists the windows")
        return
    for line in lines:
        show(line)
    show("")
    has_padding = axis.before or axis.after or axis.overhang
    legend: list[str | tuple[str, str]] = [(SIGNAL, SIGNAL_STYLE), " signal"]
    legend += [(f"  {PADDING}", PADDING_STYLE), " padding"] if has_padding else []
    legend += [(f"  {TAP}", TAP_STYLE), " tap"]
    legend += [(f"  {TAP_ON_PADDING}", TAP_STYLE), " tap on padding"] if has_padding else []
    if axis.dilation > 1 and axis.kernel_size > 1:
        legend.append(f"  {GAP} left out by dilation")
    show(*legend)
    show("used: by so many windows")


def _drawing(axis: Axis, width: int) -> list[Text] | None:
    """The signal and, beneath, each window; None where it is too wide."""
    last = axis.input_positions(axis.output_size - 1, 1)[-1]
    positions = range(-axis.before, max(axis.size + axis.after, last + 1))
    label = max(6, len(f"y{axis.output_size - 1}")) + 1
    digits = max(len(str(positions[0])), len(str(positions[-1])))
    cell = next((c for c in (digits + 1, 2, 1) if label + c * len(positions) <= width), None)
    if cell is None:
        return None

    def line(name: str, cells: Sequence[tuple[str, str]]) -> Text:
        parts = [(f"{mark:>{cell}}", style) for mark, style in cells]
        return styled((f"{name:<{label}}", "dim"), *parts)

    signal = [
        (SIGNAL, SIGNAL_STYLE) if 0 <= p < axis.size else (PADDING, PADDING_STYLE)
        for p in positions
    ]
    lines = [_ruler(positions, cell, label), line("input", signal)]
    for output in _shown(axis.output_size):
        if output is None:
            lines.append(styled("...", style="dim"))
            continue
        lines.append(line(f"y{output}", _window_cells(axis, output, positions)))
    lines.append(line("used", _use_cells(axis, positions)))
    return lines


def _shown(count: int) -> list[int | None]:
    """The outputs that are drawn; None is where some are left out."""
    if count <= MOST_WINDOWS:
        return list(range(count))
    return [*range(MOST_WINDOWS - 3), None, *range(count - 2, count)]


def _ruler(positions: range, cell: int, label: int) -> Text:
    """The positions above the cells: each, or every fifth or tenth where cells are narrow."""
    digits = max(len(str(positions[0])), len(str(positions[-1])))
    step = next(s for s in (1, 5, 10, 20, 50, 100) if s * cell > digits)
    line = [" "] * (label + cell * len(positions))
    for index, position in enumerate(positions):
        if position % step == 0:
            text = str(position)
            end = label + cell * (index + 1)
            line[end - len(text) : end] = text
    return styled("".join(line), style="dim")


def _window_cells(axis: Axis, output: int, positions: range) -> list[tuple[str, str]]:
    window = axis.input_positions(output, 1)
    taps = window[:: axis.dilation]
    cells = []
    for position in positions:
        if position in taps:
            is_inside = 0 <= position < axis.size
            cells.append((TAP if is_inside else TAP_ON_PADDING, TAP_STYLE))
        else:
            cells.append((GAP if position in window else " ", "dim"))
    return cells


def _use_cells(axis: Axis, positions: range) -> list[tuple[str, str]]:
    """How many windows read each element of the signal; none is red."""
    uses = [0] * axis.size
    for tap in range(axis.kernel_size):
        for place in range(axis.size)[axis.tap(tap)[1]]:
            uses[place] += 1
    cells = []
    for position in positions:
        if not 0 <= position < axis.size:
            cells.append((" ", ""))
            continue
        count = uses[position]
        cells.append((str(count) if count < 10 else "+", "" if count else "bold red"))
    return cells


def _show_chain(size: int, layers: Sequence[LayerSpec], fields: Sequence[ReceptiveField]) -> None:
    """Print a row a layer: its outputs, with the formula where that fits, jump and field."""
    tables = (
        _chain_table(size, layers, fields, *extras)
        for extras in ((True, True), (True, False), (False, True), (False, False))
    )
    screen, width = console(), layout_width()
    for chain in tables:
        if screen.measure(chain, options=screen.options.update(width=1000)).maximum <= width:
            break
    show(chain)
    show("")
    show("extent  = (kernel - 1) · dilation + 1")
    show("outputs = ⌊(size + before + after - extent) / stride⌋ + 1")
    show("jump    = jump before · stride: the inputs from one output to the next")
    show("field   = field before + (extent - 1) · jump before: the inputs one output sees")


def _chain_table(
    size: int,
    layers: Sequence[LayerSpec],
    fields: Sequence[ReceptiveField],
    has_formula: bool,
    has_bar: bool,
) -> Table:
    chain = table("outputs", "jump", "field", "y0 sees", names="layer")
    if has_bar:
        chain.add_column("the middle one sees", no_wrap=True)

    def add(name: str, outputs: str, jump: int, field: int, first: range, middle: range) -> None:
        sees = str(first[0]) if len(first) == 1 else f"{first[0]}..{first[-1]}"
        bar = [_bar(size, middle)] if has_bar else []
        chain.add_row(name, outputs, str(jump), str(field), sees, *bar)

    add("input", str(size), 1, 1, range(1), range(size // 2, size // 2 + 1))
    for each, field in zip(layers, fields, strict=True):
        outputs = size_formula(field.axis) if has_formula else str(field.axis.output_size)
        middle = field.seen(field.axis.output_size // 2)
        add(each.text, outputs, field.jump, field.size, field.seen(0), middle)
    return chain


def _bar(size: int, seen: range) -> Text:
    """Which share of the input, from left to right, is seen."""
    cells = min(BAR_CELLS, size)
    edges = [size * cell // cells for cell in range(cells + 1)]
    text = styled()
    for start, stop in pairwise(edges):
        is_seen = start <= seen[-1] and stop > seen[0]
        text.append("█" if is_seen else "░", style="green" if is_seen else "dim")
    return text
