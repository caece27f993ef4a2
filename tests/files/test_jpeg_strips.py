"""JPEG in strips: to a decoder the same picture as one encoded whole."""

import io

import numpy as np
import pytest
from PIL import Image

from cnntool.files.image import Frame
from cnntool.files.images import open_image
from cnntool.files.jpeg_strips import LONGEST_INTERVAL, strip_rows, write_strips


def encoded(pixels, quality=90, **options) -> bytes:
    buffer = io.BytesIO()
    write_strips(Frame(pixels), buffer, quality, options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [5, 90, 100])
@pytest.mark.parametrize(
    ("height", "width", "channels"),
    [(256, 40, 3), (257, 41, 3), (1000, 37, 3), (777, 500, 1), (2600, 16, 1), (120, 65500, 1)],
)
def test_strips_decode_to_the_pixels_of_the_whole(height, width, channels, quality):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (-(-height // 8), -(-width // 8), channels), dtype=np.uint8)
    pixels = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    whole = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(whole, "JPEG", quality=quality)
    data = encoded(np.ascontiguousarray(pixels), quality)
    with Image.open(io.BytesIO(data)) as strips, Image.open(whole) as expected:
        np.testing.assert_array_equal(np.asarray(strips), np.asarray(expected))
    assert open_image(data).frames[0].pixels.shape == pixels.shape  # our own checks pass as well


def test_what_goes_with_the_picture_stands_in_the_file_once():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
    profile = bytes(70_000)  # takes two segments
    data = encoded(np.zeros((600, 50, 3), np.uint8), exif=exif, icc_profile=profile, dpi=(72, 72))
    assert data.count(exif) == 1
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.info["icc_profile"] == profile
        assert picture.info["dpi"] == (72, 72)


@pytest.mark.parametrize("width", [1, 4000, 65500])
def test_a_strip_has_no_more_blocks_than_its_number_can_say(width):
    rows = strip_rows(width)
    assert rows > 0
    assert rows % 16 == 0
    assert -(-width // 8) * rows // 8 <= LONGEST_INTERVAL
