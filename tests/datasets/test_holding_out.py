"""What is held out was not learned from, whatever stands twice, and every class is learned."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.holding_out import hold_out, key_of, overlap
from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import InputError, RequestError

TEXTS = st.lists(
    st.sampled_from(["a", "A", "é", "e\u0301", "É", "ß", "ss", "x", "y", "z", "q"]), max_size=40
)


def texts(inputs, answers=None, groups=None):
    answers = answers or ["k"] * len(inputs)
    places = [f"t:{i + 1}" for i in range(len(inputs))]
    return Samples("t", "text", inputs, answers, "", places, groups, ("read so",))


@given(TEXTS, st.data(), st.floats(0.01, 0.9), st.integers(0, 9), st.booleans())
def test_nothing_held_out_was_learned_from(inputs, data, fraction, seed, by_class):
    each = st.sampled_from("klm")
    answers = data.draw(st.lists(each, min_size=len(inputs), max_size=len(inputs)))
    groups = data.draw(st.none() | st.just([str(i // 3) for i in range(len(inputs))]))
    samples = texts(inputs, answers, groups)
    try:
        train, held, _ = hold_out(samples, np.random.default_rng(seed), fraction, by_class)
    except InputError:
        return
    assert not {key_of(t) for t in train.inputs} & {key_of(t) for t in held.inputs}
    assert sorted([*train.places, *held.places]) == sorted(samples.places)
    assert train.notes == samples.notes
    assert overlap(train, held) == ()
    assert len(train)
    assert len(held)
    if groups:
        assert not set(train.groups) & set(held.groups)
    if by_class:
        assert set(train.answers) == set(answers)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.integers(0, 5))
def test_of_different_texts_the_fraction_of_every_class_is_held_out(count, fraction, seed):
    answers = ["k"] * count + ["l"] * (2 * count)
    samples = texts([str(i) for i in range(3 * count)], answers)
    _, held, notes = hold_out(samples, np.random.default_rng(seed), fraction, by_class=True)
    expected = Counter()
    for label, total in Counter(answers).items():
        expected[label] = min(max(1, round(fraction * total)), total - 1)
    assert Counter(held.answers) == +expected
    assert notes == ()


def test_the_same_seed_holds_out_the_same():
    samples = texts([str(i) for i in range(50)])
    one, other, third = (
        hold_out(samples, np.random.default_rng(seed), 0.2)[1].inputs for seed in (1, 1, 2)
    )
    assert one == other != third
    assert one == sorted(one, key=int)


def test_what_stands_twice_is_said():
    samples = texts(["one", "ONE", "two", "three", "four"])
    _, held, notes = hold_out(samples, np.random.default_rng(0), 0.2)
    assert len(held) == 1
    assert notes == (
        "t: 2 of 5 inputs stand more than once, whatever their case: equal ones are on one side, "
        "0 of them held out",
    )


def test_groups_are_held_out_whole():
    samples = texts([str(i) for i in range(12)], groups=["ann"] * 5 + ["bob"] * 4 + ["eve"] * 3)
    train, held, notes = hold_out(samples, np.random.default_rng(0), 0.1)
    assert set(held.groups) == {"eve"}
    assert len(train) == 9
    assert notes == ("t: held out are 1 of 3 groups, whole, with 3 of 12 samples",)


def test_a_class_with_one_item_is_learned():
    samples = texts(["a", "b", "c", "d"], ["k", "l", "l", "l"])
    for seed in range(5):
        train, held, _ = hold_out(samples, np.random.default_rng(seed), 0.3, by_class=True)
        assert "k" in train.answers
        assert held.answers == ["l"]


def test_arrays_are_equal_by_their_bytes():
    series = [np.full((2, 1), i % 2, np.float32) for i in range(6)]
    samples = Samples("s", "steps", series, list("kkkkkk"))
    train, held, _ = hold_out(samples, np.random.default_rng(0), 0.5)
    assert {each[0, 0] for each in train.inputs}.isdisjoint(each[0, 0] for each in held.inputs)
    assert key_of(series[0]) != key_of(series[0].reshape(1, 2))


def test_nothing_is_held_out_of_a_fraction_of_0():
    samples = texts(["a", "b"])
    assert hold_out(samples, np.random.default_rng(0), 0) == (samples, None, ())


@pytest.mark.parametrize("fraction", [-0.1, 1, float("nan")])
def test_what_is_no_fraction_is_refused(fraction):
    with pytest.raises(RequestError, match="expected a fraction from 0 to below 1"):
        hold_out(texts(["a", "b"]), np.random.default_rng(0), fraction)


def test_where_nothing_can_be_held_out_is_an_error():
    with pytest.raises(InputError, match=r"t: nothing can be held out of .*--val-split 0"):
        hold_out(texts(["a", "A"]), np.random.default_rng(0))


def test_what_stands_in_both_parts_of_a_set_is_counted():
    test = Samples("test", "words", [("A", "b"), ("c",), ("d",)], [("X", "Y"), ("X",), ("X",)])
    train = Samples("train", "words", [("a", "B"), ("cd",)], [("X", "Y"), ("X",)])
    assert overlap(train, test) == (
        "test: 1 of 3 inputs stands in train too: scores are the better for it",
    )
