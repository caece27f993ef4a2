"""`cnntool explain sharing`: what weight sharing saves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import show, table
from cnntool.cli.explain.options import Report, planning
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, option, takes
from cnntool.cli.types import Padding, Pair, WholeNumber
from cnntool.wording import bytes_text

if TYPE_CHECKING:
    from cnntool.explain.sharing import Sharing

LARGEST_COUNT = 1_000_000
WEIGHT_BYTES = 4


@dataclass(frozen=True)
class Layer:
    """A layer from an image to feature maps."""

    size: tuple[int, int] = argument("IMAGE_SIZE", Pair())
    kernel_size: tuple[int, int] = option(
        "-k --kernel", Pair(), "The window of each output.  [default: 3]", default=(3, 3)
    )
    maps: int = option(
        "--maps",
        WholeNumber(1, LARGEST_COUNT),
        "Feature maps that come out.  [default: 1]",
        default=1,
    )
    channels: int = option(
        "--channels",
        WholeNumber(1, LARGEST_COUNT),
        "Channels or maps that go in.  [default: 1]",
        default=1,
    )
    stride: tuple[int, int] = option(
        "--stride", Pair(), "Step between windows.  [default: 1]", default=(1, 1)
    )
    padding: str | int = option(
        "--padding",
        Padding(),
        "same, valid, full, or N pixels on every side.  [default: valid]",
        default="valid",
    )
    dilation: tuple[int, int] = option(
        "--dilation", Pair(), "Step between the taps of a window.  [default: 1]", default=(1, 1)
    )


@click.command(
    "sharing",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool explain sharing 32 --kernel 5 --maps 6
  cnntool explain sharing 224x224 --kernel 7 --maps 64 --channels 3 --stride 2 --padding 3
  cnntool explain sharing 28 --kernel 3 --maps 16 --padding same --json""",
)
@takes(Layer, Report)
def command(layer: Layer, report: Report) -> None:
    """Count what a layer from an image of IMAGE_SIZE (N or HxW) costs, built in three ways.

    Dense: every output sees every pixel. Locally connected: every output sees a window, with
    weights of its own. Convolution: every output of a map sees its window through the same
    weights. All give as many outputs, and each has a bias.
    """
    from cnntool.explain.sharing import layer_sharing

    with planning("use a smaller kernel, or more --padding"):
        sharing = layer_sharing(**asdict(layer))
    report.give(_entry, _show, sharing)


def _entry(sharing: Sharing) -> dict:
    maps, height, width = sharing.output_shape
    return {
        "input": {"channels": sharing.channels, **_sides(*(axis.size for axis in sharing.axes))},
        "kernel": _sides(*(axis.kernel_size for axis in sharing.axes)),
        "output": {"maps": maps, **_sides(height, width)},
        "layers": [{"layer": name, **asdict(cost)} for name, cost in sharing.layers.items()],
    }


def _sides(height: int, width: int) -> dict:
    return {"height": height, "width": width}


def _show(sharing: Sharing) -> None:
    rows, columns = sharing.axes
    maps, height, width = sharing.output_shape
    channels = f"{sharing.channels} · " if sharing.channels > 1 else ""
    inputs = f"{channels}{rows.size} · {columns.size}"
    window = f"{channels}{rows.kernel_size} · {columns.kernel_size}"
    outputs = f"{height} · {width} · {maps}"
    show(
        f"from {sharing.channels} x {rows.size} x {columns.size} to {maps} x {height} x {width} by "
        f"windows of {rows.kernel_size} x {columns.kernel_size}"
    )
    show("")
    counts = {
        "dense": f"({inputs} + 1) · {outputs}",
        "locally connected": f"({window} + 1) · {outputs}",
        "convolution": f"({window} + 1) · {maps}",
    }
    if sharing.has_padding:
        counts["locally connected"] = "one a connection"
    how = "parameters, how"
    costs = table("parameters", "connections", "float32", how, names="layer", left=[how])
    for name, cost in sharing.layers.items():
        size = bytes_text(cost.parameters * WEIGHT_BYTES)
        costs.add_row(name, f"{cost.parameters:,}", f"{cost.connections:,}", size, counts[name])
    show(costs)
    show("")
    if sharing.has_padding:
        show("taps that fall on the padding are no connections")
    dense, local, convolution = (cost.parameters for cost in sharing.layers.values())
    show("the convolution has")
    show(f"  {_compared(dense / convolution)} the dense layer,")
    show(f"  {_compared(local / convolution)} the locally connected one")


def _compared(ratio: float) -> str:
    """How many parameters there are beside ``ratio`` times as many."""
    if ratio == 1:
        return "as many parameters as"
    more, factor = ("fewer", ratio) if ratio > 1 else ("more", 1 / ratio)
    times = f"{factor:,.0f}" if factor >= 10 else f"{factor:.3g}"
    return f"{times} times {more} parameters than"
