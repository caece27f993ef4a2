"""What evaluate, predict and info show in terminals, narrow and wide."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from trained_models import darkness_model

from cnntool.cli import class_tables, evaluation_tables, network_tables, predictions
from cnntool.cli import console as console_module
from cnntool.cli.files import Source
from cnntool.datasets.images.dataset import Dataset
from cnntool.networks.model import load_trained
from cnntool.networks.zoo import build
from cnntool.training.evaluation import evaluate


@pytest.fixture
def terminal(monkeypatch):
    """Show on a terminal of this width; returns what then stands there, line by line."""

    def run(width: int, function, *arguments, color=None) -> list[str]:
        file = io.StringIO()
        screen = Console(
            file=file, force_terminal=True, width=width, color_system=color, highlight=False
        )
        for module in (
            console_module,
            class_tables,
            network_tables,
            predictions,
        ):
            monkeypatch.setattr(module, "console", lambda stderr=False: screen)
        function(*arguments)
        return file.getvalue().splitlines()

    return run


def report_of(tmp_path, labels, files=None):
    model = darkness_model(tmp_path / "m.npz", labels=labels, classes=len(labels))
    x = np.random.default_rng(0).integers(0, 256, (90, 1, 4, 4), np.uint8)
    data = Dataset(x, np.arange(90) % len(labels), tuple(labels), "set", files=files)
    return evaluate(load_trained(model, "cnn"), data)


SHOWN = "m on d", "all", "image", 90
LONG = tuple(f"[bold]a species with a long name, number {index}" for index in range(12))


def test_columns_with_long_names_are_numbered(tmp_path, terminal):
    report = report_of(tmp_path, LONG)
    lines = terminal(120, evaluation_tables.show_report, report, *SHOWN)
    assert [str(index) for index in range(12)] in [line.split() for line in lines]
    assert any(line.startswith(" 3 [bold]a species") for line in lines)


@pytest.mark.parametrize("count", [3, 12, 45])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(tmp_path, terminal, count, width):
    labels = tuple(f"{name} {index}" for index, name in zip(range(count), LONG * 9, strict=False))
    report = report_of(tmp_path, labels)
    lines = terminal(width, evaluation_tables.show_report, report, *SHOWN)
    assert max(map(len, lines)) <= width
    assert any("probability" in line for line in lines)


@pytest.mark.parametrize("labels", [("a", "b"), LONG])
@pytest.mark.parametrize("width", [60, 80])
def test_of_a_long_path_the_end_is_shown(tmp_path, terminal, labels, width):
    files = tuple(f"{'deep/' * 30}{index:02}.png" for index in range(90))
    report = report_of(tmp_path, labels, files)
    lines = terminal(width, evaluation_tables.show_report, report, *SHOWN)
    assert max(map(len, lines)) <= width
    start = next(index for index, line in enumerate(lines) if line.startswith("image "))
    for line, mistake in zip(lines[start + 1 :], report.mistakes, strict=False):
        assert line.startswith("...")
        assert f"/{Path(mistake.place).name}  " in line


def test_of_many_classes_the_worst_are_shown(tmp_path, terminal):
    report = report_of(tmp_path, tuple(f"c{index}" for index in range(50)))
    lines = terminal(80, evaluation_tables.show_report, report, *SHOWN)
    assert any(line.startswith("the 20 lowest F1") for line in lines)
    assert any(line.startswith("--confusion draws") for line in lines)


def test_cells_are_shaded(tmp_path, terminal):
    report = report_of(tmp_path, ("dark", "light"))
    show = evaluation_tables.show_report
    text = "\n".join(terminal(80, show, report, *SHOWN, color="truecolor"))
    assert "48;2;0;" in text  # blue on the diagonal
    assert ";40;0m" in text  # red beside it


@pytest.mark.parametrize("width", [80, 200])
def test_large_networks_fit_into_a_narrow_terminal(terminal, width):
    network = build("alexnet", (3, 224, 224), 1000, width=1)
    show = network_tables.show_layers
    lines = terminal(width, show, "alexnet", network)
    assert max(map(len, lines)) <= width
    total = lines[-1].split()
    if width == 200:
        assert total == ["total", "62,378,344", "1,137,026,760", "1,135,256,096"]
    else:
        assert total == ["total", "62.38", "M", "1.137", "G", "1.135", "G"]
    assert not any("…" in line for line in lines)


def test_predictions_stand_in_columns(terminal):
    def predict():
        printer = predictions.Printer(("cat", "dormouse"), 2, False)
        printer.expect([Source(None), Source("a.png")])
        printer("a.png", np.array([0.25, 0.75]))
        printer("stdin", np.array([1, 0.0]))

    assert terminal(80, predict) == [
        "a.png  dormouse  75.00%  cat       25.00%",
        "stdin  cat      100.00%  dormouse   0.00%",
    ]
