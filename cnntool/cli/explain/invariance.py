"""`cnntool explain invariance`: what a shift of the picture does to feature maps and pools."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from cnntool.choices import POOLS
from cnntool.cli.console import show, styled, table
from cnntool.cli.convolve import Kernels, Steps, read_filters
from cnntool.cli.explain.blocks import layout_width
from cnntool.cli.explain.options import LayerSpec, Picture, Report, layer, open_one
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Gray, Limits, Reading, option, takes
from cnntool.cli.types import LARGEST_STEP, Choice, Spec
from cnntool.wording import bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from cnntool.explain.invariance import Change
    from cnntool.imaging.pooling import Pooling

DIRECTIONS = {
    "right": ((0, 1), "to the right"),
    "down": ((1, 0), "downwards"),
    "diagonal": ((1, 1), "right and down"),
}
"""How far rows and columns move with a shift of 1, and how that is said."""

MOST_SHIFTS = 65
BAR_CELLS = 10


def read_shifts(text: str) -> tuple[int, ...]:
    """``FIRST..LAST``, or whole numbers with commas between."""
    if match := re.fullmatch(r"\s*(\d{1,5})\s*\.\.\s*(\d{1,5})\s*", text):
        first, last = int(match[1]), int(match[2])
        if first > last:
            raise ValueError(f"'{text}' runs backwards: write {last}..{first}")
        shifts = tuple(range(first, min(last, first + MOST_SHIFTS) + 1))
    else:
        words = [word.strip() for word in text.split(",")]
        for number, word in enumerate(words, 1):
            if not re.fullmatch(r"\d{1,5}", word, re.ASCII):
                raise ValueError(
                    f"shift number {number} is '{word}': expected whole numbers such as 0..4 or "
                    "0,1,2,8"
                )
        shifts = tuple(map(int, words))
    if len(shifts) > MOST_SHIFTS or max(shifts) > LARGEST_STEP:
        limits = f"at most {MOST_SHIFTS} shifts up to {LARGEST_STEP}"
        raise ValueError(f"'{text}' is too much: expected {limits}")
    return shifts


@dataclass(frozen=True)
class Shift:
    """How the picture moves, and what of it is pooled."""

    section = "Shift and pool"
    pools: tuple[LayerSpec, ...] = option(
        "--pool",
        layer(POOLS),
        "A pool of the feature maps; see below. Repeat it to compare several.  [default: max:2]",
        metavar="POOL",
        multiple=True,
        default=("max:2",),
    )
    shifts: tuple[int, ...] = option(
        "--shifts",
        Spec("A..B", read_shifts),
        "By how many pixels, such as 0..4 or 0,1,2,8.  [default: 0..4]",
        default="0..4",
    )
    direction: str = option(
        "--direction",
        Choice(DIRECTIONS, "direction", "WHERE"),
        "right, down, or diagonal: both at once.  [default: right]",
        default="right",
    )


@click.command(
    "invariance",
    cls=SectionedCommand,
    epilog="""\b
What is compared with what: the feature maps of the picture and of the picture moved, place by
place, and so the pooled maps. The moved picture has no invented border: both are cuts of IMAGE,
as large as it less the largest shift, so that what enters at the edge is what the camera saw
there; and only windows that lie wholly inside are used. A map m becomes m', and its change is
  |m' - m| / |m|    with |m| the root of the sum of the squares of all its values.
0% is no change at all; maps that have nothing to do with each other differ by about 140%, less
where all values are positive.

\b
Pools are KIND:SIZE with settings: max:2, average:4, max:3,stride=1, gaussian:4,sigma=1, lp:2,p=3,
and global or average:global, one value for the whole map.

\b
Examples:
  cnntool explain invariance sample_images/coffee.jpg --kernel sobel --shifts 0..4
  cnntool explain invariance sample_images/coffee.jpg -k sobel --pool max:2 --pool max:8 --gray
  cnntool explain invariance sample_images/brick.png -k laplacian --pool lp:4 --json""",
)
@takes(Picture, Shift, Kernels, Steps, Gray, Limits, Report)
def command(
    source: Picture,
    shift: Shift,
    kernels: Kernels,
    steps: Steps,
    colour: Gray,
    limits: Limits,
    report: Report,
) -> None:
    """Measure how much feature maps, and pools of them, change when the image shifts.

    A convolution is equivariant: its feature map shifts with the image. Pooling is to make that
    matter less: what a pooled map holds stays nearly the same under small shifts.
    """
    from cnntool.explain.invariance import measure_invariance
    from cnntool.imaging.filter_plan import Geometry

    filters = read_filters(kernels, [source.image])
    reading = Reading(colour.gray, "drop", limits.white, limits.max_pixels)
    picture, name = open_one(source.image, reading)
    geometry = Geometry(steps.stride, steps.dilation, "valid", flip=kernels.flip)
    poolings = [_pooling(pool) for pool in shift.pools]
    moves = shift.shifts, DIRECTIONS[shift.direction][0]
    changes = measure_invariance(picture, filters, geometry, poolings, *moves)
    spec = " + ".join(kernel.spec for kernel in filters)
    names = [pool.text for pool in shift.pools]
    report.give(_entry, _show, name, spec, names, shift.direction, changes)


def _pooling(pool: LayerSpec) -> Pooling:
    from cnntool.imaging.pooling import Pooling

    if pool.size is None:
        return Pooling(pool.kind, output_size=(1, 1))
    return Pooling(
        pool.kind,
        (pool.size, pool.size),
        (pool.stride, pool.stride),
        cast("tuple[int, int]", (pool.padding, pool.padding)),  # words are planned as well
        (pool.dilation, pool.dilation),
        "partial" if pool.ceil else "drop",
        pool.p,
        pool.sigma,
    )


def _entry(
    name: str, spec: str, pools: Sequence[str], direction: str, changes: Sequence[Change]
) -> dict:
    return {
        "image": name,
        "kernel": spec,
        "direction": direction,
        "shifts": [
            {
                "shift": change.shift,
                "feature_map": change.feature_map,
                "pools": dict(zip(pools, change.pools, strict=True)),
                "moved_back": change.moved_back,
            }
            for change in changes
        ],
    }


def _show(
    name: str, spec: str, pools: Sequence[str], direction: str, changes: Sequence[Change]
) -> None:
    show((spec, "bold cyan"), f" over {name}, shifted {DIRECTIONS[direction][1]}")
    show("how much the maps change: |shifted - still| / |still|")
    show("")
    rows = [(change.feature_map, *change.pools) for change in changes]
    largest = max((v for row in rows for v in row if math.isfinite(v)), default=0.0)
    cells = min(BAR_CELLS, (layout_width() - 5) // len(rows[0]) - 9)
    measured = table("shift")
    for head in ("feature map", *pools):
        measured.add_column(styled(head), overflow="fold")
    for change, values in zip(changes, rows, strict=True):
        measured.add_row(str(change.shift), *(_cell(value, largest, cells) for value in values))
    show(measured)
    moved = [change.moved_back for change in changes if change.moved_back is not None]
    if moved and any(change.shift for change in changes):
        show("")
        some = "" if len(moved) == len(changes) else " where whole steps bring it back"
        verdict = "is equivariant" if max(moved) < 1e-4 else "with a stride is not equivariant"
        show(
            f"moved back{some}, the feature map changes by {_percent(max(moved)).strip()}: "
            f"convolution {verdict}"
        )


def _percent(value: float) -> str:
    return f"{100 * value:5.1f}%" if math.isfinite(value) else "    -"


def _cell(value: float, largest: float, cells: int) -> Text:
    """The change and, in so many cells, a bar that is full at the largest of the table."""
    drawn = bar(value / largest, cells) if largest else ""
    return styled(_percent(value), " " if drawn else "", (drawn, "green"))
