"""Words in the plane as lines of letters: where they stand, and that none runs into another."""

import io
import re

import numpy as np
from rich.console import Console

from cnntool.cli import terminal
from cnntool.cli.terminal import word_lines


def test_words_stand_right_and_left_of_their_dots_up_is_up():
    points = np.array([[0.0, 0], [4, 1], [2, 2]])
    lines, _ = word_lines(points, ["low", "right", "top"], (5, 21))
    assert lines == [
        "          .top       ",
        " " * 21,
        "               right.",
        " " * 21,
        ".low                 ",
    ]


def test_of_hundreds_all_that_are_named_can_be_read():
    rng = np.random.default_rng(0)
    names = [f"w{number}" for number in range(500)]
    lines, owners = word_lines(rng.standard_normal((500, 2)), names, (30, 79), {7})
    assert all(len(line) == 79 for line in lines)
    read = re.findall(r"\w+", "\n".join(lines))
    assert set(read) <= set(names)
    assert len(set(read)) == len(read) > 50
    marked = "".join(np.array([list(line) for line in lines])[owners])
    assert marked in (".w7", "w7.")


def test_a_single_word_and_words_that_are_too_long_or_wide():
    assert word_lines(np.zeros((1, 2)), ["word"], (3, 9))[0] == [" " * 9, " " * 9, ".word    "]
    lines, _ = word_lines(np.array([[0.0, 0], [1, 1]]), ["a" * 20, "\u4f60\u597d"], (2, 9))
    assert lines == ["        .", ".        "]


def test_lines_above_a_picture_are_cut_between_words_in_a_terminal_only(monkeypatch, capsys):
    words = "of 16 filters the patches that excite them most " * 4
    for is_terminal, count in ((True, 6), (False, 1)):
        screen = Console(file=io.StringIO(), force_terminal=is_terminal, width=40)
        monkeypatch.setattr(terminal, "console", lambda stderr=False, screen=screen: screen)
        terminal.say([words.strip()])
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == count
        assert " ".join(lines) == words.strip()
