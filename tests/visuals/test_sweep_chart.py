"""Scores against settings: what is drawn where."""

import sys
from itertools import pairwise

import pytest

from cnntool.errors import InputError, RequestError
from cnntool.visuals.charts import Point, check_there, sweep_chart

POINTS = [
    Point({"lr": "0.001", "cell": "lstm", "size": "8"}, (0.5, 0.7)),
    Point({"lr": "0.001", "cell": "gru", "size": "8"}, (0.6, 0.6)),
    Point({"lr": "0.1", "cell": "lstm", "size": "12"}, (0.8, 0.9), is_best=True),
    Point({"lr": "0.1", "cell": "gru", "size": "12"}, (0.3,)),
]


def test_every_run_is_a_point_over_its_value_with_means_and_the_best():
    pytest.importorskip("matplotlib")
    rate, cell, size = sweep_chart(["lr", "cell", "size"], POINTS, "accuracy", True).axes
    runs, best = (each.get_offsets().tolist() for each in rate.collections)
    assert runs == [[0.001, y] for y in (0.5, 0.7, 0.6, 0.6)] + [[0.1, y] for y in (0.8, 0.9, 0.3)]
    assert best == [[0.1, pytest.approx(0.85)]]
    (means,) = rate.lines
    assert means.get_xdata().tolist() == [0.001, 0.1]
    assert means.get_ydata().tolist() == pytest.approx([0.6, 2 / 3])
    assert (rate.get_xscale(), size.get_xscale()) == ("log", "linear")
    assert [text.get_text() for text in rate.get_xticklabels()] == ["0.001", "0.1"]
    assert [text.get_text() for text in cell.get_xticklabels()] == ["lstm", "gru"]
    assert cell.lines[0].get_xdata().tolist() == [0, 1]
    assert [axes.get_title() for axes in (rate, cell, size)] == ["lr", "cell", "size"]
    assert rate.get_ylabel() == "accuracy"
    assert rate.yaxis.get_major_formatter()(0.5).startswith("50")


def test_of_values_that_are_all_different_there_is_no_mean():
    pytest.importorskip("matplotlib")
    points = [Point({"lr": f"0.0{number}"}, (0.5, 0.6)) for number in range(1, 9)]
    (axes,) = sweep_chart(["lr"], points, "perplexity", False).axes
    assert len(axes.lines) == 0


def test_what_cannot_be_drawn_is_said_before_any_work(monkeypatch):
    with pytest.raises(RequestError, match=r"end its name in one of \.png"):
        check_there(".txt")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'cnntool\[charts\]'"):
        check_there(".PNG")


def test_labels_neither_run_into_each_other_nor_look_alike():
    pytest.importorskip("matplotlib")
    layers = ["conv 4 3x3; relu; dense 2", "conv 4 3x3; relu; max 2; dense 2"]
    rates = [("0.00645", layers[0]), ("0.00694", layers[1]), ("0.0102", layers[0])]
    points = [Point({"lr": rate, "layers": text}, (0.5,)) for rate, text in rates]
    figure = sweep_chart(["lr", "layers"], points, "accuracy", True)
    figure.canvas.draw()
    rate, layer = figure.axes
    texts = [text for text in rate.get_xticklabels() if text.get_text()]
    boxes = [text.get_window_extent() for text in texts if text.get_visible()]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    assert len({text.get_text() for text in layer.get_xticklabels()}) == 2
