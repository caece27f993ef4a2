"""When freed memory is kept for the next picture, and when it goes back to the system."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
LARGEST = 2**31 - 1


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
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, LARGEST)
        mallopt(M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Let glibc return every free page, even between what is in use. Source: malloc_trim(3)."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
