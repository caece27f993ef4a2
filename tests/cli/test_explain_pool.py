"""`cnntool explain pool`: its pixel is the one that `cnntool pool` writes."""

import click
import numpy as np
import pytest
from explaining import explain, explain_json
from processes import pixels

SETTINGS = [
    (),
    ("--mode", "average", "--size", "3x2", "--stride", "2", "--padding", "1x0"),
    ("--mode", "lp", "--p", "3", "--size", "4", "--sum"),
    ("--mode", "gaussian", "--size", "7", "--edge", "drop"),
    ("--mode", "median", "--size", "3", "--gray"),
    ("--mode", "min", "--size", "4", "--edge", "pad", "--dilation", "2"),
    ("--mode", "average", "--output-size", "7x9"),
    ("--global",),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_pixel_is_the_one_that_is_written(cnntool, settings):
    done = cnntool("pool", "colour.png", *settings, "-o", "out.png", "-q")
    assert done.code == 0, done.err
    written = np.atleast_3d(pixels("out.png"))
    rng = np.random.default_rng(0)
    for _ in range(3):
        y, x = (int(rng.integers(size)) for size in written.shape[:2])
        facts = explain_json("pool", "colour.png", *settings, "--at", f"{x},{y}")
        assert facts["pixel"] == written[y, x].tolist()
        assert facts["output"] == {"width": written.shape[1], "height": written.shape[0]}


@pytest.fixture
def square(folder):
    """A 4 x 4 picture with numbers that are easy to follow."""
    values = [[1, 5, 2, 2], [7, 3, 2, 2], [0, 8, 4, 6], [8, 0, 5, 9]]
    np.save("square.npy", np.array(values, np.float32))
    return "square.npy"


def test_who_wins_and_gets_the_gradient(square):
    lines = explain("pool", square, "--at", "0,0").splitlines()
    assert [line.split() for line in lines[5:7]] == [
        ["0", "1", "5", "→", "0", "0"],
        ["1", "[7]", "3", "1", "0"],
    ]
    facts = explain_json("pool", square, "--at", "1,0")
    assert facts["gradient"] == [[[1, 0], [0, 0]]]  # four equals: the first
    assert facts["pixel"] == [2]


def test_what_each_pixel_weighs(square):
    text = explain("pool", square, "--mode", "average", "--at", "0,0")
    assert "a dot is outside the picture and does not count" not in text
    text = explain("pool", square, "--mode", "average", "--size", 3, "--padding", 1, "--at", "0,0")
    assert "a dot is outside the picture and does not count" in text
    facts = explain_json(
        "pool", square, "--mode", "average", "--size", 3, "--padding", 1, "--at", "0,0"
    )
    assert facts["pixels"] == [[[None] * 3, [None, 1, 5], [None, 7, 3]]]
    assert facts["gradient"][0][1] == [None, 0.25, 0.25]
    assert facts["value"] == [4]


def test_lp_shows_the_powers_and_their_mean(square):
    text = explain("pool", square, "--mode", "lp", "--p", 3, "--at", "0,0")
    assert "y = (Σ |x|^3 / n)^(1/3)" in text
    assert "mean 124" in text  # (1 + 125 + 343 + 27) / 4
    assert "4.98663" in text


def test_what_makes_a_pixel_of_the_value_is_said(folder):
    def label(*settings):
        return explain("pool", "grey.png", *settings).splitlines()[-1].rsplit(None, 1)[0]

    assert label() == "pixel, rounded"
    assert label("--mode", "lp", "--sum", "--size", 8) == "pixel, within 0 ... 255, rounded"
    assert label("--depth", "16") == "pixel, y · 65535 / 255, rounded"
    assert label("--depth", "float").startswith("pixel")


def test_of_a_large_window_what_matters_most(folder):
    text = explain("pool", "grey.png", "--global", "--mode", "average")
    assert "window of 30 x 40: 1,200 pixels" in text
    assert "1,199 others" in text
    assert len(text.splitlines()) < 15
    assert np.shape(explain_json("pool", "grey.png", "--global")["gradient"]) == (1, 30, 40)


def test_transparent_pixels_are_shown_with_their_alpha(folder):
    from PIL import Image

    rgba = np.full((4, 4, 4), 200, np.uint8)
    rgba[0, 0] = 250, 250, 250, 0
    Image.fromarray(rgba).save("clear.png")
    facts = explain_json("pool", "clear.png", "--at", "0,0")
    assert facts["gradient"] is None
    assert facts["pixel"] == [200, 200, 200]
    assert facts["alphas"][0][0] == 0
    assert "--alpha drop" in explain("pool", "clear.png", "--at", "0,0")
    assert explain_json("pool", "clear.png", "--at", "0,0", "--alpha", "drop")["pixel"] == [250] * 3


def test_contradictions_are_those_of_pool(folder):
    with pytest.raises(click.UsageError, match="--size lays windows, --global cuts bins"):
        explain("pool", "grey.png", "--size", 2, "--global")


@pytest.mark.parametrize(
    "bins", [("--output-size", "2x3"), ("--global",), ("--global", "--sigma", "0.7")]
)
def test_the_weights_of_a_gaussian_over_bins_make_its_value(folder, bins):
    np.save("odd.npy", np.random.default_rng(0).uniform(1, 9, (7, 10)).astype(np.float32))
    facts = explain_json("pool", "odd.npy", "--mode", "gaussian", *bins, "--at", "0,0")
    weights, window = (np.array(facts[name]) for name in ("gradient", "pixels"))
    assert weights.sum() == pytest.approx(1)
    assert len(np.unique(weights.round(6))) > 2
    assert (weights * window).sum() == pytest.approx(facts["value"][0], rel=1e-5)


def test_a_median_of_whole_numbers_keeps_its_halves(folder):
    np.save("four.npy", np.array([[1, 2], [3, 10]], np.uint8))
    facts = explain_json("pool", "four.npy", "--mode", "median")
    assert (facts["value"], facts["pixel"]) == ([2.5], [2.5])
