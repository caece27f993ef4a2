"""How work is shared among cores: our own threads over blocks, each with BLAS on one thread.

NumPy lets go of the interpreter lock inside a copy or a matrix product, so threads run side by
side as long as each call is long (0.1 ms and up) and calls are few.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from cnntool.engine.fast.scratch import Scratch, return_scratch, take_scratch

SHARED_PRODUCTS = 1 << 26
"""Multiplications from which on the blocks of a product are worth a second thread, which takes 0.1
ms to wake up."""

PARTIAL_SUMS = 8
"""Of a sum over blocks at most, whatever the number of threads, so that it changes no result."""

Item = TypeVar("Item")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parallel_for(
    items: Iterable[Item], make_worker: Callable[[], Callable[[Item], None]], threads: int
) -> None:
    """Run every item through a worker; each thread makes its own worker, with its own scratch.

    The calling thread is one of the threads. The first exception of any thread stops all of them,
    each after the item it is at, or what that item shares in its turn, and is raised here; an
    interruption goes before other errors.
    What shared work shares in its turn stays on the thread it is on. ``np.errstate`` of the caller
    holds on all of them.
    """
    if threads <= 1 or getattr(_here, "is_shared", False):
        worker = make_worker()
        for item in items:
            _go_on()
            worker(item)
        return
    queue = ((item,) for item in items)
    state = threading.Condition()
    errors: list[BaseException] = []
    running = 1
    over = False
    error_state: dict[str, Any] = {**np.geterr(), "call": np.geterrcall()}

    def drain() -> None:
        _here.is_shared, _here.errors = True, errors
        try:
            worker = make_worker()
            while not errors:
                with state:
                    found = next(queue, None)
                if found is None:
                    return
                worker(*found)
        except BaseException as error:
            errors.append(error)
        finally:
            _here.is_shared, _here.errors = False, ()

    def help_out() -> None:
        nonlocal running
        with state:
            if over:  # the others were done before this thread woke up
                return
            running += 1
        with np.errstate(**error_state):
            drain()
        with state:
            running -= 1
            state.notify()

    def finish() -> None:
        nonlocal over
        with state:
            over = True
            state.wait_for(lambda: running == 1)

    with one_blas_thread():
        try:
            for _ in range(threads - 1):
                _helpers.run(help_out)
            drain()
            finish()
        except BaseException as error:  # Ctrl-C while waiting: the others finish what they are at
            errors.append(error)
            finish()
    # A helper that is slow to go to sleep would keep them alive.
    make_worker, queue = None, None  # type: ignore[assignment]
    errors = [error for error in errors if not isinstance(error, _Stopped)]
    if errors:
        raise next((e for e in errors if not isinstance(e, Exception)), errors[0])


def parallel_blocks(
    items: Sequence[Item],
    work: Callable[[Item, Scratch], None],
    products: int,
    threads: int | None = None,
) -> None:
    """Work through the items with a scratch a thread, on as many threads as the products need.

    At most on so many, or on all cores.
    """
    used: list[Scratch] = []

    def make_worker() -> Callable[[Item], None]:
        scratch = take_scratch()
        used.append(scratch)
        return lambda item: work(item, scratch)

    most = available_cores() if threads is None else threads
    most = min(most, len(items)) if products >= SHARED_PRODUCTS else 1
    parallel_for(items, make_worker, most)
    return_scratch(used)


def ahead(items: Iterator[Item], count: int = 1) -> Generator[Item]:
    """The items, of which ``count`` more are made on a thread of their own while one is used.

    What making them raises is raised here; where the last ones are not wanted, none more is made.
    """
    made: SimpleQueue[tuple[Item, ...] | BaseException | None] = SimpleQueue()
    room = threading.Semaphore(count - 1)
    is_over = False
    error_state: dict[str, Any] = {**np.geterr(), "call": np.geterrcall()}

    def make() -> None:
        try:
            with np.errstate(**error_state):
                for item in items:
                    made.put((item,))
                    del item
                    room.acquire()
                    if is_over:
                        return
            made.put(None)
        except BaseException as error:
            made.put(error)

    _helpers.run(make)
    try:
        while (found := made.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            (item,) = found
            room.release()
            del found
            yield item
            del item
    finally:
        is_over = True
        room.release()


def _go_on() -> None:
    """Between the parts of a long item: end it where another thread has failed."""
    if getattr(_here, "errors", ()):
        raise _Stopped


class _Stopped(BaseException):
    """Work that is ended as its results are wanted no more."""


@contextmanager
def on_this_thread_alone() -> Iterator[None]:
    """What is shared inside stays on the thread that it is on, and BLAS too."""
    was_shared = getattr(_here, "is_shared", False)
    _here.is_shared = True
    try:
        with one_blas_thread():
            yield
    finally:
        _here.is_shared = was_shared


_here = threading.local()


class _Helpers:
    """Threads that are started when first needed, and then wait for more: a start costs 0.1 ms."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = 0

    def run(self, job: Callable[[], None]) -> None:
        """Have a thread do the job, which raises nothing."""
        with self._lock:
            is_waiting = self._idle > 0
            self._idle -= is_waiting
        if not is_waiting:
            threading.Thread(target=self._serve, daemon=True).start()
        self._jobs.put(job)  # an argument of the thread would live as long as the thread

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            job()
            del job  # and with it the arrays that it holds
            with self._lock:
                self._idle += 1


_helpers = _Helpers()


def _forget_helpers() -> None:
    """A forked child has none of its parent's threads."""
    global _helpers
    _helpers = _Helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)


_blas_lock = threading.Lock()
_blas_users = 0
_blas_threads = 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """The OpenBLAS of NumPy's wheel on one thread, then on as many as before; elsewhere nothing."""
    global _blas_users, _blas_threads
    get, put = _openblas("get_num_threads"), _openblas("set_num_threads")
    if get is None or put is None:
        yield
        return
    with _blas_lock:
        if _blas_users == 0:
            _blas_threads = get()
            if _blas_threads != 1:
                put(1)
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _blas_threads != 1:
                put(_blas_threads)


@functools.cache
def _openblas(name: str) -> Callable | None:
    """A function of OpenBLAS's own interface, ``openblas_{name}``."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs", package / ".libs"):
        for library in folder.glob("*openblas*"):
            try:
                handle = ctypes.CDLL(str(library))
            except OSError:
                continue
            for prefix in ("scipy_openblas", "openblas"):
                function = getattr(handle, f"{prefix}_{name}64_", None)
                if function is not None:
                    return function
    return None
