"""Answers are those of each input alone, in order, whatever goes through together."""

import numpy as np
import pytest
from sequence_models import TASKS, pictures, series, videos

from cnntool.datasets.sequences.inputs import PixelInput, SeriesInput, TextInput
from cnntool.networks import answers
from cnntool.networks.sampling import Choice


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(answers, "BATCH", 3)
    monkeypatch.setattr(answers, "NUMBERS", 600)


def network(name):
    return TASKS[name]().network


def test_odds_of_labels(small_batches):
    inputs, _ = series()
    rows, net = SeriesInput.of(inputs).rows(inputs), network("series")
    found = answers.class_odds(net, rows)
    alone = [answers.class_odds(net, SeriesInput.of(inputs).rows([each]))[0] for each in inputs]
    assert found == pytest.approx(np.array(alone), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_odds_of_tags(small_batches):
    inputs, tags = videos()
    reader, net = PixelInput.of(inputs, "frames"), network("frames")
    found = answers.tag_odds(net, reader.rows(inputs))
    assert [len(each) for each in found] == [len(each) for each in tags]
    for each, odds in zip(inputs, found, strict=True):
        alone = answers.tag_odds(net, reader.rows([each]))[0]
        assert odds == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("width", [1, 2])
def test_texts(small_batches, width):
    words = ["abc", "ba", "", "cab", "b", "aabbcc"]
    reader, net = TextInput.of(words, "text", "char"), network("translator")
    found = answers.said(net, reader.rows(words), reader.end, 6, width)
    assert {len(each) for each in found} == {width}
    for word, texts in zip(words, found, strict=True):
        alone = answers.said(net, reader.rows([word]), reader.end, 6, width)[0]
        assert [each.ids for each in texts] == [each.ids for each in alone]


def test_texts_that_are_drawn_are_those_of_the_seed():
    inputs, _ = pictures()
    rows, net = PixelInput.of(inputs, "picture").rows(inputs), network("captioner")

    def drawn(seed):
        rng = np.random.default_rng(seed)
        return answers.said(net, rows, 1, 6, choice=Choice(2.0, None, 1.0, ()), rng=rng)

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_long_one_goes_through_alone(small_batches):
    reader = TextInput.of(["ab"], "text", "char")
    net, rows = network("translator"), reader.rows(["a", "b" * 50, "a"])
    assert [len(each) for each in answers._batches(net, rows)] == [2, 1]
