"""Depth and alpha on the way from one format to another."""

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.files.image import (
    Frame,
    Image,
    choose_depth,
    stacked,
    with_alpha,
    without_opaque_alpha,
)


def image(dtype, white, channels=1, alpha=None):
    return Image((Frame(np.zeros((2, 3, channels), dtype), alpha),), white, "PNG")


@pytest.mark.parametrize(
    ("dtype", "white", "format", "wanted", "expected"),
    [
        ("uint8", 255, "PNG", None, ("uint8", 255)),
        ("uint16", 65535, "PNG", None, ("uint16", 65535)),
        ("uint16", 65535, "JPEG", None, ("uint8", 255)),
        ("float32", 255, "PNG", None, ("uint8", 255)),
        ("float32", 65535, "PNG", None, ("uint16", 65535)),
        ("float32", 65535, "JPEG", None, ("uint8", 255)),
        ("float32", 1, "TIFF", None, ("float32", 1)),
        ("uint8", 255, "NPY", None, ("float32", 255)),
        ("uint16", 65535, "NPY", None, ("float32", 65535)),
        ("uint8", 255, "PNG", "16", ("uint16", 65535)),
        ("uint8", 255, "TIFF", "float", ("float32", 255)),
    ],
)
def test_depths(dtype, white, format, wanted, expected):
    depth = choose_depth(image(dtype, white), format, wanted)
    assert (depth.dtype, depth.white) == expected


@pytest.mark.parametrize(
    ("channels", "has_alpha", "expected"),
    [(1, False, "uint16"), (1, True, "uint8"), (3, False, "uint8"), (3, True, "uint8")],
)
def test_jpeg_2000_has_16_bits_of_grey_without_alpha(channels, has_alpha, expected):
    alpha = np.zeros((2, 3), np.uint16) if has_alpha else None
    assert choose_depth(image("uint16", 65535, channels, alpha), "JPEG2000").dtype == expected


def test_the_last_channel_as_alpha():
    rgba = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    frame = with_alpha(Image((Frame(rgba, None),), 255.0, "NPY"), "last", "x.npy").frames[0]
    np.testing.assert_array_equal(frame.pixels, rgba[..., :3])
    np.testing.assert_array_equal(frame.alpha, rgba[..., 3])


def test_an_array_without_a_channel_for_alpha_is_named():
    with pytest.raises(InputError, match=r"x.npy has 3 channels, none of them alpha"):
        with_alpha(image("float32", 255, channels=3), "last", "x.npy")


def test_dropping_alpha():
    clear = image("uint8", 255, alpha=np.zeros((2, 3), np.uint8))
    assert with_alpha(clear, "drop", "").frames[0].alpha is None
    assert with_alpha(clear, "keep", "") is clear


def test_only_opaque_alpha_goes_by_itself():
    opaque = image("uint8", 255, alpha=np.full((2, 3), 255, np.uint8))
    assert without_opaque_alpha(opaque).frames[0].alpha is None
    alpha = np.full((2, 3), 255, np.uint8)
    alpha[0, 0] = 254
    assert without_opaque_alpha(image("uint8", 255, alpha=alpha)).frames[0].alpha is not None


def test_maps_stack_as_channels():
    one, two = (Image((Frame(np.full((2, 3, 1), v)),), 255.0, "PNG") for v in (1, 2))
    np.testing.assert_array_equal(stacked([one, two]).frames[0].pixels[0, 0], [1, 2])
    assert stacked([one]) is one
