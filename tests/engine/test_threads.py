"""Sharing work among threads: every item once, and errors that come through."""

import threading

import pytest

from cnntool.engine.threads import share


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_item_is_done_once(threads):
    done = []
    share(range(100), lambda: done.append, threads)
    assert sorted(done) == list(range(100))


def test_every_thread_has_its_own_worker():
    workers = []
    barrier = threading.Barrier(3, timeout=10)

    def make_worker():
        workers.append(threading.get_ident())
        barrier.wait()
        return lambda item: None

    share(range(3), make_worker, 3)
    assert len(set(workers)) == 3


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_any_thread_stops_all_and_is_raised(threads):
    done = []

    def work(item):
        if item == 5:
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError):
        share(iter(range(10**9)), lambda: work, threads)
    assert len(done) < 10**6
