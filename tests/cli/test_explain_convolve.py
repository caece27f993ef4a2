"""`cnntool explain convolve`: its pixel is the one that `cnntool convolve` writes."""

import numpy as np
import pytest
from explaining import explain, explain_json
from processes import pixels

from cnntool.errors import InputError

SETTINGS = [
    ("-k", "sobel"),
    ("-k", "sobel", "--combine", "orientation", "--gray"),
    ("-k", "laplacian", "--range", "offset", "--padding", "full", "--border", "wrap"),
    ("-k", "1 2 0; 0 -1 3", "--flip", "--range", "stretch", "--stride", "2x3", "--scale", "0.5"),
    ("-k", "gaussian:sigma=2", "-k", "laplacian", "--range", "stretch", "--bias", "3"),
    ("-k", "kirsch", "--dilation", "2", "--padding", "valid", "--border", "constant:9"),
    ("-k", "box", "--size", "5", "--depth", "16"),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_pixel_is_the_one_that_is_written(cnntool, settings):
    done = cnntool("convolve", "colour.png", *settings, "-o", "out.png", "-q")
    assert done.code == 0, done.err
    written = np.atleast_3d(pixels("out.png"))
    rng = np.random.default_rng(0)
    for _ in range(3):
        y, x = (int(rng.integers(size)) for size in written.shape[:2])
        facts = explain_json("convolve", "colour.png", *settings, "--at", f"{x},{y}")
        (result,) = facts["results"]
        if "16" in settings:  # Pillow reads 16-bit colour as 8 bits
            assert [value >> 8 for value in result["pixel"]] == written[y, x].tolist()
        else:
            assert result["pixel"] == written[y, x].tolist()
        assert facts["output"] == {"width": written.shape[1], "height": written.shape[0]}


def test_the_numbers_of_one_window_by_hand(folder):
    np.save("nine.npy", np.arange(1, 10, dtype=np.float32).reshape(3, 3))
    facts = explain_json("convolve", "nine.npy", "-k", "sobel", "--at", "1,1")
    assert facts["pixels"] == [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    first, second = facts["kernels"]
    assert first["products"] == [[[-1, 0, 3], [-8, 0, 12], [-7, 0, 9]]]
    assert (first["sums"], second["sums"]) == ([8], [24])
    assert facts["results"][0]["pixel"] == [pytest.approx(640**0.5)]
    assert facts["centre"] == {"x": 1, "y": 1}
    text = explain("convolve", "nine.npy", "-k", "sobel", "--at", "1,1")
    middle = next(line for line in text.splitlines() if "×" in line)
    assert middle.split() == [*"1456", "×", "-2", "0", "2", "=", "-8", "0", "12"]
    assert "magnitude: √(8² + 24²)" in text
    assert "25.2982" in text


def test_the_sum_below_the_products_is_the_one_that_goes_on(folder):
    """In float32, which the sum of the products in float64 is not, to the last digit shown."""
    words = "convolve", "grey.png", "-k", "gaussian", "-k", "sobel-x"
    for y in range(10):
        lines = explain(*words, "--at", f"0,{y}").splitlines()
        below = next(line for line in lines if line.strip().startswith("sum "))
        assert below.split()[-1] == lines[-2].split()[-1], lines


def test_pixels_that_were_made_up_stand_in_parentheses(folder):
    np.save("nine.npy", np.arange(1, 10, dtype=np.float32).reshape(3, 3))
    lines = explain("convolve", "nine.npy", "-k", "box", "--at", "0,0").splitlines()
    assert "by the border rule reflect row -1 is row 0, column -1 is column 0" in lines[2]
    assert lines[6].startswith("-1 ( 1)( 1)( 2)")
    assert lines[7].startswith(" 0 ( 1)  1   2")
    facts = explain_json("convolve", "nine.npy", "-k", "box", "--at", "0,0", "--border", "constant")
    assert facts["rows"] == {"positions": [-1, 0, 1], "sources": [None, 0, 1]}


def test_of_a_large_kernel_the_largest_products_are_shown(folder):
    text = explain("convolve", "grey.png", "-k", "gaussian:sigma=3", "--at", "20,15")
    assert "25 x 25: the 12 largest of 625 products" in text
    assert "613 others" in text
    assert len(text.splitlines()) < 25
    facts = explain_json("convolve", "grey.png", "-k", "gaussian:sigma=3", "--at", "20,15")
    products = np.array(facts["kernels"][0]["products"])
    assert products.shape == (1, 25, 25)
    assert products.sum() == pytest.approx(facts["kernels"][0]["sums"][0], rel=1e-5)


def test_of_a_large_bank_the_kernel_that_answers_most_is_shown(folder):
    text = explain("convolve", "grey.png", "-k", "kirsch", "--at", "20,15")
    facts = explain_json("convolve", "grey.png", "-k", "kirsch", "--at", "20,15")
    sums = {kernel["name"]: kernel["sums"][0] for kernel in facts["kernels"]}
    most = max(sums, key=sums.get)
    assert f"× {most}" in text or f"  {most}  " in text
    assert text.count("products") == 1
    assert all(f"{name}: sum" in text for name in sums)


def test_an_image_may_come_from_stdin(folder):
    content = (folder / "grey.png").read_bytes()
    piped = explain_json("convolve", "-", "-k", "sobel", "--at", "3,4", stdin=content)
    named = explain_json("convolve", "grey.png", "-k", "sobel", "--at", "3,4")
    assert piped == {**named, "image": "stdin"}


def test_a_kernel_that_does_not_fit_is_refused(folder):
    with pytest.raises(InputError, match="does not fit into 30"):
        explain("convolve", "grey.png", "-k", "box:size=41", "--padding", "valid")


def test_a_sum_of_which_only_rounding_is_left_is_0(folder):
    np.save("flat.npy", np.full((20, 20), 137, np.uint8))
    text = explain("convolve", "flat.npy", "-k", "log", "--at", "10,10")
    assert [line.split()[-1] for line in text.splitlines() if "sum" in line] == ["0", "0"]
