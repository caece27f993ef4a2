"""Colours whose steps look even."""

import numpy as np

from cnntool.visuals.saliency_picture import (
    STEPS,
    colour_table,
    coloured,
    even_path,
    oklab_to_srgb,
)


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


def test_the_way_to_srgb_is_the_inverse_of_the_way_from_it():
    colours = np.random.default_rng(0).random((50, 3))
    np.testing.assert_allclose(oklab_to_srgb(oklab_of(colours)), colours, atol=1e-5)
    np.testing.assert_allclose(oklab_to_srgb(np.array([1.0, 0, 0])), 1, atol=1e-5)


def test_every_colour_can_be_shown():
    srgb = oklab_to_srgb(even_path())
    assert srgb.min() >= 0
    assert srgb.max() <= 1


def test_steps_look_even_and_lightness_always_grows():
    lab = oklab_of(colour_table() / 255)
    apart = np.linalg.norm(lab[16:] - lab[:-16], axis=1)  # over 16, as colours are whole numbers
    assert apart.max() < 1.15 * apart.min()
    assert (np.diff(lab[::4, 0]) > 0).all()
    assert lab[0, 0] < 0.3
    assert lab[-1, 0] > 0.9


def test_numbers_become_colours_and_stop_at_both_ends():
    table = colour_table()
    found = coloured(np.array([[-1.0, 0.0], [0.5, 2.0]]))
    assert found.shape == (2, 2, 3)
    expected = table[[0, 0, round(0.5 * (STEPS - 1)), STEPS - 1]]
    np.testing.assert_array_equal(found.reshape(-1, 3), expected)
