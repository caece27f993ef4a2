"""How good a network is: the loss of each target, and what follows from its mistakes by class.

Classes are integers from 0 to K - 1. Scores (N, K) are logits or probabilities: only their order
counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cnntool.datasets.feeds import WindowFeed
from cnntool.datasets.sequences.feeds import Feed
from cnntool.engine.arrays import quotients
from cnntool.engine.linear import check_ids
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.network import Network
from cnntool.networks.objective import surprisals


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a network made of all targets of a feed.

    losses: (N,) float32, ``-log p(target)`` in nats. correct: how many were the likeliest.
    is_unknown: (N,) the targets that stand for unknown ones; None where there can be none.
    """

    losses: np.ndarray
    correct: int
    is_unknown: np.ndarray | None = field(default=None, kw_only=True)

    @property
    def count(self) -> int:
        return len(self.losses)

    @property
    def loss(self) -> float:
        """The mean, in nats."""
        return float(self.losses.mean(dtype=np.float64))

    @property
    def unknown(self) -> int:
        """How many targets stand for unknown ones."""
        return 0 if self.is_unknown is None else int(np.count_nonzero(self.is_unknown))

    @property
    def known_loss(self) -> float:
        """The mean over all others, in nats; nan where there are none. What a word is costs nothing
        where all that is said of it is that it is unknown."""
        if self.is_unknown is None or not self.unknown:
            return self.loss
        known = self.losses[~self.is_unknown]
        return float(known.mean(dtype=np.float64)) if len(known) else math.nan

    @property
    def accuracy(self) -> float:
        return self.correct / self.count


SETTLED = 1e-4
"""How much a state may differ that a row began with from that in which the row before it ended."""


def judge(network: Network, feed: Feed) -> Judgement:
    """Put a network to everything that a feed has, from states of 0 on.

    Rows of a text that are read side by side are judged as one long one: where reading a little
    before each does not give the state that the row before it ends with, more is read.
    """
    found, unknown, correct = [], [], 0
    states: Arrays = {}
    begun: Arrays = {}
    for batch in feed.batches():
        taken = feed.take(batch)
        before = states if feed.carries and batch.number > 1 else None
        losses, right, states = surprisals(
            network,
            taken.x,
            taken.targets,
            states=before,
            lengths=taken.lengths,
            counts=taken.counts,
        )
        found.append(losses)
        if feed.unknown is not None:
            unknown.append(taken.targets == feed.unknown)
        correct += right
        if isinstance(feed, WindowFeed) and batch.number == feed.warm_up:
            begun = states
    gaps = (np.abs(begun[path][1:] - states[path][:-1]).max() for path in begun)
    if isinstance(feed, WindowFeed) and any(gap > SETTLED for gap in gaps):
        return judge(network, feed.with_longer_warm_up())
    is_unknown = None if feed.unknown is None else feed.in_order(unknown)
    return Judgement(feed.in_order(found), correct, is_unknown=is_unknown)


class Measure(NamedTuple):
    """What a run is judged by: its accuracy, or what follows from its loss.

    name: what it is called. text: how it is written, of the accuracy or of the loss in nats.
    by_loss: which of the two. given: what it is told besides, that whoever uses the model is not.
    """

    name: str
    text: Callable[[float], str]
    by_loss: bool = True
    given: str = ""

    @property
    def kind(self) -> str:
        return "loss" if self.by_loss else "accuracy"

    def judged(self, value: float) -> str:
        """Such as ``accuracy 97.10%``, ``perplexity 123.4`` or ``bits/char 2.345``."""
        return f"{self.name} {self.text(value)}"

    def fully(self, value: float) -> str:
        """The same with what is given: ``perplexity 1.4 given the right beginning``."""
        return f"{self.judged(value)}{self.given and f' given {self.given}'}"

    def scored(self, value: float) -> float:
        """What its name says, of the loss or of the accuracy."""
        if not self.by_loss:
            return value
        return perplexity(value) if self.name == "perplexity" else bits(value)

    def number(self, value: float) -> str:
        """The loss or the accuracy itself."""
        return f"{value:.4f}" if self.by_loss else f"{value:.2%}"

    def is_better(self, value: float, other: float) -> bool:
        return value < other if self.by_loss else value > other


ACCURACY = Measure("accuracy", "{:.2%}".format, by_loss=False)


def measure_of(level: str) -> Measure:
    """What the field judges texts of words, of characters or of bytes by."""
    if level == "word":
        return Measure("perplexity", lambda loss: _perplexity_text(perplexity(loss)))
    return Measure(f"bits/{level}", lambda loss: f"{bits(loss):.3f}")


def perplexity(loss: float) -> float:
    """``e^loss``: among how many equally likely tokens the model is in doubt; inf if too large."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def _perplexity_text(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if value < 1e6 else f"{value:.3g}"


DECODED = Measure(
    "perplexity",
    lambda loss: _perplexity_text(perplexity(loss), 3),
    given="the right beginning",
)
"""Of texts that are said token by token, near 1; what a network says by itself is judged apart."""


def bits(nats: float) -> float:
    """The same in bits."""
    return nats / math.log(2)


def ranks(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many classes are likelier than the target (...), by their scores (..., K).

    Of equal scores the first count as larger, so that those of rank 0 are the likeliest by argmax.
    A score that is not a number has the rank K.
    """
    scores, targets = np.asarray(scores), np.asarray(targets)
    count = scores.shape[-1]
    check_ids(targets, count, "target", "classes")
    own = np.take_along_axis(scores, targets[..., None], axis=-1)
    is_before = np.arange(count) < targets[..., None]
    above = ~(scores <= own) | ((scores == own) & is_before)
    return np.where(np.isnan(own[..., 0]), count, above.sum(axis=-1))


def confusion_matrix(predicted: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) int64: entry (i, j) counts the samples of class i that were taken for class j.

    Rows are the true classes, columns the predicted ones, as in scikit-learn.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    predicted, targets = np.asarray(predicted), np.asarray(targets)
    if predicted.shape != targets.shape or predicted.ndim != 1 or not len(targets):
        raise ValueError(
            f"predictions are for {predicted.shape} and targets {targets.shape}: expected one each "
            "for every sample, and at least one"
        )
    check_ids(predicted, classes, "predicted class", "classes")
    check_ids(targets, classes, "target", "classes")
    pairs = targets.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class Averages:
    """One number over the classes that have one: macro, or weighted by support.

    classes: how many those are, by the name of the measure.
    """

    precision: float
    recall: float
    f1: float
    classes: dict[str, int]


@dataclass(frozen=True, eq=False)
class ClassScores:
    """By class (K,), from the confusion matrix M:

    precision: ``M_kk / sum_i M_ik``, how many of those taken for k are k.
    recall: ``M_kk / sum_j M_kj``, how many of those that are k were found.
    f1: ``2 precision recall / (precision + recall)``, which is ``2 M_kk / (row + column)``.
    support: int64, how many there are.

    Where the denominator is 0 there is no score: 0 stands in its place, and averages leave it out,
    as in scikit-learn with ``zero_division=nan``. ``undefined`` names those: a mask (K,) for
    'precision' (nothing was taken for k), 'recall' (there are none of k) and 'f1' (neither).
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    undefined: dict[str, np.ndarray]

    @property
    def macro(self) -> Averages:
        """The plain means over classes: every class counts the same."""
        return self._averages(np.ones(len(self.support)))

    @property
    def weighted(self) -> Averages:
        """The means weighted by support: every sample counts the same. Its recall is accuracy."""
        return self._averages(self.support)

    def _averages(self, weights: np.ndarray) -> Averages:
        means, classes = {}, {}
        for name, undefined in self.undefined.items():
            values, own = getattr(self, name)[~undefined], weights[~undefined]
            means[name] = float(quotients(values @ own, own.sum()))
            classes[name] = len(values)
        return Averages(**means, classes=classes)


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Precision, recall, F1 and support of each class from a confusion matrix (K, K)."""
    confusion = np.asarray(confusion)
    return scores_of_counts(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))


def scores_of_counts(right: np.ndarray, taken: np.ndarray, support: np.ndarray) -> ClassScores:
    """The same from (K,) how many were found, how many were taken for k, and how many there are."""
    denominators = {"precision": taken, "recall": support, "f1": (taken + support) / 2}
    scores = {name: quotients(right, below) for name, below in denominators.items()}
    undefined = {name: below == 0 for name, below in denominators.items()}
    return ClassScores(**scores, support=support.astype(np.int64), undefined=undefined)
