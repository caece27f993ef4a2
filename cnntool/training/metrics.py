"""How good predictions are: accuracy, the confusion matrix, and what follows from it by class.

Classes are integers from 0 to K - 1. Scores (N, K) are logits or probabilities: only their order
counts.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.linear import check_ids
from cnntool.errors import InputError
from cnntool.networks.array_archive import not_there
from cnntool.networks.model_file import load_header


def predicted_classes(scores: np.ndarray) -> np.ndarray:
    """(N,) int64: the class of the largest score, the first one where several are equal."""
    return np.argmax(scores, axis=1).astype(np.int64, copy=False)


def accuracy(predicted: np.ndarray, targets: np.ndarray) -> float:
    """The fraction of predicted classes (N,) that are the targets (N,)."""
    predicted, targets = _pair(predicted, targets)
    return float(np.mean(predicted == targets))


def top_k_accuracy(scores: np.ndarray, targets: np.ndarray, k: int) -> float:
    """The fraction of targets (N,) among the k largest of their scores (N, K).

    Of equal scores the first count as larger, so that k = 1 gives the accuracy of
    :func:`predicted_classes`. A score that is not a number is never right. k may be larger than K.
    """
    if k < 1:
        raise ValueError(f"k is {k}, expected 1 or more")
    scores, targets = np.asarray(scores), np.asarray(targets)
    _pair(scores[:, 0], targets)
    check_ids(targets, scores.shape[1], "target", "classes")
    own = np.take_along_axis(scores, targets[:, None], axis=1)  # (N, 1)
    earlier = np.arange(scores.shape[1]) < targets[:, None]  # (N, K)
    above = ~(scores <= own) | ((scores == own) & earlier)
    return float(np.mean((above.sum(axis=1) < k) & ~np.isnan(own[:, 0])))


def confusion_matrix(predicted: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) int64: entry (i, j) counts the samples of class i that were taken for class j.

    Rows are the true classes, columns the predicted ones, as in scikit-learn.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    predicted, targets = _pair(predicted, targets)
    check_ids(predicted, classes, "predicted class", "classes")
    check_ids(targets, classes, "target", "classes")
    pairs = targets.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class Averages:
    """One number over all classes: macro, or weighted by support."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class ClassScores:
    """By class (K,), from the confusion matrix M:

    precision: ``M_kk / sum_i M_ik``, how many of those taken for k are k.
    recall: ``M_kk / sum_j M_kj``, how many of those that are k were found.
    f1: ``2 precision recall / (precision + recall)``, which is ``2 M_kk / (row + column)``.
    support: int64, how many there are.

    Where the denominator is 0, the score is 0, as in scikit-learn, and it is not left out of the
    averages. ``undefined`` names those: a mask (K,) for 'precision' (nothing was taken for k),
    'recall' (there are none of k) and 'f1' (neither).
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
        scores = np.stack([self.precision, self.recall, self.f1])  # (3, K)
        return Averages(*map(float, _quotients(scores @ weights, weights.sum())))


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Precision, recall, F1 and support of each class from a confusion matrix (K, K)."""
    confusion = np.asarray(confusion)
    right, taken, support = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    denominators = {"precision": taken, "recall": support, "f1": (taken + support) / 2}
    scores = {name: _quotients(right, below) for name, below in denominators.items()}
    undefined = {name: below == 0 for name, below in denominators.items()}
    return ClassScores(**scores, support=support.astype(np.int64), undefined=undefined)


def mean_loss(losses: np.ndarray, counts: np.ndarray) -> float:
    """The mean over all samples from the mean of each batch and its number of samples.

    A last batch that is smaller counts for less.
    """
    losses, counts = np.asarray(losses, np.float64), np.asarray(counts)
    if losses.shape != counts.shape or not counts.sum() > 0:
        raise ValueError(f"there are {losses.shape} losses and {counts.shape} counts of samples")
    return float(losses @ counts / counts.sum())


def _quotients(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below`` in float64, 0 where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below != 0)


def _pair(predicted: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, targets = np.asarray(predicted), np.asarray(targets)
    if predicted.shape != targets.shape or predicted.ndim != 1 or not len(targets):
        raise ValueError(
            f"predictions are for {predicted.shape} and targets {targets.shape}: expected one each "
            "for every sample, and at least one"
        )
    return predicted, targets


MEASURES = ("loss", "accuracy", "perplexity")
"""What a curve may show; the perplexity is ``exp(loss)``, the loss being in nats."""

PARTS = ("training", "validation")


@dataclass(frozen=True, eq=False)
class History:
    """One run.

    epochs: (E,) their numbers, from 1. values: (E,) float64 by measure and part, such as
        ``("loss", "validation")``; NaN where there is no number, all of it without a validation
        part.
    is_text: whether it is known to be a language model.
    """

    name: str
    epochs: np.ndarray
    values: dict[tuple[str, str], np.ndarray]
    is_text: bool = False


def read_history(path: str | os.PathLike) -> History:
    """The epochs of a model file, or of a log that ``--log`` wrote (JSON lines).

    Of an epoch that a log holds twice, as after going on from an earlier one, the later line
    counts. InputError, one line, for a file that is neither or holds no epoch that is done.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            start = file.read(2)
    except FileNotFoundError:
        raise not_there(name, "a model file or a log") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name} cannot be read: {reason}") from None
    is_text = False
    if start == b"PK":
        header = load_header(path)
        rows, is_text = list(header.history), header.kind == "rnn"
    else:
        rows = _log_rows(path, name)
    by_epoch = {row["epoch"]: row for row in rows if _is_epoch(row.get("epoch"))}
    if not by_epoch:
        raise InputError(f"{name} holds no epoch that is done: train one at least")
    epochs = sorted(by_epoch)
    rows = [by_epoch[epoch] for epoch in epochs]
    values = {}
    for part, start in zip(PARTS, ("", "validation_"), strict=True):
        for measure in ("loss", "accuracy"):
            values[measure, part] = np.array([_number(row.get(start + measure)) for row in rows])
        with np.errstate(over="ignore"):
            values["perplexity", part] = np.exp(values["loss", part])
    finite = {key: np.where(np.isfinite(v), v, np.nan) for key, v in values.items()}
    return History(name, np.array(epochs), finite, is_text)


def _log_rows(path: str | os.PathLike, name: str) -> list[dict[str, Any]]:
    """The lines of a log that are about epochs; one that a killed run left half is left out."""
    rows = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("no object")
            except (ValueError, RecursionError):
                if not line.strip() or (number > 1 and not line.endswith("\n")):
                    continue
                raise InputError(
                    f"{name} line {number} is no JSON object: expected a model file, or a log that "
                    "train-cnn --log wrote"
                ) from None
            if row.get("event") == "epoch":
                rows.append(row)
    return rows


def _is_epoch(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number else math.nan
    except OverflowError:
        return math.nan
