"""Contact sheets and rows of patches: sharp pictures, words that do not touch, sensible sizes."""

import numpy as np
import pytest

from cnntool.visuals.tiles import (
    GAP,
    LARGEST_PATCH,
    TILE,
    WIDEST_CAPTION,
    Captioned,
    PatchRow,
    contact_sheet,
    patch_grid,
    patch_sheet,
)


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


def row(name, *shades, size=(2, 3)):
    """Patches of one shade each."""
    return PatchRow(name, "1.5", [np.full(size, shade, np.uint8) for shade in shades])


def test_patches_are_enlarged_by_a_whole_factor():
    patch = np.arange(6, dtype=np.uint8).reshape(2, 3) * 9 + 90
    sheet = patch_sheet([PatchRow("0", "1", [patch])], ["words"])
    factor = LARGEST_PATCH // 3
    tile = patch.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = tile.shape
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (height, width))
    assert (windows == tile).all(axis=(2, 3)).sum() == 1


def test_every_patch_of_every_row_is_there_in_its_order():
    reds = {shade: np.full((2, 3, 3), (shade, 0, 0), np.uint8) for shade in (61, 62, 63, 71, 72)}
    rows = [
        PatchRow(name, "1.5", [reds[shade] for shade in shades])
        for name, shades in (("0", (61, 62, 63)), ("17", (71, 72)))
    ]
    sheet = patch_sheet(rows, ["words"])
    area = (LARGEST_PATCH // 3) ** 2 * 6
    lefts = {}
    for shade in reds:
        found = np.argwhere((sheet == (shade, 0, 0)).all(axis=2))
        top, left = found.min(axis=0)
        bottom, right = found.max(axis=0) + 1
        assert (bottom - top) * (right - left) == area
        lefts[shade] = left, top
    assert lefts[61] < lefts[62] < lefts[63]
    assert lefts[61][0] == lefts[71][0]
    assert lefts[71][1] > lefts[61][1]


def test_large_patches_are_made_smaller_and_colour_stays():
    patch = np.zeros((300, 150, 3), np.uint8)
    patch[..., 0] = 200
    sheet = patch_sheet([PatchRow("0", "1", [patch])], ["words " * 100])
    red = np.argwhere((sheet == (200, 0, 0)).all(axis=2))
    assert (np.ptp(red, axis=0) + 1).tolist() == [LARGEST_PATCH, LARGEST_PATCH // 2]


def test_the_grid_alone_has_one_pixel_a_pixel():
    grid = patch_grid([row("0", 61, 62), row("1", 71)])
    assert grid.shape == (6, 8, 3)
    assert (grid[:2, :3] == 61).all()
    assert (grid[:2, 4:7] == 62).all()
    assert (grid[3:5, :3] == 71).all()
    assert (grid[3:5, 4:] == 255).all()


@pytest.mark.parametrize(
    ("filters", "top", "columns"), [(32, 9, 1), (33, 9, 2), (256, 9, 4), (256, 1, 8), (33, 64, 1)]
)
def test_many_rows_stand_in_columns_one_after_the_other(filters, top, columns):
    patches = [np.full((5, 5, 3), (255, n, 0), np.uint8) for n in range(filters)]
    rows = [PatchRow(str(n), "1.5", [patch] * top) for n, patch in enumerate(patches)]
    sheet = patch_sheet(rows, ["words"])
    down, across = np.nonzero((sheet[..., 0] == 255) & (sheet[..., 2] == 0))
    numbers = sheet[down, across, 1]
    assert np.bincount(numbers, minlength=filters).min() >= top * 35**2  # none lies over another
    _, first = np.unique(numbers, return_index=True)
    assert len(first) == filters
    places = list(zip(across[first], down[first], strict=True))  # their upper left corners
    assert places == sorted(places)
    assert len(set(across[first])) == columns
    assert columns == 1 or sheet.shape[1] < 1900
