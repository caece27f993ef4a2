"""The training loop: what it learns, that it can stop anywhere, and what ends it."""

import itertools
import math
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from training_runs import NORMED, PLAIN, QUICK, finished, kept, same, task_of, trainer_of

from cnntool.datasets.feeds import ImageFeed
from cnntool.training import loop
from cnntool.training.checkpoint import best_of, model_of, resumed, settings_of
from cnntool.training.loop import Epoch, Step
from cnntool.training.shards import CAN_FORK
from cnntool.training.task import Diverged, Task


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


def batches_of(trainer):
    """The indices that every step of a run learns from, as they come."""
    found = []

    class Listed(ImageFeed):
        def batches(self, rng=None):
            for batch in super().batches(rng):
                found.append(batch.indices)
                yield batch

    feed = trainer.task.feed
    trainer.task.feed = Listed(feed.data, feed.preprocessing, feed.batch_size, feed.augmentation)
    return found


def test_every_epoch_sees_every_image_once_in_an_order_of_its_own(parts):
    with trainer_of(parts) as trainer:
        indices = batches_of(trainer)
        list(trainer.run())
    orders = [np.concatenate(indices[start : start + 6]) for start in (0, 6, 12)]
    for order in orders:
        assert sorted(order) == list(range(161))
    for one, two in itertools.combinations(orders, 2):
        assert (one != two).any()


def test_a_run_is_that_of_pytorch_on_the_same_batches(parts):
    """Its optimizer with momentum, decay and clipping, its cosine and its smoothed loss."""
    torch = pytest.importorskip("torch")
    settings = replace(
        QUICK,
        optimizer="momentum",
        learning_rate=0.1,
        momentum=0.8,
        weight_decay=0.01,
        clip=0.5,
        label_smoothing=0.2,
        augment="",
    )
    with trainer_of(parts, settings, layers="dense 10") as trainer:
        weight = torch.tensor(trainer.network.params["dense1.weight"].copy(), requires_grad=True)
        bias = torch.zeros(10, requires_grad=True)
        indices = batches_of(trainer)
        losses = [event.loss for event in trainer.run() if isinstance(event, Step)]
        params = trainer.network.params
    train, preprocessing = parts.train, trainer.task.feed.preprocessing
    x = (train.x.reshape(161, 64) / train.white - preprocessing.mean[0]) / preprocessing.std[0]
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(train.y)
    rule = torch.optim.SGD([weight, bias], 0.1, momentum=0.8, weight_decay=0.01)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(rule, len(losses))
    for batch, ours in zip(indices, losses, strict=True):
        rule.zero_grad()
        logits = x[batch] @ weight + bias
        loss = torch.nn.functional.cross_entropy(logits, y[batch], label_smoothing=0.2)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([weight, bias], 0.5)
        rule.step()
        cosine.step()
        assert ours == pytest.approx(loss.item(), rel=1e-4)
    np.testing.assert_allclose(params["dense1.weight"], weight.detach(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(params["dense1.bias"], bias.detach(), rtol=1e-3, atol=1e-5)


def test_the_filters_of_the_first_convolution_are_kept_from_the_start_on(parts):
    two = "relu; conv 4 3x3; conv 5 3x3; dense 10"
    with trainer_of(parts, layers=two) as trainer:
        start = trainer.network.params["conv1.weight"].copy()
        list(trainer.run())
        np.testing.assert_array_equal(trainer.filters[0], start)
        np.testing.assert_array_equal(trainer.filters[3], trainer.network.params["conv1.weight"])
    with trainer_of(parts, layers="dense 10") as trainer:
        list(trainer.run())
        assert trainer.filters == {}


def test_of_ever_more_filters_those_evenly_apart_are_kept(parts, monkeypatch):
    monkeypatch.setattr(loop, "MOST_STAGES", 5)
    with trainer_of(parts, replace(QUICK, epochs=12, batch_size=161)) as trainer:
        kept = [list(trainer.filters) for event in trainer.run() if isinstance(event, Epoch)]
    assert kept[3] == [0, 2, 4]
    assert kept[4] == [0, 2, 4, 5]
    assert kept[-1] == [0, 4, 8, 12]
    assert max(map(len, kept)) == 5


def test_a_long_epoch_is_judged_at_the_ends_of_equal_parts(parts, monkeypatch):
    """And its best network is kept, though the epoch's end is worse."""
    monkeypatch.setattr(loop, "LEAST_PART", 2)  # of 6 steps: three parts
    with trainer_of(parts, replace(QUICK, epochs=1)) as trainer:
        losses = iter([3.0, 1.0, 2.0])
        trainer.task.judge = lambda: SimpleNamespace(loss=next(losses), accuracy=0.5)
        *steps, end = [(event, kept(trainer)) for event in trainer.run()]
        best, row = best_of(trainer), trainer.best_row
    judged = [(event.judged.step, event.judged.is_best) for event, _ in steps if event.judged]
    assert judged == [(2, True), (4, True)]
    assert not end[0].is_best
    assert [part["step"] for part in trainer.history[0]["within"]] == [2, 4]
    assert row == steps[3][0].judged.to_history()
    learned_from = [event for event, _ in steps[:4]]
    count = sum(event.samples for event in learned_from)
    mean = sum(event.loss * event.samples for event in learned_from) / count
    assert row["loss"] == pytest.approx(mean)
    for path, array in steps[3][1].params.items():
        np.testing.assert_array_equal(best.params[path], array)
    assert (best.params["conv1.weight"] != end[1].params["conv1.weight"]).any()


@pytest.mark.parametrize("events", [2, 3, 5, 9])
def test_a_run_that_was_stopped_in_a_long_epoch_goes_on_as_if_it_never_had(
    parts, monkeypatch, events
):
    monkeypatch.setattr(loop, "LEAST_PART", 2)
    with trainer_of(parts) as trainer:
        whole = finished(trainer)
        best = best_of(trainer)
    with trainer_of(parts) as trainer:
        for _ in itertools.islice(trainer.run(), events):
            pass
        stopped = kept(trainer)
    with resumed(stopped, task_of(stopped, parts, settings_of(stopped, "it"))) as trainer:
        same(finished(trainer), whole)
        same(best_of(trainer), best)


def test_a_short_epoch_and_one_that_nothing_is_held_out_of_are_judged_at_their_ends(
    parts, monkeypatch
):
    with trainer_of(parts) as trainer:
        assert not any(event.judged for event in trainer.run() if isinstance(event, Step))
    monkeypatch.setattr(loop, "LEAST_PART", 2)
    with trainer_of(parts.but(validation=None)) as trainer:
        assert not any(event.judged for event in trainer.run() if isinstance(event, Step))


def test_the_best_epoch_is_that_of_the_least_validation_loss(parts):
    with trainer_of(parts) as trainer:
        losses = iter([2.0, 3.0, 1.0])
        trainer.task.judge = lambda: SimpleNamespace(loss=next(losses), accuracy=0.5)
        epochs = [event for event in trainer.run() if isinstance(event, Epoch)]
    assert [epoch.is_best for epoch in epochs] == [True, False, True]
    assert [epoch.validation_loss for epoch in epochs] == [2, 3, 1]
    assert (trainer.stopping.best_epoch, trainer.stopping.best_loss) == (3, 1.0)


def test_without_a_validation_part_the_training_loss_decides(parts):
    with trainer_of(parts.but(validation=None)) as trainer:
        epochs = [event for event in trainer.run() if isinstance(event, Epoch)]
    assert trainer.stopping.best_loss == min(epoch.loss for epoch in epochs)
    assert epochs[0].to_json()["validation_loss"] is None


def test_the_same_seed_gives_the_same_and_another_another(parts):
    models = []
    for seed in (0, 0, 1):
        with trainer_of(parts, replace(QUICK, seed=seed)) as trainer:
            models.append(finished(trainer))
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


def test_a_step_that_breaks_leaves_neither_statistics_nor_random_numbers_behind(parts):
    settings = replace(QUICK, optimizer="sgd", learning_rate=1e30, clip=0.0)
    with trainer_of(parts, settings, layers=NORMED) as trainer:
        events, before = trainer.run(), None
        with suppress(Diverged):
            while next(events):
                before = kept(trainer)
        assert trainer.place < (3, 0)
        same(model_of(trainer), before)


def test_statistics_that_leave_the_real_line_break_a_step_too(parts):
    """The loss does not show it: batch norm divides by what is infinite, and gives 0."""
    settings = replace(QUICK, optimizer="sgd", learning_rate=9e11, clip=0.0, augment="")
    layers = "conv 4 3x3 no-bias; batch-norm; conv 4 3x3 no-bias; batch-norm; dense 10"
    with trainer_of(parts, settings, layers) as trainer:
        with pytest.raises(Diverged, match=r"step 2: the output of norm2 \(batch-norm\)"):
            for _ in trainer.run():
                pass
        assert all(np.isfinite(array).all() for array in trainer.network.buffers.values())


def test_a_run_is_not_kept_with_anything_in_it_that_is_not_finite(parts):
    with trainer_of(parts) as trainer:
        next(trainer.run())
        moments = {name: a for name, a in trainer._optimizer_state.items() if a.ndim}
        for arrays, words in (trainer.network.params, ""), (moments, "the optimizer's "):
            for name, array in arrays.items():
                before, array.flat[-1] = array.flat[-1], np.inf
                with pytest.raises(Diverged, match=f"epoch 1, after step 1: {words}{name} is not"):
                    trainer.check()
                array.flat[-1] = before
        trainer.check()


@pytest.mark.parametrize("loss", [np.inf, np.nan])
def test_a_run_whose_loss_is_not_finite_is_not_kept(parts, monkeypatch, loss):
    """As of answers so large that their difference is infinite."""
    monkeypatch.setattr(Task, "loss", lambda *_: loss)
    with trainer_of(parts) as trainer, pytest.raises(Diverged, match=f"the loss is {loss}"):
        trainer.check()


def test_an_epoch_whose_validation_loss_is_not_finite_is_none(parts, monkeypatch):
    monkeypatch.setattr(Task, "judge", lambda _: SimpleNamespace(loss=np.inf, accuracy=0.1))
    with trainer_of(parts) as trainer:
        with pytest.raises(Diverged, match="epoch 1, after step 6: the validation loss is inf"):
            for _ in trainer.run():
                pass
        assert trainer.best is None
        assert not trainer.history


@pytest.mark.parametrize(("above", "has_learned"), [(-1e-6, True), (1e-6, False)])
def test_a_run_has_learned_where_it_is_better_than_guessing(parts, monkeypatch, above, has_learned):
    monkeypatch.setattr(Task, "loss", lambda *_: math.log(10) + above)
    with trainer_of(parts) as trainer:
        assert not trainer.has_learned
        trainer.check()
        assert trainer.has_learned is has_learned


def test_no_better_loss_for_so_many_epochs_ends_a_run(parts):
    settings = replace(QUICK, epochs=50, learning_rate=1e-12, patience=2, augment="")
    with trainer_of(parts, settings, layers="dense 10") as trainer:
        epochs = [event for event in trainer.run() if isinstance(event, Epoch)]
    best = next(i for i, e in enumerate(reversed(epochs)) if e.is_best)
    assert best == 2
    assert len(epochs) < 50
    assert epochs[-1].is_last
