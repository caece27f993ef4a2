"""The training loop: what it learns, that it can stop anywhere, and what ends it."""

from dataclasses import replace

import numpy as np
import pytest

from cnntool.datasets.loading import load_images
from cnntool.datasets.preprocessing import Preprocessing, fit_preprocessing
from cnntool.datasets.splitting import hold_out
from cnntool.networks.trained import network_of
from cnntool.networks.zoo import build
from cnntool.training.checkpoint import Run, resumed, settings_of, with_whole_history
from cnntool.training.divergence import Diverged
from cnntool.training.image_task import ImageTask
from cnntool.training.loop import Epoch, Step, Trainer
from cnntool.training.settings import Settings
from cnntool.training.shards import CAN_FORK
from cnntool.training.streams import Streams

PLAIN = "conv 4 3x3; relu; max 2; dropout 0.2; dense 10"
NORMED = "conv 4 3x3 pad 1 no-bias; batch-norm; relu; global-average; dense 10"
QUICK = Settings(epochs=3, batch_size=32, augment="shift=1,noise=0.02", clip=1.0)


@pytest.fixture(scope="module")
def parts():
    parts = load_images("digits")
    few = np.random.default_rng(0).permutation(len(parts.train))[:200]
    return hold_out(parts.map(lambda part: part.subset(few)), np.random.default_rng(0), 0.2)


def trainer_of(parts, settings=QUICK, layers=PLAIN):
    streams = Streams(settings.seed)
    network = build(layers, parts.train.image_shape, 10).initialise(streams["start"])
    return Trainer(ImageTask(network, fit_preprocessing(parts.train), parts, settings), streams)


def task_of(model, parts, settings):
    preprocessing = Preprocessing.from_json(model.header.preprocessing)
    return ImageTask(network_of(model), preprocessing, parts, settings)


def finished(run):
    """The model at the end of a run."""
    for event in run.trainer.run():
        if isinstance(event, Epoch):
            run.keep_filters()
    return run.model()


def same(one, two):
    """Whether two models hold the same, bit for bit."""
    for group in ("params", "buffers", "state", "filters"):
        first, second = getattr(one, group), getattr(two, group)
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_array_equal(first[name], second[name], err_msg=str(name))
    assert one.header == two.header


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
