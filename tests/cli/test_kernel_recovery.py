"""`cnntool kernels --from`: what is said, what is written, and that the command does it again."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage


@pytest.fixture
def photo(folder):
    rng = np.random.default_rng(1)
    smooth = ndimage.gaussian_filter(rng.normal(0, 400, (90, 110, 3)), (2, 2, 0)) + 128
    Image.fromarray(np.clip(smooth, 3, 252).astype(np.uint8)).save(folder / "photo.png")
    return folder / "photo.png"


@pytest.mark.parametrize(
    "options",
    [
        ["-k", "sobel-x"],
        ["-k", "sharpen", "--border", "wrap"],
        ["-k", "1 2; 3 4", "--scale", "0.25", "--stride", "2"],
        ["-k", "laplacian", "--range", "offset", "--gray"],
        ["-k", "box:size=5", "--padding", "valid", "--depth", "16"],
    ],
)
def test_the_command_makes_the_picture_again(cnntool, photo, options):
    assert cnntool("convolve", "photo.png", *options, "-o", "after.png", "-q").code == 0
    wanted = np.asarray(Image.open("after.png"))
    done = cnntool("kernels", "--from", "photo.png", "after.png", "--json")
    assert done.code == 0
    command = json.loads(done.out)["kernels"][0]["command"]
    again = cnntool(*shlex.split(command)[1:], "-f", "-q")
    assert again.code == 0, again.err
    np.testing.assert_array_equal(np.asarray(Image.open("after.png")), wanted)


def test_what_is_said_of_a_blur(cnntool, photo):
    cnntool("convolve", "photo.png", "-k", "binomial", "-o", "after.png", "-q")
    done = cnntool("kernels", "--from", "photo.png", "after.png")
    said = done.out.decode()
    assert done.code == 0
    assert "binomial, which it is" in said
    assert "[1 2 1; 2 4 2; 1 2 1] / 16" in said
    assert "100% of all pixels" in said
    assert "rounding leaves 0.2887" in said


def test_the_kernel_is_written_for_convolve(cnntool, photo):
    cnntool("convolve", "photo.png", "-k", "3 0 -2", "-o", "after.png", "-q", "--range", "offset")
    done = cnntool("kernels", "--from", "photo.png", "after.png", "-o", "kernel.npy")
    assert done.code == 0
    assert done.lines[-1] == "kernel.npy"
    assert np.load("kernel.npy").tolist() == [[3, 0, -2]]
    assert cnntool("convolve", "photo.png", "-k", "kernel.npy", "-o", "x.png").code == 0
    assert cnntool("kernels", "--from", "photo.png", "after.png", "-o", "kernel.npy").code == 1


def test_no_convolution_is_exit_code_1_with_a_guess(cnntool, photo):
    Image.open(photo).convert("L").save("grey.png")
    Image.open("grey.png").filter(ImageFilter.MedianFilter(3)).save("after.png")
    done = cnntool("kernels", "--from", "grey.png", "after.png", "--size", "3")
    assert done.code == 1
    assert "no single convolution of up to 3x3 explains it: the residual is" in done.err
    assert "the median of 3x3 pixels" in done.out.decode()


def test_each_channel_may_have_a_kernel_of_its_own(cnntool, photo):
    planes = Image.open(photo).split()
    planes = planes[0], planes[1].filter(ImageFilter.FIND_EDGES), planes[2]
    Image.merge("RGB", planes).save("after.png")
    done = cnntool("kernels", "--from", "photo.png", "after.png", "--size", "3", "--json")
    found = json.loads(done.out)
    assert (done.code, found["together"], len(found["kernels"])) == (0, False, 3)
    assert found["kernels"][1]["matrix"] == [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--from", "photo.png", "flat.png"], 1, "same everywhere"),
        (["--from", "photo.png", "small.png"], 1, "0.4545 x 0.3333"),
        (["--from", "photo.png", "none.png"], 1, "none.png"),
        (["sobel", "--from", "photo.png", "photo.png"], 2, "leave out SPEC"),
        (["--from", "photo.png", "photo.png", "--size", "0"], 2, "from 1 to 63"),
        (["sobel", "-o", "kernel.npy"], 2, "give --from"),
        (["--from", "photo.png", "photo.png", "-o", "k.txt"], 2, "name a .npy file"),
        (["box", "--size", "3x5"], 2, "one size"),
        (["--from", "photo.png", "photo.png", "--size", "3x"], 2, "'3x' is not a size"),
    ],
)
def test_mistakes_are_one_line(cnntool, photo, arguments, code, message):
    Image.new("RGB", (110, 90), (9, 9, 9)).save("flat.png")
    Image.open(photo).resize((50, 30)).save("small.png")
    done = cnntool("kernels", *arguments)
    assert (done.code, done.out) == (code, b"")
    assert message in done.err
    assert "Traceback" not in done.err
