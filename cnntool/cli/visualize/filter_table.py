"""What `cnntool visualize stats` shows: a row a filter, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cnntool.cli.console import complain, console, show

if TYPE_CHECKING:
    from cnntool.imaging.filter_statistics import FilterFacts


def show_facts(title: str, facts: Sequence[FilterFacts], summary: str) -> None:
    """Print a row a filter and the summary below, on stdout."""
    has_colour = any(each.colour is not None for each in facts)
    has_mixture = any(each.pattern_share is not None and each.pattern_share < 1 for each in facts)
    numbers = ["angle", "freq", "strength", "R²"]
    numbers += ["main"] if has_mixture else []
    numbers += ["colour"] if has_colour else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("filter", justify="right", no_wrap=True, style="cyan")
    table.add_column("is", no_wrap=True)
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("most like", overflow="fold")
    table.add_column("cos", justify="right", no_wrap=True)
    for index, each in enumerate(facts):
        style = "dim" if each.is_dead else "bold" if each.is_oriented else ""
        cells = [str(index), _kind(each), *_numbers(each, has_mixture, has_colour)]
        if each.nearest is None:
            cells += ["", ""]
        else:
            cells += [each.nearest.name, f"{each.nearest.similarity:.2f}"]
        table.add_row(*(Text(cell) for cell in cells), style=style)
    show(Text(title, "bold cyan"))
    show("")
    show(table)
    show("")
    show(Text(summary))


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
    return ["" if value is None else form.format(value) for value, form in values]
