"""Rows of patches, pixel by pixel."""

import numpy as np

from cnntool.visuals.patch_sheet import LARGEST_TILE, PatchRow, patch_grid, patch_sheet


def row(name, *shades, size=(2, 3)):
    """Patches of one shade each."""
    return PatchRow(name, "1.5", [np.full(size, shade, np.uint8) for shade in shades])


def test_patches_are_enlarged_by_a_whole_factor():
    patch = np.arange(6, dtype=np.uint8).reshape(2, 3) * 9 + 90
    sheet = patch_sheet([PatchRow("0", "1", [patch])], ["words"])
    factor = LARGEST_TILE // 3
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
    area = (LARGEST_TILE // 3) ** 2 * 6
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
    assert (np.ptp(red, axis=0) + 1).tolist() == [LARGEST_TILE, LARGEST_TILE // 2]


def test_the_grid_alone_has_one_pixel_a_pixel():
    grid = patch_grid([row("0", 61, 62), row("1", 71)])
    assert grid.shape == (6, 8, 3)
    assert (grid[:2, :3] == 61).all()
    assert (grid[:2, 4:7] == 62).all()
    assert (grid[3:5, :3] == 71).all()
    assert (grid[3:5, 4:] == 255).all()
