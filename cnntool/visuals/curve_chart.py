"""Curves over epochs as a chart with axes, through matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnntool.errors import InputError
from cnntool.visuals import fonts

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
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator, PercentFormatter
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
    size = WIDTH * len(panels), HEIGHT + LEGEND_ROW * rows
    figure = Figure(size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    lines = {}
    for number, (measure, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        for curve in curves:
            lines[_key(curve)] = _draw(axes, curve)
        axes.set_xlabel("epoch")
        axes.set_title(measure, fontsize=11)
        _frame_epochs(axes, curves, MaxNLocator(integer=True))
        if measure == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(color="#e2e2e2", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if is_inside:
            _name(axes.legend(**style), [names[_key(curve)] for curve in curves])
    if not is_inside:
        style |= {"loc": "outside lower center", "ncols": across}
        legend = figure.legend([lines[key] for key in names], [""] * len(names), **style)
        _name(legend, names.values())
    return figure


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


def _draw(axes: Axes, curve: Curve) -> Line2D:
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


def write_chart(figure: Figure, file: BinaryIO, format: str) -> None:
    """Write a chart; the same one gives the same bytes. format: 'png', 'svg', 'pdf', ..."""
    import matplotlib

    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    with matplotlib.rc_context({"svg.hashsalt": "cnntool"}):
        figure.savefig(file, format=format, metadata=metadata)
