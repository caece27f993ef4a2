"""What the engine asks of the BLAS beneath NumPy: how many threads it uses, and how it multiplies.

Known is the OpenBLAS of NumPy's wheels; with another one nothing is asked and nothing set.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

UNPACKED_CORES = (b"SkylakeX", b"Cooperlake", b"SapphireRapids")
"""Processors, by OpenBLAS's names, for which it multiplies small matrices without packing them."""


@functools.cache
def multiplies_unpacked() -> bool:
    """Whether products of up to a million multiplications are done without packing."""
    core_name = _openblas("get_corename")
    if core_name is None:
        return False
    core_name.restype = ctypes.c_char_p
    return core_name() in UNPACKED_CORES


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
