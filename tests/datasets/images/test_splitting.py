"""Holding out: how many of each class, and always the same ones."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_images import small_set

from cnntool.datasets.holding_out import stratified_split
from cnntool.datasets.images.dataset import load_digits
from cnntool.datasets.images.parts import Parts, hold_out
from cnntool.errors import InputError, RequestError


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_class_gives_its_share():
    y = np.repeat([0, 1, 2, 4], [100, 10, 2, 1])
    rng(1).shuffle(y)
    kept, held = stratified_split(y, 0.2, rng())
    assert np.bincount(y[held]).tolist() == [20, 2, 1]
    assert np.bincount(y[kept]).tolist() == [80, 8, 1, 0, 1]
    assert sorted([*kept, *held]) == list(range(113))
    assert (np.diff(kept) > 0).all()


def test_a_class_keeps_one_image_however_large_the_fraction():
    kept, held = stratified_split(np.array([0, 0, 1, 1, 1]), 0.99, rng())
    assert (len(kept), len(held)) == (2, 3)


def test_the_same_seed_holds_out_the_same_images_and_another_seed_others():
    y = np.arange(200) % 5
    first, again, other = (stratified_split(y, 0.1, rng(seed))[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_image_of_a_class_is_as_likely_to_be_held_out():
    y = np.zeros(10, np.int64)
    random = rng(5)
    counts = sum(
        np.bincount(stratified_split(y, 0.3, random)[1], minlength=10) for _ in range(2000)
    )
    assert np.abs(counts - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


def test_a_tenth_is_held_out_unless_the_set_has_a_part_for_it():
    parts = hold_out(Parts(load_digits()), rng())
    assert parts.validation.class_counts.tolist() == [18, 18, 18, 18, 18, 18, 18, 18, 17, 18]
    assert len(parts.train) + len(parts.validation) == 1797
    own = Parts(small_set(), small_set(4))
    assert hold_out(own, rng()) is own
    chosen = hold_out(own, rng(), 0.2)
    assert (len(chosen.train), len(chosen.validation)) == (8, 2)


def test_nothing_is_held_out_for_a_fraction_of_zero():
    parts = hold_out(Parts(small_set()), rng(), 0)
    assert (len(parts.train), parts.validation) == (10, None)


def test_the_test_part_stays():
    test = small_set(4)
    assert hold_out(Parts(small_set(), test=test), rng(), 0.3).test is test


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_what_is_no_fraction_is_refused(fraction):
    with pytest.raises(RequestError, match="expected a fraction from 0 to below 1"):
        hold_out(Parts(small_set()), rng(), fraction)


def test_classes_of_one_image_cannot_be_split():
    data = replace(small_set(2), y=np.array([0, 1]))
    with pytest.raises(InputError, match="one image a class, so none can be held out"):
        hold_out(Parts(data), rng())
