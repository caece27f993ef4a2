"""Strings and videos of the built-in digits: what they are made of, and that parts share none."""

from collections import Counter
from itertools import groupby

import numpy as np
import pytest

from cnntool.datasets.images.dataset import load_digits
from cnntool.datasets.sequences import made_of_digits
from cnntool.datasets.sequences.builtin import load_built_in


def test_the_parts_share_no_digits():
    parts = made_of_digits.split_digits(np.random.default_rng(3))
    assert [len(values) for _, values in parts.values()] == [1439, 179, 179]
    seen = [{x.tobytes() for x in pictures} for pictures, _ in parts.values()]
    data = load_digits()
    different = {x.tobytes() for x in data.x}
    assert sum(map(len, seen)) == len(set.union(*seen)) == len(different) == 1797
    for pictures, values in parts.values():
        assert min(np.bincount(values)) >= 17
        assert (pictures.max(), pictures.shape[1:]) == (255, (8, 8))


def test_strings_have_one_to_five_digits_of_their_part_from_left_to_right():
    parts = load_built_in("digit-strings:count=300", 1)
    assert [len(part) for part in parts.values()] == [240, 30, 30]
    digits = made_of_digits.split_digits(np.random.default_rng(1))
    for name, part in parts.items():
        assert {(x.shape, x.dtype.name) for x in part.inputs} == {((1, 16, 64), "uint8")}
        assert all(1 <= len(number) <= 5 for (number,) in part.answers)
        alone = [(x, a) for x, (a,) in zip(part.inputs, part.answers, strict=True) if len(a) == 1]
        for picture, number in alone:
            assert nearest(picture[0], digits[name]) == int(number)
        assert alone
    lengths = Counter(len(number) for (number,) in parts["train"].answers)
    assert sorted(lengths) == [1, 2, 3, 4, 5]


def nearest(picture, digits):
    """The digit that lies somewhere on a picture, by the least sum of squares."""
    windows = np.lib.stride_tricks.sliding_window_view(picture.astype(float), (8, 8))
    pictures, values = digits
    likeness = np.tensordot(windows, pictures, ([2, 3], [1, 2]))
    squares = (pictures**2).sum(axis=(1, 2))
    return values[np.argmax((2 * likeness - squares).max(axis=(0, 1)))]


def test_videos_have_a_label_a_frame_and_nothing_is_cut_short():
    parts = load_built_in("moving-digits:count=200", 1)
    assert [len(part) for part in parts.values()] == [160, 20, 20]
    for part in parts.values():
        for frames, labels in zip(part.inputs, part.answers, strict=True):
            assert frames.shape == (len(labels), 1, 16, 16)
            assert frames.dtype == np.uint8
            assert 8 <= len(labels) <= 40
            runs = [(label, len(list(run))) for label, run in groupby(labels)]
            assert all(n >= (3 if label == "none" else 5) for label, n in runs)
    labels = Counter(label for each in parts["train"].answers for label in each)
    assert set(labels) == {*"0123456789", "none"}
    assert 0.1 < labels["none"] / labels.total() < 0.4


def is_snow(frames):
    """(T,) whether there is light where no digit can be, as it has eight rows."""
    bands = frames[:, 0, :4], frames[:, 0, -4:]
    return np.minimum(*(band.mean(axis=(1, 2)) for band in bands)) > 12


def test_a_frame_alone_does_not_tell_what_a_video_does():
    """Many frames show snow alone, and the nearest frames without it show the same digit."""
    part = load_built_in("moving-digits:count=100", 2)["train"]
    hidden = total = 0
    for frames, labels in zip(part.inputs, part.answers, strict=True):
        snow = is_snow(frames)
        clear = np.flatnonzero(~snow)
        for frame in np.flatnonzero(snow):
            nearest_clear = clear[np.argmin(np.abs(clear - frame))]
            assert labels[nearest_clear] == labels[frame]
        hidden, total = hidden + snow.sum(), total + len(labels)
    assert 0.15 < hidden / total < 0.3


def test_a_frame_without_a_digit_is_dark_and_one_with_a_digit_is_not():
    part = load_built_in("moving-digits:count=100", 2)["train"]
    for frames, labels in zip(part.inputs, part.answers, strict=True):
        is_clear = ~is_snow(frames)
        is_light = (frames > 100).any(axis=(1, 2, 3))
        shows_digit = np.array(labels) != "none"
        np.testing.assert_array_equal(is_light[is_clear], shows_digit[is_clear])


def test_hidden_frames_lie_between_frames_of_the_same_label():
    labels = list("aaabccc")
    expected = [True, True, False, False, False, True, False]
    assert made_of_digits._may_be_hidden(labels).tolist() == expected


@pytest.mark.parametrize("spec", ["digit-strings:count=20", "moving-digits:count=20"])
def test_the_seed_tells_what_is_made(spec):
    one, same, other = (load_built_in(spec, seed) for seed in (1, 1, 2))
    for part in one:
        assert one[part].answers == same[part].answers
        for x, again in zip(one[part].inputs, same[part].inputs, strict=True):
            np.testing.assert_array_equal(x, again)
    assert one["train"].answers != other["train"].answers
