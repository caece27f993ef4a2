"""The numbers behind a pixel add up, and the pixel is the one that filter_image writes."""

from dataclasses import replace

import numpy as np
import pytest
from borders import NUMPY_MODE

from cnntool.errors import RequestError
from cnntool.explain.windows import window_facts
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernels import parse_kernel


def picture(shape=(13, 17, 3), dtype=np.uint8, alpha=False, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    white = {"uint8": 255.0, "uint16": 65535.0}.get(dtype.name, 255.0)
    pixels = (rng.random(shape) * white).astype(dtype)
    values = rng.choice([0, white / 3, white], shape[:2]).astype(dtype) if alpha else None
    return Image((Frame(pixels, values),), white, "PNG")


def test_one_window_by_hand():
    pixels = np.arange(1, 10, dtype=np.uint8).reshape(3, 3, 1)
    image = Image((Frame(pixels),), 255.0, "PNG")
    facts = window_facts(image, [parse_kernel("sobel")], Geometry(), Rendering(), (1, 1))
    assert facts.pixels[..., 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert facts.products[0, 0].tolist() == [[-1, 0, 3], [-8, 0, 12], [-7, 0, 9]]
    assert facts.responses.ravel().tolist() == [8, 24]
    assert facts.combined.item() == pytest.approx((8**2 + 24**2) ** 0.5)
    assert facts.result.item() == 25


def test_a_corner_reads_what_the_border_rule_puts_there():
    pixels = np.arange(1, 10, dtype=np.uint8).reshape(3, 3, 1)
    image = Image((Frame(pixels),), 255.0, "PNG")
    facts = window_facts(image, [parse_kernel("box")], Geometry(), Rendering(), (0, 0))
    assert facts.pixels[..., 0].tolist() == [[1, 1, 2], [1, 1, 2], [4, 4, 5]]
    assert facts.rows.positions == (-1, 0, 1)
    assert facts.rows.sources == (0, 0, 1)
    assert facts.rows.inside == (False, True, True)
    constant = Geometry(border="constant", constant=7)
    facts = window_facts(image, [parse_kernel("box")], constant, Rendering(), (0, 0))
    assert facts.pixels[..., 0].tolist() == [[7, 7, 7], [7, 1, 2], [7, 4, 5]]
    assert facts.rows.sources == (-1, 0, 1)


SPECS = [
    "sobel",
    "kirsch",
    "laplacian",
    "gaussian:sigma=1",
    "1 2; 3 -4",
    "0.5 1 -2 0 3",
    "emboss",
    "box:size=4",
]
RANGES = ["auto", "clip", "abs", "offset", "stretch", "raw"]


def random_geometry(rng) -> Geometry:
    return Geometry(
        stride=tuple(rng.integers(1, 4, 2).tolist()),
        dilation=tuple(rng.integers(1, 3, 2).tolist()),
        padding=["same", "valid", "full", 2][rng.integers(4)],
        border=list(NUMPY_MODE)[rng.integers(5)],
        constant=float(rng.choice([0, 9, 7.5])),
        flip=bool(rng.integers(2)),
    )


@pytest.mark.parametrize(
    ("dtype", "alpha"), [("uint8", False), ("uint8", True), ("uint16", False), ("float32", False)]
)
@pytest.mark.parametrize("shown", RANGES)
def test_the_pixel_is_the_one_that_is_written(shown, dtype, alpha):
    rng = np.random.default_rng([len(shown), alpha])
    image = picture(dtype=dtype, alpha=alpha)
    for spec in SPECS:
        kernel = parse_kernel(spec)
        geometry = random_geometry(rng)
        scale, bias = (1.0, 0.0) if rng.integers(2) else (1.7, -11.0)
        rendering = Rendering(shown, scale, bias)
        written = filter_image(image, [kernel], geometry, rendering)
        height, width = written[0].image.frames[0].pixels.shape[:2]
        for _ in range(4):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            facts = window_facts(image, [kernel], geometry, rendering, (x, y))
            expected = [result.image.frames[0].pixels[y, x] for result in written]
            np.testing.assert_array_equal(facts.result, expected)
            assert facts.output_size == (height, width)
            if alpha:
                assert facts.alpha == written[0].image.frames[0].alpha[y, x]
            else:
                sums = facts.products.sum(axis=(2, 3))
                np.testing.assert_allclose(facts.responses, sums, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize(("depth", "white"), [("uint16", 65535.0), ("float32", 255.0)])
def test_at_another_depth(depth, white):
    image = picture()
    rendering = Rendering("clip", dtype=np.dtype(depth), white=white)
    kernel = parse_kernel("gaussian")
    (written,) = filter_image(image, [kernel], None, rendering)
    facts = window_facts(image, [kernel], Geometry(), rendering, (3, 4))
    np.testing.assert_array_equal(facts.result[0], written.image.frames[0].pixels[4, 3])


def test_orientation_and_feature_maps():
    image = picture()
    sobel = parse_kernel("sobel")
    for combine in ("orientation", "none"):
        for flip in (False, True):
            filters = [replace(sobel, combine=combine)]
            geometry = Geometry(flip=flip)
            written = filter_image(image, filters, geometry)
            facts = window_facts(image, filters, geometry, Rendering(), (5, 6))
            expected = [result.image.frames[0].pixels[6, 5] for result in written]
            np.testing.assert_array_equal(facts.result, expected)
            assert len(facts.result) == (2 if combine == "none" else 1)


def test_the_last_of_a_chain_is_explained():
    image = picture(shape=(20, 20, 1))
    filters = [parse_kernel("sharpen"), parse_kernel("laplacian")]
    (written,) = filter_image(image, filters)
    facts = window_facts(image, filters, Geometry(), Rendering(), (9, 9))
    assert facts.result.item() == written.image.frames[0].pixels[9, 9].item()
    (sharp,) = filter_image(image, filters[:1], None, Rendering("raw", dtype=np.dtype("f4")))
    window = sharp.image.frames[0].pixels[8:11, 8:11]
    np.testing.assert_allclose(facts.pixels, window, rtol=1e-6)


@pytest.mark.parametrize("border", list(NUMPY_MODE))
def test_the_window_is_that_of_the_padded_picture(border):
    image = picture(shape=(6, 5, 2))
    geometry = Geometry(stride=(2, 3), dilation=(2, 1), padding=4, border=border, constant=3)
    facts = window_facts(image, [parse_kernel("box:size=3")], geometry, Rendering("raw"), (1, 2))
    extra = {"constant_values": 3} if border == "constant" else {}
    padded = np.pad(image.frames[0].pixels, ((4, 4), (4, 4), (0, 0)), NUMPY_MODE[border], **extra)
    np.testing.assert_array_equal(facts.pixels, padded[4:9:2, 3:6])
    assert facts.rows.positions == (0, 2, 4)
    assert facts.columns.positions == (-1, 0, 1)
    assert (facts.columns.centre, facts.rows.centre) == (0, 2)


def test_a_flipped_kernel_is_shown_turned():
    image = picture(shape=(5, 5, 1))
    kernel = parse_kernel("1 2 3; 4 5 6; 7 8 9")
    facts = window_facts(image, [kernel], Geometry(flip=True), Rendering("raw"))
    assert facts.bank[0].tolist() == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]


def test_colours_are_weighed_by_alpha():
    image = picture(alpha=True)
    facts = window_facts(image, [parse_kernel("box")], Geometry(), Rendering(), (4, 4))
    frame = image.frames[0]
    alphas = frame.alpha[3:6, 3:6] / 255
    colours = frame.pixels[3:6, 3:6]
    np.testing.assert_allclose(facts.alphas, alphas, rtol=1e-6)
    mean = (colours * alphas[..., None]).sum(axis=(0, 1)) / alphas.sum()
    np.testing.assert_allclose(facts.responses[0], mean, rtol=1e-5)


def test_the_middle_is_the_default():
    facts = window_facts(picture(), [parse_kernel("box")], Geometry(), Rendering())
    assert (facts.x, facts.y) == (8, 6)


def test_the_offset_of_a_kernel_is_added_once():
    kernel = parse_kernel('{"kernel": [1, 2, 1], "scale": 4, "offset": 100}')
    rendering = Rendering("clip", 2.0, 10.0)
    facts = window_facts(picture(), [kernel], Geometry(), rendering, (1, 1))
    np.testing.assert_allclose(facts.responses[0], facts.products.sum(axis=(2, 3))[0])
    np.testing.assert_allclose(facts.values[0], 2 * (facts.responses[0] + 100) + 10)
    assert (facts.scale, facts.bias) == (2, 210)


@pytest.mark.parametrize("at", [(17, 0), (0, 13), (-1, 0)])
def test_a_position_outside_names_the_size(at):
    place = f"position {at[0]},{at[1]} is outside"
    with pytest.raises(RequestError, match=f"{place} .* 17 x 13 pixels"):
        window_facts(picture(), [parse_kernel("box")], Geometry(), Rendering(), at)
