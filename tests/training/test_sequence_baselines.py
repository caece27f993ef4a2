"""Baselines of sequence tasks, worked by hand; nearest neighbours against all distances."""

import numpy as np
import pytest

from cnntool.datasets.sequences.samples import Samples
from cnntool.training import sequence_baselines
from cnntool.training.sequence_baselines import (
    captioner_baselines,
    classifier_baselines,
    nearest,
    nearest_picture,
    nearest_series,
    tagger_baselines,
    translator_baselines,
    word_tags,
)


def _answers(baselines, inputs):
    return {name: list(answers(inputs)) for name, answers in baselines.items()}


def test_baselines_of_texts():
    samples = Samples("x", "text", ["good", "bad", "so bad", "bad film"], ["1", "0", "0", "0"])
    assert _answers(classifier_baselines(samples), ["good", "so bad", ""]) == {
        "most frequent class": ["0", "0", "0"],
        "Naive Bayes on words and pairs": ["1", "0", "0"],
    }
    samples = Samples("x", "text", ["anna", "eva", "otto", "bruno"], ["f", "f", "m", "m"])
    assert _answers(classifier_baselines(samples, "char"), ["ida", "theo"]) == {
        "most frequent class": ["f", "f"],
        "Naive Bayes on 1 to 4 letters": ["f", "m"],
    }


def test_words_are_cut_as_one_says():
    samples = Samples("x", "text", ["good!", "bad!"], ["1", "0"])
    baselines = classifier_baselines(samples, cut=lambda text: text.strip("!?").split())
    assert baselines["Naive Bayes on words and pairs"](["bad?"]) == ["0"]


def test_the_baselines_of_series_do_not_look_at_their_order():
    series = [np.array([[1.0, 0], [3, 0]]), np.array([[7.0, 0]]), np.array([[9.0, 0], [7, 0]])]
    samples = Samples("x", "steps", series, ["a", "b", "b"])
    found = _answers(classifier_baselines(samples), [np.array([[3.0, 5], [1, 5], [2, 5]])])
    assert found == {
        "most frequent class": ["b"],
        "nearest neighbour on means and deviations": ["a"],
    }


def test_series_of_no_steps_and_measurements_that_never_change_are_fine():
    series = [np.zeros((0, 2), np.float32), np.full((3, 2), 5, np.float32)]
    fitted = nearest_series(Samples("x", "steps", series, ["none", "five"]))
    assert fitted([*series[::-1], series[1][:1]]) == ["five", "none", "five"]


def test_the_most_frequent_tag_is_said_of_every_step():
    samples = Samples("x", "steps", [np.zeros((3, 2))], [("a", "b", "b")])
    assert _answers(tagger_baselines(samples), [np.zeros((2, 2)), np.zeros((0, 2))]) == {
        "most frequent tag": [("b", "b"), ()]
    }


WORDS = [("The", "run", "May", "12"), ("may", "walking", "the", "run"), ("may", "run", "talking")]
TAGS = [("D", "N", "N", "#"), ("V", "G", "D", "V"), ("V", "N", "G")]


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        ("run", "N"),  # two of three times
        ("may", "V"),
        ("May", "N"),  # as it is written
        ("THE", "D"),  # in small letters
        ("47", "#"),  # by its digits
        ("jumping", "G"),  # by -ing
        ("xyz", "N"),  # of the commonest, the first seen
        ("", "N"),
    ],
)
def test_unknown_words_have_the_tag_of_their_suffix(word, tag):
    assert word_tags(WORDS, TAGS)([(word,)]) == [(tag,)]


def test_suffixes_are_those_of_rare_words(monkeypatch):
    sentences, tags = [("going",) * 3, ("thing",) * 2], [("G",) * 3, ("N",) * 2]
    assert word_tags(sentences, tags)([("king",)]) == [("G",)]
    monkeypatch.setattr(sequence_baselines, "RARE", 2)
    assert word_tags(sentences, tags)([("king",), ("going",)]) == [("N",), ("G",)]


def test_baselines_of_a_tagger_of_words():
    baselines = tagger_baselines(Samples("x", "words", WORDS, TAGS))
    assert list(baselines) == ["most frequent tag", "most frequent tag of the word"]


def test_baselines_of_a_translator():
    pairs = {"abc": ("1", "2"), "abd": ("2",), "xyz": ("3",), "xy": ("3", "2")}
    samples = Samples("x", "text", list(pairs), list(pairs.values()))
    assert _answers(translator_baselines(samples, "char"), ["abcc", "xxyz"]) == {
        "copy": ["abcc", "xxyz"],
        "nearest source": ["1", "3"],
        "most frequent target": ["3", "3"],
    }


def test_baselines_of_a_captioner():
    pictures = [np.full((1, 2, 2), value, np.uint8) for value in (0, 100, 255)]
    samples = Samples("x", "picture", pictures, [("dark", "a"), ("grey", "b", "a"), ("light",)])
    assert _answers(captioner_baselines(samples), [pictures[1] + 50, pictures[0] + 40]) == {
        "most frequent caption": ["a", "a"],
        "nearest picture": ["grey", "dark"],
    }


@pytest.mark.parametrize("block_values", [1, 50, 1 << 22])
def test_the_nearest_picture_is_that_of_all_distances(block_values, monkeypatch):
    monkeypatch.setattr(sequence_baselines, "BLOCK_VALUES", block_values)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (30, 3, 5, 4), np.uint8)
    own = rng.integers(0, 256, (10, 3, 5, 4), np.uint8)
    squares = (own[:, None].astype(float) - pictures) ** 2
    expected = squares.sum(axis=(2, 3, 4)).argmin(axis=1)
    captions = [(str(i),) for i in range(30)]
    found = nearest_picture(Samples("x", "picture", list(pictures), captions))(list(own))
    assert found == [str(i) for i in expected]


def test_large_pictures_are_compared_by_averages():
    pictures = [np.full((1, 80, 40), value, np.uint8) for value in (10, 200)]
    answers = nearest_picture(Samples("x", "picture", pictures, [("a",), ("b",)]))
    assert answers(pictures) == ["a", "b"]
    assert answers([]) == []


def test_of_equally_near_points_the_first_counts():
    points = np.array([[0.0], [3.0]])
    assert nearest(points, [np.array([[1.0]]), np.array([[-1.0], [3.0]])]).tolist() == [0, 2]
