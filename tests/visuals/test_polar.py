"""Pictures of directions: what lies where."""

import numpy as np
import pytest

from cnntool.study.filter_statistics import FilterFacts
from cnntool.study.gabor import Gabor
from cnntool.visuals.paper import LETTERS, MARGIN, line_height
from cnntool.visuals.polar import (
    AROUND,
    CLEAR,
    RADIUS,
    SECTOR,
    UNCLEAR,
    grating,
    polar_picture,
    rose_radius,
)

SIDE = 2 * (RADIUS + AROUND)


def direction(orientation, frequency, is_oriented) -> FilterFacts:
    fit = Gabor(1.0, (0.0, 0.0), 1.0, 1.0, orientation, frequency, 0.0, float(is_oriented))
    facts = {"orientation": orientation, "frequency": frequency, "strength": 1.0, "gabor": fit}
    return FilterFacts("alive", 1.0, **facts)


def at(picture, panel, angle, radius):
    """The pixel of a panel, 0 or 1, at an angle and a share of the radius."""
    centre = centre_of(panel)
    x = centre[0] + radius * RADIUS * np.cos(np.radians(angle))
    y = centre[1] - radius * RADIUS * np.sin(np.radians(angle))
    return tuple(picture[round(y), round(x)])


def centre_of(panel):
    return MARGIN + panel * SIDE + SIDE // 2, MARGIN + line_height(LETTERS) + SIDE // 2


def test_sectors_lie_at_their_angles_on_both_sides_and_reach_as_far_as_their_count():
    counts = [0] * 16
    counts[4], counts[15] = 4, 1  # 45 degrees, and 168.75
    picture = polar_picture([], counts, ["words"])
    for angle in (45, 225):
        assert at(picture, 0, angle, 0.93) == SECTOR
    for angle in (168.75, 348.75):
        assert at(picture, 0, angle, 0.45) == SECTOR
        assert at(picture, 0, angle, 0.55) != SECTOR
    for angle in (0, 20, 90.5, 130, 185, 300):
        assert at(picture, 0, angle, 0.4) != SECTOR


def test_areas_are_as_counts():
    assert rose_radius(4, 4) == 1
    assert rose_radius(2, 4) ** 2 == pytest.approx(0.5)
    assert rose_radius(0, 0) == 0


def test_filters_stand_at_their_angle_and_frequency():
    filters = [direction(30, 0.25, True), direction(120, 0.4, False), direction(10, 0.7, True)]
    picture = polar_picture(filters, [0] * 16, ["words"])
    for angle in (30, 210):
        assert at(picture, 1, angle, 0.5) == CLEAR
    for angle in (120, 300):
        assert at(picture, 1, angle, 0.8) != CLEAR
        near = picture[tuple(slice(c - 8, c + 9) for c in pixel_of(angle, 0.8))]
        assert (np.abs(near.astype(int) - UNCLEAR).max(axis=2) < 30).sum() > 8
    assert at(picture, 1, 10, 1.0) == CLEAR  # beyond the rim stands at it


def pixel_of(angle, radius):
    x, y = centre_of(1)
    angle = np.radians(angle)
    return round(y - radius * RADIUS * np.sin(angle)), round(x + radius * RADIUS * np.cos(angle))


def test_labels_hide_no_dot():
    """A dot where a number stands, at 67.5 degrees."""
    picture = polar_picture([direction(67.5, 0.3, True)], [0] * 16, ["words"])
    labelled, mirrored = (
        picture[tuple(slice(c - 8, c + 9) for c in pixel_of(angle, 0.6))] for angle in (67.5, 247.5)
    )
    counts = [(each == CLEAR).all(axis=2).sum() for each in (labelled, mirrored)]
    assert min(counts) > 30
    assert abs(int(counts[0]) - int(counts[1])) < 8


@pytest.mark.parametrize(("angle", "is_vertical"), [(0, True), (180, True), (90, False)])
def test_small_gratings_change_along_their_angle(angle, is_vertical):
    middle = grating(angle)[8:15, 8:15, 0].astype(int)
    along, across = (np.abs(np.diff(middle, axis=axis)).max() for axis in (1, 0))
    assert (along > 20) == is_vertical
    assert (across > 20) != is_vertical


def test_small_gratings_stand_at_their_angle_on_the_rim():
    picture = polar_picture([], [0] * 16, ["words"])
    half = len(grating(0)) // 2
    for panel in (0, 1):
        for angle in (180, 225, 270, 315):
            x, y = centre_of(panel)
            x = round(x + (RADIUS + 22) * np.cos(np.radians(angle)))
            y = round(y - (RADIUS + 22) * np.sin(np.radians(angle)))
            found = picture[y - half : y + half + 1, x - half : x + half + 1]
            np.testing.assert_array_equal(found, grating(angle))


def test_diagonal_gratings_lean_the_right_way():
    """Brightness that changes along '/' has stripes along '\\\\'."""
    middle = grating(45)[6:17, 6:17, 0].astype(int)
    assert np.ptp(middle.diagonal()) <= 2
    assert np.ptp(middle[:, ::-1].diagonal()) > 100


@pytest.mark.parametrize("count", [0, 1, 256])
def test_any_number_of_filters_can_be_drawn(count):
    rng = np.random.default_rng(0)
    filters = [
        direction(*each, True) for each in zip(*rng.uniform(0, (180, 1), (count, 2)).T, strict=True)
    ]
    counts = np.bincount(rng.integers(0, 16, count), minlength=16).tolist()
    picture = polar_picture(filters, counts, ["a line", "another " * 60])
    assert (picture[:, :8] == 255).all()
    assert (picture[-4:] == 255).all()
