"""Words in the plane: where their dots are, and that no name lies over another."""

import numpy as np

from cnntool.visuals.paper import FAINT
from cnntool.visuals.word_map import HEIGHT, MARKED, WIDTH, word_map


def dots(picture, colour):
    return (picture == colour).all(axis=2)[:HEIGHT]


def test_points_lie_as_in_the_plane():
    points = np.array([[-3.0, -1], [3, -1], [0, 2]])
    picture = word_map(points, ["", "", ""], [])
    assert picture.shape[1] == WIDTH
    found = dots(picture, FAINT)
    rows, columns = np.nonzero(found)
    left, right = columns.min(), columns.max()
    assert found[:, left : left + 3].any()
    assert found[:, right - 2 :].any()
    top = rows.min()
    assert abs(np.nonzero(found[top])[0].mean() - WIDTH / 2) < 4  # the third is up and in between
    low = np.nonzero(found[rows.max()])[0]
    assert low.min() < WIDTH / 4 < 3 * WIDTH / 4 < low.max()


def test_what_is_marked_is_red_and_named_first():
    points = np.zeros((40, 2))
    picture = word_map(points, ["word"] * 39 + ["marked"], [], {39})
    assert dots(picture, MARKED).sum() > 60  # its dot and most of its name


def test_a_thousand_names_at_one_place_do_not_overlap():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((1000, 2))
    names = [f"w{number}" for number in range(1000)]
    picture = word_map(points, names, ["a caption"])
    alone = word_map(points[:1], names[:1], ["a caption"])
    assert picture.shape == alone.shape
    assert (picture[HEIGHT:] == alone[HEIGHT:]).all()  # nothing runs into the caption


def test_one_point_and_names_without_letters_are_no_trouble():
    assert word_map(np.zeros((1, 2)), ["你好"], []).shape[1] == WIDTH


def test_names_stay_within_the_picture():
    points = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    picture = word_map(points, ["a name that is wider than the margin"] * 4, [])
    is_ink = (picture[:HEIGHT] < 100).all(axis=2)
    columns = np.flatnonzero(is_ink.any(axis=0))
    assert is_ink.sum() > 1000
    assert 4 < columns.min() < columns.max() < WIDTH - 4
