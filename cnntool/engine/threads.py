"""How work is shared among cores: our own threads over blocks, each with BLAS on one thread.

NumPy lets go of the interpreter lock inside a copy or a matrix product, so threads run side by
side as long as each call is long (0.1 ms and up) and calls are few.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(
    items: Iterable[Item], make_worker: Callable[[], Callable[[Item], None]], threads: int
) -> None:
    """Run every item through a worker; each thread makes its own worker, with its own scratch.

    The calling thread is one of the threads. The first exception of any thread stops all of them
    and is raised here.
    """
    queue = iter(items)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def drain() -> None:
        try:
            worker = make_worker()
            while not errors:
                with lock:
                    item = next(queue, queue)
                if item is queue:
                    return
                worker(item)
        except BaseException as error:
            errors.append(error)

    if threads > 1:
        set_blas_threads(1)
    helpers = [threading.Thread(target=drain, daemon=True) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    drain()
    try:
        _join(helpers)
    except BaseException as error:  # Ctrl-C while waiting: the helpers finish what they are at
        errors.insert(0, error)
        _join(helpers)
    if errors:
        raise errors[0]


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def set_blas_threads(count: int) -> None:
    """Ask the OpenBLAS inside NumPy's wheel for ``count`` threads; elsewhere this does nothing."""
    setter = _openblas_setter()
    if setter is not None:
        setter(count)


@functools.cache
def _openblas_setter() -> Callable[[int], None] | None:
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs", package / ".libs"):
        for library in folder.glob("*openblas*"):
            try:
                handle = ctypes.CDLL(str(library))
            except OSError:
                continue
            for name in ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_"):
                if hasattr(handle, name):
                    return getattr(handle, name)
    return None
