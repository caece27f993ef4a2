"""A batch cut into parts, each learned from in a process of its own.

Two threads of Python take turns at the interpreter, which a network of small layers asks for every
few microseconds. So every part but the first goes to a process forked from this one. Parameters and
gradients lie in memory that all see; what is sent are the indices of images, and a seed. The parts
and the order of their sum depend on their number alone, so that the result does too: it is the same
where there is one core, or no system that forks, and this process learns from all parts in turn.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import prod
from multiprocessing.connection import Connection

import numpy as np

from cnntool.datasets.feeds import Batch
from cnntool.engine.fast.processes import CAN_FORK, fork, sendable
from cnntool.engine.fast.threads import available_cores, on_this_thread_alone
from cnntool.errors import InputError
from cnntool.networks.objective import Lesson

Learner = Callable[[Batch, float, tuple[int, ...]], Lesson]
"""Learns from a part of a batch: given its share of the whole and a seed, it puts that share of the
gradient of its mean loss where its gradients go."""

ENDED = "a process that trains along has ended: where memory is short, --processes 1 needs less"


def shared_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros in memory that forked processes share."""
    size = prod(shape)
    memory = mmap.mmap(-1, max(1, size * np.dtype(dtype).itemsize))
    return np.frombuffer(memory, dtype, size).reshape(shape)


class Shards:
    """Learners, of which all but the first are processes; :meth:`close` ends them.

    ``gradients`` is (count, parameters), a row a learner, in shared memory where count is above 1.
    """

    def __init__(self, learners: Sequence[Learner], gradients: np.ndarray) -> None:
        self._gradients = gradients
        self._first, *others = learners
        self._helpers: list[tuple[int, Connection]] = []
        self._batch = 0
        self._in_turn = [] if CAN_FORK and available_cores() > 1 else others
        try:
            for learner in others if not self._in_turn else ():
                pipes = [pipe for _, pipe in self._helpers]
                self._helpers.append(fork(partial(_serve, learner), pipes))
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        return len(self._gradients)

    def learn(self, batch: Batch, seed: int) -> Lesson:
        """Put the gradient of the mean loss of a batch into the first row of ``gradients``.

        With processes along it stays on this thread only where the caller sees to that: the idle
        threads of BLAS wait in a loop for more, on the core that a process needs.
        """
        self._batch += 1
        if self.count == 1:
            return self._first(batch, 1.0, (seed, 0))
        pieces = list(self._pieces(batch))
        shares = [_weight(piece) / _weight(batch) for piece in pieces]
        first, *others = (
            (piece, share, (seed, number))
            for number, (piece, share) in enumerate(zip(pieces, shares, strict=True))
        )
        pipes = [pipe for _, pipe in self._helpers[: len(others)]]
        for pipe, part in zip(pipes, others, strict=False):
            self._send(pipe, (self._batch, *part))
        lessons = [self._first(*first)]
        lessons += [learn(*part) for learn, part in zip(self._in_turn, others, strict=False)]
        lessons += map(self._receive, pipes)
        for gradient in self._gradients[1 : len(pieces)]:
            self._gradients[0] += gradient
        loss = sum(share * lesson.loss for share, lesson in zip(shares, lessons, strict=True))
        correct = sum(lesson.correct for lesson in lessons)
        return Lesson(loss, correct, {})

    def close(self) -> None:
        """End the processes; they end by themselves where this one does."""
        for process, pipe in self._helpers:
            pipe.close()
            with suppress(ProcessLookupError, ChildProcessError):  # it may have ended before
                os.kill(process, signal.SIGKILL)  # it holds nothing, and may be in a long step
                os.waitpid(process, 0)
        self._helpers.clear()

    def _pieces(self, batch: Batch) -> Iterator[Batch]:
        """Parts of a batch, as equal as they can be, that have something to learn from."""
        for places in np.array_split(np.arange(len(batch.indices)), self.count):
            weights = None if batch.weights is None else batch.weights[places]
            piece = batch._replace(indices=batch.indices[places], weights=weights)
            if _weight(piece):
                yield piece

    @staticmethod
    def _send(pipe: Connection, work: tuple) -> None:
        try:
            pipe.send_bytes(pickle.dumps(work, pickle.HIGHEST_PROTOCOL))
        except OSError as error:
            raise InputError(ENDED) from error

    def _receive(self, pipe: Connection) -> Lesson:
        batch = None
        try:
            while batch != self._batch:  # answers to a batch that was broken off may come first
                batch, found = pickle.loads(pipe.recv_bytes())
        except (OSError, EOFError) as error:
            raise InputError(ENDED) from error
        if isinstance(found, Exception):
            raise found
        return found


def _weight(batch: Batch) -> float:
    """What of a mean over targets is its own: their number, where all count alike."""
    return len(batch.indices) if batch.weights is None else float(batch.weights.sum())


def _serve(learner: Learner, pipe: Connection) -> None:
    """Learn from what comes through the pipe until its other end is closed."""
    with on_this_thread_alone(), suppress(EOFError, OSError):
        while True:
            batch, *work = pickle.loads(pipe.recv_bytes())
            try:
                answer: Lesson | Exception = learner(*work)
            except Exception as error:
                answer = sendable(error)
            pipe.send_bytes(pickle.dumps((batch, answer), pickle.HIGHEST_PROTOCOL))


def flatten(
    params: Mapping[str, np.ndarray], make: Callable[..., np.ndarray] = np.zeros
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Copy arrays into one vector: (vector (n,), views by path into it, in the same order).

    What is written into a view stands in the vector, and the other way round. All arrays must be of
    one dtype, float32 or float64. The order of the paths is the order in the vector: two networks
    built alike have their parameters in the same places. ``make`` is what makes the vector.

    >>> vector, views = flatten({"a": np.eye(2), "b": np.full(3, 5.0)})
    >>> vector *= 2
    >>> views["a"].tolist(), views["b"].tolist()
    ([[2.0, 0.0], [0.0, 2.0]], [10.0, 10.0, 10.0])
    """
    dtypes = sorted({str(array.dtype) for array in params.values()})
    if dtypes not in (["float32"], ["float64"]):
        raise ValueError(
            f"parameters are {' and '.join(dtypes) or 'none'}: expected one float type"
        )
    vector = make((sum(array.size for array in params.values()),), np.dtype(dtypes[0]))
    views = views_of(vector, params)
    fill(views, params)
    return vector, views


def views_of(vector: np.ndarray, params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Views into a vector (n,) with the paths, shapes and order of ``params``, in C order."""
    size = sum(array.size for array in params.values())
    if vector.shape != (size,):
        raise ValueError(f"the vector is {vector.shape}: the parameters need ({size},)")
    views, start = {}, 0
    for path, array in params.items():
        stop = start + array.size
        views[path] = vector[start:stop].reshape(array.shape)
        start = stop
    return views


def fill(views: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy arrays, such as the gradients of a backward pass, into the views of the same paths."""
    if views.keys() != arrays.keys():
        odd = sorted(views.keys() ^ arrays.keys())
        raise ValueError(f"{odd[0]} stands on one side only: both need the same paths")
    for path, view in views.items():
        if view.shape != arrays[path].shape:  # copyto would broadcast
            raise ValueError(f"{path} is {arrays[path].shape}: its view is {view.shape}")
        np.copyto(view, arrays[path])
