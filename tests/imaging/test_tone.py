"""From numbers to pixels by hand, and what is said to be lost."""

from dataclasses import replace

import numpy as np
import pytest

from cnntool.imaging.kernels import parse_kernel
from cnntool.imaging.tone import Losses, Tone, automatic_range

VALUES = [-300.0, -10.0, 0.0, 2.4, 2.6, 255.0, 255.4, 400.0]
UINT8, UINT16, FLOAT = np.dtype("uint8"), np.dtype("uint16"), np.dtype("float32")


def shown(name, dtype=UINT8, white=255.0, values=VALUES, **extremes):
    losses = Losses(total=len(values))
    pixels = Tone(name, dtype, white, **extremes).apply(np.array(values, np.float32), losses)
    return pixels.tolist(), losses


def test_clip_rounds_and_counts_both_ends():
    pixels, losses = shown("clip")
    assert pixels == [0, 0, 0, 2, 3, 255, 255, 255]
    assert (losses.negative, losses.below, losses.above) == (0, 2, 1)


def test_abs_keeps_the_size_and_counts_the_signs():
    pixels, losses = shown("abs")
    assert pixels == [255, 10, 0, 2, 3, 255, 255, 255]
    assert (losses.negative, losses.below, losses.above) == (2, 0, 2)


def test_offset_puts_zero_at_mid_grey():
    assert shown("offset")[0] == [0, 118, 128, 130, 131, 255, 255, 255]
    assert shown("offset", UINT16, 65535.0, [0.0])[0] == [32768]


def test_offset_of_floats_puts_zero_halfway():
    pixels, losses = shown("offset", FLOAT, 1.0, [-0.5, 0.0, 0.5])
    assert (pixels, bool(losses)) == ([0.0, 0.5, 1.0], False)


@pytest.mark.parametrize(
    ("specs", "bias", "expected"),
    [
        (["gaussian", "laplacian"], 0, "abs"),
        (["laplacian", "gaussian"], 0, "abs"),
        (["laplacian", "sobel", "gaussian"], 0, "clip"),
        (["sobel-x"], 128, "clip"),
        (["gabor"], 128, "clip"),
        (["gabor:angle=30", "gaussian"], 0, "abs"),
        (["gabor", "sobel"], 0, "clip"),
        (['{"kernel": [1, 0, -1], "offset": 128}'], 0, "clip"),
        (['{"kernel": [1, 0, -1], "offset": 128}', "1 2 1"], 0, "clip"),
    ],
)
def test_auto_follows_the_sign_through_a_chain(specs, bias, expected):
    assert automatic_range([parse_kernel(spec) for spec in specs], bias) == expected


def test_stretch_takes_the_extremes_to_black_and_white():
    pixels, losses = shown("stretch", low=-300.0, high=400.0)
    assert pixels[0] == 0
    assert pixels[-1] == 255
    assert pixels[2] == round(300 / 700 * 255)
    assert not losses


def test_stretch_of_a_flat_picture_divides_by_nothing():
    assert shown("stretch", values=[7.0, 7.0], low=7.0, high=7.0)[0] == [0, 0]


def test_angles_go_once_round_the_greys():
    assert shown("angle", values=[-180.0, 0.0, 180.0])[0] == [0, 128, 255]


def test_raw_floats_are_untouched():
    assert shown("raw", FLOAT)[0] == np.array(VALUES, np.float32).tolist()


def test_raw_in_whole_numbers_rounds_and_stays_within_its_type():
    pixels, losses = shown("raw")
    assert pixels == [0, 0, 0, 2, 3, 255, 255, 255]
    assert losses


def test_sixteen_bits_have_sixteen_bits():
    assert shown("clip", UINT16, 65535.0, [-1.0, 300.0, 70000.0])[0] == [0, 300, 65535]


def test_rounding_noise_above_white_is_no_loss():
    assert not shown("clip", values=[255.0001, -0.0001])[1]


def test_the_sentence_about_losses():
    losses = Losses(total=1000, negative=310, above=21)
    assert losses.describe() == (
        "31% of the values were negative and are shown as their absolute value; "
        "2.1% were above white and clipped"
    )
    assert Losses(total=100, below=5, above=50).describe() == (
        "5% of the values were negative and clipped to black; 50% were above white and clipped"
    )
    assert Losses(total=10**7, above=1).describe().startswith("under 0.001% of the values")


def test_losses_add_up():
    assert Losses(10, 1, 2, 3) + Losses(10, 1, 0, 1) == Losses(20, 2, 2, 4)
    assert not Losses(total=5)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("sobel", "clip"),
        ("sobel-x", "abs"),
        ("laplacian", "abs"),
        ("log", "abs"),
        ("gabor", "abs"),
        ("gabor:phase=90,wavelength=5", "abs"),
        ("gaussian", "clip"),
        ("sharpen", "clip"),
        ("kirsch", "clip"),
        ("1 -1", "abs"),
        ("1 1", "clip"),
        ("0 0", "clip"),
    ],
)
def test_auto_shows_signed_responses_by_their_size(spec, expected):
    kernel = parse_kernel(spec)
    assert automatic_range([kernel]) == expected


def test_auto_shows_orientation_as_an_angle():
    assert automatic_range([replace(parse_kernel("sobel"), combine="orientation")]) == "angle"
