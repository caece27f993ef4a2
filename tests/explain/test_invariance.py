"""What shifts do to maps: theorems of equivariance, and pictures whose answer is known."""

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.explain.invariance import measure_invariance, relative_change
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.kernels import parse_kernel
from cnntool.imaging.pooling import Pooling

VALID = Geometry(padding="valid")
IDENTITY = [parse_kernel("1")]


def image_of(pixels) -> Image:
    pixels = np.asarray(pixels)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return Image((Frame(np.ascontiguousarray(pixels)),), 255.0, "PNG")


@pytest.fixture(scope="module")
def noise() -> Image:
    return image_of(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))


def test_relative_change_by_hand():
    assert relative_change(np.array([0.0, 5]), np.array([3.0, 1])) == pytest.approx(
        (25 / 10) ** 0.5
    )
    assert relative_change(np.zeros(3), np.zeros(3)) == 0
    assert relative_change(np.ones(3), np.zeros(3)) == np.inf


@pytest.mark.parametrize("direction", [(0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("spec", ["sobel", "gaussian", "kirsch"])
def test_a_convolution_is_equivariant(noise, spec, direction):
    changes = measure_invariance(
        noise, [parse_kernel(spec)], VALID, [Pooling("max")], range(5), direction
    )
    assert all(change.moved_back == pytest.approx(0, abs=1e-6) for change in changes)
    assert changes[0].feature_map == changes[0].pools[0] == 0
    assert all(change.feature_map > 0.1 for change in changes[1:])


def test_a_stride_is_equivariant_to_its_multiples_alone(noise):
    geometry = Geometry(stride=(2, 2), padding="valid")
    changes = measure_invariance(noise, [parse_kernel("sobel")], geometry, [], range(5))
    moved = [change.moved_back for change in changes]
    assert moved[1] is moved[3] is None
    assert moved[2] == moved[4] == pytest.approx(0, abs=1e-6)


def test_the_change_of_the_feature_map_is_that_of_the_pictures_cuts():
    pixels = np.random.default_rng(1).integers(0, 256, (6, 30), dtype=np.uint8)
    (change,) = measure_invariance(image_of(pixels), IDENTITY, VALID, [], [3])
    still, moved = pixels[:, 3:].astype(float), pixels[:, :-3].astype(float)
    expected = np.linalg.norm(moved - still) / np.linalg.norm(still)
    assert change.feature_map == pytest.approx(expected, rel=1e-6)


def test_a_periodic_picture_comes_back_to_itself():
    stripes = np.tile(np.array([0, 50, 200, 90], np.uint8), (8, 10))
    changes = measure_invariance(image_of(stripes), IDENTITY, VALID, [Pooling("average")], range(9))
    for change in changes:
        is_whole = change.shift % 4 == 0
        assert (change.feature_map == 0) == (change.pools[0] == 0) == is_whole


def test_a_maximum_does_not_see_a_spot_move_within_its_window():
    """Goodfellow et al., Deep Learning, 9.3: small shifts leave most pooled values as they are."""
    spot = np.zeros((16, 20), np.uint8)
    spot[8, 9] = 255  # in the cut less 3 columns: column 6, and 7 and 8 once it moves
    poolings = [Pooling("max", (4, 4)), Pooling("max", (2, 2)), Pooling("max", output_size=(1, 1))]
    shifts = [0, 1, 2, 3]
    changes = measure_invariance(image_of(spot), IDENTITY, VALID, poolings, shifts)
    moved = pytest.approx(2**0.5)  # one value less, one more
    assert [change.feature_map for change in changes] == [0, moved, moved, moved]
    assert [change.pools[0] for change in changes] == [0, 0, moved, moved]  # windows at 4, 8
    assert [change.pools[1] for change in changes] == [0, 0, moved, moved]  # windows at 6, 8
    assert [change.pools[2] for change in changes] == [0, 0, 0, 0]


def test_down_is_right_turned(noise):
    turned = image_of(noise.frames[0].pixels.transpose(1, 0, 2))
    settings = VALID, [Pooling("max", (3, 3))], [1, 2]
    right = measure_invariance(noise, [parse_kernel("laplacian")], *settings, (0, 1))
    down = measure_invariance(turned, [parse_kernel("laplacian")], *settings, (1, 0))
    for a, b in zip(right, down, strict=True):
        assert a.feature_map == pytest.approx(b.feature_map, rel=1e-5)
        assert a.pools == pytest.approx(b.pools, rel=1e-5)


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (50, "a shift by 50 leaves nothing of a picture of 50 x 40 pixels"),
        (48, "sobel does not fit into the 2 x 40 pixels that are left of the picture"),
        (47, "a window that spans 2 does not fit into 1"),
    ],
)
def test_what_is_too_large_is_refused(noise, shift, message):
    pooling = Pooling("max", edge="drop")
    with pytest.raises(InputError, match=message):
        measure_invariance(noise, [parse_kernel("sobel")], VALID, [pooling], [0, shift])
