"""The picture of a confusion matrix: shades by row, counts that fit, names that do not overlap."""

import numpy as np
import pytest

from cnntool.visuals.heat import LETTERS, RIGHT, WRONG, confusion_map, name_step
from cnntool.visuals.paper import FRAME, PAPER, text_width

MATRIX = np.array([[8, 2], [0, 5]])


def cells(picture: np.ndarray, classes: int) -> tuple[np.ndarray, int]:
    """The colours in the upper left corners of the cells, where there are no letters, and the
    pixels from one cell to the next."""
    is_frame = (picture == FRAME).all(axis=2)
    down = np.flatnonzero(is_frame.sum(axis=1) > is_frame.sum(axis=1).max() / 2)
    across = np.flatnonzero(is_frame.sum(axis=0) > is_frame.sum(axis=0).max() / 2)
    pitch = (down[-1] - down[0]) // classes
    first = down[-1] - classes * pitch + 3, across[-1] - classes * pitch + 3
    return picture[first[0] :: pitch, first[1] :: pitch][:classes, :classes], pitch


def test_cells_are_shaded_by_their_share_of_the_row():
    (_, mistaken), (none, right) = cells(confusion_map(MATRIX, ["a", "b"]), 2)[0]
    assert tuple(right) == RIGHT  # all of the row
    assert tuple(none) == PAPER
    strength = 0.08 + 0.92 * 0.2
    np.testing.assert_allclose(mistaken, [255 + (c - 255) * strength for c in WRONG], atol=1)


def test_a_class_without_images_has_a_white_row():
    found, _ = cells(confusion_map(np.array([[0, 0], [1, 1]]), ["a", "b"]), 2)
    assert (found[0] == PAPER).all()
    assert (found[1] != PAPER).any(axis=1).all()


@pytest.mark.parametrize("largest", [1, 99, 12345, 10**9])
def test_counts_fit_into_their_cells(largest):
    _, pitch = cells(confusion_map(np.array([[largest, 0], [0, 1]]), ["a", "b"]), 2)
    assert text_width(str(largest), LETTERS) <= pitch - 6


@pytest.mark.parametrize("classes", [2, 60, 61, 1000])
def test_names_do_not_overlap_and_the_picture_stays_of_sensible_size(classes):
    labels = [f"a class with a long name, number {index}" for index in range(classes)]
    picture = confusion_map(np.eye(classes, dtype=int), labels)
    assert max(picture.shape) < 2500
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("cell", [2, 5, 10, 17, 44])
def test_names_stand_as_far_apart_as_they_are_high(cell):
    assert name_step(cell) * cell > LETTERS


def test_the_margin_is_white_all_around():
    picture = confusion_map(MATRIX, ["a name that is too long to be written in full", "b"])
    for edge in (picture[:6], picture[-6:], picture[:, :6], picture[:, -6:]):
        assert (edge == 255).all()
