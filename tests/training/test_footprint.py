"""What shapes tell of the memory of a run, beside what a trial measures."""

from dataclasses import replace

import pytest
from training_runs import NORMED, PLAIN, QUICK, trainer_of

from cnntool.training import footprint
from cnntool.training.footprint import (
    is_large,
    least_bytes,
    least_products,
    least_seconds,
    run_bytes,
)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize(
    "layers", [PLAIN, NORMED, "dense 600; relu; dense 600; relu; dense 10", "conv 64 3x3; dense 10"]
)
def test_no_run_takes_less_than_shapes_tell(parts, layers, shards, optimizer):
    settings = replace(QUICK, shards=shards, optimizer=optimizer, batch_size=128)
    with trainer_of(parts, settings, layers) as trainer:
        least = least_bytes(trainer.network, settings.batch_size, settings)
        assert 0 < least <= run_bytes(trainer.task)[0]
        weights = sum(array.nbytes for array in trainer.network.params.values())
        assert least >= 3 * weights


@pytest.mark.parametrize(("samples", "values"), [(1, 1294), (128, 128 * (64 + 128))])
def test_least_bytes_by_hand(parts, samples, values):
    """Weights and gradients, a vector or two of them, and what comes into layers or goes back."""
    for optimizer, vectors in ("sgd", 0), ("momentum", 1), ("adam", 2):
        settings = replace(QUICK, shards=1, optimizer=optimizer)
        with trainer_of(parts, settings, "conv 2 1x1; relu; dense 10") as trainer:
            assert least_bytes(trainer.network, samples, settings) == 4 * (
                1294 * (2 + vectors) + values
            )


def test_what_is_large_is_so_by_its_parameters_its_work_or_what_its_layers_give(parts):
    with trainer_of(parts, QUICK, "dense 2000; relu; dense 2000; dense 10") as trainer:
        assert not is_large(trainer.network, 64)
        assert is_large(trainer.network, 10**5)  # 4 million multiply-adds each
    with trainer_of(parts, QUICK, "conv 2 1x1; dense 10") as trainer:
        assert not is_large(trainer.network, 10**6)
        assert is_large(trainer.network, 3 * 10**6)


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ("conv 5 3x3 pad 1; dense 10", 64 * 5 * 9 / 4 + 320 * 10),
        ("conv 5 5x5 pad 2; dense 10", 64 * 5 * 25 + 320 * 10),
    ],
)
def test_kernels_of_3x3_may_take_a_quarter_of_their_products(parts, layers, count):
    with trainer_of(parts, QUICK, layers) as trainer:
        assert least_products(trainer.network) == count


def test_a_step_takes_as_long_as_its_products_there_and_once_back(parts, monkeypatch):
    monkeypatch.setattr(footprint, "_products_a_second", lambda: 1e6)
    monkeypatch.setattr(footprint, "available_cores", lambda: 2)
    with trainer_of(parts, QUICK, "dense 10") as trainer:
        assert trainer.steps == 6
        assert least_seconds(trainer.task) == pytest.approx(2 * 640 * 161 / 6 / 2e6)
