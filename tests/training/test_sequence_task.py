from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sequence_models import QUICK, TASKS, write_sequence_models

from cnntool.networks.model import load_trained
from cnntool.training.loop import Epoch, Trainer
from cnntool.training.measures import judge
from cnntool.training.settings import Streams


def trained(name: str, **changes):
    settings = replace(QUICK, **changes)
    with Trainer(TASKS[name](settings=settings), Streams(settings.seed)) as trainer:
        epochs = [event for event in trainer.run() if isinstance(event, Epoch)]
        params = {path: array.copy() for path, array in trainer.network.params.items()}
    return epochs, params


@pytest.mark.parametrize("name", TASKS)
def test_every_task_learns(name):
    epochs, _ = trained(name, epochs=6)
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    assert epochs[-1].validation_loss < epochs[0].validation_loss


@pytest.mark.parametrize("name", TASKS)
def test_processes_share_what_counts(name):
    (one, *_), alone = trained(name, epochs=1)
    (two, *_), shared = trained(name, epochs=1, shards=2)
    assert_allclose(one.loss, two.loss, rtol=1e-5)
    for path, array in alone.items():
        assert_allclose(shared[path], array, atol=2e-4)


@pytest.mark.parametrize("name", TASKS)
def test_a_file_gives_back_what_goes_in_and_comes_out(name, tmp_path):
    write_sequence_models(tmp_path, name)
    found = load_trained(tmp_path / f"{name}.npz")
    task = TASKS[name]()
    taken = task.held_out.take(next(task.held_out.batches()))
    again = task.held_out.header()
    assert found.header.preprocessing == _plain(again["preprocessing"])
    assert_array_equal(found.labels, again["labels"])
    y, _ = found.network.forward(taken.x, lengths=taken.lengths, keeps_caches=False)
    assert np.isfinite(y).all()
    assert np.isfinite(judge(found.network, task.held_out).loss)


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
