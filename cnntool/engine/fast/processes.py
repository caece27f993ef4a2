"""Work in processes that are forked from this one: they have all that was made before.

Python's threads take turns at the interpreter, which small pictures and small layers ask for every
few microseconds, so that two threads are no faster than one. Two processes take an eighth more work
in all for a thousand small pictures, and on two cores two thirds of the time.
"""

from __future__ import annotations

import mmap
import os
import selectors
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"
"""Of macOS the libraries that NumPy computes with do not survive it."""

MOST_WAITING = 4096
"""Items that are handed out at most before the one whose turn it is is done: as many fit into a
pipe."""

PATIENCE = 5.0
"""Seconds that a process has to remove what it has half written."""

ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Signals that ask a process to end."""

WORD = 8
"""Bytes of a number in the pipe of what is to be done: one read takes one number."""

Result = TypeVar("Result")


def fork(
    serve: Callable[[Connection], None], others: Iterable[Connection] = ()
) -> tuple[int, Connection]:
    """A process that runs ``serve`` with its end of a pipe, and then ends: its number, and our end.

    others: our ends of the pipes of other processes, which would not see their end if this one held
    them open. Signals that ask to end are ignored, as the first process decides.
    """
    from multiprocessing import Pipe

    here, there = Pipe()
    # A signal waits until the child ignores it: before, it would do what the first process does.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        with warnings.catch_warnings():  # of threads: ours hold no lock, and the child starts anew
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            _begin(serve, there, (here, *others), before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    there.close()
    return process, here


def _begin(
    serve: Callable[[Connection], None],
    pipe: Connection,
    others: Iterable[Connection],
    before: set[signal.Signals | int],
) -> NoReturn:
    """What a child does: it never comes back."""
    try:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for other in others:
            other.close()
        serve(pipe)
    finally:
        os._exit(0)


@contextmanager
def in_order(
    work: Callable[[int], Result],
    count: int,
    jobs: int,
    lost: Callable[[int], Result],
    most: int = MOST_WAITING,
) -> Iterator[Iterator[Result]]:
    """The results ``work(0)``, ``work(1)``, ... of so many, from ``jobs`` processes.

    lost: the result of an item whose process was killed, as the system does where memory is short.
    most: how many results may wait for one before them. What ``work`` raises is raised here.

    >>> with in_order(lambda number: number**2, 4, jobs=2, lost=lambda number: -1) as squares:
    ...     print(*squares)
    0 1 4 9
    """
    if jobs < 2 or not CAN_FORK:
        yield map(work, range(count))
        return
    tasks, hand_out = os.pipe()
    at = mmap.mmap(-1, WORD * jobs)  # the word of what each process is at; zeros for none
    processes: dict[Connection, int] = {}
    try:
        for place in range(jobs):
            serve = partial(_serve, work, tasks, hand_out, at, place)
            process, pipe = fork(serve, processes)
            processes[pipe] = process
        yield _results(list(processes), count, hand_out, at, lost, min(most, MOST_WAITING))
    finally:
        os.close(tasks)
        os.close(hand_out)
        for pipe in processes:
            pipe.close()
        _end(processes.values())


def _serve(
    work: Callable[[int], Any],
    tasks: int,
    hand_out: int,
    at: mmap.mmap,
    place: int,
    pipe: Connection,
) -> None:
    """Do what is next until there is nothing left."""
    signal.signal(signal.SIGTERM, _leave)
    os.close(hand_out)
    here = slice(WORD * place, WORD * (place + 1))
    with suppress(OSError):  # nobody listens any more
        while word := os.read(tasks, WORD):
            at[here] = word
            number = _number(word)
            try:
                found, wrong = work(number), None
            except Exception as error:
                found, wrong = None, sendable(error)
            pipe.send((number, found, wrong))
            at[here] = bytes(WORD)


def _results(
    pipes: list[Connection],
    count: int,
    hand_out: int,
    at: mmap.mmap,
    lost: Callable[[int], Result],
    most: int,
) -> Iterator[Result]:
    """The results in order; ``at`` tells what an ended process took with it."""
    given = 0
    found: dict[int, tuple[Result, Exception | None]] = {}
    with selectors.DefaultSelector() as working:
        for place, pipe in enumerate(pipes):
            here = slice(WORD * place, WORD * (place + 1))
            working.register(pipe, selectors.EVENT_READ, (pipe, here))
        for number in range(count):
            while number not in found:
                for task in range(given, min(count, number + most)):
                    os.write(hand_out, _word(task))
                    given = task + 1
                if not working.get_map():  # all of them have ended
                    found[number] = lost(number), None
                    break
                for pipe, here in (key.data for key, _ in working.select()):
                    try:
                        item, result, error = pipe.recv()
                    except (EOFError, OSError):
                        working.unregister(pipe)
                        if any(at[here]):
                            item = _number(at[here])
                            found.setdefault(item, (lost(item), None))
                    else:
                        found[item] = result, error
            result, error = found.pop(number)
            if error is not None:
                raise error
            yield result


def _word(number: int) -> bytes:
    """A number from 0 on as it goes through a pipe; no word is all zeros."""
    return (number + 1).to_bytes(WORD, "little")


def _number(word: bytes) -> int:
    return int.from_bytes(word, "little") - 1


def _leave(number: int, frame: object) -> None:
    """End after what is half done is removed, which a second signal must not break off."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


def _end(processes: Iterable[int]) -> None:
    """End processes that may be in the midst of something, or have hardly begun."""
    waiting = set(processes)
    deadline = time.monotonic() + PATIENCE
    while waiting := set(filter(_goes_on, waiting)):
        is_late = time.monotonic() > deadline
        for process in waiting:
            os.kill(process, signal.SIGKILL if is_late else signal.SIGTERM)
        time.sleep(0.005)


def _goes_on(process: int) -> bool:
    """Whether a process of ours has not ended."""
    try:
        return os.waitpid(process, os.WNOHANG) == (0, 0)
    except ChildProcessError:  # where SIGCHLD is ignored, the system forgets who has ended
        return False


def sendable(error: Exception) -> Exception:
    """The error itself, or a RuntimeError that says the same where it cannot be pickled."""
    import pickle

    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
