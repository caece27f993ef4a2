"""Curves in the terminal: points where they belong, and lines that fit."""

import numpy as np
import pytest

from cnntool.cli.terminal import LABEL, chart_lines
from cnntool.visuals.charts import Curve


def lines(curves, width=20, rows=5, has_dots=False) -> list[str]:
    return [line.plain for line in chart_lines(curves, width, rows, has_dots, "{:.2f}".format)]


def curve(*y, run=0, dashed=False) -> Curve:
    return Curve(run, "r", np.arange(1, len(y) + 1), np.array(y, float), dashed)


def test_a_straight_line_goes_from_corner_to_corner():
    found = lines([curve(0, 1, 2, 3, 4)], width=9)
    assert [line[LABEL:].find("A") for line in found[:5]] == [7, 5, 3, 1, 0]
    assert found[0].strip().startswith("4.00 |")
    assert found[4].strip().startswith("0.00 |")
    assert found[6].split() == ["1", "epoch", "5"]


def test_runs_have_letters_of_their_own_and_training_small_ones():
    found = "".join(lines([curve(0, 1), curve(4, 3, run=1, dashed=True)]))
    assert {letter for letter in found if letter.isalpha()} - set("epoch") == {"A", "b"}


def test_dots_fill_the_upper_right_and_lower_left():
    found = lines([curve(0, 1, 2)], width=10, has_dots=True)
    body = [line[LABEL:] for line in found[:5]]
    assert body[0].rstrip()[-1] not in " ⠀"
    assert len(body[0]) == 10
    assert body[-1][0] not in " ⠀"


@pytest.mark.parametrize("has_dots", [False, True])
def test_a_line_breaks_where_there_is_no_number(has_dots):
    found = lines([curve(0, np.nan, np.nan, np.nan, 1)], width=9, rows=3, has_dots=has_dots)
    assert sum(character not in " |┤│" for line in found[:3] for character in line[LABEL:]) == 2


@pytest.mark.parametrize("y", [[3.0], [2.0, 2.0], [np.nan, 1.0]])
@pytest.mark.parametrize("has_dots", [False, True])
def test_one_value_stands_in_the_middle(y, has_dots):
    found = lines([curve(*y)], rows=5, has_dots=has_dots)
    assert found[2][LABEL:].strip()
    assert not any(line[LABEL:].strip() for line in (*found[:2], *found[3:5]))


@pytest.mark.parametrize("width", [16, 76])
def test_no_line_is_wider_than_it_may(width):
    curves = [curve(*np.random.default_rng(0).normal(size=200), run=run) for run in range(3)]
    for has_dots in (False, True):
        assert max(map(len, lines(curves, width, 10, has_dots))) <= LABEL + width
