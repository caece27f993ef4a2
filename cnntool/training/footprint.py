"""How much memory a run takes: measured in a trial, not reckoned, as layers know what they keep.

Of what is too large to be tried for nothing, shapes tell what it takes at least, and how long.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from copy import copy
from math import prod

import numpy as np

from cnntool.datasets.feeds import Batch
from cnntool.datasets.memory import check_free
from cnntool.datasets.sequences.feeds import Feed, SequenceFeed
from cnntool.engine.fast import winograd
from cnntool.engine.fast.scratch import give_back_freed_memory
from cnntool.engine.fast.threads import available_cores, one_blas_thread
from cnntool.errors import RequestError
from cnntool.files.limits import free_memory, resident_memory
from cnntool.networks.joined import Joined
from cnntool.networks.layers.convolutions import Convolution
from cnntool.networks.layers.layer import total
from cnntool.networks.network import Network
from cnntool.networks.objective import surprisals
from cnntool.networks.summary import multiply_adds
from cnntool.training.settings import Settings
from cnntool.training.shards import shared_array
from cnntool.training.task import Task
from cnntool.wording import bytes_text, counted, shape_text

FLOAT = 4
"""Bytes."""

MOST_PARAMETERS, MOST_WORK, MOST_VALUES = 1 << 24, 10**11, 1 << 28
"""Of a network that a dry run tries: its parameters, and of a step the multiply-adds forward and
the values that its layers give. Of a larger one it reckons."""

SIDE, TRIES = 1024, 4
"""Of a matrix whose product with itself takes some 10 ms."""

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


def least_bytes(network: Network, samples: int, settings: Settings) -> int:
    """What a run takes at least, by shapes alone: the parameters, as :func:`run_bytes` counts them,
    and of a step what comes into each layer that has any, as its gradients are made of that."""
    parameters = FLOAT * total(network.parameters())
    vectors = len(settings.build_optimizer().slots)
    shapes = (shape for _, layer, shape in network.each() if layer.parameters(shape))
    given = (prod(size for size in shape if size) for shape in shapes)
    return parameters * (1 + settings.shards + vectors) + max(
        parameters, FLOAT * samples * sum(given)
    )


def check_least(task: Task, remedy: str) -> int:
    """The same of a task whose network is not drawn: what it takes at least."""
    feed = task.feed
    needed = least_bytes(task.network, min(feed.batch_size, feed.samples), task.settings)
    text = f"training by a step of {feed.step_text} needs at least {bytes_text(needed)}"
    check_free(needed, text, remedy)
    return (resident_memory() or feed.nbytes) + needed


def check_parameters(network: Network, samples: int, settings: Settings, remedy: str) -> None:
    """InputError where parameters, gradients and the optimizer's vectors would not fit, with a step
    of so many samples, before any are drawn."""
    needed, count = least_bytes(network, samples, settings), total(network.parameters())
    check_free(needed, f"{count:,} parameters need {bytes_text(needed)} to be trained", remedy)


def is_large(network: Network, samples: int) -> bool:
    """Whether trying a step of so many samples, and drawing weights for it, takes long or much
    memory."""
    work, values = multiply_adds(network) * samples, _values(network) * samples
    is_much = work > MOST_WORK or values > MOST_VALUES
    return is_much or total(network.parameters()) > MOST_PARAMETERS


def least_seconds(task: Task) -> float:
    """What a step takes at least: the products on the way forward, and one for each on the way
    back, as fast as all cores multiply large matrices."""
    feed, network = task.feed, task.network
    is_pair = isinstance(network, Joined)  # of which each text is a token at least
    samples = feed.batch_size if is_pair else feed.samples / feed.steps
    return 2 * least_products(network) * samples / (available_cores() * _products_a_second())


def least_products(network: Network) -> float:
    """The multiply-adds of :func:`multiply_adds`, of kernels that may go by tiles only theirs."""
    spared = 1 - winograd.REACH**2 / (winograd.TILE * winograd.KERNEL) ** 2
    square = winograd.KERNEL, winograd.KERNEL
    by_tiles = (
        layer.multiply_adds(shape)
        for _, layer, shape in network.each()
        if isinstance(layer.inner, Convolution) and layer.inner.window.size == square
    )
    return multiply_adds(network) - spared * sum(by_tiles)


def _products_a_second() -> float:
    """Multiply-adds of one core: the most of a few tries."""
    matrix, taken = np.ones((SIDE, SIDE), np.float32), []
    with one_blas_thread():
        for _ in range(TRIES):
            began = time.perf_counter()
            matrix @ matrix
            taken.append(time.perf_counter() - began)
    return SIDE**3 / min(taken)


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
