"""States over time: which cell has which colour, and where directions, frames and tags stand."""

import numpy as np
import pytest

from cnntool.visuals.heat import AGAINST, FOR, MOST
from cnntool.visuals.paper import MARGIN
from cnntool.visuals.state_picture import MOST as WIDE
from cnntool.visuals.state_picture import NAMES, WIDEST, StateMap, state_picture, unit_height


def where(picture, colour):
    return np.nonzero((picture == colour).all(axis=2))


def one_gate(at, shape=(3, 8)):
    values = np.zeros(shape)
    values[at] = 1
    return [StateMap("forget", values, 0, 1)]


def test_a_column_is_a_step_and_a_row_a_unit():
    rows, columns = where(state_picture([one_gate((2, 5))], ["on"], list("abc"), []), MOST)
    first, others = where(state_picture([one_gate((0, 0))], ["on"], list("abc"), []), MOST)
    high = unit_height(8)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (high, WIDE)
    assert rows.min() - first.min() == 5 * high
    assert columns.min() - others.min() == 2 * WIDE
    assert others.min() == MARGIN + NAMES


def test_what_is_below_0_has_another_colour_than_what_is_above():
    values = np.array([[1.0, -1.0]])
    picture = state_picture([[StateMap("h", values, -1, 1)]], ["on"], ["a"], [])
    assert where(picture, FOR)[0].max() < where(picture, AGAINST)[0].min()


@pytest.mark.parametrize(("steps", "is_beside"), [(4, True), (200, False)])
def test_directions_stand_beside_each_other_where_there_is_room(steps, is_beside):
    maps = [one_gate((0, 0), (steps, 8)) for _ in range(2)]
    picture = state_picture(maps, ["on", "back"], ["word"] * steps, ["words", "more"])
    rows, columns = where(picture, MOST)
    assert (len(set(columns // WIDE)) > 2) == is_beside
    assert (np.ptp(rows) > 100) != is_beside
    assert picture.shape[1] < max(WIDEST, 200 * 12)


def test_frames_stand_above_and_tags_below_the_maps():
    frames = [np.full((8, 8, 3), (9, 200, 9), np.uint8)] * 3
    plain = state_picture([one_gate((0, 0))], ["on"], list("123"), [])
    picture = state_picture([one_gate((0, 0))], ["on"], list("123"), [], ["a tag"] * 3, frames)
    green = where(picture, (9, 200, 9))
    assert green[0].max() < where(picture, MOST)[0].min()
    assert len(picture) > len(plain)


def test_a_picture_of_bands_stands_whole_above_all_steps():
    strip = np.full((4, 16, 3), (9, 200, 9), np.uint8)
    picture = state_picture([one_gate((0, 0))], ["on"], list("123"), [], frames=[strip])
    rows, columns = where(picture, (9, 200, 9))
    assert columns.min() == MARGIN + NAMES
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (3 * WIDE, 3 * WIDE // 4)


@pytest.mark.parametrize("units", [1, 300])
def test_few_and_many_units_are_pictures(units):
    maps = [StateMap("h", np.zeros((1, units)), -1, 1)]
    assert state_picture([maps], ["on"], ["水"], ["a line"]).shape[0] >= min(units, 100)
