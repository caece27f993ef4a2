"""Runs as model files: what was stopped goes on bit for bit."""

import itertools
import json
import time
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from training_runs import NORMED, PLAIN, QUICK, finished, kept, same, task_of, trainer_of

from cnntool.errors import InputError
from cnntool.training.checkpoint import (
    PLACE,
    Kept,
    best_of,
    is_best_of,
    kept_of,
    model_of,
    resumed,
    settings_of,
)
from cnntool.training.loop import Epoch


@pytest.mark.parametrize("layers", [PLAIN, NORMED])
@pytest.mark.parametrize("events", [0, 1, 3, 6, 7, 9, 14])
def test_a_run_that_was_stopped_goes_on_as_if_it_never_had(parts, layers, events):
    with trainer_of(parts, layers=layers) as trainer:
        whole = finished(trainer)
    with trainer_of(parts, layers=layers) as trainer:
        going = trainer.run()
        for _ in range(events):
            next(going)
        stopped = kept(trainer)
    settings = settings_of(stopped, "it")
    with resumed(stopped, task_of(stopped, parts, settings)) as trainer:
        same(finished(trainer), whole)


def test_more_epochs_go_on_from_the_end(parts):
    with trainer_of(parts) as trainer:
        model = finished(trainer)
    settings = replace(settings_of(model, "it"), epochs=4)
    with resumed(model, task_of(model, parts, settings)) as trainer:
        assert [event.epoch for event in trainer.run() if isinstance(event, Epoch)] == [4]
        assert len(trainer.history) == 4


@pytest.mark.parametrize(
    ("log", "read"),
    [
        (("logs/a.jsonl", True), ("logs/a.jsonl", True)),
        (None, None),
        ((5, True), None),
        (("a.jsonl", 1), None),
        (("a.jsonl",), None),
        ("ab", None),
    ],
)
def test_the_log_of_a_run_is_what_a_run_can_have_or_none(parts, log, read):
    with trainer_of(parts) as trainer:
        assert kept_of(model_of(trainer, Kept(log))) == Kept(read)


def test_what_is_kept_within_an_epoch_knows_no_clock_and_no_filters_of_its_own(parts):
    models = []
    for pause in (0.0, 0.02):
        with trainer_of(parts) as trainer:
            for _, _ in zip(range(3), trainer.run(), strict=False):
                time.sleep(pause)
            models.append(kept(trainer))
    assert sorted(models[0].filters) == [0]
    same(*models)


def test_a_run_holds_its_best_network_where_it_is_another_than_its_own(parts):
    with trainer_of(parts) as trainer:
        losses = iter([2.0, 3.0, 1.0])
        trainer.task.judge = lambda: SimpleNamespace(loss=next(losses), accuracy=0.5)
        models = [kept(trainer) for _ in trainer.run()]
    held = [sorted(name for name in model.state if name.startswith("best/")) for model in models]
    paths = ["conv1.bias", "conv1.weight", "dense1.bias", "dense1.weight"]
    best = [f"best/{path}" for path in paths]
    assert held == [[]] * 7 + [best] * 13 + [[]]  # three epochs of six steps; the third is better
    for path in paths:
        np.testing.assert_array_equal(models[19].state[f"best/{path}"], models[6].params[path])


def test_the_best_model_is_a_network_and_what_became_of_its_run(parts):
    with trainer_of(parts, layers=NORMED) as trainer:
        assert best_of(trainer) is None
        losses = iter([2.0, 1.0, 3.0])
        trainer.task.judge = lambda: SimpleNamespace(loss=next(losses), accuracy=0.5)
        second = [kept(trainer) for event in trainer.run() if isinstance(event, Epoch)][1]
        best = best_of(trainer)
    assert best.state == {}
    assert len(best.header.history) == 3
    assert sorted(best.filters) == [0, 1, 2, 3]
    same(replace(best, header=second.header, filters=second.filters), replace(second, state={}))


@pytest.mark.parametrize("events", [9, 14, 21])
def test_a_run_that_goes_on_still_knows_its_best(parts, events):
    """Of the first epoch, two more of which follow."""
    judgements = [SimpleNamespace(loss=loss, accuracy=0.5) for loss in (1.0, 3.0, 2.0)]
    with trainer_of(parts) as trainer:
        trainer.task.judge = lambda: judgements[trainer.place[0]]
        for _ in itertools.islice(trainer.run(), events):
            pass
        stopped, best = kept(trainer), deepcopy(best_of(trainer))
    with resumed(stopped, task_of(stopped, parts, settings_of(stopped, "it"))) as trainer:
        same(best_of(trainer), best)
        trainer.task.judge = lambda: judgements[trainer.place[0]]
        finished(trainer)
        same(replace(best_of(trainer), header=best.header, filters=best.filters), best)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"best/conv1.bias": None}, "conv1.bias stands on one side only"),
        ({"best/conv1.bias": np.zeros(9, np.float32)}, r"conv1.bias is \(9,\)"),
        ({"best/conv9.bias": np.zeros(4, np.float32)}, "conv9.bias stands on one side only"),
    ],
)
def test_a_best_network_of_another_kind_is_damage(parts, change, message):
    with trainer_of(parts) as trainer:
        trainer.task.judge = lambda: SimpleNamespace(loss=1.0 + trainer.place[0], accuracy=0.5)
        stopped = finished(trainer)
    state = {name: array for name, array in (stopped.state | change).items() if array is not None}
    model = replace(stopped, state=state)
    with pytest.raises(InputError, match=f"it is damaged: of its best network, {message}"):
        resumed(model, task_of(model, parts, settings_of(model, "it")), "it")


def test_the_best_of_a_run_is_not_that_of_another_with_other_settings(parts):
    best, last = [], []
    for rate in (0.002, 0.003):
        with trainer_of(parts, replace(QUICK, learning_rate=rate)) as trainer:
            models = [kept(trainer) for event in trainer.run() if isinstance(event, Epoch)]
        last.append(models[-1])
        best.append(models[trainer.stopping.best_epoch - 1])
    assert is_best_of(best[0], last[0])
    assert is_best_of(best[1], last[1])
    assert not is_best_of(best[0], last[1])


@pytest.mark.parametrize(
    "row", [{}, {"epoch": "1"}, {"loss": []}, {"within": [{}]}, {"within": None}, {"within": [3]}]
)
def test_a_history_that_no_run_has_is_refused(parts, row):
    with trainer_of(parts) as trainer:
        model = finished(trainer)
    *others, last = model.header.history
    broken = replace(model.header, history=(*others, {**last, **row} if row else row))
    model = replace(model, header=broken)
    with pytest.raises(InputError, match=r"^it is damaged: of an epoch it says "):
        resumed(model, task_of(model, parts, settings_of(model, "it")), "it")


@pytest.mark.parametrize("key", ["step", "epoch"])
def test_a_place_that_the_run_does_not_have_is_refused(parts, key):
    with trainer_of(parts) as trainer:
        model = model_of(trainer)
    plain = json.loads(model.state[PLACE].tobytes())
    plain["place"][key] = 7  # of 6 steps, and behind no epoch
    model.state[PLACE] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
    with pytest.raises(InputError, match=r"step 7 of 6|before epoch 7"):
        resumed(model, task_of(model, parts, settings_of(model, "it")))


@pytest.mark.parametrize("layers", [PLAIN, NORMED])
def test_a_run_goes_on_from_a_best_model_of_format_1_too(parts, layers):
    """Which knows what came after it, and must not make use of that."""
    with trainer_of(parts, layers=layers) as trainer:
        models = [kept(trainer) for event in trainer.run() if isinstance(event, Epoch)]
    best = replace(models[0], header=models[-1].header, filters=models[-1].filters)
    with resumed(best, task_of(best, parts, settings_of(best, "it"))) as trainer:
        assert sorted(trainer.filters) == [0, 1]
        same(finished(trainer), models[-1])
