"""Work in forked processes: every result once, in order, and no process left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cnntool.engine.fast.processes import in_order

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def lost(number):
    return -1


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_results_come_in_order_from_processes_of_their_own(jobs, count):
    with in_order(lambda number: (number, os.getpid()), count, jobs, lost) as results:
        found = list(results)
    assert [number for number, _ in found] == list(range(count))
    assert (os.getpid() in {process for _, process in found}) == (jobs == 1 and count > 0)
    check_that_none_is_left()


def test_a_slow_item_stops_no_other(tmp_path):
    def work(number):
        if number == 0:
            while len(list(tmp_path.iterdir())) < 20:
                time.sleep(0.005)
        else:
            (tmp_path / str(number)).touch()
        return number

    with in_order(work, 21, 2, lost) as results:
        assert list(results) == list(range(21))


def test_no_more_results_wait_than_may(tmp_path):
    def work(number):
        if number == 0:
            while not (tmp_path / "5").exists():
                time.sleep(0.005)
            time.sleep(0.2)
            return len(list(tmp_path.iterdir()))
        (tmp_path / str(number)).touch()
        return number

    with in_order(work, 100, 2, lost, most=6) as results:
        assert next(results) == 5


def test_an_error_is_raised_where_its_turn_is():
    def work(number):
        if number == 3:
            raise KeyError("three")
        return number

    with in_order(work, 10, 2, lost) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(KeyError, match="three"):
            next(results)
    check_that_none_is_left()


def test_an_error_that_cannot_be_sent_is_told_in_words():
    class Odd(Exception):
        def __reduce__(self):
            raise TypeError

    def work(number):
        raise Odd("so it is")

    with in_order(work, 2, 2, lost) as results, pytest.raises(RuntimeError, match="Odd: so it is"):
        next(results)


@pytest.mark.parametrize("deadly", [{2}, {0, 1}, set(range(10))])
def test_what_a_killed_process_was_at_is_lost_and_nothing_else_while_one_lives(deadly):
    def work(number):
        if number in deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with in_order(work, 10, 3, lost) as results:
        found = list(results)
    assert len(found) == 10
    if len(deadly) < 3:
        assert found == [-1 if number in deadly else number for number in range(10)]
    else:
        assert set(found) == {-1}
    check_that_none_is_left()


def test_an_interruption_ends_processes_that_wait_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()

    def break_off():
        with in_order(lambda number: open(tmp_path / "pipe").read(), 3, 2, lost):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert time.monotonic() - began < 4
    check_that_none_is_left()


def check_that_none_is_left():
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_parent_that_ignores_the_end_of_its_children_is_no_fault():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as a shell's trap '' CHLD hands down
    try:
        with in_order(lambda number: number, 3, 2, lost) as results:
            assert list(results) == [0, 1, 2]
    finally:
        signal.signal(signal.SIGCHLD, before)


EARLY = """
import os, signal, sys
from cnntool.engine.fast.processes import fork

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
for _ in range(100):
    process, pipe = fork(lambda there: there.recv())
    os.kill(process, signal.SIGTERM)
    pipe.send("end")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
"""


def test_a_signal_that_comes_as_a_child_begins_is_ignored_as_later():
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
