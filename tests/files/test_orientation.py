"""Setting pictures upright, and EXIF blocks without their orientation, as Pillow reads them."""

import numpy as np
import pytest
from PIL import Image as Pillow

from cnntool.files.image import as_stored, upright
from cnntool.files.pillow import split_orientation

ORIENTATION, MAKE, SOFTWARE, EXPOSURE = 0x0112, 0x010F, 0x0131, 0x829A
IMAGE_DESCRIPTION, EXIF_DIRECTORY = 0x010E, 0x8769


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_view_as_stored_undoes_setting_upright(orientation):
    stored = np.arange(6).reshape(2, 3, 1)
    shown = upright(stored, orientation)
    np.testing.assert_array_equal(as_stored(shown, orientation), stored)


def test_only_the_orientation_leaves_the_exif_block():
    exif = Pillow.Exif()
    exif[MAKE], exif[ORIENTATION], exif[SOFTWARE] = "Camera Works", 6, "v1"
    exif[EXIF_DIRECTORY] = {EXPOSURE: 0.5}
    exif[IMAGE_DESCRIPTION] = "a card"
    block = exif.tobytes()
    orientation, rest = split_orientation(block)
    assert orientation == 6
    assert len(rest) == len(block)
    kept = Pillow.Exif()
    kept.load(rest)
    assert dict(kept).keys() == {MAKE, SOFTWARE, IMAGE_DESCRIPTION, EXIF_DIRECTORY}
    assert kept.get_ifd(EXIF_DIRECTORY)[EXPOSURE] == 0.5


@pytest.mark.parametrize("block", [b"Exif\0\0", b"nonsense", b"II*\0\xff\xff\xff\xff", b"MM\0*"])
def test_a_malformed_block_has_no_orientation_and_is_dropped(block):
    assert split_orientation(block) == (None, None)
