"""What the reports on models of sequences have in common; each task has its own in a file of that
name: classifiers, taggers, and what decodes texts.

Answers are what the model itself decoded, and baselines are judged on the same samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnntool.training.measures import ClassScores
from cnntool.training.sequence_scores import interval
from cnntool.wording import plain


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
class SequenceReport:
    """places: of the samples, where they have one. beside: the reports of baselines by name."""

    places: Sequence[str] | None = field(default=None, kw_only=True)
    beside: Mapping[str, SequenceReport] = field(default_factory=dict, kw_only=True)

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
