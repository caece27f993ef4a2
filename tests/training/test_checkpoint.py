"""Runs as model files: what was stopped goes on bit for bit."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from training_runs import NORMED, PLAIN, QUICK, finished, same, task_of, trainer_of

from cnntool.errors import InputError
from cnntool.training.checkpoint import (
    PLACE,
    check_data,
    is_best,
    is_best_of,
    model_of,
    resumed,
    settings_of,
    with_whole_history,
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
        stopped = model_of(trainer)
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


def test_what_is_kept_within_an_epoch_knows_no_clock_and_no_filters_of_its_own(parts):
    models = []
    for pause in (0.0, 0.02):
        with trainer_of(parts) as trainer:
            for _, _ in zip(range(3), trainer.run(), strict=False):
                time.sleep(pause)
            models.append(model_of(trainer))
    assert sorted(models[0].filters) == [0]
    same(*models)


def test_only_a_run_right_behind_its_best_epoch_is_its_best(parts):
    with trainer_of(parts) as trainer:
        events = zip(trainer.run(), range(9), strict=False)
        found = [is_best(model_of(trainer)) for _ in events]
    assert found == [False] * 6 + [True] + [False] * 2  # the first epoch has 6 steps


def test_the_best_of_a_run_is_not_that_of_another_with_other_settings(parts):
    best, last = [], []
    for rate in (0.002, 0.003):
        with trainer_of(parts, replace(QUICK, learning_rate=rate)) as trainer:
            models = [model_of(trainer) for event in trainer.run() if isinstance(event, Epoch)]
        last.append(models[-1])
        best.append(models[trainer.stopping.best_epoch - 1])
    assert is_best_of(best[0], last[0])
    assert is_best_of(best[1], last[1])
    assert not is_best_of(best[0], last[1])


def test_a_run_goes_on_with_its_own_data_alone(parts):
    with trainer_of(parts) as trainer:
        trainer.task.fingerprint = "0123456789"
        model = model_of(trainer)
    check_data(model, "0123456789", "set.npz", "it")
    with pytest.raises(
        InputError, match=r"set.npz is not what it was trained on.*\(9876.*, not 0123"
    ):
        check_data(model, "9876543210", "set.npz", "it")


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
def test_a_run_goes_on_from_its_best_model_too(parts, layers):
    """Which knows what came after it, and must not make use of that."""
    models = []
    with trainer_of(parts, layers=layers) as trainer:
        for event in trainer.run():
            if isinstance(event, Epoch):
                models.append(model_of(trainer))
    best = with_whole_history(models[0], models[-1])
    with resumed(best, task_of(best, parts, settings_of(best, "it"))) as trainer:
        assert sorted(trainer.filters) == [0, 1]
        same(finished(trainer), models[-1])


def test_the_best_model_gets_the_history_of_what_came_after(parts):
    with trainer_of(parts) as trainer:
        models = [model_of(trainer) for event in trainer.run() if isinstance(event, Epoch)]
    best = with_whole_history(models[0], models[-1])
    assert len(best.header.history) == 3
    assert sorted(best.filters) == [0, 1, 2, 3]
    np.testing.assert_array_equal(best.params["conv1.weight"], models[0].params["conv1.weight"])
    assert (best.filters[0] != best.filters[3]).any()
