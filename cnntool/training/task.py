"""What a run learns: a network, the feed of what it learns from, and what is held out to judge it.

    feed -> network.forward -> loss -> network.backward -> gradients

is one step, of images as of texts; the loop hands the gradients to the optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from cnntool.datasets.feeds import Batch
from cnntool.datasets.sequences.feeds import Feed
from cnntool.errors import InputError
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.network import Network
from cnntool.networks.objective import Lesson, loss_and_gradients, surprisals
from cnntool.specs import number_text
from cnntool.training.measures import Judgement, Measure, judge
from cnntool.training.settings import Settings
from cnntool.training.shards import shared_array


class Task:
    """A network with all that it learns from.

    name: the kind of task, as a model file has it. held_out: None where nothing is. measure: what
        to judge it by.
    fingerprint: of the data before any was held out. origin: where it came from and how it was
        split, as plain JSON; it stands beside the settings in a file.
    carried: the states that go on from batch to batch, by path, in memory that all processes see.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        feed: Feed,
        held_out: Feed | None,
        settings: Settings,
        measure: Measure,
        fingerprint: str = "",
        origin: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.network, self.measure = name, network, measure
        self.feed, self.held_out, self.settings = feed, held_out, settings
        self.fingerprint, self.origin = fingerprint, origin or {}
        self.carried: Arrays = {}
        if feed.carries:
            starts = network.start(feed.batch_size)
            self.carried = {p: shared_array(a.shape, a.dtype) for p, a in starts.items()}

    def learn(self, grads: Arrays, batch: Batch, share: float, seed: tuple[int, ...]) -> Lesson:
        """Put ``share`` times the gradient of the mean loss of a batch, or of a part of one, into
        ``grads``, by the paths of the parameters, and carry its states over.

        seed: what changes of the data and dropout are drawn from.
        """
        rng = np.random.Generator(np.random.PCG64(seed))
        taken = self.feed.take(batch, rng)
        with np.errstate(all="ignore"):  # what is not finite is found and said by the loop
            lesson = loss_and_gradients(
                self.network,
                taken.x,
                taken.targets,
                grads,
                states=self._carried_into(batch, taken.begins),
                lengths=taken.lengths,
                counts=taken.counts,
                rng=rng,
                label_smoothing=self.settings.label_smoothing,
                share=share,
            )
        for path, carried in self.carried.items():
            carried[batch.indices] = lesson.states[path]
        return lesson._replace(states={})  # so that a process sends two numbers back

    def _carried_into(self, batch: Batch, begins: np.ndarray | None) -> Arrays | None:
        """The states of its rows, 0 where they begin; None where none are carried."""
        if not self.carried:
            return None
        states = {path: carried[batch.indices] for path, carried in self.carried.items()}
        for state in states.values():
            state[slice(0) if begins is None else begins] = 0
        return states

    def judge(self) -> Judgement | None:
        """What the network as it is makes of what is held out, if anything is."""
        return None if self.held_out is None else judge(self.network, self.held_out)

    def loss(self, batch: Batch) -> float:
        """The mean loss of a batch, of the network as it is."""
        taken = self.feed.take(batch)
        found, _, _ = surprisals(
            self.network,
            taken.x,
            taken.targets,
            states=self._carried_into(batch, taken.begins),
            lengths=taken.lengths,
            counts=taken.counts,
        )
        count = found.size if taken.counts is None else np.count_nonzero(taken.counts)
        return float(found.sum(dtype=np.float64)) / max(1, count)

    def first_broken(self, batch: Batch) -> str | None:
        """The layer whose output for a batch is not finite first, in words; None if all are."""
        with np.errstate(all="ignore"):
            taken = self.feed.take(batch)
            states = self._carried_into(batch, taken.begins)
            outputs = self.network.outputs(taken.x, states, taken.lengths)
        for (name, layer, _), output in zip(self.network.each(), outputs, strict=True):
            if not np.isfinite(output).all():
                return f"the output of {name} ({layer})"
        return None

    def header(self) -> dict[str, Any]:
        """What of it stands in the header of a model file, by the names there."""
        return {
            "kind": self.name,
            "spec": self.network.spec,
            **self.feed.header(),
            "seed": self.settings.seed,
            "training": {**asdict(self.settings), **self.origin},
            "fingerprint": self.fingerprint,
        }


class Diverged(InputError):
    """A loss, a gradient or what a run keeps is NaN or infinite; the message says where, and what
    usually helps: ``remedy``, an option, with which a run can go on where it ``is_changeable``."""

    def __init__(self, what: str, settings: Settings, task: str) -> None:
        rate, decay = settings.smaller_rate(task), settings.gentler_decay(task)
        self.is_changeable = decay is None
        if decay is None:
            self.remedy = f"--learning-rate {number_text(rate)}"
            cure = f"a smaller step usually helps, {self.remedy}"
            if not 0 < settings.clip <= 1:
                cure += ", and --clip 1 where that is not enough"
        else:
            self.remedy = f"--weight-decay {number_text(decay)}"
            cure = (
                f"--weight-decay {number_text(settings.weight_decay)} times the learning rate of "
                f"{number_text(settings.learning_rate)} is 1 or more, which leaves nothing of a "
                f"parameter: try {self.remedy}"
            )
        super().__init__(f"{what}: {cure}")


def is_finite(lesson: Lesson, gradient: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        squares = np.dot(gradient, gradient)
    return math.isfinite(lesson.loss) and bool(np.isfinite(squares) or np.isfinite(gradient).all())


def first_not_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """The name of the first array that holds what is no number."""
    return next((path for path, array in arrays.items() if not np.isfinite(array).all()), None)


def diverged(
    lesson: Lesson, task: Task, batch: Batch, epoch: str, kept: str | None = None
) -> Diverged:
    """What to raise for a batch whose loss or flat gradient is not finite, or what layers keep of
    it, by the path ``kept``."""
    what = _first_broken(lesson, task, batch, kept)
    return Diverged(f"{epoch}, step {batch.number}: {what}", task.settings, task.name)


def _first_broken(lesson: Lesson, task: Task, batch: Batch, kept: str | None) -> str:
    """Which values broke first: parameters, a layer's output, what it keeps, the loss, or the way
    back."""
    broken = first_not_finite(task.network.params) or task.first_broken(batch) or kept
    if broken is not None:
        return f"{broken} is not finite"
    if not math.isfinite(lesson.loss):
        return f"the loss is {lesson.loss}"
    return "the gradient is not finite though the loss is"
