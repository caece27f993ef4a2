"""Resizing of many images against Pillow's two passes over each."""

import numpy as np
import pytest
from labelled_images import noise
from PIL import Image

from cnntool.datasets.images import preprocessing
from cnntool.datasets.images.preprocessing import resize


@pytest.mark.parametrize("size", [(32, 32), (9, 40), (3, 2), (28, 11)])
@pytest.mark.parametrize("channels", [1, 3])
def test_uint8_is_to_the_bit_what_pillow_makes_of_each_image_along_rows_then_columns(
    monkeypatch, size, channels
):
    monkeypatch.setattr(preprocessing, "RESIZED_VALUES", 1000)  # several blocks
    x = noise(4, channels, 28, 20)
    out = resize(x, size)
    for image, mine in zip(x, out, strict=True):
        pixels = image.transpose(1, 2, 0)
        picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
        for step in ((size[1], 28), size[::-1]):
            picture = picture.resize(step, Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(mine.transpose(1, 2, 0).squeeze(), np.asarray(picture))


def test_float32_is_pillows_without_its_overshoot():
    x = noise(2, 1, 20, 20).astype(np.float32) / 255
    picture = Image.fromarray(x[1, 0]).resize((31, 33), Image.Resampling.LANCZOS)
    out = resize(x, (33, 31), 1.0)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[1, 0], np.clip(np.asarray(picture), 0, 1), atol=1e-6)
    assert (np.asarray(picture).max() > 1.001, out.max() <= 1) == (True, True)


def test_a_flat_image_stays_flat_and_the_same_size_is_no_work():
    x = np.full((2, 1, 7, 9), 200, np.uint8)
    assert (resize(x, (50, 3)) == 200).all()
    assert resize(x, (7, 9)) is x
