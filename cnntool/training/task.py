"""What a run learns, as the training loop sees it: batches, learners of their parts, a judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from cnntool.training.settings import Settings


class Batch(NamedTuple):
    """What one step learns from."""

    number: int  # from 1, within the epoch
    indices: np.ndarray  # of what processes can share: images, or the rows of a text
    samples: int  # that its loss is a mean over: images, or tokens


class Lesson(NamedTuple):
    """What a batch or a part of one gave, besides the gradient."""

    loss: float  # the mean over its samples
    correct: int
    is_finite: bool


class Learner(Protocol):
    """Learns from parts of batches, in one process."""

    def learn(self, batch: Batch, share: float, seed: tuple[int, ...]) -> Lesson:
        """Put ``share`` times the gradient of the part's mean loss where gradients go."""


class Trainable(Protocol):
    """A network, as far as the loop knows it: what is trained, and what else changes on the way."""

    params: dict[str, np.ndarray]
    buffers: dict[str, np.ndarray]


class Task(Protocol):
    """A network with what it learns from."""

    network: Trainable
    settings: Settings
    steps: int  # of an epoch
    samples: int  # of an epoch
    carried: dict[str, np.ndarray]
    """What goes on from step to step beside the network, in memory that all processes see."""

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Those of an epoch, in an order that is drawn from ``rng``."""

    def learner(self, grads: dict[str, np.ndarray]) -> Learner:
        """What learns, and puts gradients into these arrays, by the paths of the parameters."""

    def judge(self) -> tuple[float, float] | None:
        """Mean loss and accuracy of the network as it is on what was held out, if anything was."""

    def first_broken(self, batch: Batch) -> str | None:
        """The layer whose output for a batch is not finite first, in words; None if all are."""

    def header(self) -> dict[str, Any]:
        """What of it stands in the header of a model file, by the names there."""
