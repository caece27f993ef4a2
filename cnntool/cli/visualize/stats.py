"""`cnntool visualize stats`: which filters of a layer are oriented edges, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.console import complain, console, print_json, show, table
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import takes
from cnntool.cli.visualize.options import (
    OUTPUT,
    Layer,
    Reported,
    Weights,
    picture_path,
    target_of,
)
from cnntool.errors import RequestError
from cnntool.wording import counted, readable, without_sign

if TYPE_CHECKING:
    import numpy as np

    from cnntool.study.filter_statistics import FilterFacts, Summary
    from cnntool.study.learned_kernels import Banks

WIDE = 90
"""Columns of a terminal from which on those of the table stand two apart."""

LEGEND = (
    "Angles are those along which brightness changes: 0 is a filter for vertical edges, 90 one for "
    "horizontal edges. Filled dots are oriented edges, rings other filters; frequencies are in "
    "cycles a pixel, of 0.5 and more at the rim."
)


@dataclass(frozen=True)
class Directions(Reported):
    """A picture that is drawn where it is asked for."""

    section = OUTPUT
    output: str | None = picture_path("no picture")


@click.command(
    "stats",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize stats digits.npz
  cnntool visualize stats digits.npz --layer conv1 -o directions.png
  cnntool visualize stats digits.npz --show
  cnntool visualize stats digits.npz --json""",
)
@takes(Weights, Layer, Directions)
def command(weights: Weights, asked: Layer, picture: Directions) -> None:
    """Measure the filters of a layer: which are oriented edges, and at which directions.

    A row gives the angle and the frequency (cycles a pixel) of the grating that a filter answers
    most; the strength of its orientation, from 0 to 1; R² of the Gabor function that fits it best;
    of three channels the share of colour; and the catalogue's kernel that is most like it, with the
    cosine between the two. Of several channels all but the colour is measured on the one pattern
    that is most of the filter: 'main' is its share. A filter is dead where its norm is under a
    tenth of the layer's median, where it is constant, or where it holds NaN.

    Angles are those along which brightness changes, counterclockwise from the right: 0 is a filter
    for vertical edges, 90 one for horizontal edges. An oriented edge has R² over 0.8 and a
    strength over 0.5; the summary also says how many random kernels pass, as small kernels fit
    easily. With -o or --show the directions are drawn.
    """
    from cnntool.study.filter_statistics import filter_facts, summary_of
    from cnntool.study.learned_kernels import load_banks

    picture.check()
    is_drawn = picture.is_asked_for
    if not is_drawn:
        picture.refuse_font()
    target = target_of(picture, weights.model, "directions") if is_drawn else None
    banks = load_banks(weights.model)
    name = banks.layer_name(asked.layer)
    bank = check_measurable(banks, name)
    facts = filter_facts(bank)
    is_first = name == next(iter(banks.layers))
    summary = summary_of(bank, facts, banks.epochs.get(0) if is_first else None)
    title, text = f"{Path(banks.name).name}, {name}", summary_text(summary, bank.shape[2:])
    if picture.as_json:
        print_json(entry(banks, name, facts, summary))
    elif target is None or not target.stdout:
        show_facts(title, facts, text)
    else:
        picture.note(text)
    if target is not None:
        from cnntool.visuals.polar import polar_picture

        target.deliver(
            polar_picture(facts, summary.directions, (f"{title}: {text}", LEGEND)),
            print_path=False,
            draw=lambda: draw_directions(summary.directions),
        )


def check_measurable(banks: Banks, name: str) -> np.ndarray:
    """The kernels of a layer; RequestError where they are single weights, or huge."""
    from cnntool.study.filter_statistics import LARGEST_SIDE

    bank = banks.layers[name]
    if bank[0, 0].size == 1:
        larger = [other for other, each in banks.layers.items() if each[0, 0].size > 1]
        remedy = f"choose --layer {' or '.join(larger[:4])}" if larger else "name another model"
        raise RequestError(
            f"the kernels of {name} are single weights, which have no direction: {remedy}"
        )
    if max(bank.shape[2:]) > LARGEST_SIDE:
        raise RequestError(
            f"the kernels of {name} are {bank.shape[2]}x{bank.shape[3]}: filters are measured up "
            f"to {LARGEST_SIDE}x{LARGEST_SIDE}, choose another --layer"
        )
    return bank


def summary_text(summary: Summary, size: tuple[int, int]) -> str:
    """The summary in a line: ``41 of 64 filters are oriented edges ...``."""
    from cnntool.study.filter_statistics import CLEAR, GOOD_FIT

    verb = "is an oriented edge" if summary.oriented == 1 else "are oriented edges"
    taken = sum(count > 0 for count in summary.directions)
    parts = [
        f"{summary.oriented} of {counted(summary.filters, 'filter')} {verb} (R² > {GOOD_FIT:g}, "
        f"strength > {CLEAR:g}), at {taken} of {len(summary.directions)} directions"
    ]
    if summary.before is not None:
        parts.append(f"{summary.before} before training")
    parts.append(f"{summary.by_chance:.0%} of random {size[0]}x{size[1]} kernels pass")
    if summary.dead:
        parts.append(f"{summary.dead} {'is' if summary.dead == 1 else 'are'} dead")
    return "; ".join(parts)


def entry(
    banks: Banks, name: str, facts: Sequence[FilterFacts], summary: Summary
) -> dict[str, Any]:
    """All that was measured, for JSON."""
    return {
        "model": readable(banks.name),
        "layer": name,
        "shape": banks.layers[name].shape,
        "summary": summary,
        "filters": [
            {"filter": index, **asdict(each), "oriented": each.is_oriented}
            for index, each in enumerate(facts)
        ],
    }


def show_facts(title: str, facts: Sequence[FilterFacts], summary: str) -> None:
    """Print a row a filter and the summary below, on stdout."""
    from rich.text import Text

    has_colour = any(each.colour is not None for each in facts)
    has_mixture = any(each.pattern_share is not None and each.pattern_share < 1 for each in facts)
    numbers = ["angle", "freq", "strength", "R²"]
    numbers += ["main"] if has_mixture else []
    numbers += ["colour"] if has_colour else []
    screen = console()
    is_tight = has_colour and screen.is_terminal and screen.width < WIDE
    gap = 1 if is_tight else 2  # a name cut in two can't be copied
    rows = table("filter", "is", *numbers, "most like", "cos", left=("is", "most like"))
    rows.padding = (0, gap, 0, 0)
    rows.columns[0].style, rows.columns[1].no_wrap, rows.columns[-2].overflow = "cyan", True, "fold"
    for index, each in enumerate(facts):
        style = "dim" if each.is_dead else "bold" if each.is_oriented else ""
        cells = [str(index), _kind(each), *_numbers(each, has_mixture, has_colour)]
        if each.nearest is None:
            cells += ["", ""]
        else:
            cells += [each.nearest.name, f"{each.nearest.similarity:.2f}"]
        rows.add_row(*(Text(cell) for cell in cells), style=style)
    show((title, "bold cyan"))
    show("")
    show(rows)
    show("")
    show(summary)


def draw_directions(counts: Sequence[int]) -> None:
    """Draw a bar for each direction on stderr: its angle, and how many oriented edges it has."""
    screen, most = console(stderr=True), max(1, *counts)
    block = "█" if "utf" in screen.encoding.lower() else "#"
    room = max(10, min(60, screen.width - 16))
    for index, count in enumerate(counts):
        bar = block * round(count * min(1, room / most))
        complain(f"{index * 180 / len(counts):6.2f}°  {bar} {count}".rstrip())


def _kind(facts: FilterFacts) -> str:
    if facts.is_dead:
        return f"dead, {facts.state}"
    return "edge" if facts.is_oriented else ""


def _numbers(facts: FilterFacts, has_mixture: bool, has_colour: bool) -> list[str]:
    """The cells of numbers; of a dead filter they are empty."""
    values = [
        (facts.orientation, "{:.0f}°"),
        (facts.frequency, "{:.2f}"),
        (facts.strength, "{:.2f}"),
        (None if facts.gabor is None else facts.gabor.r_squared, "{:.2f}"),
    ]
    values += [(facts.pattern_share, "{:.0%}")] if has_mixture else []
    values += [(facts.colour, "{:.0%}")] if has_colour else []
    return ["" if value is None else without_sign(form.format(value)) for value, form in values]
