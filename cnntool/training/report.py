"""What a model gets right and wrong: what all reports have in common, and that on classifiers, of
images, texts or series. Taggers, and what decodes texts, have theirs in files of that name.

Answers are what the model itself decoded, and baselines are judged on the same samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnntool.training.measures import ClassScores, class_scores, confusion_matrix
from cnntool.wording import plain

NORMAL_95 = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations of its mean."""


def interval(right: int, count: int) -> tuple[float, float]:
    """Where a share of ``right`` in ``count`` independent samples truly lies, 95 times in 100.

    Wilson's score interval (JASA 1927): with ``p = right / count`` and z of :data:`NORMAL_95`,
    ``(p + z^2/2n +- z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n)``. 0 to 1 of no samples.
    """
    if not count:
        return 0.0, 1.0
    share, spread = right / count, NORMAL_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


@dataclass(frozen=True)
class Share:
    """How many are right of how many."""

    right: int
    count: int

    @classmethod
    def of(cls, parts: Iterable[np.ndarray]) -> Share:
        """Of arrays of booleans."""
        counts = [(int(np.count_nonzero(each)), len(each)) for each in parts]
        return cls(sum(right for right, _ in counts), sum(count for _, count in counts))

    @property
    def value(self) -> float:
        """nan of none."""
        return self.right / self.count if self.count else math.nan

    @property
    def text(self) -> str:
        """``84.2%``."""
        return f"{self.value:.1%}"

    @property
    def sure_text(self) -> str:
        """``84.2% (82.1 to 86.1)``: with the interval that holds for independent samples."""
        low, high = interval(self.right, self.count)
        return f"{self.text} ({100 * low:.1f} to {100 * high:.1f})"

    def facts(self) -> dict[str, Any]:
        return {"share": self.value, "right": self.right, "count": self.count}

    def sure_facts(self) -> dict[str, Any]:
        return self.facts() | {"interval_95": interval(self.right, self.count)}


@dataclass(frozen=True)
class Headline:
    """The number to compare models by, the larger the better, and how it is written."""

    name: str
    value: float
    text: str


@dataclass(frozen=True)
class WrongAnswer:
    """index: of the sample; step: of the word in it, where single ones are wrong. given: the text
    or the word, '' where it is neither. probability: of the answer, None where nobody says it."""

    index: int
    step: int | None
    place: str
    given: str
    reference: str
    answer: str
    probability: float | None


@dataclass(frozen=True, eq=False)
class Report:
    """places: of the samples, where they have one. beside: the reports of baselines by name."""

    places: Sequence[str] | None = field(default=None, kw_only=True)
    beside: Mapping[str, Report] = field(default_factory=dict, kw_only=True)

    def against(self, answers: Mapping[str, Sequence[Any]]) -> Report:
        """Beside what baselines answered, by their names: an answer each sample, such as it has."""
        others = {name: replace(self.answered(each), beside={}) for name, each in answers.items()}
        return replace(self, beside=others)

    def answered(self, answers: Sequence[Any]) -> Report:
        """The same samples with other answers, of which no odds are known."""
        raise NotImplementedError

    @property
    def score(self) -> Headline:
        raise NotImplementedError

    @property
    def mistakes(self) -> tuple[WrongAnswer, ...]:
        """All of them, the surest first where probabilities are known."""
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        """The scores that baselines have too."""
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        raise NotImplementedError

    def summary(self) -> list[str]:
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """All scores with their settings, as JSON has them: None for what is not defined."""
        others = {name: other.figures() for name, other in self.beside.items()}
        return plain(self.figures() | self.details() | {"beside": others})

    def lines(self) -> list[str]:
        """A few, for the end of training."""
        others = [f"{name} {other.score.text}" for name, other in self.beside.items()]
        return [*self.summary(), *([f"beside it: {', '.join(others)}"] if others else [])]


def class_facts(labels: Sequence[str], scores: ClassScores) -> list[dict[str, Any]]:
    """Of each class; nan where a score has no denominator."""
    names = "precision", "recall", "f1"
    columns = [np.where(scores.undefined[name], np.nan, getattr(scores, name)) for name in names]
    return [
        {"label": label, **dict(zip(names, values, strict=True)), "support": support}
        for label, support, *values in zip(labels, scores.support, *columns, strict=True)
    ]


def surest_first(wrong: Iterable[WrongAnswer]) -> tuple[WrongAnswer, ...]:
    """Those of unknown probability last, else in the order of the data."""

    def doubt(each: WrongAnswer) -> float:
        return math.inf if each.probability is None else -each.probability

    return tuple(sorted(wrong, key=doubt))


def text_at(values: Sequence[Any] | None, index: int) -> str:
    """'' where there are none."""
    return "" if values is None else str(values[index])


@dataclass(frozen=True, eq=False)
class ClassifierReport(Report):
    """labels: of the classes. targets, predicted: (N,) classes by number. probabilities: (N,) of
    what was predicted. texts: what was classified, None of images and series.

    loss: the mean, in nats; top_k: the share of samples whose class is among the ``k`` likeliest;
    nan where nobody asks for them.
    """

    labels: Sequence[str]
    targets: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None = None
    texts: Sequence[str] | None = None
    loss: float = math.nan
    k: int = 1
    top_k: float = math.nan

    def answered(self, answers: Sequence[str]) -> ClassifierReport:
        numbers = {label: k for k, label in enumerate(self.labels)}
        predicted = np.array([numbers[label] for label in answers], np.int64)
        return ClassifierReport(self.labels, self.targets, predicted)

    @property
    def accuracy(self) -> Share:
        return Share.of([self.targets == self.predicted])

    @cached_property
    def confusion(self) -> np.ndarray:
        """(K, K) int64, rows the true classes, columns the predicted ones."""
        return confusion_matrix(self.predicted, self.targets, len(self.labels))

    @cached_property
    def scores(self) -> ClassScores:
        return class_scores(self.confusion)

    @property
    def score(self) -> Headline:
        return Headline("accuracy", self.accuracy.value, self.accuracy.text)

    def figures(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy.sure_facts(), "macro_f1": self.scores.macro.f1}

    def details(self) -> dict[str, Any]:
        taken = [
            {"true": self.labels[pair.target], "predicted": self.labels[pair.predicted]}
            | {"count": pair.count, "share": pair.share}
            for pair in confusions(self.confusion)
        ]
        scores = self.scores
        averages = {"macro": scores.macro, "weighted": scores.weighted}
        return {**averages, "classes": class_facts(self.labels, scores), "confusions": taken}

    def summary(self) -> list[str]:
        scores = self.scores
        classes, there = scores.macro.classes["f1"], len(self.labels)
        over = f" over {classes} of {there} classes" if classes < there else ""
        return [f"accuracy {self.accuracy.sure_text}, macro F1 {scores.macro.f1:.3f}{over}"]

    @cached_property
    def mistakes(self) -> tuple[WrongAnswer, ...]:
        odds = self.probabilities
        return surest_first(
            WrongAnswer(
                index=i,
                step=None,
                place=text_at(self.places, i),
                given=text_at(self.texts, i),
                reference=self.labels[self.targets[i]],
                answer=self.labels[self.predicted[i]],
                probability=None if odds is None else float(odds[i]),
            )
            for i in np.flatnonzero(self.targets != self.predicted).tolist()
        )


@dataclass(frozen=True)
class Confusion:
    """Samples of one class taken for another: how many, and their share of the class."""

    target: int
    predicted: int
    count: int
    share: float


def confusions(confusion: np.ndarray) -> list[Confusion]:
    """Every pair of classes that were taken for each other, the most frequent first."""
    wrong = confusion * ~np.eye(len(confusion), dtype=bool)
    support = confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
    return [
        Confusion(int(i), int(j), int(wrong[i, j]), float(wrong[i, j] / support[i]))
        for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
    ]
