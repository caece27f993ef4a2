"""How much memory a run takes: measured in a trial, not reckoned, as layers know what they keep."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from copy import copy
from math import prod

import numpy as np

from cnntool.datasets.feeds import Batch
from cnntool.datasets.memory import check_free
from cnntool.datasets.sequences.feeds import Feed, SequenceFeed
from cnntool.engine.fast.scratch import give_back_freed_memory
from cnntool.errors import RequestError
from cnntool.files.limits import free_memory, resident_memory
from cnntool.networks.layers.layer import total
from cnntool.networks.network import Network
from cnntool.networks.objective import surprisals
from cnntool.training.shards import shared_array
from cnntool.training.task import Task
from cnntool.wording import bytes_text, counted, shape_text

FLOAT = 4
"""Bytes."""

TRIED = 64
"""Samples, or rows, of a trial at most."""

PROCESS_BYTES = 16 << 20
"""Of a process that trains along, beside its part of a step."""


HELD_OUT = "hold out nothing with --val-split 0, or set a smaller --hidden-size"
"""What helps where judging takes more than learning, as of one very long sequence it does."""


def run_bytes(task: Task) -> tuple[int, bool]:
    """What a run takes beside what is there already: the parameters where all processes see them,
    gradients for each, the optimizer's vectors and the best network; and what its part of a step
    takes, or a judgement, or the best model beside the last. And whether that is the judgement.
    Processes that train along keep the room of their parts meanwhile.

    That is not reckoned from the layers but measured: see :func:`_peak`. What lasts of a trial, as
    the room of BLAS, is there already then.
    """
    parameters = sum(array.nbytes for array in task.network.params.values())
    shards, vectors = task.settings.shards, len(task.settings.build_optimizer().slots)
    held = 0 if task.held_out is None else _peak(task, task.held_out, _judging)
    part = _peak(task, task.feed, _learning, shards)
    kept = parameters * (1 + shards + vectors) + (shards - 1) * (part + PROCESS_BYTES)
    return kept + max(part, parameters, held), held > max(part, parameters)


def _peak(task: Task, feed: Feed, work: Callable[[Task, Batch], None], parts: int = 1) -> int:
    """The most that a batch of a feed, or the largest of its parts, takes at any time.

    Python says it of all of the batch; where that is more than ``TRIED``, or than memory may hold,
    of fewer and of half as many, and what it comes to in proportion; never more than in proportion
    to the samples, as some of it is taken once, however many there are.
    """
    batch = next(feed.batches())
    count = -(-len(batch.indices) // parts)
    least = FLOAT * batch.samples // len(batch.indices) * _values(task.network)
    free = free_memory()
    most = count if free is None else free // (8 * least or 1)
    tried = max(1, min(count, TRIED, most))

    def traced(size: int) -> int:
        evenly = np.arange(size) * len(batch.indices) // size  # as they go by length
        some = batch.indices[evenly]
        weights = None if batch.weights is None else batch.weights[evenly]
        return _traced(lambda: work(task, batch._replace(indices=some, weights=weights)))

    whole = traced(tried)
    if tried == count:
        return whole
    few = tried // 2
    each = min(whole / tried, (whole - (traced(few) if few else 0)) / (tried - few))
    return round(whole + each * (count - tried))


def _values(network: Network) -> int:
    """Of what all layers but the last give for a sample, or a step of one."""
    return sum(prod(size for size in shape if size) for shape in network.output_shapes[:-1])


def _traced(work: Callable[[], None]) -> int:
    """The most that some work takes at any time, in bytes."""
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not was_tracing:
            tracemalloc.stop()


def _learning(task: Task, batch: Batch) -> None:
    """A step that nobody keeps."""
    own, network = copy(task), task.network
    buffers = {path: array.copy() for path, array in network.buffers.items()}
    own.network = network.with_arrays(network.params, buffers)
    own.carried = {path: array.copy() for path, array in task.carried.items()}
    grads = {path: shared_array(a.shape, a.dtype) for path, a in network.params.items()}
    own.learn(grads, batch, 1.0, (0,))


def _judging(task: Task, batch: Batch) -> None:
    assert task.held_out is not None  # as it is judged
    taken = task.held_out.take(batch)
    surprisals(task.network, taken.x, taken.targets, lengths=taken.lengths, counts=taken.counts)


def check_run(task: Task, remedy: str) -> int:
    """The bytes that a whole run takes, with what is there already; InputError where they would not
    fit."""
    needed, is_of_judging = run_bytes(task)
    give_back_freed_memory()
    there = resident_memory() or task.feed.nbytes
    text = f"training by a step of {task.feed.step_text} needs {bytes_text(needed)}"
    if is_of_judging and isinstance(task.feed, SequenceFeed):
        text, remedy = f"judging what is held out needs {bytes_text(needed)}", HELD_OUT
    check_free(needed, text, remedy)
    return there + needed


def check_parameters(network: Network, remedy: str) -> None:
    """InputError where parameters, gradients and the optimizer's vectors would not fit."""
    count = total(network.parameters())
    needed = 5 * FLOAT * count
    check_free(needed, f"{count:,} parameters need {bytes_text(needed)} to be trained", remedy)


def least_batch(network: Network, batch_size: int, unit: str) -> int:
    """Samples that every batch has to have; RequestError where that is more than it may."""
    name, layer, shape = max(network.each(), key=lambda each: each[1].least_batch(each[2]))
    least = layer.least_batch(shape)
    if batch_size < least:
        raise RequestError(
            f"--batch-size {batch_size}: {name} ({layer}) of {shape_text(shape)} needs "
            f"{counted(least, unit)} at a time to learn: use --batch-size {least} or more, or "
            "leave it out"
        )
    return least


def reason_for_one_process(network: Network) -> str | None:
    if not any(layer.mixes_samples for layer in network.layers):
        return None
    return (
        "batch norm needs the statistics of the whole batch, so one process trains; leave it out, "
        "or take a network without batch norm such as lenet"
    )
