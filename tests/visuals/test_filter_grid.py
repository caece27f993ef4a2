"""Grids of kernels, pixel by pixel on small banks."""

import numpy as np
import pytest

from cnntool.visuals.filter_sheet import (
    LARGEST_SIDE,
    LARGEST_TILE,
    LINE,
    Grid,
    filter_grid,
    plan_grid,
    shades,
)

WHITE = (255, 255, 255)


def test_zero_is_mid_grey_and_the_largest_weight_black_or_white():
    bank = np.array([[[[-2.0, 0, 1, 2]]], [[[0.5, 0, 0, -0.5]]]])
    assert shades(bank).tolist() == [[[[0, 128, 191, 255]]], [[[159, 128, 128, 96]]]]
    assert shades(bank, limit=4)[0].tolist() == [[[64, 128, 159, 191]]]
    assert shades(bank, "each")[1].tolist() == [[[255, 128, 128, 0]]]


def test_each_is_one_scale_for_all_channels_of_a_filter():
    bank = np.array([[[[1.0, -1]], [[0, 2]]]])
    assert shades(bank, "each").tolist() == [[[[191, 64]], [[128, 255]]]]


def test_minmax_spans_each_filter_over_all_its_channels():
    bank = np.array([[[[1.0, 2]], [[3, 5]]]])
    assert shades(bank, "minmax").tolist() == [[[[0, 64]], [[128, 255]]]]


@pytest.mark.parametrize("scale", ["bank", "each", "minmax"])
def test_what_has_no_scale_is_mid_grey(scale):
    assert (shades(np.zeros((2, 1, 3, 3)), scale) == 128).all()


def test_equal_weights_are_mid_grey_under_minmax():
    assert (shades(np.full((1, 1, 2, 2), 7.0), "minmax") == 128).all()


def test_two_grey_filters_pixel_by_pixel():
    pixels = np.array([[[[10, 20]]], [[[30, 40]]]], np.uint8)
    grid = Grid(filters=2, channels=1, height=1, width=2, columns=2, factor=1)
    line, a, b, c, d = LINE, *((value,) * 3 for value in (10, 20, 30, 40))
    rows = [[line] * 7, [line, a, b, line, c, d, line], [line] * 7]
    assert filter_grid(pixels, grid).tolist() == [[list(p) for p in row] for row in rows]


def test_a_last_row_that_is_not_full_ends_in_paper():
    pixels = np.zeros((3, 1, 1, 1), np.uint8)
    picture = filter_grid(pixels, Grid(3, 1, 1, 1, columns=2, factor=1))
    assert picture.shape == (5, 5, 3)
    assert picture[3].tolist() == [list(p) for p in (LINE, (0, 0, 0), LINE, WHITE, WHITE)]


def test_three_channels_are_one_picture_in_colour():
    bank = np.array([[[[255]], [[0]], [[128]]]], np.uint8)
    grid = plan_grid(bank.shape, room=(40, 40))
    picture = filter_grid(bank, grid)
    inside = picture[grid.line : -grid.line, grid.line : -grid.line]
    assert inside.shape[0] == inside.shape[1] == grid.factor
    assert (inside == (255, 0, 128)).all()


def test_other_channels_stand_below_each_other_and_blocks_apart():
    """Every kernel is where Grid.place says, as np.kron enlarges it; nothing else is drawn."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 100, (5, 2, 2, 3), np.uint8)  # no value is one of LINE or paper
    grid = Grid(5, 2, 2, 3, columns=3, factor=4)
    picture = filter_grid(pixels, grid)
    assert picture.shape[:2] == grid.size
    seen = np.zeros(grid.size, bool)
    for index in range(5):
        for channel in range(2):
            top, left = grid.place(index, channel)
            tile = picture[top : top + 8, left : left + 12]
            expected = np.kron(pixels[index, channel], np.ones((4, 4), np.uint8))
            np.testing.assert_array_equal(tile, np.repeat(expected[..., None], 3, axis=2))
            assert not seen[top - 1 : top + 9, left - 1 : left + 13].any()
            seen[top : top + 8, left : left + 12] = True
    rest = picture[~seen]
    assert ((rest == LINE).all(axis=1) | (rest == WHITE).all(axis=1)).all()


@pytest.mark.parametrize(
    "shape", [(1, 1, 5, 5), (1, 3, 11, 11), (64, 3, 7, 7), (96, 3, 11, 11), (256, 1, 3, 3)]
)
def test_grids_fit_into_their_room(shape):
    grid = plan_grid(shape, room=(900, 700))
    height, width = grid.size
    assert height <= 900
    assert width <= 700
    assert max(grid.height, grid.width) * grid.factor <= LARGEST_TILE


def test_the_grid_of_alexnet_is_that_of_its_figure():
    grid = plan_grid((96, 3, 11, 11))
    assert (grid.blocks, grid.columns) == (8, 12)


@pytest.mark.parametrize("count", [1, 2, 6, 7, 16, 32, 64, 97, 256])
def test_rows_are_full_where_they_can_be(count):
    grid = plan_grid((count, 1, 5, 5))
    assert 1 <= grid.columns <= count
    if count not in (7, 97):
        assert count % grid.columns == 0


def test_many_small_kernels_stay_within_the_largest_side():
    grid = plan_grid((512, 512, 3, 3))
    assert grid.factor == 1
    assert plan_grid((256, 96, 5, 5)).factor == 2
    assert max(plan_grid((256, 96, 5, 5)).size) <= LARGEST_SIDE


def test_columns_may_be_chosen():
    assert plan_grid((8, 1, 3, 3), columns=8).blocks == 1
    assert plan_grid((8, 1, 3, 3), columns=100).columns == 8
