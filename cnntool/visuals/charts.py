"""Charts with axes, through matplotlib, which is an extra: curves over epochs, and scores of
trainings against each setting that varies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.visuals import fonts
from cnntool.wording import short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

COLOURS = ("#175ca4", "#c14214", "#2f8f3c", "#8a4fb3", "#b8860b", "#008b8b", "#c2417c", "#555555")
"""Of the runs, one after the other; told apart on white, and in print by their lines."""

MARKS = "osD^"
"""Of the points, another one each time that the colours begin again."""

FORMATS = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")

WIDTH, HEIGHT, DPI = 4.6, 3.4, 110
LEGEND_ROW = 0.17
"""Inches that a line of the legend takes."""

MOST_INSIDE, SHORT_NAME = 2, 28
"""Runs, and letters of their names, that stand in the panels; others stand below them, where they
hide nothing."""

LONGEST_NAME = 56
"""Letters of a name that fit below one panel; of a longer one, such as a path, its end is shown."""

MOST_POINTS = 12
"""Epochs up to which every one of them is marked, and about as many marks as longer curves bear."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: y (E,) over epochs x (E,), NaN where there is none. run: its number, from 0."""

    run: int
    name: str
    x: np.ndarray
    y: np.ndarray
    is_dashed: bool = False


def curve_chart(panels: Mapping[str, Sequence[Curve]]) -> Figure:
    """A panel with axes for each measure, side by side.

    The names of a few runs stand in each panel, those of many once, below them all. Accuracies,
    from 0 to 1, are in percent. InputError where matplotlib is missing.
    """
    try:
        import matplotlib.figure  # noqa: F401 (which a chart is made of)
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise InputError(
            "a chart in a file needs one more package: pip install 'cnntool[charts]', or leave out "
            "-o for a chart in the terminal"
        ) from None
    every = [curve for curves in panels.values() for curve in curves]
    names = {_key(curve): _label(curve.name) for curve in every}
    is_inside = len({curve.run for curve in every}) <= MOST_INSIDE
    is_inside &= max(map(len, names.values())) <= SHORT_NAME
    style: dict[str, Any] = {"prop": _font_properties(names.values()), "frameon": False}
    rows = 0 if is_inside else -(-len(names) // (across := _across(names.values(), len(panels))))
    figure = _figure(WIDTH * len(panels), HEIGHT + LEGEND_ROW * rows)
    lines = {}
    for number, (measure, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        for curve in curves:
            lines[_key(curve)] = _draw_curve(axes, curve)
        axes.set_xlabel("epoch")
        _frame_epochs(axes, curves, MaxNLocator(integer=True))
        _frame(axes, measure, is_share=measure == "accuracy")
        if is_inside:
            _name(axes.legend(**style), [names[_key(curve)] for curve in curves])
    if not is_inside:
        style |= {"loc": "outside lower center", "ncols": across}
        legend = figure.legend([lines[key] for key in names], [""] * len(names), **style)
        _name(legend, names.values())
    return figure


def _figure(width: float, height: float) -> Figure:
    """Paper of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _frame(axes: Axes, title: str, is_share: bool) -> None:
    """Title, axes and grid of a panel; shares, from 0 to 1, are in percent."""
    from matplotlib.ticker import PercentFormatter

    axes.set_title(title, fontsize=11)
    if is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(color="#e2e2e2", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _font_properties(names: Iterable[str]) -> FontProperties:
    """matplotlib's own font, and for letters that it lacks those that other pictures are drawn
    in."""
    from matplotlib.font_manager import FontProperties, fontManager

    families = list(FontProperties().get_family())
    paths = dict.fromkeys(path for name in names for path, _ in fonts.runs(name))
    for path in filter(None, paths):
        fontManager.addfont(path)
        families.append(FontProperties(fname=path).get_name())
    return FontProperties(family=families, size=8)


def _name(legend: Legend, names: Iterable[str]) -> None:
    """Write names as they are: to matplotlib some begin a formula, or hide a line."""
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def _key(curve: Curve) -> tuple[int, bool]:
    """What the curves of one part of one run have in common, whatever the measure."""
    return curve.run, curve.is_dashed


def _label(name: str) -> str:
    name = fonts.drawable(name)
    return name if len(name) <= LONGEST_NAME else "..." + name[3 - LONGEST_NAME :]


def _draw_curve(axes: Axes, curve: Curve) -> Line2D:
    turn, colour = divmod(curve.run, len(COLOURS))
    few = len(curve.x) <= MOST_POINTS
    (line,) = axes.plot(
        curve.x,
        curve.y,
        color=COLOURS[colour],
        linestyle="--" if curve.is_dashed else "-",
        linewidth=1.2 if curve.is_dashed else 1.8,
        marker=MARKS[turn % len(MARKS)] if few or turn else None,
        markevery=max(1, len(curve.x) // MOST_POINTS),
        markersize=3.5,
        label="curve",
    )
    return line


def _frame_epochs(axes: Axes, curves: Sequence[Curve], whole: MaxNLocator) -> None:
    """Whole epochs below the axis; a single one in the middle, as there is nothing between."""
    axes.xaxis.set_major_locator(whole)
    epochs = np.unique(np.concatenate([curve.x for curve in curves]))
    if len(epochs) == 1:
        axes.set_xticks(epochs)


def _across(names: Collection[str], panels: int) -> int:
    """Names side by side below the panels, by the letters of the longest: of a run both parts, so
    an even number of them where there is room for two."""
    letters = max(map(len, names)) + 8  # with the line before it
    fit = int(WIDTH * panels * 15 / letters)  # about 15 letters an inch
    return max(1, fit // 2 * 2)


PANEL_WIDTH, PANEL_HEIGHT = 3.1, 2.9
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
    across = min(len(names), MOST_ACROSS)
    down = -(-len(names) // across)
    figure = _figure(PANEL_WIDTH * across + 0.5, PANEL_HEIGHT * down + 0.3)
    first = None
    lines: dict[str, Any] = {}
    for number, name in enumerate(names):
        axes = figure.add_subplot(down, across, number + 1, sharey=first)
        first = first or axes
        _draw_scores(axes, [each.setting[name] for each in points], points)
        _frame(axes, name, is_share)
        if number % across:  # the measure stands at the first of a row alone
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(measure)
        drawn, labels = axes.get_legend_handles_labels()
        lines |= dict(zip(labels, drawn, strict=True))
    style: dict[str, Any] = {"loc": "outside lower center", "frameon": False, "fontsize": 8}
    figure.legend([*lines.values()], [*lines], ncols=len(lines), **style)
    return figure


def _draw_scores(axes: Axes, values: Sequence[str], points: Sequence[Point]) -> None:
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


def write_chart(figure: Figure, file: BinaryIO, format: str) -> None:
    """Write a chart; the same one gives the same bytes. format: 'png', 'svg', 'pdf', ..."""
    import matplotlib

    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    with matplotlib.rc_context({"svg.hashsalt": "cnntool"}):
        figure.savefig(file, format=format, metadata=metadata)
