"""Scores of trainings against each setting that varies, a small panel each; through matplotlib,
which is an extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any

from cnntool.errors import InputError
from cnntool.visuals.curve_chart import COLOURS, DPI, FORMATS
from cnntool.wording import short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.1, 2.9
MOST_ACROSS = 4
DECADE = 10
"""Numbers so many times apart, and more, stand on an axis of logarithms."""

MOST_TICKS, LONGEST_TICK = 7, 16

CHARACTERS_ACROSS = 28
"""Of ticks, between the ends of a panel's numbers."""


@dataclass(frozen=True)
class Point:
    """A setting, by the names of options, and the scores of its runs."""

    setting: Mapping[str, str]
    scores: tuple[float, ...]
    is_best: bool = False


def check_there(suffix: str) -> None:
    """RequestError for a file that is no chart's; InputError where matplotlib is missing."""
    from cnntool.errors import RequestError

    if suffix.lower() not in FORMATS:
        raise RequestError(f"--picture: end its name in one of {' '.join(FORMATS)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(
            "a chart needs one more package: pip install 'cnntool[charts]', or leave out --picture"
        ) from None


def sweep_chart(
    names: Sequence[str], points: Sequence[Point], measure: str, is_share: bool
) -> Figure:
    """A panel an option: every run as a point over the value that it had, and the mean of all runs
    of each value; the best setting has a ring in each.

    Numbers stand where they are, ten times apart or more by their logarithms; words side by side in
    the order of the points.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = min(len(names), MOST_ACROSS)
    down = -(-len(names) // across)
    figure = Figure((WIDTH * across + 0.5, HEIGHT * down + 0.3), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    first = None
    lines: dict[str, Any] = {}
    for number, name in enumerate(names):
        axes = figure.add_subplot(down, across, number + 1, sharey=first)
        first = first or axes
        _draw(axes, [each.setting[name] for each in points], points)
        _frame(axes, name, measure if number % across == 0 else "", is_share)
        drawn, labels = axes.get_legend_handles_labels()
        lines |= dict(zip(labels, drawn, strict=True))
    style: dict[str, Any] = {"loc": "outside lower center", "frameon": False, "fontsize": 8}
    figure.legend([*lines.values()], [*lines], ncols=len(lines), **style)
    return figure


def _draw(axes: Axes, values: Sequence[str], points: Sequence[Point]) -> None:
    """One option's panel."""
    places, are_words = _places(axes, values)
    x = [place for place, point in zip(places, points, strict=True) for _ in point.scores]
    y = [score for point in points for score in point.scores]
    axes.scatter(x, y, s=18, color=COLOURS[0], alpha=0.45, linewidths=0, label="a run")
    by_place: dict[float, list[float]] = {}
    for place, score in zip(x, y, strict=True):
        by_place.setdefault(place, []).append(score)
    if 2 * len(by_place) <= len(points):  # else it would go from setting to setting
        ends = sorted(by_place)
        means = [sum(by_place[place]) / len(by_place[place]) for place in ends]
        style: dict[str, Any] = {"marker": "o", "markersize": 4.5, "label": "mean of all its runs"}
        if are_words:
            style |= {"marker": "_", "markersize": 22, "markeredgewidth": 1.6, "linestyle": "none"}
        axes.plot(ends, means, color=COLOURS[1], linewidth=1.4, **style)
    best = next((i for i, point in enumerate(points) if point.is_best), None)
    if best is not None:
        scores = points[best].scores
        ring: dict[str, Any] = {"facecolors": "none", "edgecolors": "#1e1e1e", "zorder": 4}
        mean = sum(scores) / len(scores)
        axes.scatter([places[best]], [mean], s=95, label="mean of the best setting", **ring)


def _frame(axes: Axes, name: str, measure: str, is_share: bool) -> None:
    """Title, axes and grid of a panel; the measure stands at the first of a row alone."""
    from matplotlib.ticker import PercentFormatter

    axes.set_title(name, fontsize=11)
    if is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if measure:
        axes.set_ylabel(measure)
    else:
        axes.tick_params(labelleft=False)
    axes.grid(color="#e2e2e2", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _places(axes: Axes, values: Sequence[str]) -> tuple[list[float], bool]:
    """Where the values stand across, with the axis made for them, and whether they are words."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        names = short_names(values, LONGEST_TICK)
        words = list(names)
        axes.set_xticks(range(len(words)), [*names.values()])
        axes.set_xlim(-0.5, len(words) - 0.5)
        return [float(words.index(value)) for value in values], True
    ticks = sorted(set(numbers))
    steps = ticks
    if ticks[0] > 0 and ticks[-1] >= DECADE * ticks[0]:
        steps = [log(each) for each in ticks]
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.08)
    texts = [f"{each:g}" for each in ticks]
    if len(ticks) <= MOST_TICKS and _have_room(steps, texts):
        axes.set_xticks(ticks, texts)
        axes.set_xticks([], minor=True)
    return numbers, False


def _have_room(places: Sequence[float], texts: Sequence[str]) -> bool:
    """Whether texts at such places, from the left to the right, do not run into each other."""
    span = places[-1] - places[0]
    pairs = zip(pairwise(places), pairwise(texts), strict=True)
    return all(
        CHARACTERS_ACROSS * (right - left) >= span * ((len(one) + len(other)) / 2 + 1)
        for (left, right), (one, other) in pairs
    )
