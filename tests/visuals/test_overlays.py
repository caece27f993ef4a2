"""Maps over pictures."""

import numpy as np
import pytest

from cnntool.visuals.overlays import (
    COLOURS,
    MOST_OPAQUE,
    PANEL,
    STEPS,
    coloured,
    overlaid,
    panels,
    saliency_picture,
)
from cnntool.visuals.paper import MARGIN

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)


def test_where_nothing_counts_the_picture_is_pale_grey():
    grey = overlaid(PICTURE, np.zeros((8, 6)))
    assert (grey == grey[..., :1]).all()
    assert grey.min() >= 96
    black_and_white = overlaid(np.array([[[0] * 3, [255] * 3]], np.uint8), np.zeros((1, 2)))
    assert black_and_white[0, :, 0].tolist() == [96, 255]


def test_where_it_counts_most_stands_the_last_colour():
    hot = overlaid(PICTURE, np.ones((8, 6)))
    pale = overlaid(PICTURE, np.zeros((8, 6))).astype(float)
    expected = pale + (COLOURS[-1] - pale) * MOST_OPAQUE
    np.testing.assert_allclose(hot, expected, atol=1)  # both are rounded


def test_a_map_of_the_pictures_pixels_has_sharp_squares():
    heat = np.zeros((8, 6))
    heat[2, 3] = 1
    plain, hot = panels(PICTURE, heat)
    factor = PANEL // 8
    assert plain.shape == hot.shape == (8 * factor, 6 * factor, 3)
    np.testing.assert_array_equal(plain[::factor, ::factor], PICTURE)
    is_hot = (hot != overlaid(plain, np.zeros(plain.shape[:2]))).any(axis=2)
    expected = np.zeros((8, 6), bool)
    expected[2, 3] = True
    np.testing.assert_array_equal(is_hot, np.kron(expected, np.ones((factor, factor), bool)))


def test_a_coarse_map_passes_evenly_over_a_larger_picture():
    picture = np.full((100, 200, 3), 90, np.uint8)
    _, hot = panels(picture, np.array([[0.0, 1.0]]))
    row = hot[50].astype(int)
    lightness = row @ [0.299, 0.587, 0.114]
    assert np.abs(np.diff(row, axis=0)).max() < 12
    assert lightness[-1] - lightness[0] > 50


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (300, 400)])
def test_the_sheet_holds_both_panels_whatever_the_shape(shape):
    picture = np.full((*shape, 3), 200, np.uint8)
    sheet = saliency_picture(picture, np.ones((2, 2)), ["a line " * 30, "x" * 300])
    plain, _ = panels(picture, np.ones((2, 2)))
    height, width = plain.shape[:2]
    assert max(height, width) <= PANEL
    left = sheet[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    np.testing.assert_array_equal(left[:-1, :-1], plain[:-1, :-1])
    assert (sheet[:, :10] == 255).all()
    assert (sheet[:, -10:] == 255).all()


@pytest.mark.parametrize("shape", [(300, 900), (900, 300)])
def test_large_pictures_keep_their_proportions(shape):
    plain, _ = panels(np.full((*shape, 3), 90, np.uint8), np.ones((1, 1)))
    assert plain.shape[:2] == tuple(side * PANEL // 900 for side in shape)


def oklab_of(srgb):
    """From sRGB, by Ottosson's matrices of the other way."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear @ np.array(to_lms).T) @ np.array(to_lab).T


def test_steps_look_even_and_lightness_always_grows():
    lab = oklab_of(COLOURS / 255)
    apart = np.linalg.norm(lab[16:] - lab[:-16], axis=1)  # over 16, as colours are whole numbers
    assert apart.max() < 1.15 * apart.min()
    assert (np.diff(lab[::4, 0]) > 0).all()
    assert lab[0, 0] < 0.3
    assert lab[-1, 0] > 0.9


def test_numbers_become_colours_and_stop_at_both_ends():
    found = coloured(np.array([[-1.0, 0.0], [0.5, 2.0]]))
    assert found.shape == (2, 2, 3)
    expected = COLOURS[[0, 0, round(0.5 * (STEPS - 1)), STEPS - 1]]
    np.testing.assert_array_equal(found.reshape(-1, 3), expected)
