"""What commands say to people and to programs."""

import io
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cnntool.cli.console import console, json_text, labelled, print_line, show, table, working
from cnntool.wording import plain, readable


@dataclass
class Facts:
    name: str
    error: float
    weights: np.ndarray
    path: Path
    size: tuple[int, ...] | None = None


def test_json_has_no_nan_no_arrays_and_no_paths():
    facts = Facts("conv1", float("nan"), np.float32([[1, np.inf]]), Path("a") / "b", (2, 3))
    assert plain({"facts": [facts], "count": np.int64(2)}) == {
        "facts": [
            {
                "name": "conv1",
                "error": None,
                "weights": [[1.0, None]],
                "path": "a/b",
                "size": [2, 3],
            }
        ],
        "count": 2,
    }


def test_a_terminal_obeys_nothing_of_json_and_it_says_the_same():
    value = {"token": "\x9b2J\x1b[31m \u202e é 👩\u200d🚀\n"}
    text = json_text(value)
    assert json.loads(text) == value
    assert text == r'{"token": "\u009b2J\u001b[31m \u202e é 👩' + "\u200d" + r'🚀\n"}'


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_json_is_ascii_where_stdout_is_not_in_utf_8(encoding, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    value = {"name": "é 日 👩 \x7f"}
    text = json_text(value)
    assert text == r'{"name": "\u00e9 \u65e5 \ud83d\udc69 \u007f"}'
    assert json.loads(text) == value


def test_lines_and_tables_in_a_pipe_have_no_padding_and_no_markup(capsys):
    show(("sobel", "bold cyan"), " over [b]photo.jpg[/b]")
    show()
    sums = table("parameters", names="name", footer=("total", "30"))
    sums.add_row("conv1", "10")
    show(sums)
    show(labelled([("loss", "0.5", "in nats"), ("accuracy", "93.00%", "")]))
    assert capsys.readouterr().out.splitlines() == [
        "sobel over [b]photo.jpg[/b]",
        "",
        "name   parameters",
        "conv1          10",
        "total          30",
        "loss         0.5  in nats",
        "accuracy  93.00%",
    ]


def test_names_in_lines_and_tables_are_shown_as_they_are_and_obeyed_by_nobody(capsys):
    """Neither Rich's markup, nor an emoji's code, nor a terminal's escape sequence."""
    name = "[red]a[/b] :dog: \x1b[2J\x9b1m"
    shown = "[red]a[/b] :dog: \\x1b[2J\\x9b1m"
    show((name, "bold"), " and ", name)
    rows = table("value", names=name)
    rows.add_row(name, "1")
    show(rows)
    show(labelled([(name, "2")]))
    out = capsys.readouterr().out
    assert out.count(shown) == 5
    assert "\x1b" not in out
    assert "\x9b" not in out


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_path_is_itself_in_a_pipe_and_harmless_on_a_terminal(monkeypatch, capsys, is_terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    print_line(Path("\x1b[31mred\n.png"))
    shown = capsys.readouterr().out
    assert shown == ("\\x1b[31mred\\n.png\n" if is_terminal else "\x1b[31mred\n.png\n")


def test_bytes_that_are_no_text_stay_themselves_but_for_a_terminal():
    for is_terminal, shown in ((True, "a\\x9b\n"), (False, "a\udc9b\n")):
        screen = console()
        screen.file, screen._force_terminal = io.StringIO(), is_terminal
        screen.print("a\udc9b")
        assert screen.file.getvalue().strip("\r") == shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["convolve", "NAME", "-k", "box"],
        ["convolve", "grey.png", "-k", "NAME"],
        ["convolve", "grey.png", "-k", "box", "--range", "NAME"],
        ["info", "NAME"],
        ["train-cnn", "NAME"],
    ],
)
def test_a_byte_of_a_name_that_is_no_text_is_shown_as_json_shows_it(cnntool, arguments):
    name = os.fsdecode(b"no/\xff.txt")
    done = cnntool(*(name if word == "NAME" else word for word in arguments))
    assert done.code != 0
    assert readable(name) == "no/\\xff.txt"
    assert readable(name) in done.err
    assert "udcff" not in done.err


@pytest.mark.parametrize("is_terminal", [True, False])
def test_work_without_a_known_end_is_told_of_on_a_terminal_alone(monkeypatch, is_terminal):
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", shown)
    with working("looking") as tell:
        tell("windows of 5x5")
        time.sleep(0.2)  # two pictures of what turns
    assert ("looking: windows of 5x5" in shown.getvalue()) == is_terminal
