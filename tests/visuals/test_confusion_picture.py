"""The picture of a confusion matrix: shades by row, counts that fit, names that do not overlap."""

import numpy as np
import pytest

from cnntool.visuals.confusion_picture import (
    LETTERS,
    RIGHT,
    WRONG,
    _layout,
    confusion_picture,
)
from cnntool.visuals.paper import MARGIN, text_width

MATRIX = np.array([[8, 2], [0, 5]])


def corner(picture: np.ndarray, matrix: np.ndarray, labels, row: int, column: int) -> np.ndarray:
    """The colour in a cell's upper left corner, where there are no letters."""
    layout = _layout(matrix, labels)
    bottom = picture.shape[0] - MARGIN - 1 - (len(matrix) - row) * layout.cell
    return picture[bottom + 3, layout.left + column * layout.cell + 3]


def test_cells_are_shaded_by_their_share_of_the_row():
    labels = ["a", "b"]
    picture = confusion_picture(MATRIX, labels)
    assert tuple(corner(picture, MATRIX, labels, 1, 1)) == RIGHT  # all of the row
    assert tuple(corner(picture, MATRIX, labels, 1, 0)) == (255, 255, 255)
    strength = 0.08 + 0.92 * 0.2
    expected = [255 + (full - 255) * strength for full in WRONG]
    np.testing.assert_allclose(corner(picture, MATRIX, labels, 0, 1), expected, atol=1)


def test_a_class_without_images_has_a_white_row():
    matrix = np.array([[0, 0], [1, 1]])
    picture = confusion_picture(matrix, ["a", "b"])
    assert tuple(corner(picture, matrix, ["a", "b"], 0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("largest", [1, 99, 12345, 10**9])
def test_counts_fit_into_their_cells(largest):
    layout = _layout(np.array([[largest, 0], [0, 1]]), ["a", "b"])
    assert text_width(str(largest), LETTERS) <= layout.cell - 6


@pytest.mark.parametrize("classes", [2, 60, 61, 1000])
def test_names_do_not_overlap_and_the_picture_stays_of_sensible_size(classes):
    labels = [f"a class with a long name, number {index}" for index in range(classes)]
    layout = _layout(np.eye(classes, dtype=int), labels)
    assert layout.step * layout.cell >= LETTERS + 3
    picture = confusion_picture(np.eye(classes, dtype=int), labels)
    assert max(picture.shape) < 2500
    assert picture.dtype == np.uint8


def test_names_of_columns_stand_upright_only_where_they_are_too_wide():
    assert not _layout(MATRIX, ["a", "b"]).turned
    assert _layout(MATRIX, ["a", "a longer name"]).turned


def test_the_margin_is_white_all_around():
    picture = confusion_picture(MATRIX, ["a name that is too long to be written in full", "b"])
    for edge in (picture[:6], picture[-6:], picture[:, :6], picture[:, -6:]):
        assert (edge == 255).all()
