"""Sheets of grids: pictures where they belong, and words that touch neither them nor each other."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnntool.visuals.filter_sheet import (
    LAST,
    LINE,
    MOST_FRAMES,
    SMALL,
    Panel,
    evolution_frames,
    evolution_sheet,
    filter_sheet,
    legend_of,
)
from cnntool.visuals.fonts import OWN, load
from cnntool.visuals.paper import FAINT


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


@pytest.mark.parametrize(("filters", "channels"), [(5, 4), (1, 2), (12, 12)])
def test_where_a_filter_is_a_column_it_and_its_channels_are_numbered(filters, channels):
    sheet = filter_sheet([Panel(bank(filters, channels), "trained", "a note")], "m")
    grid = np.argwhere(is_line(sheet))
    (top, left), (bottom, right) = grid.min(axis=0), grid.max(axis=0)
    is_ink = (sheet < 200).all(axis=2)
    over = is_ink[top - 14 : top, left:right].any(axis=0)
    beside = is_ink[top:bottom, :left].any(axis=1)
    for ink, count, length in ((over, filters, right - left), (beside, channels, bottom - top)):
        middles = (np.arange(count) + 0.5) * length / count
        places = np.flatnonzero(ink)
        nearest = np.abs(places[:, None] - middles).argmin(axis=1)
        assert set(nearest) == set(range(count))
        assert np.abs(places - middles[nearest]).max() < 9


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


def test_panels_read_from_left_to_right_and_then_down():
    panels = [Panel(np.full((1, 1, 2, 2), float(value))) for value in (-2, -1, 0, 1, 2)]
    sheet = filter_sheet(panels, "m", across=3, room=300)
    middles = np.argwhere(is_line(sheet))
    (top, left), (bottom, right) = middles.min(axis=0), middles.max(axis=0)
    rows = [top + 20, bottom - 20]
    side = (sheet[rows[0], left:right] == (0, 0, 0)).all(axis=1).sum()  # of the black one
    starts = [left + 2, (left + right) // 2, right - side // 2]
    shown = [[int(sheet[row, column + 4, 0]) for column in starts] for row in rows]
    assert shown == [[0, 64, 128], [191, 255, 255]]  # and paper at the end


def test_every_row_has_the_number_of_its_first_filter():
    sheet = filter_sheet([Panel(bank(6))], "m", columns=2)
    lines = np.flatnonzero(is_line(sheet).mean(axis=1) > 0.3)
    left = np.flatnonzero(is_line(sheet).any(axis=0))[0]
    edges = lines[np.flatnonzero(np.diff(lines, prepend=-9) > 3)]  # the upper line of each row
    for top, bottom, number in zip(edges, edges[1:], ("0", "2", "4"), strict=False):
        alone = Image.new("RGB", (40, 40), "white")
        ImageDraw.Draw(alone).text((20, 20), number, FAINT, load(OWN, SMALL), anchor="mm")
        ink = 255 - sheet[top:bottom, :left].astype(int)
        assert abs(ink.sum() - (255 - np.asarray(alone).astype(int)).sum()) < 0.1 * ink.sum()


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


def stages(count: int) -> list[Panel]:
    rng = np.random.default_rng(0)
    words = ["before training", *("epoch and accuracy, a line that is long" for _ in range(count))]
    return [Panel(rng.normal(size=(4, 1, 3, 3)), word) for word in words[:count]]


def test_every_stage_is_a_frame_of_one_size_and_the_last_stays():
    frames, durations = evolution_frames(stages(4), "m")
    assert len({frame.shape for frame in frames}) == 1
    assert len(frames) == len(durations) == 4
    assert durations[-1] == LAST
    assert all((a != b).any() for a, b in pairwise(frames))


def test_all_frames_are_on_the_scale_of_all():
    """A stage of a tenth of the weights is nearly grey."""
    whole = Panel(stages(1)[0].bank)
    frames, _ = evolution_frames([Panel(whole.bank / 10), whole], "m")
    spans = [np.ptp(frame[60:280, 60:280].astype(int)[..., 0]) for frame in frames]
    assert spans[0] < 80  # lines between kernels are a little lighter than mid grey
    assert spans[1] > 200


def test_very_many_stages_are_thinned():
    frames, _ = evolution_frames(stages(MOST_FRAMES + 30), "m")
    assert len(frames) == MOST_FRAMES


def test_a_strip_is_of_sensible_size():
    for count in (2, 7, 40):
        height, width, _ = evolution_sheet(stages(count), "m").shape
        assert max(height, width) < 1700


def test_frames_whose_headings_make_them_wider_are_of_one_size_too():
    nothing = np.zeros((1, 1, 3, 3))
    frames, _ = evolution_frames([Panel(nothing, "a"), Panel(nothing, "a long heading " * 3)], "m")
    assert len({frame.shape for frame in frames}) == 1
