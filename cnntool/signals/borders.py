"""What lies before and after a signal, made up as its blocks go by."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from cnntool.engine.windows import border_indices
from cnntool.files.signal import BLOCK


def with_borders(
    blocks: Iterable[np.ndarray],
    before: int,
    after: int,
    border: str = "constant",
    constant: float = 0.0,
) -> Iterator[np.ndarray]:
    """The blocks (C, n) of a signal with ``before`` and ``after`` samples beside it.

    The rules are those of :func:`cnntool.engine.windows.border_indices`. Only what the borders
    repeat is held: the first before + 1 samples and the last after + 1. ``wrap`` puts the end
    before the beginning, so that the signal is first read to its end, into a file on disk.
    """
    if border == "wrap" and before + after:
        yield from _wrapped(blocks, before, after)
        return
    blocks = iter(blocks)
    head, count = [], 0
    needed = {"constant": 1, "edge": 1}.get(border, before + 1)
    for block in blocks:
        head.append(block)
        count += block.shape[1]
        if count >= needed:
            break
    if not head:
        return
    if before:
        yield _made_up(np.concatenate(head, axis=1), range(-before, 0), border, constant)
    tail: deque[np.ndarray] = deque()
    count = 0
    needed = {"constant": 1, "edge": 1}.get(border, after + 1)
    for block in _chained(head, blocks):
        yield block
        tail.append(block)
        count += block.shape[1]
        while count - tail[0].shape[1] >= needed:
            count -= tail.popleft().shape[1]
    if after:
        yield _made_up(
            np.concatenate(list(tail), axis=1), range(count, count + after), border, constant
        )


def _chained(head: list[np.ndarray], blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    while head:
        yield head.pop(0)
    yield from blocks


def _made_up(known: np.ndarray, positions: range, border: str, constant: float) -> np.ndarray:
    """The samples at positions beside those that are known, (C, positions)."""
    if border == "constant":
        return np.full((len(known), len(positions)), constant)
    return known[:, border_indices(np.array(positions), known.shape[1], border)]


def _wrapped(blocks: Iterable[np.ndarray], before: int, after: int) -> Iterator[np.ndarray]:
    """Positions -before ... L + after - 1 of the signal repeated without end."""
    with tempfile.TemporaryFile() as file:
        channels = length = 0
        for block in blocks:
            channels = len(block)
            length += block.shape[1]
            file.write(np.ascontiguousarray(block.T).data)
        if not length:
            return
        frame = 8 * channels
        whole = None
        if length * channels <= BLOCK:
            file.seek(0)
            whole = np.frombuffer(file.read(), np.float64).reshape(length, channels)
        position = -before
        while position < length + after:
            start = position % length
            count = min(max(1, BLOCK // channels), length + after - position)
            if whole is not None:
                positions = np.arange(position, position + count)
                samples = whole[border_indices(positions, length, "wrap")]
            else:
                count = min(count, length - start)
                file.seek(start * frame)
                samples = np.frombuffer(file.read(count * frame), np.float64)
                samples = samples.reshape(count, channels)
            yield np.ascontiguousarray(samples.T)
            position += count
