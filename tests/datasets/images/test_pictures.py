"""Pictures of every depth and colour as planes."""

import io

import numpy as np
import pytest
from labelled_images import noise
from PIL import Image as Pillow

from cnntool.datasets.images.preprocessing import picture_planes, with_channels
from cnntool.errors import InputError
from cnntool.files.image import Frame, Image


def image_of(pixels, alpha=None, white=255.0):
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return Image((Frame(pixels, alpha),), white, "PNG")


def test_colour_becomes_grey_as_pillow_makes_it():
    pixels = noise(5, 4, 3)
    expected = np.asarray(Pillow.fromarray(pixels).convert("L"))
    np.testing.assert_array_equal(picture_planes(image_of(pixels), 1, None)[0], expected)
    x = noise(3, 3, 5, 4)
    grey = with_channels(x, 1, "set")
    for image, mine in zip(x, grey, strict=True):
        expected = Pillow.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).convert("L")
        np.testing.assert_array_equal(mine[0], np.asarray(expected))


def test_grey_is_repeated_for_colour():
    pixels = noise(5, 4)
    np.testing.assert_array_equal(picture_planes(image_of(pixels), 3, None), [pixels] * 3)


def test_transparent_pixels_are_white_and_half_transparent_ones_half():
    pixels = np.array([[100, 100, 100]], np.uint8)
    alpha = np.array([[255, 0, 51]], np.uint8)
    planes = picture_planes(image_of(pixels, alpha), 1, None)
    assert planes.tolist() == [[[100, 255, 224]]]  # 255 - 155 / 5
    deep = image_of(pixels.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257, 65535.0)
    assert picture_planes(deep, 1, None).tolist() == [[[100, 255, 224]]]


def test_deep_pictures_become_uint8_or_floats_up_to_1():
    deep = image_of(np.array([[0, 65535, 257 * 80 + 100]], np.uint16), white=65535.0)
    assert picture_planes(deep, 1, None).tolist() == [[[0, 255, 80]]]
    floats = picture_planes(deep, 1, None, np.float32)
    np.testing.assert_allclose(floats, [[[0, 1, 20660 / 65535]]], rtol=1e-6)
    shallow = picture_planes(image_of(np.array([[0, 51]], np.uint8)), 1, None, np.float32)
    np.testing.assert_allclose(shallow, [[[0, 0.2]]], rtol=1e-6)


def test_other_channels_are_refused():
    with pytest.raises(InputError, match="has 5 channels, expected 3: grey has 1, colour 3"):
        picture_planes(image_of(noise(4, 4, 5)), 3, None)


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Pillow.fromarray(np.full((4, 4), value, np.uint8)) for value in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    from cnntool.files.images import open_image

    assert (picture_planes(open_image(buffer.getvalue()), 1, None) == 10).all()
