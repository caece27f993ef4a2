"""Samples as they are fed to be learned from and to be judged on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cnntool.datasets import memory
from cnntool.datasets.sequences.inputs import TextInput
from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import InputError
from cnntool.networks import batch_sizes
from cnntool.networks.joined import parse_network
from cnntool.networks.model import sequence_facts, sequence_model
from cnntool.training.footprint import check_run
from cnntool.training.measures import ACCURACY
from cnntool.training.sequence_feeds import judging_feed, learning_feed, target_counts
from cnntool.training.settings import Settings
from cnntool.training.task import Task


def classifier(labels=("bad", "good")):
    reader = TextInput.of(["a b c d e f"], "text", "word")
    spec = f"embedding {len(reader.vocabulary)} x 4; rnn 3; last; dense {len(labels)}"
    network = parse_network(spec, (None,))
    return sequence_model("classifier", network, sequence_facts(reader, labels), reader)


def translator():
    reader, writer = (TextInput.of(["abcdef"], "text", "char", folds=f) for f in (True, False))
    count = len(writer.vocabulary)
    spec = f"embedding {count} x 4; rnn 3 => embedding {count} x 4; rnn 3; dense {count}"
    facts = sequence_facts(reader, (), writer, 9)
    return sequence_model("translator", parse_network(spec, (None,)), facts, reader, writer, 9)


def test_inputs_are_learned_up_to_a_length_and_judged_whole():
    samples = Samples("data", "text", ["a b c d e f", "a"], ["good", "bad"])
    model = classifier()
    assert learning_feed(model, samples, 2, most=3).rows.lengths.tolist() == [3, 2]
    assert judging_feed(model, samples).rows.lengths.tolist() == [7, 2]


def test_each_right_text_is_learned_and_the_first_is_judged():
    samples = Samples("data", "text", ["abc", "de"], [("cba", "c"), ("ed",)])
    learned, judged = learning_feed(translator(), samples, 2), judging_feed(translator(), samples)
    assert (len(learned.targets), len(judged.targets)) == (3, 2)
    assert learned.sources.tolist() == [0, 0, 1]
    assert learning_feed(translator(), samples, 2, most=1).targets.lengths.tolist() == [1, 2, 1]


def test_a_text_of_the_greatest_length_is_learned_with_its_end():
    samples = Samples("data", "text", ["abc", "de"], [("cba",), ("ed",)])
    model = translator()
    targets = learning_feed(model, samples, 2, most=2).targets
    assert [targets[index].tolist() for index in (0, 1)] == [
        model.writer.ids("cba")[:2].tolist(),
        model.writer.ids("ed").tolist(),
    ]
    assert targets[1][-1] == model.writer.end


def test_balanced_classes_weigh_the_same_and_one_on_average():
    samples = Samples("data", "text", ["a"] * 8, ["good"] * 6 + ["bad"] * 2)
    feed = learning_feed(classifier(), samples, 2, is_balanced=True)
    counts = target_counts(feed, 2)
    assert_allclose(feed.class_weights * counts, [4, 4])
    assert learning_feed(classifier(), samples, 2).class_weights is None
    assert_allclose(np.sum(feed.class_weights * counts), len(samples))


def test_what_is_judged_at_once_has_few_values_and_what_is_learned_is_tried_whole(monkeypatch):
    samples = Samples("data", "text", ["a b c d e f"] * 5, ["good"] * 5)
    model = classifier()
    monkeypatch.setattr(batch_sizes, "MOST_VALUES", 15 * (1 + 4 + 3))  # of 15 steps: id to state
    judged, learned = judging_feed(model, samples), learning_feed(model, samples, 5)
    assert [len(batch.indices) for batch in judged.batches()] == [2, 2, 1]
    assert [len(batch.indices) for batch in learned.batches()] == [5]
    long = Samples("data", "text", ["a " * 30_000] * 3, ["good"] * 3)
    learned = learning_feed(model, long, 3, most=40_000)
    assert [len(batch.indices) for batch in learned.batches()] == [3]


def test_memory_for_judging_is_saved_by_judging_nothing(monkeypatch):
    samples = Samples("data", "text", ["a b", "c d"], ["good", "bad"])
    long = Samples("data", "text", ["a " * 20_000], ["good"])
    model = classifier()
    feeds = learning_feed(model, samples, 2), judging_feed(model, long)
    model.network.initialise(np.random.default_rng(0))
    task = Task("classifier", model.network, *feeds, Settings(), ACCURACY)
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000)
    with pytest.raises(InputError, match=r"judging what is held out needs .*--val-split 0"):
        check_run(task, "set a smaller --batch-size")


def test_a_label_that_the_model_has_not_is_named():
    samples = Samples("data.tsv", "text", ["a"], ["best"])
    with pytest.raises(InputError, match=r"data.tsv has the label 'best'.*\(bad, good\)"):
        learning_feed(classifier(), samples, 2)


def test_inputs_of_another_kind_are_named():
    series = Samples("rows.npz", "steps", [np.ones((3, 2), "f")], ["good"])
    with pytest.raises(InputError, match=r"rows\.npz holds series of 2 features, and the"):
        judging_feed(classifier(), series)
