from dataclasses import replace

import numpy as np
import pytest
import sequence_models
from numpy.testing import assert_allclose, assert_array_equal
from sequence_models import QUICK, TASKS, write_sequence_models
from training_runs import finished

from cnntool.networks.model import load_trained, needs, network_of
from cnntool.networks.model_file import load_model, save_model
from cnntool.training.checkpoint import model_of, resumed, settings_of
from cnntool.training.loop import Epoch, Step, Trainer
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
    epochs, _ = trained(name, epochs=6, learning_rate=0.01)
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    assert epochs[-1].validation_loss < epochs[0].validation_loss


@pytest.mark.parametrize("name", TASKS)
def test_processes_share_what_counts(name):
    (one, *_), alone = trained(name, epochs=1)
    (two, *_), shared = trained(name, epochs=1, shards=2)
    assert_allclose(one.loss, two.loss, rtol=1e-5)
    for path, array in alone.items():
        assert_allclose(shared[path], array, atol=2e-4)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("name", TASKS)
def test_a_run_that_was_left_ends_as_if_it_had_not_been(name, shards, tmp_path, monkeypatch):
    """After any step: the file at the end is the same byte for byte, of a run anew, too."""
    sizes = replace(sequence_models.SIZES, dropout=0.2)
    monkeypatch.setattr(sequence_models, "SIZES", sizes)
    settings = replace(QUICK, epochs=2, shards=shards, clip=0.5)

    def ended(trainer: Trainer, file: str) -> bytes:
        with trainer:
            save_model(tmp_path / file, finished(trainer))
        return (tmp_path / file).read_bytes()

    def begun() -> Trainer:
        return Trainer(TASKS[name](settings=settings), Streams(settings.seed))

    whole = ended(begun(), "whole.npz")
    assert ended(begun(), "again.npz") == whole
    for stop in (1, begun().steps, begun().steps + 1):
        with begun() as trainer:
            steps = (event for event in trainer.run() if isinstance(event, Step))
            for _ in range(stop):
                next(steps)
            save_model(tmp_path / "left.npz", model_of(trainer), overwrite=True)
        left = load_model(tmp_path / "left.npz", needs, trainer.task.name)
        task = TASKS[name](settings=settings_of(left, "left.npz"))
        task.network = network_of(left)
        assert ended(resumed(left, task), f"{stop}.npz") == whole


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
