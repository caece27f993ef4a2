"""The training loop: a generator of steps and epochs that knows nothing of screens and files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cnntool.datasets.augmentation import augment
from cnntool.datasets.augmentation_spec import parse_augmentation
from cnntool.datasets.batching import batches
from cnntool.datasets.parts import Parts
from cnntool.datasets.preprocessing import Preprocessing
from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.networks.network import Network
from cnntool.training.divergence import check_finite
from cnntool.training.early_stopping import EarlyStopping
from cnntool.training.evaluation import accuracy, logits_of, mean_loss
from cnntool.training.flat import flatten
from cnntool.training.optimizers import make_optimizer
from cnntool.training.schedules import parse_schedule
from cnntool.training.settings import Settings
from cnntool.training.streams import Streams


@dataclass(frozen=True)
class Step:
    """One batch has been learned from."""

    epoch: int  # from 1
    step: int  # from 1, within the epoch
    steps: int  # of an epoch
    samples: int  # of the batch
    loss: float  # of the batch, before the step
    correct: int  # of the batch, before the step
    learning_rate: float
    seconds: float  # that the step took


@dataclass(frozen=True)
class Epoch:
    """All images have been learned from once more; validation is nan without a part for it."""

    epoch: int
    loss: float  # the mean over the epoch's batches, while the network changed
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    is_best: bool
    is_last: bool

    def to_json(self) -> dict[str, Any]:
        """What the history and the log keep; None where there is no number."""
        plain = asdict(self)
        return {k: None if isinstance(v, float) and v != v else v for k, v in plain.items()}


class Trainer:
    """One run: a network, what it learns from, and everything that going on later needs.

    :meth:`run` yields after every step and epoch, and may be left and called again there;
    :meth:`state` says where it stands, :meth:`restore` puts it there, bit for bit.
    """

    def __init__(
        self,
        network: Network,
        preprocessing: Preprocessing,
        parts: Parts,
        settings: Settings,
        streams: Streams | None = None,
    ) -> None:
        self.network, self.preprocessing = network, preprocessing
        self.parts, self.settings = parts, settings
        self.streams = Streams(settings.seed) if streams is None else streams
        self.history: list[dict[str, Any]] = []
        self.stopping = EarlyStopping(settings.patience)
        self._augmentation = parse_augmentation(settings.augment) if settings.augment else None
        self._schedule = parse_schedule(settings.schedule)
        self._optimizer = make_optimizer(
            settings.optimizer,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            clip=settings.clip or None,
        )
        self._vector, network.params = flatten(network.params)
        self._gradient, self._grads = flatten(
            {path: np.zeros_like(array) for path, array in network.params.items()}
        )
        self._optimizer_state = self._optimizer.start(self._vector)
        self._at = _Place(order=self.streams.to_json()["order"])

    @property
    def steps(self) -> int:
        """Of one epoch."""
        return -(-len(self.parts.train) // self.settings.batch_size)

    @property
    def is_done(self) -> bool:
        return self._at.epoch >= self.settings.epochs or self.stopping.is_over

    def run(self) -> Iterator[Step | Epoch]:
        """Train on from where the run stands until it is done.

        Raises :class:`~cnntool.training.divergence.Diverged` where the loss is no number any more;
        the network is then as it was after the last step that went well.
        """
        while not self.is_done:
            yield from self._epoch()

    def _epoch(self) -> Iterator[Step | Epoch]:
        at, settings = self._at, self.settings
        self.streams["order"].bit_generator.state = at.order
        order = batches(len(self.parts.train), settings.batch_size, self.streams["order"])
        for number, indices in enumerate(order, 1):
            if number <= at.step:
                continue
            began = time.perf_counter()
            rate = settings.learning_rate * self._schedule(
                at.epoch * self.steps + number - 1, settings.epochs * self.steps
            )
            loss, correct = self._learn(indices, rate)
            took = time.perf_counter() - began
            at.step = number
            at.loss += loss * len(indices)
            at.correct += correct
            at.seconds += took
            yield Step(at.epoch + 1, number, self.steps, len(indices), loss, correct, rate, took)
        yield self._end_of_epoch(rate if at.step else 0.0)

    def _end_of_epoch(self, rate: float) -> Epoch:
        at, count, began = self._at, len(self.parts.train), time.perf_counter()
        losses = float("nan"), float("nan")
        if self.parts.validation is not None:
            logits = logits_of(self.network, self.preprocessing, self.parts.validation)
            y = self.parts.validation.y
            losses = mean_loss(logits, y), accuracy(logits, y)
        judged = at.loss / count if self.parts.validation is None else losses[0]
        is_best = self.stopping.update(judged)
        at.seconds += time.perf_counter() - began
        self._at = _Place(at.epoch + 1, order=self.streams["order"].bit_generator.state)
        epoch = Epoch(
            at.epoch + 1,
            at.loss / count,
            at.correct / count,
            *losses,
            rate,
            at.seconds,
            is_best,
            self.is_done,
        )
        self.history.append(epoch.to_json())
        return epoch

    def _learn(self, indices: np.ndarray, rate: float) -> tuple[float, int]:
        """One step on a batch: its loss and how many were right, before the step."""
        data = self.parts.train
        x, y = data.x[indices], data.y[indices]
        if self._augmentation is not None:
            x = augment(x, self._augmentation, self.streams["augment"], data.white)
        x = self.preprocessing.normalized(x, data.white)
        logits, caches = self.network.forward(x, training=True, rng=self.streams["dropout"])
        smoothing = self.settings.label_smoothing
        loss, cache = softmax_cross_entropy(logits, y, label_smoothing=smoothing)
        dlogits = softmax_cross_entropy_backward(1.0, cache)
        for path, grad in self.network.backward(dlogits, caches).items():
            self._grads[path][...] = grad
        check_finite(loss, self._gradient, self.network, x, self._at.epoch + 1, self._at.step + 1)
        self._optimizer.step(self._vector, self._gradient, self._optimizer_state, rate)
        return loss, int((logits.argmax(axis=1) == y).sum())

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which the run goes on as if it had never stopped."""
        arrays = {f"optimizer/{name}": a.copy() for name, a in self._optimizer_state.items()}
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
        history: list[dict[str, Any]],
    ) -> None:
        """Stand where :meth:`state` was asked; the network has its parameters already.

        ValueError where the state is not one of this run.
        """
        for name, array in self._optimizer_state.items():
            kept = arrays.get(f"optimizer/{name}")
            if kept is None or kept.shape != array.shape or kept.dtype != array.dtype:
                raise ValueError(f"the optimizer's {name} is missing or of another size")
            array[...] = kept
        self.streams.restore(plain["streams"])
        self.stopping = EarlyStopping.from_json(plain["stopping"])
        self._at = _Place(**plain["place"])
        self.history = list(history)


@dataclass
class _Place:
    """Where a run stands: epochs and steps done, and the sums of the epoch under way."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    order: dict[str, Any] | None = None  # the state that the epoch's order is drawn from
