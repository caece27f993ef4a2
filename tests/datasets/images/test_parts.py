"""Parts of one set agree in their classes, or say why not."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_images import small_set

from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.parts import Parts, check_classes, unlearned
from cnntool.errors import InputError


def test_classes_are_matched_by_name_not_by_number():
    train = small_set(9, 3, labels=("ant", "bee", "cow"))
    test = small_set(4, 2, labels=("cow", "bee"))
    parts = Parts(train, test=test)
    assert parts.test.labels == train.labels
    assert parts.test.y.tolist() == [2, 1, 2, 1]
    assert list(parts.each) == ["train", "test"]


def test_a_class_that_training_has_not_is_named():
    other = replace(small_set(4, 2, labels=("a", "dog")), name="val")
    with pytest.raises(InputError, match=r"^val has the class dog, which set has not \(a, b\)"):
        Parts(small_set(), other)


def test_a_label_without_images_may_be_missing_in_training():
    other = small_set(4, 2, labels=("a", "b", "z"))
    assert Parts(small_set(), other).validation.y.tolist() == [0, 1, 0, 1]


def test_one_class_alone_is_nothing_to_learn():
    with pytest.raises(InputError, match="set has only the class a"):
        check_classes(Parts(small_set(5, 1)).train)


def test_classes_without_images_are_named_where_they_would_be_learned():
    assert unlearned(small_set()) == ()
    (note,) = unlearned(small_set(4, 2, labels=("a", "b", "c")))
    assert note.startswith("set: no image is of class c, which gets an output all the same: leave")
    (note,) = unlearned(small_set(1, 1, labels=("a", "b", "c")))
    assert note.startswith("set: no image is of classes b, c, which get an output")
    numbers = small_set(10, 4, labels=tuple("0123"))
    (note,) = unlearned(numbers.subset(numbers.y > 0))
    assert note.endswith(
        "of class 0, which gets an output all the same: number classes from 0 "
        "without gaps, such as y - 1"
    )
    (note,) = unlearned(numbers.subset(numbers.y != 2))
    assert note.endswith(
        "of class 2, which gets an output all the same: number classes from 0 without gaps"
    )


def test_parts_of_other_sizes_are_refused():
    with pytest.raises(InputError, match=r"images of 1 x 5 x 4, set of 1 x 4 x 4.*--resize"):
        Parts(small_set(), small_set(shape=(1, 5, 4)))


def test_parts_get_the_black_and_white_of_the_first():
    """-1, 0 and 1 are 0, 8 and 16 of 16, and 0, 127.5 and 255 of 255."""
    x = np.array([0, 8, 16], np.float32).reshape(3, 1, 1, 1)
    y, labels = np.zeros(3, np.int64), ("a",)
    digits = Dataset(x, y, labels, "digits", 16.0)
    signed = Dataset(x / 8 - 1, y, labels, "signed", 1.0, black=-1.0, unit=1.0)
    few = Dataset(x, y, labels, "few", 16.0, unit=255.0)
    parts = Parts(signed, digits, few)
    assert parts.validation.levels == parts.test.levels == (-1, 1)
    assert parts.validation.x.ravel().tolist() == parts.test.x.ravel().tolist() == [-1, 0, 1]
    back = Parts(digits, signed).validation
    assert (back.x.ravel() / back.scale).tolist() == [0, 0.5, 1]
    for data in (digits, signed, few, back):
        assert data.light(slice(1, 3)).ravel().tolist() == [0.5, 1]


def test_of_several_parts_the_one_that_is_asked_for_is_taken_and_the_others_are_named():
    parts = Parts(small_set(6), test=small_set(4))
    test, validation = parts.alone("test"), parts.alone("validation")
    assert (len(test), test.notes) == (4, ("set: the test part is taken, without train",))
    assert (len(validation), validation.notes) == (
        6,
        ("set: the train part is taken, without test",),
    )
    assert Parts(test=small_set()).alone("validation").notes == ()


def test_a_change_is_made_to_every_part_and_notes_are_gathered():
    parts = Parts(replace(small_set(), notes=("one",)), test=replace(small_set(4), notes=("two",)))
    assert parts.notes == ("one", "two")
    halved = parts.map(lambda part: part.subset(np.arange(2)))
    assert [len(part) for part in halved.each.values()] == [2, 2]
    assert halved.validation is None
