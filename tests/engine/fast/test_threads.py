"""Sharing work among threads: every item once, and errors that come through."""

import contextlib
import os
import threading
import time
import weakref

import numpy as np
import pytest

from cnntool.engine.fast import threads
from cnntool.engine.fast.threads import _openblas, ahead, on_this_thread_alone, parallel_for


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_item_is_done_once(threads):
    done = []
    parallel_for(range(100), lambda: done.append, threads)
    assert sorted(done) == list(range(100))


def test_every_thread_has_its_own_worker():
    workers = []
    barrier = threading.Barrier(3, timeout=10)

    def make_worker():
        workers.append(threading.get_ident())
        barrier.wait()
        return lambda item: None

    parallel_for(range(3), make_worker, 3)
    assert len(set(workers)) == 3


def test_an_interruption_goes_before_another_error():
    barrier = threading.Barrier(2, timeout=10)
    caller = threading.current_thread()

    def work(item):
        barrier.wait()
        if threading.current_thread() is caller:
            time.sleep(0.1)  # the other thread's error is there first
            raise KeyboardInterrupt
        raise ValueError

    with pytest.raises(KeyboardInterrupt):
        parallel_for(range(2), lambda: work, 2)


def work_on_two_threads(note):
    parallel_for(range(4), lambda: note, 2)


def work_on_this_thread_alone(note):
    with on_this_thread_alone():
        note(None)


@pytest.mark.parametrize("work", [work_on_two_threads, work_on_this_thread_alone])
def test_blas_has_its_threads_back_afterwards(work):
    get, put = _openblas("get_num_threads"), _openblas("set_num_threads")
    if get is None:
        pytest.skip("NumPy has no OpenBLAS of its own here")
    before = get()
    put(2)
    try:
        inside = []
        work(lambda item: inside.append(get()))
        assert (set(inside), get()) == ({1}, 2)
    finally:
        put(before)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_any_thread_stops_all_and_is_raised(threads):
    done = []

    def work(item):
        if item == 5:
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError):
        parallel_for(iter(range(10**9)), lambda: work, threads)
    assert len(done) < 10**6


def test_work_inside_work_is_done_too():
    done = []

    def outer(item):
        parallel_for(range(10), lambda: lambda inner: done.append((item, inner)), 3)

    parallel_for(range(4), lambda: outer, 3)
    assert sorted(done) == [(outer, inner) for outer in range(4) for inner in range(10)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_shares_work_as_well():
    parallel_for(range(4), lambda: lambda item: None, 3)
    child = os.fork()
    if child == 0:
        done = []
        parallel_for(range(100), lambda: done.append, 3)
        os._exit(0 if sorted(done) == list(range(100)) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(("outer", "inner"), [(2, {1}), (1, {1, 2})])
def test_shared_work_shares_no_further(outer, inner):
    """With as many threads as cores at work already, more would only be in each other's way."""
    counts = set()

    def work(_):
        here = set()
        gate = threading.Barrier(2)

        def part(_):
            here.add(threading.get_ident())
            with contextlib.suppress(threading.BrokenBarrierError):
                gate.wait(0.05)  # two threads meet here, one waits in vain

        parallel_for(range(2), lambda: part, 2)
        counts.add(len(here))

    parallel_for(range(2), lambda: work, outer)
    assert counts <= inner
    assert max(counts) == max(inner)


def test_helpers_that_wait_hold_nothing_of_what_they_did():
    class Work:
        """Stands for a worker and the picture that it holds."""

        def __call__(self, item):
            barrier.wait()

    barrier = threading.Barrier(5, timeout=10)  # more threads than any other test has left waiting
    work = Work()
    alive = weakref.ref(work)
    parallel_for(range(5), lambda work=work: work, 5)
    del work
    deadline = time.monotonic() + 10
    while alive() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert alive() is None


def test_the_caller_s_error_state_holds_on_every_thread():
    barrier = threading.Barrier(2, timeout=10)
    called = []

    def work(_):
        barrier.wait()
        np.array([1.0]) / np.array([0.0])

    with np.errstate(divide="call", call=lambda *_: called.append(threading.get_ident())):
        parallel_for(range(2), lambda: work, 2)
    assert len(set(called)) == 2
    with pytest.warns(RuntimeWarning):
        parallel_for(range(2), lambda: work, 2)
    assert len(called) == 2


def test_an_error_ends_what_a_long_item_of_another_thread_shares_in_its_turn():
    barrier = threading.Barrier(2, timeout=10)
    done = []

    def part(item):
        time.sleep(0.001)
        done.append(item)

    def work(item):
        barrier.wait()
        if item:
            raise KeyError(item)
        parallel_for(range(5000), lambda: part, 1)

    with pytest.raises(KeyError):
        parallel_for(range(2), lambda: work, 2)
    assert len(done) < 4000
    parallel_for(range(3), lambda: done.append, 2)  # what comes later is not stopped
    assert sorted(done[-3:]) == [0, 1, 2]


def test_an_error_stops_threads_that_are_at_work():
    barrier, after = threading.Barrier(2, timeout=10), []

    def work(item):
        if item < 2:
            barrier.wait()
        if item == 0:
            raise KeyError
        time.sleep(0.05)
        after.append(item)

    with pytest.raises(KeyError):
        parallel_for(range(20), lambda: work, 2)
    assert after in ([], [1])


def test_an_interruption_waits_for_the_others_and_is_raised(monkeypatch):
    started, done, run = threading.Event(), [], threads._helpers.run

    def run_or_interrupt(job):
        if started.is_set():
            raise KeyboardInterrupt
        run(job)
        assert started.wait(10)

    def work(item):
        started.set()
        time.sleep(0.1)
        done.append(item)

    monkeypatch.setattr(threads._helpers, "run", run_or_interrupt)
    with pytest.raises(KeyboardInterrupt):
        parallel_for(range(1), lambda: work, 3)
    assert done == [0]


def test_a_helper_that_is_late_holds_nothing(monkeypatch):
    class Work:
        def __call__(self, item):
            pass

    late, work = [], Work()
    alive = weakref.ref(work)
    monkeypatch.setattr(threads._helpers, "run", late.append)
    parallel_for(range(5), lambda work=work: work, 3)
    del work
    assert alive() is None
    for job in late:
        job()


def test_what_is_made_ahead_comes_in_order_and_is_one_item_ahead():
    made, taken = [], []

    def items():
        for number in range(50):
            made.append(number)
            yield number

    for number in ahead(items()):
        taken.append(number)
        assert len(made) <= len(taken) + 1
    assert taken == made == list(range(50))


def test_an_error_of_what_is_made_ahead_comes_behind_the_items_before_it():
    def items():
        yield from range(3)
        raise KeyError("broken")

    taken = []
    with pytest.raises(KeyError, match="broken"):
        taken.extend(ahead(items()))
    assert taken == [0, 1, 2]


def test_no_more_is_made_ahead_where_it_is_not_wanted():
    made, is_over = [], threading.Event()

    def items():
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            is_over.set()

    some = ahead(items())
    assert next(some) == 0
    some.close()
    assert is_over.wait(10)
    assert len(made) <= 2


def test_the_caller_s_error_state_holds_for_what_is_made_ahead():
    def items():
        yield np.array([1.0]) / np.array([0.0])

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        next(ahead(items()))
