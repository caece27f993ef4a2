"""Heat maps and coloured words: what is where, and in which colour."""

import numpy as np
import pytest

from cnntool.visuals.heat import (
    AGAINST,
    FOR,
    MOST,
    TEXT_WIDTH,
    coloured_words,
    labelled_map,
    tinted,
    upright_names,
)
from cnntool.visuals.overlays import attended, attention_maps


def where(picture, colour):
    """Rows and columns of the pixels that have a colour."""
    return np.nonzero((picture == colour).all(axis=2))


def test_white_is_0_and_the_ends_are_their_colours():
    assert tinted(np.array([0.0, 1.0])).tolist() == [[255, 255, 255], list(MOST)]
    found = tinted(np.array([-2.0, 0.0, 2.0, 9.0]), -2, 2).tolist()
    assert found == [list(AGAINST), [255, 255, 255], list(FOR), list(FOR)]
    grey = tinted(np.linspace(0, 1, 50)).sum(axis=1)
    assert (np.diff(grey.astype(int)) < 0).all()


def test_a_cell_is_where_its_row_and_column_are():
    values = np.zeros((3, 20))
    values[2, 19] = 1
    rows, columns = where(labelled_map(values, ["a"] * 3, ["b"] * 20, []), MOST)
    values[2, 19], values[0, 0] = 0, 1
    others = where(labelled_map(values, ["a"] * 3, ["b"] * 20, []), MOST)
    assert rows.min() > others[0].max()
    assert columns.min() > others[1].max()
    assert len(rows) == len(others[0]) or abs(len(rows) - len(others[0])) < 100


@pytest.mark.parametrize("count", [1, 7, 100])
def test_a_map_of_any_width_stays_a_picture_of_sensible_size(count):
    names = [f"a rather long word {number}" for number in range(count)]
    picture = labelled_map(np.full((2, count), 0.5), ["x", "水 y"], names, ["a line", "more"])
    assert picture.shape[1] < 1500
    assert picture.shape[0] < 500


def test_names_are_upright_where_most_are_too_wide():
    assert upright_names(["a", "b", "(end)"], 20) == [False, False, True]
    assert upright_names(["a", "street", "number"], 20) == [True] * 3


def test_words_are_coloured_by_sign_and_flow_into_lines():
    values = np.array([1.0, -1.0, 0.0])
    picture = coloured_words(["good", "bad", "so"], values, ["words"], ("against", "for"))
    one, two = where(picture, FOR), where(picture, AGAINST)
    assert one[1].min() < two[1].min()
    many = coloured_words(["word"] * 60, np.linspace(-1, 1, 60), ["words"], ("against", "for"))
    assert many.shape[0] > 2 * picture.shape[0]
    assert many.shape[1] < TEXT_WIDTH + 60


def test_words_of_no_weight_and_letters_are_no_trouble():
    assert coloured_words(["a"], np.zeros(1), ["words"], ("", "")).shape[2] == 3
    letters = coloured_words(list("a水 b"), np.ones(4) * 1e-9, ["w"], ("", ""), are_letters=True)
    assert len(where(letters, FOR)[0]) > 100


def test_each_word_has_a_map_whose_most_is_the_hottest():
    picture = np.full((16, 16, 3), 90, np.uint8)
    maps = np.zeros((2, 4, 4))
    maps[0, 0, 0], maps[1, 3, 3] = 1, 1
    one, two = attended(picture, maps)
    assert one.shape == two.shape
    half = len(one) // 2
    for shown, rows in ((one, slice(0, half)), (two, slice(half, None))):
        colour = np.ptp(shown.astype(int), axis=2)  # the picture is grey
        assert colour[rows, rows].max() > 60
        colour[rows, rows] = 0
        assert colour.max() < 40
    one, two = attended(picture, maps * np.array([0.05, 1])[:, None, None])
    assert np.ptp(one.astype(int), axis=2).max() < np.ptp(two.astype(int), axis=2).max() / 2
    assert attention_maps(picture, maps, ["a", "b"], "title").shape[1] > 112 * 2
