"""`cnntool visualize saliency`: what an answer rests on, from file to picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import pixels, report
from trained_models import darkness_model

from cnntool.cli.terminal import SHADES
from cnntool.networks.model import load_trained
from cnntool.study.saliency import grad_cam, occlusion, smooth_gradient, strength_of

METHODS = ("gradient", "grad-cam", "occlusion")


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_is_written_and_its_path_is_the_one_line(cnntool, digits_run, method):
    for name in ("grey.png", "colour.png", "photo.jpg"):
        done = cnntool("visualize", "saliency", digits_run, name, "--method", method)
        assert (done.code, done.err) == (0, "")
        assert done.lines == [f"digits-{Path(name).stem}-{method}.png"]
        assert pixels(done.lines[0]).ndim == 3


def test_the_numbers_are_those_of_the_functions(cnntool, digits_run, image):
    classifier = load_trained(digits_run, "cnn")
    network = classifier.network
    pixel = pixels(image)[None, None].astype(np.uint8)
    x = classifier.preprocessing.normalized(pixel, 255.0)
    likeliest = int(network.predict(x)[0].argmax())
    expected = {
        "gradient": strength_of(smooth_gradient(network, x, likeliest, 32)),
        "grad-cam": grad_cam(network, x, likeliest, "conv2"),
        "occlusion": occlusion(network, x, likeliest, 2, 1),
    }
    for method, values in expected.items():
        words = ["visualize", "saliency", digits_run, image, "--method", method, "--json", "-f"]
        found = report(cnntool(*words))
        np.testing.assert_allclose(found["map"], values, rtol=1e-5, atol=1e-7)
        assert found["class"] == found["likeliest"]
        assert found["class"]["label"] == classifier.labels[likeliest]
        probability = classifier.probabilities(x)[0, likeliest]
        assert found["class"]["probability"] == pytest.approx(float(probability), rel=1e-5)
        assert found["picture"] == f"digits-small-{method}.png"
        assert found["layer"] == ("conv2" if method == "grad-cam" else None)


def test_another_class_layer_and_square_can_be_asked_for(cnntool, digits_run, image):
    words = ["visualize", "saliency", digits_run, image, "--json", "-f"]
    found = report(cnntool(*words, "--class", "7"))
    assert found["class"]["label"] == "7"
    assert found["map"] != report(cnntool(*words, "--class", "3"))["map"]
    cam = report(cnntool(*words, "--method", "grad-cam", "--layer", "conv1"))
    assert (cam["layer"], np.shape(cam["map"])) == ("conv1", (8, 8))
    whole = report(cnntool(*words, "--method", "occlusion", "--patch", "8"))["map"]
    assert np.ptp(whole) == 0
    one = report(cnntool(*words, "--samples", "1"))["map"]
    assert one == report(cnntool(*words, "--samples", "1", "--seed", "5"))["map"]
    assert one != report(cnntool(*words, "--seed", "5"))["map"]
    assert report(cnntool(*words))["map"] == report(cnntool(*words, "--seed", "0"))["map"]


def test_occlusion_of_a_network_without_convolutions(cnntool, folder):
    """Every pixel of it says 'light' alike: covering with grey makes a white image darker."""
    darkness_model(folder / "m.npz")
    Image.fromarray(np.full((4, 4), 255, np.uint8)).save("white.png")
    words = ["visualize", "saliency", "m.npz", "white.png", "--json"]
    found = report(cnntool(*words, "--method", "occlusion", "--patch", "1"))
    assert found["class"]["label"] == "light"
    after = 1 / (1 + np.exp(-8 * (0.5 - 0.5 / 16)))
    np.testing.assert_allclose(found["map"], 1 / (1 + np.exp(-4)) - after, rtol=1e-4)
    gradient = report(cnntool(*words, "-f"))
    np.testing.assert_allclose(gradient["map"], 8 / 16, rtol=1e-5)


def test_an_image_comes_from_stdin_and_a_picture_goes_to_stdout(cnntool, digits_run, folder):
    data = (folder / "grey.png").read_bytes()
    done = cnntool("visualize", "saliency", digits_run, "-", "-o", "-", stdin=data)
    assert done.out.startswith(b"\x89PNG")
    done = cnntool("visualize", "saliency", digits_run, "-", stdin=data)
    assert done.lines == ["digits-stdin-gradient.png"]


def test_show_says_the_words_and_draws(cnntool, digits_run, folder):
    before = set(folder.iterdir())
    done = cnntool("visualize", "saliency", digits_run, "photo.jpg", "--show")
    assert (done.code, done.out) == (0, b"")
    lines = done.err.splitlines()
    assert lines[0].startswith("photo.jpg through digits.npz: ")
    assert "32 copies with noise" in lines[1]
    assert len(lines) > 10
    assert set(folder.iterdir()) == before


def test_an_image_of_one_colour_has_no_range_that_noise_could_be_a_share_of(cnntool, digits_run):
    Image.new("L", (8, 8), 90).save("flat.png")
    words = ["visualize", "saliency", digits_run, "flat.png", "--show"]
    assert "noise" not in cnntool(*words).err
    maps = [json.loads(cnntool(*words, "--samples", n, "--json").out)["map"] for n in "19"]
    assert maps[0] == maps[1]


def test_without_colours_the_map_is_drawn_and_not_the_picture(cnntool, digits_run, image):
    words = ["visualize", "saliency", digits_run, image, "--method", "gradient"]
    lines = cnntool(*words, "--show").err.splitlines()[2:]
    drawn = np.array([[SHADES.index(shade) for shade in line] for line in lines])
    found = np.array(report(cnntool(*words, "--json"))["map"])
    rows = (np.arange(8) + 0.5) * drawn.shape[0] / 8
    columns = (np.arange(8) + 0.5) * drawn.shape[1] / 8
    seen = drawn[np.ix_(rows.astype(int), columns.astype(int))]
    assert np.corrcoef(seen.ravel(), found.ravel())[0, 1] > 0.97


def test_where_nothing_speaks_for_the_class_it_is_said(cnntool, folder):
    darkness_model(folder / "m.npz")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save("black.png")
    words = ["visualize", "saliency", "m.npz", "black.png", "--method", "occlusion", "--show"]
    done = cnntool(*words, "--class", "light")
    assert done.code == 0
    assert "lowers the probability of light nowhere" in done.err


def test_each_class_has_a_picture_of_its_own_and_a_wrong_one_comes_first(cnntool, digits_run):
    words = ["visualize", "saliency", digits_run, "grey.png"]
    names = [cnntool(*words, *more).lines for more in ([], ["--class", "1"], ["--class", "2"])]
    starts = "digits-grey-gradient"
    assert names == [[f"{starts}.png"], [f"{starts}-1.png"], [f"{starts}-2.png"]]
    again = cnntool(*words, "--class", "1")
    assert again.code == 1
    assert f"{starts}-1.png" in again.err
    wrong = cnntool(*words, "--class", "33", "-o", names[0][0])
    assert wrong.code == 2
    assert "has no class '33'" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["grey.png", "colour.png"], 2, "saliency shows one image, and 2 were named: run it once"),
        (["grey.png", "--class", "33"], 2, "has no class '33', only 0, 1, 2"),
        (["grey.png", "--method", "grad-cam", "--layer", "conv9"], 2, "only in conv1, conv2"),
        (["grey.png", "--layer", "conv1"], 2, "--layer is for --method grad-cam"),
        (
            ["grey.png", "--method", "occlusion", "--patch", "9"],
            2,
            "larger than the image of 8 x 8",
        ),
        (["grey.png", "--json", "-o", "-"], 2, "both write to stdout"),
        (["grey.png", "--own-size"], 2, "leave out --own-size"),
        (["."], 1, "is a folder: name one image"),
        (["none.png"], 1, "none.png"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(cnntool, digits_run, arguments, code, message):
    done = cnntool("visualize", "saliency", digits_run, *arguments)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert "Traceback" not in done.err


def test_grad_cam_needs_a_convolution_and_the_others_none(cnntool, folder):
    darkness_model(folder / "m.npz")
    done = cnntool("visualize", "saliency", "m.npz", "grey.png", "--method", "grad-cam")
    assert done.code == 1
    assert "m.npz has no convolution layer" in done.err
    assert cnntool("visualize", "saliency", "m.npz", "grey.png").code == 0


def test_an_image_of_other_channels_is_named(cnntool, folder):
    darkness_model(folder / "m.npz", channels=2)
    done = cnntool("visualize", "saliency", "m.npz", "colour.png")
    assert done.code == 1
    assert done.err == "cnntool: colour.png has 3 channels, expected 2: grey has 1, colour 3\n"


def test_the_own_size_of_an_image_is_kept_where_the_network_takes_any(cnntool, folder):
    from trained_models import train_digits

    train_digits(folder / "any.npz")
    words = ["visualize", "saliency", "any.npz", "grey.png", "--own-size", "--json", "-f"]
    for method in METHODS:
        found = report(cnntool(*words, "--method", method))
        assert np.shape(found["map"]) == (30, 40)
