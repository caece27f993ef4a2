"""The same preprocessing in training and in prediction."""

import json
from dataclasses import replace

import numpy as np
import pytest
from labelled_images import noise, save_picture, small_set
from PIL import Image

from cnntool.datasets import memory
from cnntool.datasets.images import preprocessing
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing, converted, fit_preprocessing
from cnntool.errors import InputError
from cnntool.files.images import open_image

PLAIN = Preprocessing(1, (8, 6), (0.25,), (0.5,))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mean_and_std_are_those_of_each_channel(monkeypatch, dtype):
    monkeypatch.setattr(preprocessing, "BLOCK_VALUES", 100)  # several blocks
    data = small_set(30, 3, (3, 5, 4))
    data = replace(data, x=data.x.astype(dtype))
    fitted = fit_preprocessing(data)
    values = data.x.astype(np.float64) / 255
    np.testing.assert_allclose(fitted.mean, values.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(fitted.std, values.std(axis=(0, 2, 3)), rtol=1e-5)
    normalized = fitted.normalized(data.x, 255.0)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(axis=(0, 2, 3)), 1, atol=1e-5)
    np.testing.assert_allclose(fitted.shown(normalized), values, atol=1e-6)


def test_a_channel_of_one_value_is_not_divided_by_zero():
    data = replace(small_set(), x=np.full((10, 1, 4, 4), 51, np.uint8))
    fitted = fit_preprocessing(data)
    assert fitted.std == (1.0,)
    np.testing.assert_allclose(fitted.normalized(data.x, 255.0), 0, atol=1e-6)


def test_whatever_white_is_it_becomes_one():
    values = PLAIN.normalized(np.full((1, 1, 2, 2), 16, np.uint8), 16.0)
    np.testing.assert_allclose(values, 1.5)  # (1 - 0.25) / 0.5


@pytest.mark.parametrize("shape", [(8, 6), (30, 41), (50, 20, 3), (20, 21, 4)])
def test_a_picture_of_any_size_and_colour_is_what_pillow_makes_of_it(tmp_path, shape):
    pixels = noise(*shape)
    if shape[-1] == 4:
        pixels[..., 3] = 255
    path = save_picture(tmp_path / "picture.png", pixels)
    with Image.open(path) as picture:
        grey = picture.convert("RGB").convert("L") if pixels.ndim == 3 else picture
        expected = np.asarray(grey.resize((6, 8), Image.Resampling.LANCZOS), float)
    values = PLAIN.picture(open_image(path))
    assert (values.shape, values.dtype) == ((1, 1, 8, 6), np.float32)
    # Pillow rounds between its passes, whose order is its own
    np.testing.assert_allclose(values[0, 0], (expected / 255 - 0.25) / 0.5, atol=0.05)


def test_a_picture_of_the_training_set_is_what_it_was_in_training(tmp_path):
    data = small_set(4, 2, (3, 9, 7))
    fitted = fit_preprocessing(data)
    path = save_picture(tmp_path / "a.png", np.ascontiguousarray(data.x[2].transpose(1, 2, 0)))
    np.testing.assert_array_equal(
        fitted.picture(open_image(path))[0], fitted.normalized(data.x, 255.0)[2]
    )


def test_a_network_of_any_size_keeps_the_size_of_a_picture(tmp_path):
    fitted = replace(fit_preprocessing(small_set()), size=None)
    path = save_picture(tmp_path / "a.png", noise(13, 11))
    assert fitted.picture(open_image(path)).shape == (1, 1, 13, 11)


def test_deep_pictures_keep_their_depth(tmp_path):
    path = tmp_path / "deep.npy"
    np.save(path, np.full((8, 6), 0x8001, np.uint16))
    values = PLAIN.picture(open_image(path))
    np.testing.assert_allclose(values, (0x8001 / 65535 - 0.25) / 0.5, rtol=1e-6)


def test_it_goes_through_json_unchanged():
    for given in (PLAIN, replace(fit_preprocessing(small_set(6, 2, (3, 4, 4))), size=None)):
        assert Preprocessing.from_json(json.loads(json.dumps(given.to_json()))) == given


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 0}, "needs 'channels', a whole number from 1"),
        ({"channels": True}, "needs 'channels'"),
        ({"size": [8]}, r"needs 'size', null or \[height, width\]"),
        ({"size": [8, -1]}, "needs 'size'"),
        ({"mean": ["0"]}, "needs 'mean', a list of numbers"),
        ({"std": [0.0]}, "needs 'std', a list of numbers over 0"),
        ({"std": [float("inf")]}, "needs 'std'"),
        ({"std": [1.0, 1.0]}, "has 1 channel, 1 mean and 2 standard deviations"),
    ],
)
def test_json_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(InputError, match=f"^m.npz: its preprocessing {message}"):
        Preprocessing.from_json(PLAIN.to_json() | changes, "m.npz")
    key = next(iter(changes))
    missing = {k: v for k, v in PLAIN.to_json().items() if k != key}
    with pytest.raises(InputError, match=f"needs '{key}'"):
        Preprocessing.from_json(missing)
    with pytest.raises(InputError, match="needs 'channels'"):
        Preprocessing.from_json([])


def test_other_data_is_brought_into_the_size_and_colours_of_the_network():
    data = small_set(4, 2, (3, 20, 21))
    ready = PLAIN.prepared(data)
    assert (ready.image_shape, ready.x.dtype) == ((1, 8, 6), np.uint8)
    assert converted(data, 3, (20, 21)) is data
    assert converted(data, None, None) is data
    with pytest.raises(InputError, match="set has 2 channels, expected 1"):
        PLAIN.prepared(small_set(4, 2, (2, 8, 6)))


def test_few_levels_become_floats_so_that_resizing_keeps_what_lies_between():
    data = replace(small_set(4, 2, (1, 8, 8)), white=16.0)
    data = replace(data, x=data.x // 16)
    bigger = converted(data, None, (16, 16))
    assert bigger.x.dtype == np.float32
    assert 0 <= bigger.x.min() <= bigger.x.max() <= 16
    assert (bigger.x != np.rint(bigger.x)).any()


def test_a_result_beyond_memory_is_said_before_it_is_tried(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    with pytest.raises(InputError, match=r"set would need 10.0 MB for 10 images of 1 x 1,000 x"):
        converted(small_set(), None, (1000, 1000))


def test_images_with_other_channels_are_a_programming_error():
    with pytest.raises(ValueError, match="expected"):
        PLAIN.normalized(np.zeros((1, 3, 8, 6), np.uint8), 255.0)


SIGNED = replace(PLAIN, size=(2, 2), mean=(0.25,), levels=(-1.0, 1.0))
TWELVE = replace(PLAIN, size=(2, 2), mean=(0.0,), std=(1.0,), levels=(0.0, 4095 / 65535))


@pytest.mark.parametrize(
    ("pixels", "prepared", "expected", "light"),
    [
        (np.full((2, 2), 255, np.uint8), SIGNED, (1 - 0.25) / 0.5, 1),
        (np.full((2, 2), 0, np.uint8), SIGNED, (-1 - 0.25) / 0.5, 0),
        (np.full((2, 2), 32768, np.uint16), SIGNED, (1 / 65535 - 0.25) / 0.5, 0.5),
        (np.full((2, 2), 51, np.uint8), TWELVE, 0.2 * 4095 / 65535, 0.2),
        (np.full((2, 2), 13107, np.uint16), TWELVE, 0.2 * 4095 / 65535, 0.2),
        (np.full((2, 2), 819, np.uint16), TWELVE, 819 / 65535, 0.2),
    ],
)
def test_pictures_get_the_black_and_white_that_were_learned(
    tmp_path, pixels, prepared, expected, light
):
    save_picture(tmp_path / "a.png", pixels)
    image = open_image(tmp_path / "a.png")
    np.testing.assert_allclose(prepared.picture(image), expected, rtol=1e-4)
    np.testing.assert_allclose(prepared.shown(prepared.picture(image)), light, atol=1e-4)


def test_sets_get_the_black_and_white_that_were_learned():
    data = Dataset(np.full((1, 1, 2, 2), 64, np.uint8), np.zeros(1, np.int64), ("a",), "s", 255.0)
    prepared = SIGNED.prepared(data)
    np.testing.assert_allclose(prepared.x, 2 * 64 / 255 - 1, rtol=1e-6)
    assert (prepared.scale, prepared.levels) == (1, (-1, 1))
    assert PLAIN.prepared(replace(data, x=np.zeros((1, 1, 8, 6), np.uint8))).x.dtype == np.uint8


def test_what_was_learned_is_kept_in_the_file():
    x = np.linspace(-1, 1, 100, dtype=np.float32).reshape(100, 1, 1, 1)
    data = Dataset(x, np.zeros(100, np.int64), ("a",), "s", 1.0, black=-1.0, unit=1.0)
    fitted = fit_preprocessing(data)
    assert fitted.levels == (-1, 1)
    np.testing.assert_allclose(fitted.brightness, (0.01, 0.99), atol=1e-6)
    assert Preprocessing.from_json(fitted.to_json()) == fitted
    old = {key: value for key, value in PLAIN.to_json().items() if value is not None}
    assert "levels" not in old
    assert Preprocessing.from_json(old) == PLAIN
    with pytest.raises(InputError, match="needs 'levels', black and white"):
        Preprocessing.from_json(old | {"levels": [1, 1]})
    with pytest.raises(InputError, match="needs 'brightness', the least and the greatest"):
        Preprocessing.from_json(old | {"brightness": [1, 0]})


@pytest.mark.parametrize(
    ("mean", "levels", "brightness", "images", "inverted"),
    [
        (0.13, None, None, (0.1, 0.5, 0.65, 0.9), (0, 0, 1, 1)),
        (0.8, None, None, (0.1, 0.35, 0.5, 0.9), (1, 1, 0, 0)),
        (0.5, None, None, (0.0, 0.5, 1.0), (0, 0, 0)),
        (0.13, (0.0, 1.0), (0.05, 0.3), (0.1, 0.65, 0.75, 0.9, 0.99), (0, 0, 1, 1, 0)),
        (0.3, (0.0, 1.0), (0.05, 0.7), (0.75, 0.85, 0.97), (0, 1, 0)),
        (-0.74, (-1.0, 1.0), (0.05, 0.3), (0.1, 0.9), (0, 1)),
        (0.74, (-1.0, 1.0), (0.7, 0.95), (0.1, 0.9), (1, 0)),
    ],
)
def test_negatives_of_what_was_learned_are_told(mean, levels, brightness, images, inverted):
    known = replace(PLAIN, mean=(mean,), levels=levels, brightness=brightness)
    assert known.is_inverted(np.array(images)).astype(int).tolist() == list(inverted)
