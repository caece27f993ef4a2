"""Runs as model files: what was stopped goes on bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from training_runs import NORMED, PLAIN, finished, same, task_of, trainer_of

from cnntool.training.checkpoint import Run, resumed, settings_of, with_whole_history
from cnntool.training.loop import Epoch


@pytest.mark.parametrize("layers", [PLAIN, NORMED])
@pytest.mark.parametrize("events", [0, 1, 3, 6, 7, 9, 14])
def test_a_run_that_was_stopped_goes_on_as_if_it_never_had(parts, layers, events):
    with trainer_of(parts, layers=layers) as trainer:
        whole = finished(Run(trainer, "data"))
    with trainer_of(parts, layers=layers) as trainer:
        run, going = Run(trainer, "data"), trainer.run()
        for _ in range(events):
            next(going)
            run.keep_filters()
        stopped = run.model()
    settings = settings_of(stopped, "it")
    run = resumed(stopped, task_of(stopped, parts, settings), "data")
    with run.trainer:
        same(finished(run), whole)


def test_more_epochs_go_on_from_the_end(parts):
    with trainer_of(parts) as trainer:
        model = finished(Run(trainer, "data"))
    settings = replace(settings_of(model, "it"), epochs=4)
    run = resumed(model, task_of(model, parts, settings), "data")
    with run.trainer:
        assert [event.epoch for event in run.trainer.run() if isinstance(event, Epoch)] == [4]
        assert len(run.trainer.history) == 4


def test_the_best_model_gets_the_history_of_what_came_after(parts):
    with trainer_of(parts) as trainer:
        run, models = Run(trainer), []
        for event in trainer.run():
            if isinstance(event, Epoch):
                run.keep_filters()
                models.append(run.model())
    best = with_whole_history(models[0], models[-1])
    assert len(best.header.history) == 3
    assert sorted(best.filters) == [0, 1, 2, 3]
    np.testing.assert_array_equal(best.params["conv1.weight"], models[0].params["conv1.weight"])
    assert (best.filters[0] != best.filters[3]).any()
