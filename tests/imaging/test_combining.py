"""Combining responses: by hand, and orientations of pictures whose direction is known."""

import numpy as np
import pytest

from cnntool.engine.filters.banks import filter_bank
from cnntool.errors import RequestError
from cnntool.imaging.filter_pass import combine_responses
from cnntool.imaging.kernels import check_combination, parse_kernel

RESPONSES = np.array([[[3.0, -5.0]], [[4.0, 12.0]]])


def test_magnitude_by_hand():
    np.testing.assert_allclose(combine_responses(RESPONSES.copy(), "magnitude"), [[[5, 13]]])


def test_maximum_by_hand():
    np.testing.assert_allclose(combine_responses(RESPONSES.copy(), "maximum"), [[[4, 12]]])


def test_none_leaves_every_response():
    np.testing.assert_allclose(combine_responses(RESPONSES.copy(), "none"), RESPONSES)


def ramp(angle):
    """A picture that grows brighter in one direction, degrees counterclockwise on the screen."""
    y, x = np.mgrid[0:11, 0:11]
    return (x * np.cos(np.radians(angle)) - y * np.sin(np.radians(angle)))[..., None]


@pytest.mark.parametrize("spec", ["sobel", "prewitt", "scharr", "roberts"])
@pytest.mark.parametrize("angle", [-170, -90, -45, 0, 30, 45, 90, 135, 180])
def test_pairs_find_the_direction_of_a_ramp(spec, angle):
    kernel = parse_kernel(spec)
    responses = filter_bank(ramp(angle), kernel.bank)
    found = combine_responses(responses, "orientation", kernel.directions)[0, 5, 5, 0]
    assert found == pytest.approx(angle, abs=1e-6)


@pytest.mark.parametrize("spec", ["kirsch", "robinson"])
@pytest.mark.parametrize(
    ("angle", "expected"), [(0, 0), (44, 45), (100, 90), (180, 180), (-130, -135)]
)
def test_compasses_find_the_nearest_of_eight_directions(spec, angle, expected):
    kernel = parse_kernel(spec)
    responses = filter_bank(ramp(angle), kernel.bank)
    assert combine_responses(responses, "orientation", kernel.directions)[0, 5, 5, 0] == expected


@pytest.mark.parametrize(
    ("spec", "combine", "message"),
    [
        ("gaussian", "magnitude", "one kernel, so there is nothing to combine"),
        ("gaussian", "orientation", "no orientation"),
        ("sobel-x", "orientation", "no orientation"),
        ("all-lines", "orientation", "no orientation"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(spec, combine, message):
    with pytest.raises(RequestError, match=message):
        check_combination(parse_kernel(spec), combine)
