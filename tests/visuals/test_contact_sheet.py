"""Contact sheets: sharp pictures, words that do not touch, and a sensible size."""

import numpy as np
import pytest

from cnntool.visuals.contact_sheet import GAP, TILE, WIDEST_CAPTION, Captioned, contact_sheet


def red(height: int, width: int) -> np.ndarray:
    return np.broadcast_to(np.array([255, 0, 0], np.uint8), (height, width, 3))


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """The first and the last place of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def test_small_pictures_are_enlarged_by_a_whole_factor():
    pixels = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
    sheet = contact_sheet([Captioned(pixels, ())])
    factor = TILE // 8
    tile = sheet[GAP : GAP + 8 * factor, GAP : GAP + 8 * factor, 0]
    np.testing.assert_array_equal(tile, np.kron(pixels, np.ones((factor, factor), np.uint8)))


@pytest.mark.parametrize("shape", [(500, 300), (300, 500), (1, 1), (2000, 3), (113, 112)])
def test_no_picture_is_larger_than_a_tile(shape):
    sheet = contact_sheet([Captioned(red(*shape), ("name",))])
    is_red = (sheet == [255, 0, 0]).all(axis=2)
    rows, columns = is_red.any(axis=1).sum(), is_red.any(axis=0).sum()
    assert max(rows, columns) in (TILE, TILE - 1)
    assert min(rows, columns) >= 1


def test_captions_stay_below_their_picture_and_apart_from_each_other():
    """Dark pixels, frames and pictures aside, stand in the columns of their own tile alone."""
    lines = "a name that is far too long for the tile that it is written under", "short"
    sheet = contact_sheet([Captioned(red(8, 8), lines)] * 6, columns=3)
    is_word = (sheet < 190).all(axis=2)
    inside = [GAP + column * (WIDEST_CAPTION + GAP) for column in range(3)]
    for first, last in runs(is_word.any(axis=0)):
        assert any(start <= first and last < start + WIDEST_CAPTION for start in inside)
    is_red = (sheet == [255, 0, 0]).all(axis=2)
    assert not (is_word.any(axis=1) & is_red.any(axis=1)).any()
    assert len(runs(is_red.any(axis=1))) == 2


def test_a_long_file_name_makes_no_tile_wider_and_its_end_is_shown():
    plain, named, other = (
        contact_sheet([Captioned(red(8, 8), ("true: 8",), file)] * 4, columns=2)
        for file in ("a.png", 30 * "long " + "1.png", 30 * "long " + "2.png")
    )
    assert plain.shape == named.shape == other.shape
    assert (named != other).any()


def test_the_sheet_is_about_as_wide_as_high():
    height, width, _ = contact_sheet([Captioned(red(8, 8), ("true: 8", "5"))] * 48).shape
    assert 0.8 < width / height < 2
    assert max(height, width) < 1500


def test_a_sheet_needs_a_picture():
    with pytest.raises(ValueError, match="needs a picture"):
        contact_sheet([])
