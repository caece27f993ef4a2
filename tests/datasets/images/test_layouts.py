"""Arrays as people save them."""

import numpy as np
import pytest
from labelled_images import noise

from cnntool.datasets.images.arrays import dataset_of
from cnntool.errors import InputError

Y = np.array([0, 1, 1])


def message_of(*arguments, **options):
    with pytest.raises(InputError) as raised:
        dataset_of(*arguments, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_axis_of_the_channels_is_found():
    images = noise(3, 6, 7, 3)
    last = dataset_of(images, Y, "set")
    first = dataset_of(np.moveaxis(images, 3, 1), Y, "set")
    assert last.x.shape == first.x.shape == (3, 3, 6, 7)
    np.testing.assert_array_equal(last.x, first.x)
    assert last.x.flags.c_contiguous
    grey = dataset_of(images[..., 0], Y, "set")
    np.testing.assert_array_equal(grey.x, first.x[:, :1])


@pytest.mark.parametrize("shape", [(3, 0, 8), (3, 3, 0, 8), (3, 8, 8, 0)])
def test_images_without_pixels_are_called_so(shape):
    message = message_of(np.zeros(shape), Y, "set")
    assert message.startswith(f"set: x has shape {shape}, so its images have no pixels: save")


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 8, 9, 7), (3, 1, 4, 4, 1)])
def test_other_shapes_are_refused(shape):
    assert f"x has shape {shape}" in message_of(np.zeros(shape), Y, "set")


@pytest.mark.parametrize(
    ("values", "dtype", "levels", "scale", "stored"),
    [
        ([0, 255, 3], "uint8", (0, 255), 255, "uint8"),
        ([0, 1, 0], "bool", (0, 1), 1, "uint8"),
        ([0, 1, 0], "uint8", (0, 1), 255, "uint8"),
        ([0, 7, 16], "int64", (0, 16), 255, "uint8"),
        ([0, 40_000, 16], "uint16", (0, 65535), 65535, "float32"),
        ([0, 4000, 16], "uint16", (0, 4095), 65535, "float32"),
        ([0, 1023, 16], "int32", (0, 1023), 65535, "float32"),
        ([0, 0.5, 1], "float64", (0, 1), 1, "float32"),
        ([0, 128.5, 255], "float64", (0, 255), 255, "float32"),
        ([-0.98, 0, 1], "float64", (-1, 1), 1, "float32"),
        ([-0.5, 0, 0.5], "float32", (-0.5, 0.5), 1, "float32"),
        ([-1.25, 0, 2.75], "float32", (-1.25, 2.75), 1, "float32"),
        ([-128, 0, 127], "int8", (-128, 127), 1, "float32"),
        ([3, 3, 3], "uint8", (0, 255), 255, "uint8"),
    ],
)
def test_black_and_white_are_found_by_type_and_values(values, dtype, levels, scale, stored):
    x = np.array(values).astype(dtype).reshape(3, 1, 1)
    data = dataset_of(x, Y, "set")
    assert (data.black, data.white, data.scale, data.x.dtype.name) == (*levels, scale, stored)
    np.testing.assert_array_equal(data.x.ravel(), x.ravel().astype(stored))
    assert bool(data.notes) == (levels != (0, scale))
    low, high = min(values), max(values)
    if data.notes:
        assert data.notes[0].startswith(f"set: values run from {low:g} to {high:g}: {levels[0]:g} ")


def test_levels_that_are_given_or_expected_are_taken():
    x = np.array([0, 100, 900], np.uint16).reshape(3, 1, 1)
    given = dataset_of(x, Y, "set", white=1000, black=-50)
    assert (given.black, given.white, given.scale, given.notes) == (-50, 1000, 1000, ())
    expected = dataset_of(x, Y, "set", expected=(0, 4095 / 65535))
    assert (expected.levels, expected.notes) == ((0, 4095 / 65535), ())
    beyond = dataset_of(x * 40, Y, "set", expected=(0, 4095 / 65535))
    assert (beyond.white, beyond.notes) == (65535, ())
    assert "black is 300 and white 200" in message_of(x, Y, "set", white=200, black=300)


def test_numbers_beyond_what_float32_computes_are_refused():
    x = np.zeros((3, 2, 2))
    x[0, 0, 0] = 1e300
    assert "x runs from 0 to 1e+300, with 1e+300 as white, and numbers up to 1e+15" in message_of(
        x, Y, "set", white=1e300
    )
    assert "x runs from -1e+300 to 0, with 1 as white" in message_of(-x, Y, "set")
    assert "scale it, such as x / abs(x).max()" in message_of(x / 1e290, Y, "set", white=1e-10)


def test_white_that_cannot_be_guessed_is_asked_for():
    x = np.full((3, 2, 2), 1e6)
    assert "Save its value as 'white'" in message_of(x, Y, "set")
    assert dataset_of(x, Y, "set", white=1e6).white == 1e6
    assert "expected a number over 0" in message_of(x, Y, "set", white=0)


def test_classes_may_be_names():
    words = np.array(["dog", "cat", "dog"])
    data = dataset_of(noise(3, 4, 4), words, "set")
    assert (data.labels, data.y.tolist()) == (("cat", "dog"), [1, 0, 1])
    data = dataset_of(noise(3, 4, 4), words, "set", labels=("dog", "cow", "cat"))
    assert data.y.tolist() == [0, 2, 0]
    assert "has the class 'dog', which labels has not" in message_of(
        noise(3, 4, 4), words, "set", labels=("cat",)
    )


def test_classes_may_stand_in_a_column_and_be_whole_floats():
    data = dataset_of(noise(3, 4, 4), np.array([[2.0], [0.0], [1.0]]), "set")
    assert (data.y.tolist(), data.y.dtype, data.labels) == ([2, 0, 1], np.int64, ("0", "1", "2"))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(3), "expected (N,): save class numbers, y.argmax(axis=1) of one-hot rows"),
        (np.array([0, 1]), "has 3 images and 2 labels"),
        (np.array([0, 1, -1]), "the class number -1"),
        (np.array([0, 1, 10**9]), "the class number 1000000000, expected 0 to 999"),
        (np.array([0, 0.5, 1]), "y holds float64 values, expected class numbers"),
        (np.array([1j, 0, 0]), "y holds complex128"),
    ],
)
def test_what_is_no_class_is_refused(y, message):
    assert message in message_of(noise(3, 4, 4), y, "set")


def test_values_that_are_no_finite_numbers_are_counted():
    x = np.zeros((3, 2, 2))
    x[0, 0] = np.nan, np.inf
    assert "x holds 2 values that are NaN or infinite" in message_of(x, Y, "set")
    assert "x holds complex128" in message_of(x.astype(complex), Y, "set")
    assert "has no images" in message_of(x[:0], Y[:0], "set")
