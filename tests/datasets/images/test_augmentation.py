"""Random changes: what each does, within its limits, and the same for the same state."""

import numpy as np
import pytest
from labelled_images import noise
from scipy import ndimage

from cnntool.datasets.images.augmentation import Augmentation, augment, draw_maps

ALL = Augmentation(shift=2, rotate=10, scale=0.1, shear=5, flip=0.5, noise=0.05, cutout=3)
SINGLE = [
    Augmentation(**{name: value})
    for name, value in vars(ALL).items()
]  # fmt: skip


def images(count=200, channels=1, height=9, width=11, seed=0):
    random = np.random.default_rng(seed)
    return random.random((count, channels, height, width), dtype=np.float32)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("augmentation", [ALL, *SINGLE])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_shape_dtype_and_input_are_kept_and_the_state_decides(augmentation, dtype):
    x = (images(16, 3) * 255).astype(dtype)
    before = x.copy()
    out = augment(x, augmentation, rng(3), 255.0)
    np.testing.assert_array_equal(x, before)
    assert (out.shape, out.dtype) == (x.shape, dtype)
    assert (out != x).any()
    np.testing.assert_array_equal(out, augment(x, augmentation, rng(3), 255.0))
    assert (out != augment(x, augmentation, rng(4), 255.0)).any()


class Extreme:
    """A generator that always draws the most."""

    def uniform(self, low, high, shape):
        return np.full(shape, high)

    def integers(self, low, high, shape):
        return np.broadcast_to(np.array([high - 1, low]), shape)  # down, and left


def test_maps_are_those_of_the_formula():
    """Scaled, sheared, turned anticlockwise about the centre, and shifted, one after the other."""
    a, b = np.deg2rad([30, 20])
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    whole = rotation @ np.array([[1, 0], [np.tan(b), 1]]) * 1.25
    augmentation = Augmentation(shift=3, rotate=30, shear=20, scale=0.25)
    (matrix,) = draw_maps(augmentation, (1, 1, 9, 11), Extreme())
    centre, shift = np.array([4, 5]), np.array([3, -3])
    points = np.random.default_rng(0).uniform(0, 9, (20, 2))
    for point in points:
        moved = centre + whole @ (point - centre) + shift
        np.testing.assert_allclose(matrix @ [*moved, 1], point)


def test_a_turn_is_anticlockwise_and_a_shift_down_and_left_is_so():
    x = np.zeros((1, 1, 9, 9), np.float32)
    x[0, 0, 4, 7] = 1  # right of the centre
    turned = augment(x, Augmentation(rotate=90), Extreme())
    assert np.unravel_index(turned.argmax(), (9, 9)) == (1, 4)  # above it
    shifted = augment(x, Augmentation(shift=2), Extreme())
    assert np.unravel_index(shifted.argmax(), (9, 9)) == (6, 5)


def test_no_changes_give_a_copy():
    x = images(3)
    out = augment(x, Augmentation(), rng())
    np.testing.assert_array_equal(out, x)
    assert not np.shares_memory(out, x)


def test_uint8_is_float32_rounded():
    x = (images(8) * 255).astype(np.uint8)
    exact = augment(x.astype(np.float32), ALL, rng(1), 255.0)
    np.testing.assert_array_equal(augment(x, ALL, rng(1)), np.rint(exact))


def test_shifts_are_whole_pixels_as_likely_each_way():
    out = augment(images(1, height=9, width=11).repeat(600, 0), Augmentation(shift=1), rng())
    picture = images(1)[0, 0]
    seen = {}
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            moved = ndimage.shift(picture, (down, right), order=0, mode="constant")
            seen[down, right] = sum(np.array_equal(moved, image[0]) for image in out)
    assert sum(seen.values()) == 600
    assert all(35 <= count <= 100 for count in seen.values())


def test_a_flip_changes_left_and_right_of_as_many_as_asked():
    x = images(400, 2)
    flipped = [
        np.array_equal(after, before[..., ::-1])
        for before, after in zip(x, augment(x, Augmentation(flip=0.25), rng()), strict=True)
    ]
    assert 60 <= sum(flipped) <= 140
    np.testing.assert_array_equal(augment(x, Augmentation(flip=1), rng()), x[..., ::-1])


def test_noise_has_the_standard_deviation_asked_for_and_ends_at_black_and_white():
    grey = np.full((50, 1, 20, 20), 8.0, np.float32)
    out = augment(grey, Augmentation(noise=0.05), rng(), 16.0)
    assert out.std() == pytest.approx(0.8, rel=0.05)
    assert out.mean() == pytest.approx(8, abs=0.05)
    wild = augment(grey, Augmentation(noise=1), rng(), 16.0)
    assert (wild.min(), wild.max()) == (0, 16)


def test_a_cut_out_is_one_black_square_in_all_channels():
    out = augment(np.ones((300, 2, 9, 11), np.float32), Augmentation(cutout=4), rng())
    np.testing.assert_array_equal(out[:, 0], out[:, 1])
    sizes = set()
    for image in out[:, 0]:
        rows, columns = np.nonzero(image == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width  # it is full
        sizes.add((height, width))
    assert max(sizes) == (4, 4)
    assert min(sizes) == (2, 2)  # cut off in a corner


def test_the_affine_map_is_scale_then_shear_then_rotation_about_the_centre_then_shift():
    height, width = 9, 11
    chosen = Augmentation(shift=2, rotate=30, scale=0.3, shear=20)
    maps = draw_maps(chosen, (500, 1, height, width), rng())
    inverse, centre = np.linalg.inv(maps[:, :, :2]), np.array([(height - 1) / 2, (width - 1) / 2])
    shifts = np.einsum("nij,nj->ni", inverse, centre - maps[:, :, 2]) - centre
    np.testing.assert_allclose(shifts, np.rint(shifts), atol=1e-9)
    assert set(np.rint(shifts).ravel()) == {-2, -1, 0, 1, 2}
    scales = np.sqrt(np.linalg.det(inverse))  # shear and rotation keep areas
    assert 0.7 <= scales.min() < 0.75
    assert 1.25 < scales.max() <= 1.3
    turns = np.degrees(np.arctan2(-inverse[:, 0, 1], inverse[:, 1, 1]))  # what becomes of a row
    assert -30 <= turns.min() < -28
    assert 28 < turns.max() <= 30
    turned = np.radians(turns)
    back = np.array([[np.cos(turned), np.sin(turned)], [-np.sin(turned), np.cos(turned)]])
    sheared = np.einsum("ijn,njk->nik", back, inverse) / scales[:, None, None]
    np.testing.assert_allclose(sheared[:, 0], [[1, 0]] * 500, atol=1e-9)
    np.testing.assert_allclose(sheared[:, 1, 1], 1, atol=1e-9)
    leans = np.degrees(np.arctan(sheared[:, 1, 0]))
    assert -20 <= leans.min() < leans.max() <= 20


def test_a_positive_turn_is_anticlockwise_as_scipy_turns():
    picture = np.zeros((1, 1, 21, 21), np.float32)
    picture[0, 0, 10, 10:] = 1  # a ray to the right
    maps = draw_maps(Augmentation(rotate=40), (1, 1, 21, 21), rng(5))
    angle = np.degrees(np.arctan2(maps[0, 0, 1], maps[0, 1, 1]))
    out = augment(picture, Augmentation(rotate=40), rng(5))
    expected = ndimage.rotate(picture[0, 0], angle, reshape=False, order=1, mode="grid-constant")
    np.testing.assert_allclose(out[0, 0], expected, atol=1e-5)
    rows, _ = np.nonzero(out[0, 0] > 0.5)
    assert (rows.mean() < 10) == (angle > 0)


def test_black_is_what_black_is():
    """Of values from -1 to 1 as of the same pictures from 0 to 1."""
    x = noise(6, 1, 9, 9).astype(np.float32) / 255
    changes = Augmentation(shift=3, rotate=20, noise=0.1, cutout=3)
    plain = augment(x, changes, np.random.default_rng(5))
    signed = augment(2 * x - 1, changes, np.random.default_rng(5), 1.0, -1.0)
    np.testing.assert_allclose(signed, 2 * plain - 1, atol=1e-5)
    assert signed.min() == -1
