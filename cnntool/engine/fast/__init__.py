"""Faster ways to the same results, and the switch that turns all of them off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_readers = 0


@contextmanager
def textbook() -> Iterator[None]:
    """Have every operation run the way that a textbook shows, on all threads.

    Results agree with those of the faster ways to rounding::

        with cnntool.engine.textbook():
            y, cache = conv2d(x, weight)  # im2col, one matrix product
    """
    global _readers
    _readers += 1
    try:
        yield
    finally:
        _readers -= 1


def is_textbook() -> bool:
    """Whether faster ways are off."""
    return _readers > 0
