"""Charts with axes: what they draw, and what is said where matplotlib is missing."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from cnntool.errors import InputError
from cnntool.visuals.charts import COLOURS, Curve, curve_chart, write_chart
from cnntool.visuals.fonts import drawable

X = np.arange(1, 31)
PANELS = {
    "loss": [Curve(0, "a training", X, 1 / X, True), Curve(0, "a validation", X, 2 / X)],
    "accuracy": [Curve(1, "b validation", X[:2], np.array([0.5, np.nan]))],
}


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(InputError, match=r"pip install 'cnntool\[charts\]', or leave out -o"):
        curve_chart(PANELS)


def test_every_curve_is_a_line_with_its_colour_and_dashes():
    pytest.importorskip("matplotlib")
    loss, accuracy = curve_chart(PANELS).axes
    one, other = loss.lines
    np.testing.assert_array_equal(one.get_ydata(), 1 / X)
    assert (one.get_linestyle(), other.get_linestyle()) == ("--", "-")
    assert one.get_color() == other.get_color() == COLOURS[0]
    assert accuracy.lines[0].get_color() == COLOURS[1]
    assert [text.get_text() for text in loss.get_legend().texts] == ["a training", "a validation"]
    assert accuracy.yaxis.get_major_formatter()(0.5).startswith("50")
    assert accuracy.yaxis.get_major_formatter()(0.5).endswith("%")


def boxes(chart):
    """The legend of a chart and its panels, as they are drawn."""
    chart.canvas.draw()
    (legend,) = chart.legends
    return legend.get_window_extent(), [axes.get_window_extent() for axes in chart.axes]


@pytest.mark.parametrize("runs", [3, 40])
def test_the_names_of_many_runs_stand_below_the_panels(runs):
    pytest.importorskip("matplotlib")
    curves = [
        Curve(run, f"run{run}.npz {part}", X[:2], X[:2] + run, part == "training")
        for run in range(runs)
        for part in ("training", "validation")
    ]
    chart = curve_chart({"loss": curves, "accuracy": curves})
    names, panels = boxes(chart)
    assert len(chart.legends[0].texts) == 2 * runs
    assert min(names.x0, names.y0) >= 0
    assert names.x1 <= chart.bbox.x1
    assert all(names.y1 < panel.y0 and panel.height > 200 for panel in panels)
    looks = {
        (line.get_color(), line.get_marker(), line.get_linestyle()) for line in chart.axes[0].lines
    }
    assert len(looks) == 2 * min(runs, 4 * len(COLOURS))


def test_long_names_hide_nothing_and_end_as_they_do():
    pytest.importorskip("matplotlib")
    names = [f"{'a/long/way/' * 9}{end}.npz validation" for end in "ab"]
    chart = curve_chart({"loss": [Curve(run, name, X, X) for run, name in enumerate(names)]})
    legend, (panel,) = boxes(chart)
    assert 0 <= legend.x0 < legend.x1 <= chart.bbox.x1
    assert legend.y1 < panel.y0
    ends = [text.get_text()[-16:] for text in chart.legends[0].texts]
    assert ends == ["a.npz validation", "b.npz validation"]


def test_epochs_are_whole_numbers_even_a_single_one():
    pytest.importorskip("matplotlib")
    for last in (1, 2, 3, 30):
        chart = curve_chart({"loss": [Curve(0, "a", X[:last], X[:last])]})
        low, high = chart.axes[0].get_xlim()
        ticks = [tick for tick in chart.axes[0].get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) for tick in ticks)


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_same_chart_gives_the_same_bytes(format):
    pytest.importorskip("matplotlib")
    files = io.BytesIO(), io.BytesIO()
    for file in files:
        write_chart(curve_chart(PANELS), file, format)
    assert files[0].getvalue() == files[1].getvalue()
    if format == "png":
        assert Image.open(files[0]).width == 1012


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize(
    "name", ["_a.npz", "$x^$", "a $1$ b", "\u043a\u043e\u0442", "\u732b", "a\x1b[1m"]
)
def test_whatever_a_run_is_called_its_name_stands_in_the_legend(name, runs, recwarn):
    """Some names begin a formula to matplotlib, hide a line, or have letters that no font has."""
    pytest.importorskip("matplotlib")
    chart = curve_chart({"loss": [Curve(run, name, X, X) for run in range(runs)]})
    write_chart(chart, io.BytesIO(), "png")
    (legend,) = [*chart.legends, *(axes.get_legend() for axes in chart.axes if runs == 1)]
    assert [text.get_text() for text in legend.texts] == [drawable(name)] * runs
    assert not [each for each in recwarn if "glyph" in str(each.message).lower()]
