"""Work that the workers of a Dask cluster do, and that comes back in order: ``--cluster``.

A task is some dozens of files. Workers write results themselves, whole or not at all, to folders
that they share with this process; what comes back is what there is to say. A task whose worker is
killed goes to another, and finds what the first has written: that must not be in its way.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import threading
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cnntool.cli.console import complain
from cnntool.cli.local_cluster import local_cluster
from cnntool.errors import InputError
from cnntool.wording import joined

if TYPE_CHECKING:
    from distributed import Client, Future

MOST_FILES = 100
"""Of a task: it takes seconds then, beside a millisecond for the scheduler."""

TASKS_A_THREAD = 8
"""At least, where there are as many files: the last ones end at about the same time."""

MOST_WAITING = 1000
"""Tasks that the scheduler knows of at a time."""

TRIES = 3
"""Of a task that fails by itself. One whose workers are killed is given to so many others as the
scheduler's setting ``allowed-failures`` says, usually 3; then its files go alone, one by one."""

PATIENCE = 10.0
"""Seconds until a scheduler answers, or has a worker."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Do = Callable[[Iterable[Item]], Iterator[Result]]
"""From inputs to a result for each."""


@contextmanager
def on_cluster(
    where: str,
    do: Do,
    items: Sequence[Item],
    lost: Callable[[Item], Result],
    again: str,
    arrived: Callable[[Result], None] = lambda result: None,
) -> Iterator[Iterator[Result]]:
    """The results that ``do`` gives for the items, in order, from the workers of a cluster.

    where: ``local:4``, or the address of a scheduler. lost: the result of an item that takes its
    workers with it. arrived: has each result as soon as it is here. again: what to do if the
    scheduler ends. InputError where there is no cluster, or a worker is none of ours.
    """
    if not items:
        yield iter(())
        return
    with ExitStack() as stack:
        stack.enter_context(_silenced())
        client = stack.enter_context(_client(where))
        threads = _checked(client, where)
        size = min(MOST_FILES, -(-len(items) // (TASKS_A_THREAD * threads))) or 1
        run = _Run(client, do, items, lost, arrived, f"the scheduler {where} has ended: {again}")
        stack.callback(run.cancel)
        yield run.results(size)


class _Run(Generic[Item, Result]):
    """The tasks of a run, those that are with the cluster and those to come."""

    def __init__(
        self,
        client: Client,
        do: Do,
        items: Sequence[Item],
        lost: Callable[[Item], Result],
        arrived: Callable[[Result], None],
        if_gone: str,
    ) -> None:
        self._client, self._items, self._lost, self._arrived = client, items, lost, arrived
        self._if_gone, self._name = if_gone, f"cnntool-{uuid.uuid4().hex[:8]}"
        self._wanted, self._folder = versions(), os.getcwd()
        # A result that the scheduler can make again, unlike scattered data, where a worker ends.
        self._do = client.submit(_same, do, key=f"{self._name}-do", pure=False)
        client.replicate([self._do])  # the scheduler hands tasks to those alone who have it
        self._places: dict[str, Sequence[int]] = {}
        self._futures: dict[str, Future] = {}
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._suspects: deque[int] = deque()
        self._suspect = ""  # the task of one, which is alone with the cluster: others may be near
        self._numbers = itertools.count()

    def results(self, size: int) -> Iterator[Result]:
        """In the order of the items, so many of which are a task."""
        found: dict[int, Result] = {}
        parts = (range(a, b) for a, b in _spans(len(self._items), size))
        for place in range(len(self._items)):
            while place not in found:
                while len(self._futures) < MOST_WAITING and (part := next(parts, None)):
                    self._submit(part)
                if self._suspects and not self._suspect:
                    self._suspect = self._submit([self._suspects.popleft()])
                found.update(self._next())
            yield found.pop(place)

    def _submit(self, places: Sequence[int]) -> str:
        key = f"{self._name}-{next(self._numbers)}"
        future = self._client.submit(
            _task,
            self._wanted,
            self._folder,
            self._do,
            [self._items[place] for place in places],
            key=key,
            pure=False,
            retries=TRIES - 1,
            priority=-places[0],
        )
        self._places[key], self._futures[key] = places, future
        future.add_done_callback(self._done.put)
        return key

    def _next(self) -> Iterator[tuple[int, Result]]:
        """What the next task to end has found, by the places of the items."""
        from distributed import KilledWorker

        future = self._waited_for()
        places = self._places.pop(str(future.key))
        del self._futures[str(future.key)]
        try:
            found = future.result()
        except KilledWorker:
            if future.key != self._suspect:  # one of its files may be what kills: which one?
                self._suspects.extend(places)
                return
            found = [self._lost(self._items[places[0]])]
        except Exception as error:
            # Of a task an error is a RuntimeError: any other of the system is of the connection.
            is_cut = isinstance(error, OSError) or future.status == "cancelled"
            if is_cut or self._is_gone():
                raise InputError(self._if_gone) from None
            raise InputError(f"a worker failed: {error}") from None
        if isinstance(found, str):
            raise InputError(found)
        if future.key == self._suspect:
            self._suspect = ""
        for place, result in zip(places, found, strict=True):
            self._arrived(result)
            yield place, result

    def _waited_for(self) -> Future:
        waits = 0
        while True:
            with suppress(queue.Empty):
                return self._done.get(timeout=0.5)
            if self._is_gone():
                raise InputError(self._if_gone)
            waits += 1
            if waits == 2 * PATIENCE and not self._client.nthreads():
                complain("the cluster has no workers any more: this waits for one")

    def _is_gone(self) -> bool:
        return self._client.status != "running"

    def cancel(self) -> None:
        """Let workers stop behind the file that they are at, where something is left to do."""
        if self._futures and not self._is_gone():
            with suppress(Exception):  # the scheduler may be gone
                self._client.cancel(list(self._futures.values()), force=True)


def _spans(count: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + size, count)) for start in range(0, count, size))


def _same(value: Any) -> Any:
    return value


def _task(wanted: dict[str, str], folder: str, do: Do, items: Sequence[Any]) -> list[Any] | str:
    """What a worker does with some items: a result for each, or why it is no worker for them."""
    from distributed import get_worker

    if wrong := _wrong_with(get_worker().address, wanted, versions()):
        return wrong
    try:
        with _within(folder):
            return list(do(item for item in items if is_wanted()))
    except Exception as error:  # whose traceback may be too deep to travel
        text = f"{type(error).__name__}: {error}"
    raise RuntimeError(text)


def is_wanted() -> bool:
    """Whether the task that this worker is at is still to be done, which somebody may cancel."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state not in ("cancelled", "forgotten")


_folder_is_free = threading.Condition()
_guests = 0


@contextmanager
def _within(folder: str) -> Iterator[None]:
    """Work in this folder, in which several threads may work at a time, but in no other."""
    global _guests
    with _folder_is_free:
        _folder_is_free.wait_for(lambda: not _guests or os.getcwd() == folder)
        os.chdir(folder)
        _guests += 1
    try:
        yield
    finally:
        with _folder_is_free:
            _guests -= 1
            _folder_is_free.notify_all()


def _probe() -> Callable[[str], tuple[dict[str, str], bool]]:
    """A function that needs nothing of ours, so that it travels to where that is missing."""

    def probe(folder: str) -> tuple[dict[str, str], bool]:
        """The versions of a process, and whether it sees a folder."""
        import sys
        from importlib import import_module
        from os.path import isdir

        found = {"Python": ".".join(map(str, sys.version_info[:2]))}
        for name, module in (("cnntool", "cnntool"), ("NumPy", "numpy"), ("Pillow", "PIL")):
            try:
                found[name] = import_module(module).__version__
            except ImportError:
                found[name] = ""
        return found, isdir(folder)

    return probe


def versions() -> dict[str, str]:
    """Of what results depend on, and of Python, whose functions travel."""
    return _probe()(".")[0]


def _wrong_with(address: str, wanted: dict[str, str], found: dict[str, str]) -> str:
    """What versions a worker has that are others than ours; '' where they are the same."""
    others = [
        f"{name} {found[name]} instead of {version}" if found.get(name) else f"no {name}"
        for name, version in wanted.items()
        if found.get(name) != version
    ]
    if not others:
        return ""
    return f"the worker {address} has {joined(others)}: install the same there as here"


def _checked(client: Client, where: str) -> int:
    """The number of threads of a cluster; InputError where a worker is none for us."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise InputError(
            f"the scheduler {where} has no workers: start some with dask worker {where}"
        ) from None
    folder, wanted = os.getcwd(), versions()
    found = client.run(_probe(), folder, on_error="return")
    for address, answer in found.items():
        if isinstance(answer, Exception):
            raise InputError(f"the worker {address} does not answer: {answer}")
        if wrong := _wrong_with(address, wanted, answer[0]):
            raise InputError(wrong)
        if not answer[1]:
            raise InputError(
                f"the worker {address} has no folder {folder}: go to one that the workers share"
            )
    return max(1, sum(client.nthreads().values()))


@contextmanager
def _client(where: str) -> Iterator[Client]:
    if find_spec("distributed") is None:
        raise InputError("--cluster needs one more package: pip install 'cnntool[cluster]'")
    with ExitStack() as stack:
        kind, _, count = where.partition(":")
        target = stack.enter_context(local_cluster(int(count))) if kind == "local" else where
        import distributed

        try:
            client = distributed.Client(target, timeout=PATIENCE, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"no scheduler answers at {where}: start one with dask scheduler"
            ) from error
        stack.callback(_close, client)
        yield client


def _close(client: Client) -> None:
    with suppress(Exception):  # of a scheduler that is gone
        client.close(timeout=2)


@contextmanager
def _silenced() -> Iterator[None]:
    """Without the lines that distributed logs: what there is to say is said here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
