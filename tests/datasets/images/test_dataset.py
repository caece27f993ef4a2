"""What a data set promises of its arrays and its fingerprint."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_images import small_set

from cnntool.datasets.holding_out import stratified_split
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.parts import Parts, hold_out


def test_same_content_has_the_same_fingerprint_whatever_its_memory_and_name():
    data = small_set(20)
    turned = np.asfortranarray(data.x)
    assert (
        replace(data, x=turned, name="other", notes=("left out",)).fingerprint == data.fingerprint
    )
    assert len(data.fingerprint) == 32


@pytest.mark.parametrize("what", ["pixel", "class", "label", "white", "dtype", "order"])
def test_another_content_has_another_fingerprint(what):
    data = small_set()
    x, y = data.x.copy(), data.y.copy()
    if what == "pixel":
        x[3, 0, 1, 2] ^= 1
    if what == "class":
        y[0] = 1
    others = {
        "label": replace(data, labels=("a", "c")),
        "white": replace(data, white=254.0),
        "dtype": replace(data, x=data.x.astype(np.float32)),
        "order": data.subset(np.arange(10)[::-1]),
    }
    other = others.get(what, replace(data, x=x, y=y))
    assert other.fingerprint != data.fingerprint


def test_a_subset_takes_images_and_classes_in_the_order_asked_for():
    data = small_set()
    part = data.subset(np.array([7, 2]))
    np.testing.assert_array_equal(part.x, np.stack([data.x[7], data.x[2]]))
    assert part.y.tolist() == [1, 0]


def test_classes_without_images_are_counted_as_none():
    data = small_set(6, 2, labels=("a", "b", "c"))
    assert data.class_counts.tolist() == [3, 3, 0]
    assert data.image_shape == (1, 4, 4)
    assert repr(data) == "<set: 6 images of 1 x 4 x 4 in 3 classes>"


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 1, 4, 4)), np.zeros(2, np.int64)),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int32)),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(x, y):
    with pytest.raises(ValueError, match="not"):
        Dataset(x, y, ("a", "b"), "set")


def test_files_go_with_their_images():
    data = replace(small_set(4), files=("0.png", "1.png", "2.png", "3.png"))
    assert data.subset(np.array([3, 0])).files == ("3.png", "0.png")
    assert data.subset(np.array([True, False, False, True])).files == ("0.png", "3.png")
    assert data.subset(slice(1, 3)).files == ("1.png", "2.png")
    assert data.fingerprint == small_set(4).fingerprint
    kept, held = stratified_split(data.y, 0.5, np.random.default_rng(0))
    parts = hold_out(Parts(data), np.random.default_rng(0), 0.5)
    assert parts.train.files == tuple(f"{index}.png" for index in kept)
    assert parts.validation.files == tuple(f"{index}.png" for index in held)
    with pytest.raises(ValueError, match="there are 1 files, not 4"):
        replace(data, files=("0.png",))
