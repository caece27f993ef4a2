"""Parts of a batch in processes of their own: what goes wrong there, and that none stays."""

import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from training_runs import QUICK, trainer_of

from cnntool.cli.interruption import finishing_first
from cnntool.datasets.feeds import Batch
from cnntool.errors import InputError
from cnntool.networks.objective import Lesson
from cnntool.training import shards
from cnntool.training.shards import CAN_FORK, Shards, shared_array

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="this system starts no process from another")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    """On one, no process would be started."""
    monkeypatch.setattr(shards, "available_cores", lambda: 2)


def shards_of(learn, gradients):
    """``learn(row, indices, share)`` of each process gives its loss."""

    def learner(row):
        return lambda batch, share, seed: Lesson(
            learn(row, batch.indices, share), len(batch.indices), {}
        )

    return Shards([learner(row) for row in gradients], gradients)


def batch(*numbers):
    return Batch(1, np.array(numbers), len(numbers))


def add_up(row, indices, share):
    row[...] = share * indices.mean()
    return float(indices.mean())


def test_parts_are_weighted_by_their_images():
    gradients = shared_array((3, 2), np.float64)
    parts = shards_of(add_up, gradients)
    indices = np.arange(10)
    lesson = parts.learn(batch(*indices), 0)
    assert lesson == (pytest.approx(4.5), 10, {})
    np.testing.assert_allclose(gradients[0], 4.5)
    assert parts.learn(batch(7, 8), 1).loss == pytest.approx(7.5)  # fewer than processes
    np.testing.assert_allclose(gradients[0], 7.5)
    parts.close()


def test_an_error_in_a_process_comes_through_and_the_next_batch_is_its_own():
    def fail(row, indices, share):
        if indices[0] == 5:
            raise ValueError("part of five")
        return add_up(row, indices, share)

    for first in (0, 5):  # the error is in the process, or in this one, which leaves its answer
        parts = shards_of(fail, shared_array((2, 1), np.float64))
        with pytest.raises(ValueError, match="part of five"):
            parts.learn(batch(*range(first, first + 10)), 0)
        assert parts.learn(batch(*range(20, 30)), 0).loss == pytest.approx(24.5)
        parts.close()


def test_each_part_has_random_numbers_of_its_own():
    def learner(row):
        def learn(batch, share, seed):
            row[:] = seed
            return Lesson(0.0, 0, {})

        return learn

    gradients = shared_array((3, 2), np.int64)
    parts = Shards([learner(row) for row in gradients], gradients)
    parts.learn(batch(*range(9)), 7)
    parts.close()
    assert gradients[1:].tolist() == [[7, 1], [7, 2]]
    assert gradients[0].tolist() == [21, 3]  # 7 and 0, and the sum of the others


@pytest.mark.parametrize("broken", [0, 4, 8])
def test_one_part_that_is_not_finite_makes_a_batch_so(broken):
    def learn(row, indices, share):
        return np.nan if broken in indices else 1.0

    parts = shards_of(learn, shared_array((3, 1), np.float64))
    assert np.isnan(parts.learn(batch(*range(9)), 0).loss)
    assert parts.learn(batch(*range(10, 19)), 0).loss == 1
    parts.close()


def test_a_second_ctrl_c_ends_the_wait_for_a_process_that_was_stopped():
    """The first finishes the step, which a stopped process never does."""

    def stop(row, indices, share):
        if indices[0]:  # the second part
            os.kill(os.getpid(), signal.SIGSTOP)
        return add_up(row, indices, share)

    parts = shards_of(stop, shared_array((2, 1), np.float64))
    (helper,) = (process for process, _ in parts._helpers)
    asked_before = []

    def interrupt():
        os.waitid(os.P_PID, helper, os.WSTOPPED | os.WNOWAIT)
        for number in (0, signal.SIGINT):
            while asked.number != number:  # two at once would be one
                time.sleep(0.01)
            time.sleep(0.1)
            asked_before.append(asked.number)
            os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    with finishing_first() as asked:
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            parts.learn(batch(*range(10)), 0)
        sender.join()
    assert asked_before == [0, signal.SIGINT]
    parts.close()
    with pytest.raises(ProcessLookupError):
        os.kill(helper, 0)


def test_processes_end_where_the_first_one_is_killed():
    """They close the pipe that is open as long as one of them lives."""
    told, tell = os.pipe()
    first = os.fork()
    if not first:
        parts = shards_of(add_up, shared_array((3, 1), np.float64))
        os.write(tell, " ".join(str(process) for process, _ in parts._helpers).encode())
        signal.pause()
    os.close(tell)
    assert len(os.read(told, 100).split()) == 2
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert os.read(told, 1) == b""  # the end, which comes when nobody can write any more
    os.close(told)


def test_a_process_that_was_killed_is_said_in_one_line():
    parts = shards_of(add_up, shared_array((2, 1), np.float64))
    os.kill(parts._helpers[0][0], signal.SIGKILL)
    os.waitid(os.P_PID, parts._helpers[0][0], os.WEXITED | os.WNOWAIT)
    with pytest.raises(InputError, match="--processes 1"):
        parts.learn(batch(*range(10)), 0)
    parts.close()


def test_none_stays_behind():
    parts = shards_of(add_up, shared_array((3, 1), np.float64))
    processes = [process for process, _ in parts._helpers]
    parts.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.parametrize(
    "alone",
    [("CAN_FORK", False), ("available_cores", lambda: 1)],
    ids=["a system without fork", "one core"],
)
def test_one_process_takes_the_parts_in_turn_with_the_same_result(monkeypatch, parts, alone):
    """Bit for bit: the same seed gives the same file wherever it is trained."""
    settings, found = replace(QUICK, epochs=1, shards=2), []
    for is_alone in (False, True):
        if is_alone:
            monkeypatch.setattr(shards, *alone)
        with trainer_of(parts, settings) as trainer:
            assert len(trainer._shards._helpers) == (0 if is_alone else 1)
            losses = [event.loss for event in trainer.run()]
            found.append((losses, trainer._vector.tobytes()))
    assert found[0] == found[1]
