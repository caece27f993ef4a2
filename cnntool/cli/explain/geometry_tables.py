"""Windows over an axis, drawn, and the receptive fields of a chain of layers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from rich.table import Table
from rich.text import Text

from cnntool.cli.console import console, show
from cnntool.cli.explain.blocks import layout_width
from cnntool.engine.windows import Axis
from cnntool.networks.receptive_field import ReceptiveField

MOST_WINDOWS = 24
BAR_CELLS = 24
SIGNAL, PADDING, TAP, TAP_ON_PADDING, GAP = "■", "□", "●", "○", "·"
SIGNAL_STYLE, PADDING_STYLE, TAP_STYLE = "cyan", "yellow", "bold green"


def show_axis(axis: Axis) -> None:
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
    show(_legend(axis))


def size_formula(axis: Axis) -> str:
    """The output size with the numbers filled in: ``⌊(32 + 2 + 2 - 5) / 2⌋ + 1 = 16``."""
    pads = f" + {axis.before} + {axis.after}" if axis.before or axis.after else ""
    rounds = "⌈⌉" if axis.overhang else "⌊⌋"
    inside = f"{axis.size}{pads} - {axis.extent}"
    return f"{rounds[0]}({inside}) / {axis.stride}{rounds[1]} + 1 = {axis.output_size}"


def _legend(axis: Axis) -> Text:
    parts = [Text(SIGNAL, SIGNAL_STYLE), Text(" signal")]
    has_padding = axis.before or axis.after or axis.overhang
    if has_padding:
        parts += [Text(f"  {PADDING}", PADDING_STYLE), Text(" padding")]
    parts += [Text(f"  {TAP}", TAP_STYLE), Text(" tap")]
    if has_padding:
        parts += [Text(f"  {TAP_ON_PADDING}", TAP_STYLE), Text(" tap on padding")]
    if axis.dilation > 1 and axis.kernel_size > 1:
        parts.append(Text(f"  {GAP} left out by dilation"))
    parts.append(Text("\nused: by so many windows"))
    return Text.assemble(*parts)


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
        return Text.assemble((f"{name:<{label}}", "dim"), *parts)

    signal = [
        (SIGNAL, SIGNAL_STYLE) if 0 <= p < axis.size else (PADDING, PADDING_STYLE)
        for p in positions
    ]
    lines = [_ruler(positions, cell, label), line("input", signal)]
    for output in _shown(axis.output_size):
        if output is None:
            lines.append(Text("...", style="dim"))
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
    return Text("".join(line), style="dim")


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
    uses = np.zeros(axis.size, int)
    for tap in range(axis.kernel_size):
        uses[axis.tap(tap)[1]] += 1
    cells = []
    for position in positions:
        if not 0 <= position < axis.size:
            cells.append((" ", ""))
            continue
        count = int(uses[position])
        cells.append((str(count) if count < 10 else "+", "" if count else "bold red"))
    return cells


def show_chain(size: int, names: Sequence[str], fields: Sequence[ReceptiveField]) -> None:
    """Print a row a layer: its outputs, with the formula where that fits, jump and field."""
    tables = (
        _chain_table(size, names, fields, *extras)
        for extras in ((True, True), (True, False), (False, True), (False, False))
    )
    screen, width = console(), layout_width()
    for table in tables:
        if screen.measure(table, options=screen.options.update(width=1000)).maximum <= width:
            break
    show(table)
    show("")
    show("extent  = (kernel - 1) · dilation + 1")
    show("outputs = ⌊(size + before + after - extent) / stride⌋ + 1")
    show("jump    = jump before · stride: the inputs from one output to the next")
    show("field   = field before + (extent - 1) · jump before: the inputs one output sees")


def _chain_table(
    size: int,
    names: Sequence[str],
    fields: Sequence[ReceptiveField],
    has_formula: bool,
    has_bar: bool,
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer", style="bold cyan", no_wrap=True)
    for head in ("outputs", "jump", "field", "y0 sees"):
        table.add_column(head, justify="right", no_wrap=True)
    if has_bar:
        table.add_column("the middle one sees", no_wrap=True)

    def add(name: str, outputs: str, jump: int, field: int, first: range, middle: range) -> None:
        sees = str(first[0]) if len(first) == 1 else f"{first[0]}..{first[-1]}"
        bar = [_bar(size, middle)] if has_bar else []
        table.add_row(name, outputs, str(jump), str(field), sees, *bar)

    add("input", str(size), 1, 1, range(1), range(size // 2, size // 2 + 1))
    for name, field in zip(names, fields, strict=True):
        outputs = size_formula(field.axis) if has_formula else str(field.axis.output_size)
        middle = field.seen(field.axis.output_size // 2)
        add(name, outputs, field.jump, field.size, field.seen(0), middle)
    return table


def _bar(size: int, seen: range) -> Text:
    """Which share of the input, from left to right, is seen."""
    cells = min(BAR_CELLS, size)
    edges = [size * cell // cells for cell in range(cells + 1)]
    text = Text()
    for start, stop in pairwise(edges):
        is_seen = start <= seen[-1] and stop > seen[0]
        text.append("█" if is_seen else "░", style="green" if is_seen else "dim")
    return text
