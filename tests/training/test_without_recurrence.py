"""Taggers of frames and rows beside what each step tells by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import numpy as np
from sequence_models import QUICK, SIZES, tagger_task, videos

from cnntool.networks import sequence_zoo as zoo
from cnntool.networks.joined import parse_network
from cnntool.networks.model import input_from_json, sequence_model
from cnntool.training.sequence_baselines import is_compared, step_by_step, without_recurrence


def model_of(task):
    facts = task.feed.header()
    reader = input_from_json(json.loads(json.dumps(facts["preprocessing"])))
    return sequence_model("tagger", task.network, facts, reader)


def test_all_layers_stay_but_those_that_look_at_other_steps():
    text = zoo.tagger(zoo.Inputs(shape=(1, 8, 8)), 3, SIZES)
    network = step_by_step(parse_network(text, (None, 1, 8, 8)))
    assert network.spec == text.replace("lstm 8 both; ", "")
    assert network.output_shape == (None, 3)


def test_it_learns_what_each_frame_shows():
    task = tagger_task("frames", replace(QUICK, epochs=12))
    model = model_of(task)
    assert is_compared(model)
    assert not is_compared(model_of(tagger_task("words")))
    before = {path: array.copy() for path, array in task.network.params.items()}
    frames, tags = videos()
    fitted = without_recurrence(model, task)
    found = fitted(frames)
    assert [len(each) for each in found] == [len(each) for each in tags]
    right = np.array([*chain(*found)]) == np.array([*chain(*tags)])
    assert right.mean() > 0.9
    for path, array in before.items():
        np.testing.assert_array_equal(task.network.params[path], array)


def test_the_same_task_gives_the_same_answers():
    task = tagger_task("frames")
    frames, _ = videos()
    one, two = (without_recurrence(model_of(task), task)(frames) for _ in range(2))
    assert one == two


def test_a_frame_is_told_whatever_stands_around_it():
    task = tagger_task("frames")
    fitted = without_recurrence(model_of(task), task)
    (first, *_), _ = videos()
    (whole,) = fitted([first])
    alone = [fitted([first[k : k + 1]])[0][0] for k in range(len(first))]
    assert list(whole) == alone


def test_a_rate_at_which_it_diverges_leaves_it_as_it_was_before():
    """What the tagger itself learned at that rate is worth what it is."""
    frames, tags = videos()
    for rate in (1e11, 9e11):
        task = tagger_task("frames", replace(QUICK, optimizer="sgd", learning_rate=rate))
        found = without_recurrence(model_of(task), task)(frames)
        assert [len(each) for each in found] == [len(each) for each in tags]
