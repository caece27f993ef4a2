"""Curves over epochs as a chart with axes, through matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cnntool.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#175ca4", "#c14214", "#2f8f3c", "#8a4fb3", "#b8860b", "#008b8b", "#c2417c", "#555555")
"""Of the runs, one after the other; told apart on white, and in print by their lines."""

FORMATS = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")

WIDTH, HEIGHT, DPI = 4.6, 3.4, 110


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: y (E,) over epochs x (E,), NaN where there is none. run: its number, from 0."""

    run: int
    name: str
    x: np.ndarray
    y: np.ndarray
    is_dashed: bool = False


def curve_chart(panels: dict[str, Sequence[Curve]]) -> Figure:
    """A panel with axes for each measure, side by side; the last points are marked.

    Accuracies, from 0 to 1, are in percent. InputError where matplotlib is missing.
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
    figure = Figure((WIDTH * len(panels), HEIGHT), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for number, (measure, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        for curve in curves:
            axes.plot(
                curve.x,
                curve.y,
                color=COLOURS[curve.run % len(COLOURS)],
                linestyle="--" if curve.is_dashed else "-",
                linewidth=1.2 if curve.is_dashed else 1.8,
                marker="o" if len(curve.x) <= 12 else None,
                markersize=3.5,
                label=curve.name,
            )
        axes.set_xlabel("epoch")
        axes.set_title(measure, fontsize=11)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if measure == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(color="#e2e2e2", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    return figure


def write_chart(figure: Figure, file: BinaryIO, format: str) -> None:
    """Write a chart; the same one gives the same bytes. format: 'png', 'svg', 'pdf', ..."""
    import matplotlib

    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    with matplotlib.rc_context({"svg.hashsalt": "cnntool"}):
        figure.savefig(file, format=format, metadata=metadata)
