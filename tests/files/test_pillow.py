"""Decoding ahead gives the very picture that opening gives, once."""

import numpy as np
import pytest
from PIL import Image

from cnntool.errors import InputError
from cnntool.files import pillow
from cnntool.files.images import open_image


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("orientation", [None, 6])
def test_a_picture_decoded_ahead_is_the_same(tmp_path, suffix, orientation):
    path = str(tmp_path / f"a{suffix}")
    picture = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    )
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    picture.save(path, exif=exif, dpi=(72, 72))
    plain = open_image(path)
    pillow.decode_ahead(path, 10**6)
    ahead = open_image(path)
    assert not pillow._ahead
    np.testing.assert_array_equal(ahead.frames[0].pixels, plain.frames[0].pixels)
    assert ahead.metadata == plain.metadata or vars(ahead.metadata) == vars(plain.metadata)


def test_what_is_wrong_is_found_later(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("L", (64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:300])
    pillow.decode_ahead(str(path), 10**6)
    with pytest.raises(InputError, match=r"a\.jpg"):
        open_image(path)
    pillow.decode_ahead(str(tmp_path / "missing.png"), 10**6)
    assert not pillow._ahead


def test_no_more_pixels_are_decoded_than_allowed(tmp_path):
    path = str(tmp_path / "a.png")
    Image.new("L", (64, 64)).save(path)
    pillow.decode_ahead(path, 64 * 64 - 1)
    assert not pillow._ahead
