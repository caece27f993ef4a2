"""When training stops, what it keeps, and how it goes on after a restart."""

import json
import math

import pytest

from cnntool.errors import InputError
from cnntool.training.progress import EarlyStopping

LOSSES = [1.0, 0.8, 0.9, 0.7, 0.75, 0.7, 0.71, 0.6]


def test_it_stops_after_so_many_epochs_without_a_better_loss():
    stopping, best, stopped = EarlyStopping(patience=3), [], []
    for epoch, loss in enumerate(LOSSES, start=1):
        best.append(stopping.update(epoch, loss))
        stopped.append(stopping.should_stop)
    assert best == [True, True, False, True, False, False, False, True]
    assert stopped == [False] * 6 + [True, False]


def test_it_keeps_the_best():
    stopping = EarlyStopping(patience=3)
    for epoch, loss in enumerate(LOSSES[:-1], start=1):
        stopping.update(epoch, loss)
    assert (stopping.best_epoch, stopping.best_loss, stopping.waited) == (4, 0.7, 3)


def test_without_patience_it_never_stops_and_still_knows_the_best():
    stopping = EarlyStopping()
    for epoch in range(100):
        stopping.update(epoch, 1.0 + epoch)
    assert not stopping.should_stop
    assert stopping.best_epoch == 0


def test_a_loss_that_is_no_number_is_never_the_best():
    stopping = EarlyStopping(patience=2)
    assert not stopping.update(1, math.nan)
    assert not stopping.update(2, math.inf)
    assert stopping.should_stop
    assert stopping.update(3, 5.0)
    assert not stopping.update(4, -math.inf)


@pytest.mark.parametrize("when", range(len(LOSSES)))
def test_a_restart_changes_nothing(when):
    straight, before = EarlyStopping(patience=3), EarlyStopping(patience=3)
    for epoch, loss in enumerate(LOSSES):
        straight.update(epoch, loss)
    for epoch, loss in enumerate(LOSSES[:when]):
        before.update(epoch, loss)
    text = json.dumps(before.to_json(), allow_nan=False)
    after = EarlyStopping(patience=3)
    after.restore(json.loads(text))
    assert after == before
    for epoch, loss in enumerate(LOSSES[when:], start=when):
        after.update(epoch, loss)
    assert after == straight


@pytest.mark.parametrize(
    "change",
    [
        {"waited": -1},
        {"waited": None},
        {"best_loss": "low"},
        {"best_loss": None},
        {"best_loss": math.nan},
        {"best_epoch": 1.5},
        {"best_epoch": True},
    ],
)
def test_a_state_that_is_no_sense_is_refused(change):
    with pytest.raises(InputError, match=r"the model file: its early stopping has loss"):
        EarlyStopping().restore({"best_loss": 0.5, "best_epoch": 3, "waited": 1} | change)
