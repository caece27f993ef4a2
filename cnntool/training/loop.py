"""The training loop: a generator of steps and epochs that knows nothing of screens and files."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cnntool.datasets.feeds import Batch
from cnntool.engine.fast.scratch import keep_freed_memory
from cnntool.engine.fast.threads import on_this_thread_alone
from cnntool.errors import InputError
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.network import Network
from cnntool.networks.objective import Lesson
from cnntool.training.progress import EarlyStopping, Place, check_history
from cnntool.training.schedules import parse_schedule
from cnntool.training.settings import Settings, Streams
from cnntool.training.shards import Shards, fill, flatten, shared_array, views_of
from cnntool.training.task import Diverged, Task, diverged, first_not_finite, is_finite

LEAST_PART, MOST_PARTS = 5_000, 4
"""Steps: a long epoch is judged on its way, too, at the ends of equal parts of so many or more."""

MOST_STAGES = 120
"""Of the first filters that are kept: as many as an animation shows of them."""

TRIED = 16
"""Samples, or rows, by which is seen whether what a network gives is finite."""

UNKEPT = ("seconds", "is_last")
"""What the history leaves out: clocks, and what another number of epochs changes."""


@dataclass(frozen=True)
class Step:
    """One batch has been learned from; judged: what came of the epoch so far, at the end of a part
    of a long one."""

    epoch: int  # from 1
    step: int  # from 1, within the epoch
    steps: int  # of an epoch
    samples: int  # of the batch: images, or tokens
    loss: float  # of the batch, before the step
    correct: int  # of the batch, before the step
    learning_rate: float
    seconds: float  # that the step took
    judged: Epoch | None = None


@dataclass(frozen=True)
class Epoch:
    """All samples have been learned from once more; validation is nan without a part for it.

    step: the last one of those it is about, where the epoch goes on.
    """

    epoch: int
    loss: float  # the mean over the epoch's batches, while the network changed
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    is_best: bool
    is_last: bool
    step: int | None = None

    def to_json(self) -> dict[str, Any]:
        """What the log keeps; None where there is no number."""
        plain = asdict(self)
        if self.step is None:
            del plain["step"]
        return {k: None if isinstance(v, float) and v != v else v for k, v in plain.items()}

    def to_history(self) -> dict[str, Any]:
        """What a file keeps."""
        return {key: value for key, value in self.to_json().items() if key not in UNKEPT}


class Trainer:
    """One run of a task, and everything that going on later needs.

    history: a row an epoch. filters: of the first convolution, where there is one, by the epochs
        done. best: parameters and buffers as they were where the loss was best, by their paths.

    :meth:`run` yields after every step and epoch, and may be left and called again there;
    :meth:`state` says where it stands, :meth:`restore` puts it there, bit for bit. ``with`` ends
    the processes that train along.
    """

    def __init__(self, task: Task, streams: Streams | None = None) -> None:
        keep_freed_memory()  # for the next step: its pages cleared anew take a quarter of the time
        self.task, settings = task, task.settings
        self.streams = Streams(settings.seed) if streams is None else streams
        self.history: list[dict[str, Any]] = []
        self.filters: dict[int, np.ndarray] = {}
        self.best: Arrays | None = None
        self.stopping = EarlyStopping(settings.patience or None)
        self._schedule = parse_schedule(settings.schedule)
        self._optimizer = settings.build_optimizer()
        self._share_parameters()
        self._optimizer_state = self._optimizer.start(self._vector)
        self._at = Place(order=self.streams["order"].bit_generator.state)
        self._batch: Batch | None = None  # the last one
        self._loss, self._checked_at = math.inf, -1
        self._keep_filters()

    def _share_parameters(self) -> None:
        """Lay parameters and gradients where the processes that train along see them.

        Buffers are not shared: each process has its own running statistics, and the network those
        of the first part of every batch.
        """
        self._vector, views = flatten(self.network.params, shared_array)
        self.network.params = views
        shape = self.settings.shards, self._vector.size
        self._gradients = shared_array(shape, self._vector.dtype)
        learners = [partial(self.task.learn, views_of(row, views)) for row in self._gradients]
        self._shards = Shards(learners, self._gradients)

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._shards.close()

    @property
    def network(self) -> Network:
        return self.task.network

    @property
    def settings(self) -> Settings:
        return self.task.settings

    @property
    def steps(self) -> int:
        """Of one epoch."""
        return self.task.feed.steps

    @property
    def place(self) -> tuple[int, int]:
        """Epochs done, and steps of the epoch after them."""
        return self._at.epoch, self._at.step

    @property
    def is_at_best(self) -> bool:
        """Whether the network is now as good as it has been."""
        return self.place == self.stopping.best_place

    @property
    def best_row(self) -> dict[str, Any] | None:
        """What the history says of the best network."""
        epoch, step = self.stopping.best_epoch, self.stopping.best_step
        if epoch is None:
            return None
        row = self.history[epoch - 1]
        return next((part for part in row.get("within", ()) if part.get("step") == step), row)

    @property
    def has_learned(self) -> bool:
        """Whether its loss, where it was last checked or judged, is below that of guessing."""
        return self._loss < math.log(self.network.output_shape[-1])

    @property
    def is_done(self) -> bool:
        return self._at.epoch >= self.settings.epochs or self.stopping.should_stop

    def run(self) -> Iterator[Step | Epoch]:
        """Train on from where the run stands until it is done.

        Raises :class:`~cnntool.training.task.Diverged` where the loss is no number any more, or
        what comes of an epoch is none; the network is then as it was after the last step whose
        loss and gradient were numbers.
        """
        while not self.is_done:
            yield from self._epoch()

    def check(self) -> None:
        """Diverged where the run, as it stands, is none to go on from: what it keeps, or what the
        network gives for some of what it learns from, is not finite. Else its loss on that is
        known."""
        place = self._at.epoch * self.steps + self._at.step
        if place == self._checked_at:
            return
        network, batch = self.network, self._batch or next(self.task.feed.batches())
        moments = {f"the optimizer's {name}": a for name, a in self._optimizer_state.items()}
        arrays = {**network.params, **network.buffers, **self.task.carried, **moments}
        some = batch._replace(indices=batch.indices[:TRIED], weights=None)
        broken = first_not_finite(arrays) or self.task.first_broken(some)
        if broken:
            raise self._diverged(f"{broken} is not finite")
        self._loss, self._checked_at = self.task.loss(some), place
        if not math.isfinite(self._loss):
            raise self._diverged(f"the loss is {self._loss}")

    def _diverged(self, what: str) -> Diverged:
        """That ``what`` is so after the last step."""
        epoch, step = self._at.epoch + bool(self._at.step), self._at.step
        place = f"epoch {epoch}, after step {step}" if step else f"after epoch {epoch}"
        return Diverged(f"{place}: {what}", self.settings, self.task.name)

    def _epoch(self) -> Iterator[Step | Epoch]:
        at, settings, rng = self._at, self.settings, self.streams["order"]
        rng.bit_generator.state = at.order
        ends_of_parts, samples = self._ends_of_parts(), 0
        for batch in self.task.feed.batches(rng):
            samples += batch.samples
            if batch.number <= at.step:
                continue
            began = time.perf_counter()
            done, total = at.epoch * self.steps + batch.number - 1, settings.epochs * self.steps
            rate = settings.learning_rate * self._schedule(done, total, self.steps)
            with on_this_thread_alone() if settings.shards > 1 else nullcontext():
                lesson = self._learn(batch, rate)
            took = time.perf_counter() - began
            at.step, at.rate = batch.number, rate
            at.loss += lesson.loss * batch.samples
            at.correct += lesson.correct
            at.seconds += took
            judged = None
            if batch.number in ends_of_parts:
                judged = self._judged(samples, batch.number)
                at.within.append(dict(sorted(judged.to_history().items())))  # as it is read back
            yield Step(
                at.epoch + 1,
                batch.number,
                self.steps,
                batch.samples,
                lesson.loss,
                lesson.correct,
                at.rate,
                took,
                judged,
            )
        yield self._end_of_epoch()

    def _learn(self, batch: Batch, rate: float) -> Lesson:
        """One step on a batch: its loss and how many were right, before the step."""
        seeds = self.streams["batches"].bit_generator
        changing = {**self.network.buffers, **self.task.carried}
        before = seeds.state, {path: array.copy() for path, array in changing.items()}
        seed = int(self.streams["batches"].integers(1 << 62))
        lesson, gradient = self._shards.learn(batch, seed), self._gradients[0]
        broken = first_not_finite(changing)
        if broken or not is_finite(lesson, gradient):
            seeds.state = before[0]
            fill(changing, before[1])
            raise diverged(lesson, self.task, batch, f"epoch {self._at.epoch + 1}", broken)
        self._optimizer.step(self._vector, gradient, self._optimizer_state, rate)
        self._batch = batch
        return lesson

    def _ends_of_parts(self) -> set[int]:
        """The steps behind which an epoch is judged before its end."""
        parts = 1 if self.task.held_out is None else min(MOST_PARTS, self.steps // LEAST_PART)
        return {self.steps * part // parts for part in range(1, parts)}

    def _end_of_epoch(self) -> Epoch:
        at, epoch = self._at, self._judged(self.task.feed.samples)
        order = self.streams["order"].bit_generator.state
        self._at = Place(at.epoch + 1, order=order, rate=at.rate)
        row = epoch.to_history()
        self.history.append({**row, "within": at.within} if at.within else row)
        self._keep_filters()
        return replace(epoch, is_last=self.is_done)

    def _judged(self, samples: int, step: int | None = None) -> Epoch:
        """What came of the first samples of an epoch, up to a step or all of it; the network is
        kept where it is the best so far. Diverged where nothing good can come of it."""
        at, began = self._at, time.perf_counter()
        self.check()
        judgement, number = self.task.judge(), at.epoch + 1
        judged = (math.nan,) * 2 if judgement is None else (judgement.loss, judgement.accuracy)
        loss = at.loss / samples
        if judgement is not None and not math.isfinite(judgement.loss):
            raise self._diverged(f"the validation loss is {judgement.loss}")
        self._loss = loss if judgement is None else judgement.loss
        is_best = self.stopping.update(number, self._loss, step or 0)
        if is_best:
            network = self.network
            self.best = {p: a.copy() for p, a in {**network.params, **network.buffers}.items()}
        at.seconds += time.perf_counter() - began
        accuracy = at.correct / samples
        return Epoch(number, loss, accuracy, *judged, at.rate, at.seconds, is_best, False, step)

    def _keep_filters(self) -> None:
        """Keep the first filters as they are, and of ever more epochs those evenly apart."""
        filters = next((a for a in self.network.params.values() if a.ndim == 4), None)
        if filters is None:
            return
        last, apart = self._at.epoch, 1
        while last // apart + 2 > MOST_STAGES:
            apart *= 2
        self.filters = {n: kept for n, kept in self.filters.items() if n % apart == 0}
        self.filters[last] = filters.copy()

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which the run goes on as if it had never stopped; the arrays
        are its own, and change with its next step.

        Parameters, buffers, filters and history are not among them, as they stand in a model file
        anyway; nor is the best network where that is the one there is.
        """
        arrays = {f"optimizer/{name}": array for name, array in self._optimizer_state.items()}
        arrays |= {f"carried/{name}": array for name, array in self.task.carried.items()}
        if self.best is not None and not self.is_at_best:
            arrays |= {f"best/{path}": array for path, array in self.best.items()}
        plain = {
            "place": asdict(self._at),
            "streams": self.streams.to_json(),
            "stopping": self.stopping.to_json(),
        }
        return arrays, plain

    def restore(
        self,
        arrays: dict[str, np.ndarray],
        plain: dict[str, Any],
        history: Sequence[dict[str, Any]],
        filters: Mapping[int, np.ndarray],
        name: str = "the model file",
    ) -> None:
        """Stand where :meth:`state` was asked; the network has its parameters already.

        InputError where the state is not one of this run.
        """
        self._optimizer_state = self._optimizer.restore(_part(arrays, "optimizer/"), self._vector)
        try:
            fill(self.task.carried, _part(arrays, "carried/"))
            self.streams.restore(plain["streams"])
            self._at = Place(**plain["place"])
            self.stopping.restore(plain["stopping"], name)
            self.streams["order"].bit_generator.state = self._at.order
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{name}: where its training stands cannot be read: {error}"
            ) from error
        self._at.check(name)
        epoch, step = self.place
        if step > self.steps:
            raise InputError(f"{name}: its training stands at step {step} of {self.steps}")
        if len(history) < epoch:
            raise InputError(f"{name}: its history ends before epoch {epoch}")
        if (self.stopping.best_place or (0, 0)) > self.place:
            raise InputError(f"{name} is damaged: its best epoch is none that it has behind it")
        self.best = self._best_of(_part(arrays, "best/"), name)
        self.history = list(history[:epoch])
        check_history(self.history, name)
        self.filters = {number: array for number, array in filters.items() if number <= epoch}

    def _best_of(self, kept: Arrays, name: str) -> Arrays | None:
        """The best network as a file has it: of its own, or the one where the run stands."""
        network = {**self.network.params, **self.network.buffers}
        if not kept and not self.is_at_best:
            return None
        found = {path: np.empty_like(array) for path, array in network.items()}
        try:
            fill(found, kept or network)
        except ValueError as error:
            raise InputError(f"{name} is damaged: of its best network, {error}") from None
        return found


def _part(arrays: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}
