"""The training loop: what it learns, that it can stop anywhere, and what ends it."""

from dataclasses import replace

import numpy as np
import pytest
from training_runs import PLAIN, QUICK, finished, same, trainer_of

from cnntool.training.checkpoint import Run
from cnntool.training.divergence import Diverged
from cnntool.training.loop import Epoch, Step
from cnntool.training.shards import CAN_FORK


def test_events_come_step_by_step_and_epoch_by_epoch(parts):
    with trainer_of(parts) as trainer:
        events = list(trainer.run())
    steps = [event for event in events if isinstance(event, Step)]
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6] * 3
    first, count = steps[:6], len(parts.train)
    assert sum(step.samples for step in first) == count == 161
    mean = sum(step.loss * step.samples for step in first) / count
    assert epochs[0].loss == pytest.approx(mean)
    assert epochs[0].accuracy == sum(step.correct for step in first) / count
    assert epochs[-1].loss < epochs[0].loss
    assert [epoch.is_last for epoch in epochs] == [False, False, True]


def test_the_same_seed_gives_the_same_and_another_another(parts):
    models = []
    for seed in (0, 0, 1):
        with trainer_of(parts, replace(QUICK, seed=seed)) as trainer:
            models.append(finished(Run(trainer)))
    same(*models[:2])
    assert (models[0].params["conv1.weight"] != models[2].params["conv1.weight"]).any()


@pytest.mark.skipif(not CAN_FORK, reason="this system starts no process from another")
def test_parts_of_a_batch_in_processes_learn_the_same(parts):
    """Up to rounding: the mean over a batch is the weighted mean over its parts."""
    settings = replace(QUICK, augment="", epochs=1)
    layers = PLAIN.replace("dropout 0.2; ", "")
    found = []
    for shards in (1, 2, 3):
        with trainer_of(parts, replace(settings, shards=shards), layers) as trainer:
            found.append(([event.loss for event in trainer.run()], trainer.network.params))
            params = {path: array.copy() for path, array in trainer.network.params.items()}
            found[-1] = found[-1][0], params
    for losses, params in found[1:]:
        np.testing.assert_allclose(losses, found[0][0], rtol=1e-4)
        for path, array in params.items():
            np.testing.assert_allclose(array, found[0][1][path], atol=1e-4)


def test_a_loss_that_leaves_the_real_line_names_the_step_and_keeps_the_network(parts):
    settings = replace(QUICK, optimizer="sgd", learning_rate=1e30, clip=0.0, augment="")
    with trainer_of(parts, settings) as trainer:
        events = trainer.run()
        next(events)
        before = {path: array.copy() for path, array in trainer.network.params.items()}
        with pytest.raises(Diverged, match=r"epoch 1, step 2: .*dense1.*--learning-rate"):
            next(events)
        for path, array in trainer.network.params.items():
            np.testing.assert_array_equal(array, before[path])


def test_no_better_loss_for_so_many_epochs_ends_a_run(parts):
    settings = replace(QUICK, epochs=50, learning_rate=1e-12, patience=2, augment="")
    with trainer_of(parts, settings, layers="dense 10") as trainer:
        epochs = [event for event in trainer.run() if isinstance(event, Epoch)]
    best = next(i for i, e in enumerate(reversed(epochs)) if e.is_best)
    assert best == 2
    assert len(epochs) < 50
    assert epochs[-1].is_last
