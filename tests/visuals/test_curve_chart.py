"""Charts with axes: what they draw, and what is said where matplotlib is missing."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from cnntool.errors import InputError
from cnntool.visuals.curve_chart import COLOURS, Curve, curve_chart, write_chart

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
    assert accuracy.yaxis.get_major_formatter()(0.5).endswith("%")


@pytest.mark.parametrize("format", ["png", "svg", "pdf", "jpg"])
def test_the_same_chart_gives_the_same_bytes(format):
    pytest.importorskip("matplotlib")
    files = io.BytesIO(), io.BytesIO()
    for file in files:
        write_chart(curve_chart(PANELS), file, format)
    assert files[0].getvalue() == files[1].getvalue()
    if format == "png":
        assert Image.open(files[0]).width == 1012
