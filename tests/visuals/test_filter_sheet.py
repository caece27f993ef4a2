"""Sheets of grids: pictures where they belong, and words that touch neither them nor each other."""

import numpy as np
import pytest

from cnntool.visuals.filter_grid import LINE
from cnntool.visuals.filter_sheet import Panel, filter_sheet, legend_of


def bank(filters: int, channels: int = 1, size: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(filters, channels, size, size))


def is_line(sheet: np.ndarray) -> np.ndarray:
    return (sheet == LINE).all(axis=2)


def below(sheet: np.ndarray) -> np.ndarray:
    """What stands under the grids."""
    return sheet[np.flatnonzero(is_line(sheet).any(axis=1))[-1] + 1 :]


@pytest.mark.parametrize("filters", [1, 256])
@pytest.mark.parametrize("channels", [1, 3, 2])
def test_words_stand_on_paper_and_within_the_sheet(filters, channels):
    sheet = filter_sheet([Panel(bank(filters, channels))], "a model, conv1: so many filters")
    words = below(sheet)
    is_ink = (words < 150).all(axis=2)
    assert is_ink.any()
    for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
        assert (edge == 255).all()
    assert (words[:8] == 255).all()  # room between the grid and the words
    assert max(sheet.shape) < 2500


def test_two_panels_share_one_scale():
    """The small bank has no black and no white in it."""
    small, large = bank(4) * 0.1, bank(4)
    both = filter_sheet([Panel(small), Panel(large)], "m")
    columns = np.flatnonzero(is_line(both).any(axis=0))
    gap = np.flatnonzero(np.diff(columns) > 20)
    right = columns[gap[np.argmax(np.diff(columns)[gap])] + 1]
    left_grid = both[:, columns[0] : columns[gap[0]]]
    greys = (left_grid.min(axis=2) == left_grid.max(axis=2)) & (left_grid[..., 0] < 250)
    assert left_grid[greys].min() > 60
    assert both[:, right:][..., 0].min() == 0


def test_headings_leave_all_sheets_of_stages_in_one_size():
    with_note = filter_sheet([Panel(bank(6), "epoch 1", "accuracy 10.0%")], "m", limit=3)
    without = filter_sheet([Panel(bank(6), "before training")], "m", limit=3)
    assert with_note.shape == without.shape


def test_panels_are_wrapped_into_rows():
    panels = [Panel(bank(4, seed=i), f"epoch {i}") for i in range(5)]
    two_rows = is_line(filter_sheet(panels, "m", across=3, room=600))
    runs = np.flatnonzero(np.diff(two_rows.any(axis=1).astype(int)) == 1)
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("scale", "limit", "expected"),
    [
        ("bank", 0.5, "mid grey is 0, black -0.5, white +0.5"),
        ("bank", 0, "everything is 0: mid grey"),
        ("each", 1, "each filter on its own scale: mid grey is 0"),
        ("minmax", 1, "each filter from its least value, black, to its greatest, white"),
    ],
)
def test_the_legend_says_what_the_shades_are(scale, limit, expected):
    assert legend_of(scale, limit).startswith(expected)
