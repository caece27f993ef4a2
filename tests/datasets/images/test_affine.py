"""Affine maps against scipy.ndimage."""

import numpy as np
import pytest
from scipy import ndimage

from cnntool.datasets.images import augmentation
from cnntool.datasets.images.augmentation import affine_sample


@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (4, 3, 17, 30), (3, 2, 1, 9), (2, 1, 6, 1)])
def test_every_image_is_moved_as_scipy_moves_it(monkeypatch, shape):
    monkeypatch.setattr(augmentation, "BLOCK_VALUES", 2 * shape[1] * shape[2] * shape[3])
    random = np.random.default_rng(0)
    x = random.normal(0, 1, shape).astype(np.float32)
    maps = random.normal(0, 0.3, (shape[0], 2, 3)) + np.eye(2, 3)
    maps[..., 2] *= 10
    out = affine_sample(x, maps)
    assert out.dtype == np.float32
    for image, map_, mine in zip(x, maps, out, strict=True):
        for channel, result in zip(image, mine, strict=True):
            expected = ndimage.affine_transform(
                channel.astype(float), map_[:, :2], map_[:, 2], order=1, mode="grid-constant"
            )
            np.testing.assert_allclose(result, expected, atol=2e-4)


def test_the_identity_gives_back_the_image_and_whole_shifts_whole_pixels():
    x = np.random.default_rng(1).normal(0, 1, (2, 3, 8, 9)).astype(np.float32)
    maps = np.tile(np.eye(2, 3), (2, 1, 1))
    np.testing.assert_array_equal(affine_sample(x, maps), x)
    maps[1, :, 2] = 2, -3  # an output pixel shows what is two rows below, three columns left
    expected = np.zeros_like(x[1])
    expected[:, :-2, 3:] = x[1, :, 2:, :-3]
    np.testing.assert_array_equal(affine_sample(x, maps)[1], expected)


def test_maps_that_point_far_away_show_black():
    x = np.ones((1, 1, 4, 4), np.float32)
    far = np.array([[[1, 0, 1e7], [0, 1, -1e7]]])
    assert (affine_sample(x, far) == 0).all()


def test_the_input_is_left_as_it_is_in_any_memory_order():
    x = np.asfortranarray(np.random.default_rng(2).random((3, 2, 5, 6), np.float32))
    before = x.copy()
    maps = np.tile([[0.9, 0.1, 0], [-0.1, 0.9, 1]], (3, 1, 1))
    out = affine_sample(x, maps)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(out, affine_sample(np.ascontiguousarray(x), maps))
