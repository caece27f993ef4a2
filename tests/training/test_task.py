"""What a part of a batch is learned from: images changed at random, and what its layers keep."""

import numpy as np
import pytest
from training_runs import NORMED, PLAIN, QUICK, trainer_of

from cnntool.datasets.feeds import Batch

BATCH = Batch(1, np.arange(20), 20)


def learned(trainer, share=1.0, seed=(0, 0)):
    """The lesson of a batch, and its gradients by path."""
    grads = {path: np.zeros_like(array) for path, array in trainer.network.params.items()}
    return trainer.task.learn(grads, BATCH, share, seed), grads


def test_images_change_a_little_and_by_the_seed(parts):
    """Noise of 0.02 and shifts of a pixel, whatever white is in the data."""
    with trainer_of(parts) as trainer:
        feed = trainer.task.feed
    draw = lambda seed: feed.take(BATCH, np.random.default_rng(seed)).x
    images = feed.preprocessing.shown(draw(0))
    plain = np.pad(parts.train.x[:20] / parts.train.white, ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifted = [plain[:, :, r : r + 8, q : q + 8] for r in range(3) for q in range(3)]
    least = np.min([np.abs(images - each).max((1, 2, 3)) for each in shifted], axis=0)
    assert least.min() > 0.01
    assert least.max() < 0.12
    np.testing.assert_array_equal(draw(0), draw(0))
    assert (draw(0) != draw(1)).any()


def test_a_part_draws_from_its_own_seed(parts):
    with trainer_of(parts, layers=PLAIN) as trainer:
        seeds = (1, 0), (1, 0), (1, 1), (2, 0)
        losses = [learned(trainer, seed=seed)[0].loss for seed in seeds]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_learning_moves_the_statistics_of_batch_norm(parts):
    with trainer_of(parts, layers=NORMED) as trainer:
        before = {path: array.copy() for path, array in trainer.network.buffers.items()}
        learned(trainer)
        for path, array in trainer.network.buffers.items():
            assert (array != before[path]).all(), path


def test_a_share_of_the_gradient_is_put_where_gradients_go(parts):
    with trainer_of(parts, QUICK) as trainer:
        (_, one), (_, half) = learned(trainer), learned(trainer, 0.5)
    for path, grad in one.items():
        assert grad.any()
        np.testing.assert_allclose(half[path], grad / 2, rtol=1e-5, atol=1e-7)


def test_an_epoch_has_a_step_for_the_images_that_are_left(parts):
    with trainer_of(parts) as trainer:
        feed = trainer.task.feed
        sizes = [batch.samples for batch in feed.batches(np.random.default_rng(0))]
    assert (feed.steps, sizes) == (6, [32] * 5 + [1])


def test_the_first_layer_that_breaks_is_named(parts):
    with trainer_of(parts) as trainer:
        assert trainer.task.first_broken(BATCH) is None
        trainer.network.params["conv1.weight"][0, 0, 0, 0] = np.inf
        assert trainer.task.first_broken(BATCH) == "the output of conv1 (conv 4 3x3)"


def test_a_validation_part_is_judged_and_none_is_not(parts):
    with trainer_of(parts, layers="dense 10") as trainer:
        for array in trainer.network.params.values():
            array[...] = 0
        trainer.network.params["dense1.bias"][3] = np.log(11)  # of 20 in all
        judged = trainer.task.judge()
    threes = (parts.validation.y == 3).mean()
    assert judged.accuracy == threes
    assert judged.loss == pytest.approx(np.log(20) - threes * np.log(11), rel=1e-6)
    with trainer_of(parts.but(validation=None)) as trainer:
        assert trainer.task.judge() is None
