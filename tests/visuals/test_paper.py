"""Words in pictures: they fit, and are in letters that the font has."""

import subprocess
import sys

import numpy as np
import pytest

from cnntool.visuals.paper import (
    LETTERS,
    MARGIN,
    Sheet,
    captioned_sheet,
    end_of,
    fitted,
    fitted_size,
    ink_on,
    line_height,
    shortened,
    text_width,
)


@pytest.mark.parametrize("width", [20, 60, 1000])
def test_what_is_too_long_ends_in_dots_and_fits(width):
    text = "a name of some length"
    line = shortened(text, 13, width)
    assert text_width(line, 13) <= width
    assert line == text if width == 1000 else line.endswith("...")


@pytest.mark.parametrize("width", [0, 10, 40, 100, 1000])
def test_of_what_is_too_long_the_end_can_be_kept(width):
    text = "a name of many words 17.png"
    line = end_of(text, 13, width)
    assert text.endswith(line.removeprefix("..."))
    assert line == text or (line.startswith("...") and text_width(line, 13) <= max(width, 12))
    assert end_of("", 13, width) == ""


def test_ink_is_dark_on_light_and_light_on_dark():
    assert sum(ink_on((255, 255, 255))) < 200
    assert sum(ink_on((20, 60, 120))) > 700


def test_pictures_are_made_without_click():
    code = (
        "import sys, cnntool.visuals.tiles, cnntool.visuals.heat\n"
        "print([name for name in sys.modules if name.startswith(('click', 'rich', 'cnntool.cli'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((8, 6), 20, (16, 12)),
        ((8, 6), 8, (8, 6)),
        ((300, 150), 72, (72, 36)),
        ((999, 1), 9, (9, 1)),
    ],
)
def test_pictures_grow_by_whole_factors_and_shrink_in_proportion(size, most, expected):
    assert fitted_size(size, most) == expected
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    shown = fitted(pixels, most)
    assert shown.shape == (*expected, 3)
    if expected > size:
        factor = expected[0] // size[0]
        np.testing.assert_array_equal(shown[::factor, ::factor, 0], pixels)


def test_captions_stand_below_the_picture_and_make_the_sheet_wider_up_to_a_limit():
    narrow, wide = (
        captioned_sheet(50, 30, ["a caption of some words"] * count, least_text=300)
        for count in (1, 2)
    )
    assert 50 + 2 * MARGIN < narrow.width <= 300 + 2 * MARGIN
    assert (narrow.pixels[: MARGIN + 30] == 255).all()
    assert wide.pixels.shape[0] - narrow.pixels.shape[0] == line_height(LETTERS)


@pytest.mark.parametrize("size", [11, 14, 33])
def test_words_stand_apart(size):
    """Between two words there is a quarter of a letter's height or more, on the paper too."""
    apart = text_width("6 filters", size) - text_width("6filters", size)
    assert 0.25 * size <= apart <= 0.5 * size
    sheet = Sheet(300, 60)
    sheet.write((10, 10), "I I", size)
    dark = np.flatnonzero((sheet.pixels.min(axis=2) < 128).any(axis=0))
    assert np.diff(dark).max() >= 0.25 * size


@pytest.mark.parametrize("anchor", ["la", "mm", "rs", "rt", "mb"])
def test_words_stand_on_one_line_where_the_anchor_says(anchor):
    """As the same letters do in one word; and about the place across that the anchor names."""
    ink = {}
    for text in ("a high", "ahigh"):
        sheet = Sheet(300, 80)
        sheet.write((150, 40), text, 20, anchor=anchor)
        dark = sheet.pixels.min(axis=2) < 128
        ink[text] = [np.flatnonzero(dark.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)]
    assert ink["a high"][0] == ink["ahigh"][0]
    width = text_width("a high", 20)
    start = 150 - {"l": 0, "m": width / 2, "r": width}[anchor[0]]
    assert ink["a high"][1] == pytest.approx([start, start + width], abs=3)
