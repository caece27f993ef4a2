"""Pages of one filter, one pool and one convolution: the engine's numbers, in a browser."""

import base64
import itertools
from importlib import resources

import numpy as np
import pytest
from browser import computed, needs_browser

from cnntool.choices import BORDERS, POOLS
from cnntool.errors import RequestError
from cnntool.explain.conv1d import conv1d_steps
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernels import build, parse_kernel
from cnntool.imaging.pooling import Pooling, pool_picture
from cnntool.page.filters import kernel_page, pool_page, shown_planes, signal_page


@pytest.fixture
def image():
    pixels = np.random.default_rng(3).integers(0, 256, (14, 17, 1), dtype=np.uint8)
    return Image((Frame(pixels),), 255.0, "PNG")


def array(result):
    return np.frombuffer(base64.b64decode(result["data"]), "<f4").reshape(result["shape"])


@needs_browser
def test_within_a_formula_what_is_below_0_is_in_parentheses(tmp_path):
    script = (resources.files("cnntool.page") / "words.js").read_text(encoding="utf-8")
    written = "{complaints: [], factors: [10, -32, -0.5, 0, 2.25].map(factor)}"
    text = f"<!DOCTYPE html><pre id=selftest></pre><script>{script}\n"
    text += f"document.querySelector('pre').textContent = JSON.stringify({written});</script>"
    (found,) = computed(tmp_path, text.encode())
    assert found["factors"] == ["10", "(−32)", "(−0.500)", "0", "2.250"]


@needs_browser
def test_a_filter_gives_what_convolve_gives(image, tmp_path):
    settings = itertools.product(
        ("sobel", "kirsch", "box", "1 2 3 4; 5 6 7 9"),
        *(BORDERS, (1, 3), ("same", "valid", "full", "2"), (1, 2)),
    )
    names = "kernel", "border", "stride", "padding", "dilation"
    tried = [dict(zip(names, each, strict=True)) | {"bias": 0} for each in settings]
    own = parse_kernel("1 2 3 4; 5 6 7 9")
    for each in tried:
        if each["kernel"][0] == "1":
            each["kernel"] = own.spec
    (found,) = computed(tmp_path, kernel_page("it.png", image, own, tried))
    raw = Rendering("raw", dtype=np.dtype("f4"), white=255.0)
    for each, result in zip(tried, found["results"], strict=True):
        padding = int(each["padding"]) if each["padding"].isdigit() else each["padding"]
        geometry = Geometry(
            (each["stride"],) * 2, (each["dilation"],) * 2, padding, each["border"], 0.0
        )
        kernel = own if each["kernel"] == own.spec else build(each["kernel"])
        (expected,) = filter_image(image, [kernel], geometry, raw)
        pixels = expected.image.frames[0].pixels[..., 0]
        np.testing.assert_allclose(array(result), pixels, rtol=1e-5, atol=1e-3, err_msg=str(each))


@needs_browser
def test_a_pool_gives_what_pool_gives(image, tmp_path):
    settings = itertools.product(POOLS, (1, 2, 3, 5), (1, 2, 4), (1, 2), (True, False))
    tried = [
        {
            "pool": {"mode": mode, "size": size, "p": 2},
            **{"stride": stride, "dilation": dilation, "padding": "0", "hasPart": part},
        }
        for mode, size, stride, dilation, part in settings
    ]
    (found,) = computed(tmp_path, pool_page("it.png", image, "max", 2, tried))
    for each, result in zip(tried, found["results"], strict=True):
        stride, dilation = (each["stride"],) * 2, (each["dilation"],) * 2
        size = (each["pool"]["size"],) * 2
        edge = "partial" if each["hasPart"] else "drop"
        pooling = Pooling(each["pool"]["mode"], size, stride, (0, 0), dilation, edge)
        expected, _ = pool_picture(image, pooling, np.dtype("f4"), 255.0)
        pixels = expected.frames[0].pixels[..., 0]
        np.testing.assert_allclose(array(result), pixels, rtol=1e-5, atol=1e-3, err_msg=str(each))


@needs_browser
def test_a_signal_gives_what_explain_conv1d_gives(tmp_path):
    x, w, paddings = (1, 2, 3, 4.5, -2, 7), (1, 0.5, -1), ("valid", "same", "full")
    pages = [signal_page(x, w, 2, padding, 1) for padding in paddings]
    for padding, found in zip(paddings, computed(tmp_path, *pages), strict=True):
        how = {"stride": 2, "padding": padding, "dilation": 1, "flip": False}
        steps = conv1d_steps(x, w, None, (1.0,), **how)
        np.testing.assert_allclose(found["y"], steps.y)
        np.testing.assert_allclose(found["dw"], steps.gradients["weight"])
        np.testing.assert_allclose(found["dx"], steps.gradients["x"])


def test_a_photograph_becomes_small_enough_to_compute():
    frame = Frame(np.zeros((300, 1000, 3), np.uint8))
    assert shown_planes(Image((frame,), 255.0, "PNG")).shape == (77, 256)


def test_a_kernel_that_no_field_has_room_for_is_refused(image):
    with pytest.raises(RequestError, match="17 x 17: a page shows the weights of kernels up to 15"):
        kernel_page("it.png", image, build("box", size=17))
