"""Memory that is used again for every block, and for the next image."""

from __future__ import annotations

import ctypes
import sys
from math import prod

import numpy as np

KEPT = 4
"""Scratches that are kept from one run to the next: new memory costs a tenth of a short run."""

CACHE_LINE = 64
"""Bytes."""

MOST_SHAPES = 64
"""Arrays that a scratch remembers; one that it forgets is made again from its buffer."""

_idle: list[Scratch] = []


class Scratch:
    """One thread's buffers by name, each as large as the largest array that it had to hold."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}
        self._arrays: dict[tuple, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An uninitialised array of this shape, in the memory that ``name`` had before."""
        key = name, shape, dtype
        found = self._arrays.get(key)
        return self._make(key) if found is None else found

    def lines(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """The same, whose rows each begin with a cache line."""
        return self.array(name, _padded(shape, dtype), dtype)[..., : shape[-1]]

    def _make(self, key: tuple[str, tuple[int, ...], np.dtype]) -> np.ndarray:
        name, shape, dtype = key
        size = prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            buffer = self._buffers[name] = aligned((size,), dtype)
            self._arrays = {k: array for k, array in self._arrays.items() if k[0] != name}
        if len(self._arrays) >= MOST_SHAPES:
            self._arrays.clear()
        array = self._arrays[key] = buffer[:size].reshape(shape)
        return array


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array that begins with a cache line, as NumPy's own seldom do.

    Vectors of AVX-512 are a line each. Where each of them lies on two, products of small matrices
    and copies take a quarter longer, and training steps up to a tenth; so do the products of
    what a recurrent step makes of its state.
    """
    size = prod(shape)
    memory = np.empty(size + CACHE_LINE // dtype.itemsize, dtype)
    start = -memory.__array_interface__["data"][0] % CACHE_LINE // dtype.itemsize
    return memory[start : start + size].reshape(shape)


def rows_of_lines(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array whose rows each begin with a cache line: products of skinny matrices with rows of
    thousands take a seventh less."""
    return aligned(_padded(shape, dtype), dtype)[..., : shape[-1]]


def _padded(shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, ...]:
    """A shape whose rows are whole cache lines."""
    line = CACHE_LINE // dtype.itemsize
    return *shape[:-1], -(-shape[-1] // line) * line


def take_scratch() -> Scratch:
    """A scratch for one thread, one that is idle if there is any."""
    try:
        return _idle.pop()
    except IndexError:
        return Scratch()


def return_scratch(scratches: list[Scratch]) -> None:
    """Keep a few scratches whose threads are done with them."""
    _idle.extend(scratches[: max(0, KEPT - len(_idle))])


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
LARGEST_THRESHOLD = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc serve large arrays from memory that was freed before; elsewhere do nothing.

    By default every array of many megabytes is mapped anew, and the kernel clears each of its pages
    at the first touch: a quarter of the time that a large photograph takes. One heap serves all
    threads, so that what the thread that decodes has freed becomes the result's memory: with a heap
    a thread, a picture's worth of it would lie idle. Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Let glibc return every free page, even between what is in use. Source: malloc_trim(3)."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
