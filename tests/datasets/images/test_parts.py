"""Parts of one set agree in their classes, or say why not."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_images import small_set

from cnntool.datasets.images.parts import Parts, check_classes, joined, unlearned
from cnntool.errors import InputError


def test_classes_are_matched_by_name_not_by_number():
    train = small_set(9, 3, labels=("ant", "bee", "cow"))
    test = small_set(4, 2, labels=("cow", "bee"))
    parts = joined(train, test=test)
    assert parts.test.labels == train.labels
    assert parts.test.y.tolist() == [2, 1, 2, 1]
    assert list(parts.each) == ["train", "test"]


def test_a_class_that_training_has_not_is_named():
    other = replace(small_set(4, 2, labels=("a", "dog")), name="val")
    with pytest.raises(InputError, match=r"^val has the class dog, which set has not \(a, b\)"):
        joined(small_set(), other)


def test_a_label_without_images_may_be_missing_in_training():
    other = small_set(4, 2, labels=("a", "b", "z"))
    assert joined(small_set(), other).validation.y.tolist() == [0, 1, 0, 1]


def test_one_class_alone_is_nothing_to_learn():
    with pytest.raises(InputError, match="set has only the class a"):
        check_classes(joined(small_set(5, 1)).train)


def test_classes_without_images_are_named_where_they_would_be_learned():
    assert unlearned(small_set()) == ()
    (note,) = unlearned(small_set(4, 2, labels=("a", "b", "c")))
    assert note.startswith("set: no image is of class c, which gets an output all the same: number")
    (note,) = unlearned(small_set(1, 1, labels=("a", "b", "c")))
    assert note.startswith("set: no image is of classes b, c, which get an output")


def test_parts_of_other_sizes_or_brightness_are_refused():
    with pytest.raises(InputError, match=r"images of 1 x 5 x 4, set of 1 x 4 x 4.*--resize"):
        joined(small_set(), small_set(shape=(1, 5, 4)))
    with pytest.raises(InputError, match="white is 16 in set and 255"):
        joined(small_set(), replace(small_set(), white=16.0))


def test_a_change_is_made_to_every_part_and_notes_are_gathered():
    parts = Parts(replace(small_set(), notes=("one",)), test=replace(small_set(4), notes=("two",)))
    assert parts.notes == ("one", "two")
    halved = parts.map(lambda part: part.subset(np.arange(2)))
    assert [len(part) for part in halved.each.values()] == [2, 2]
    assert halved.validation is None
