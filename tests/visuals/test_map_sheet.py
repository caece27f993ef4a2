"""Sheets of feature maps: every layer in its place, in its size, and on its scale."""

import numpy as np
import pytest

from cnntool.visuals.filter_sheet import LINE, shades
from cnntool.visuals.map_sheet import (
    COLUMN_HEIGHT,
    COLUMN_WIDTH,
    MOST_MAPS,
    WIDEST_SHEET,
    Stage,
    map_sheet,
)

RNG = np.random.default_rng(0)


def stage(*shape: int, name: str = "conv1") -> Stage:
    return Stage(name, "conv 8 3x3 pad 1", " x ".join(map(str, shape)), RNG.normal(size=shape))


def boxes(sheet: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The columns' grids, (top, bottom, left, right), from left to right, of one row of them."""
    is_line = (sheet == LINE).all(axis=2)
    across = np.flatnonzero(is_line.any(axis=0))
    cuts = np.flatnonzero(np.diff(across) > 21)
    found = []
    for part in np.split(across, cuts + 1):
        rows = np.flatnonzero(is_line[:, part[0] : part[-1] + 1].any(axis=1))
        found.append((rows[0], rows[-1], part[0], part[-1]))
    return found


def test_maps_are_enlarged_pixel_by_pixel_on_one_scale():
    values = np.array([[[1.0, -1], [0, 0.5]]])
    sheet = map_sheet([Stage("pool1", "max 2", "1 x 2 x 2", values)], "m")
    ((top, bottom, left, right),) = boxes(sheet)
    tile = sheet[top + 1 : bottom, left + 1 : right, 0]
    factor = len(tile) // 2
    expected = np.kron(shades(values[None])[0, 0], np.ones((factor, factor), np.uint8))
    np.testing.assert_array_equal(tile, expected)
    assert expected[0, 0] == 255 and expected[-1, 0] == 128  # noqa: PT018


@pytest.mark.parametrize("scale", ["bank", "each", "minmax"])
def test_maps_that_are_not_square_stand_in_their_rows_on_their_scale(scale):
    """12 of 60 x 20 pixels, which are not enlarged, all in their order."""
    values = RNG.normal(size=(12, 60, 20)) * np.arange(1, 13)[:, None, None]
    sheet = map_sheet([Stage("conv1", "", "", values)], "m", scale)
    ((top, bottom, left, right),) = boxes(sheet)
    grid, pixels = sheet[top : bottom + 1, left : right + 1, 0], shades(values[:, None], scale)
    across = (right - left) // 21
    assert (bottom - top) // 61 == -(-12 // across)
    for index, expected in enumerate(pixels[:, 0]):
        y, x = index // across * 61 + 1, index % across * 21 + 1
        np.testing.assert_array_equal(grid[y : y + 60, x : x + 20], expected)


@pytest.mark.parametrize(("height", "width"), [(600, 200), (200, 600)])
def test_maps_that_are_made_smaller_keep_their_proportions(height, width):
    sheet = map_sheet([stage(1, height, width)], "m")
    ((top, bottom, left, right),) = boxes(sheet)
    assert (bottom - top - 1) / (right - left - 1) == pytest.approx(height / width, rel=0.05)


def test_of_very_many_maps_the_first_are_shown_and_it_is_said():
    values = np.zeros((MOST_MAPS + 6, 1, 1))
    first = map_sheet([Stage("conv1", "", f"70 x 1 x 1: first {MOST_MAPS}", values[:64])], "m")
    some = map_sheet([Stage("conv1", "", "70 x 1 x 1", values)], "m")
    np.testing.assert_array_equal(some, first)


def test_columns_stand_in_the_order_of_the_data():
    sheet = map_sheet([stage(4, 8, 8), stage(8, 4, 4), stage(10)], "m")
    found = boxes(sheet)
    assert len(found) == 3
    assert len({top for top, *_ in found}) == 1
    assert [left for *_, left, _ in found] == sorted(left for *_, left, _ in found)


@pytest.mark.parametrize("shape", [(1, 1, 1), (64, 2, 2), (384, 13, 13), (3, 500, 300), (4096,)])
def test_a_column_has_its_size_whatever_its_maps(shape):
    ((top, bottom, left, right),) = boxes(map_sheet([stage(*shape)], "m"))
    assert bottom - top <= COLUMN_HEIGHT
    assert right - left <= COLUMN_WIDTH


def test_the_image_itself_is_in_colour():
    pixels = np.zeros((3, 4, 4))
    pixels[0] = 1
    sheet = map_sheet([Stage("input", "", "3 x 4 x 4", pixels, is_picture=True)], "m")
    ((top, bottom, left, right),) = boxes(sheet)
    assert (sheet[top + 1 : bottom, left + 1 : right] == (255, 0, 0)).all()


def test_many_layers_are_wrapped_and_words_stay_on_paper():
    sheet = map_sheet([stage(16, 8, 8, name=f"conv{n}") for n in range(20)], "m " * 400)
    assert sheet.shape[1] <= WIDEST_SHEET
    for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
        assert (edge == 255).all()


def test_the_likeliest_class_has_the_longest_bar():
    values = np.array([0.1, 0.7, 0.2])
    names = ("cat", "a dog with a name that is far too long for a picture of this size", "bird")
    sheet = map_sheet([Stage("output", "softmax", "", values, names=names)], "m")
    is_bar = (sheet == (23, 92, 164)).all(axis=2)
    lengths = is_bar.sum(axis=1)[is_bar.any(axis=1)]
    assert lengths[0] == lengths.max()
    assert lengths[-1] == lengths.min()
