"""What a classifier of texts or series gets right and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnntool.training import measures
from cnntool.training.report import confusions
from cnntool.training.sequence_report import (
    Headline,
    SequenceReport,
    Share,
    WrongAnswer,
    class_facts,
    surest_first,
    text_at,
)


@dataclass(frozen=True, eq=False)
class ClassifierReport(SequenceReport):
    """labels: of the classes. targets, predicted: (N,) classes by number. probabilities: (N,) of
    what was predicted. texts: what was classified, None of series."""

    labels: Sequence[str]
    targets: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None = None
    texts: Sequence[str] | None = None

    def against(self, answers: Mapping[str, Sequence[str]]) -> ClassifierReport:
        """Beside what baselines answered, a label each sample, by their names."""
        numbers = {label: k for k, label in enumerate(self.labels)}
        others = {
            name: ClassifierReport(
                self.labels, self.targets, np.array([numbers[label] for label in labels], np.int64)
            )
            for name, labels in answers.items()
        }
        return replace(self, beside=others)

    @property
    def accuracy(self) -> Share:
        return Share.of([self.targets == self.predicted])

    @cached_property
    def confusion(self) -> np.ndarray:
        """(K, K) int64, rows the true classes, columns the predicted ones."""
        return measures.confusion_matrix(self.predicted, self.targets, len(self.labels))

    @cached_property
    def scores(self) -> measures.ClassScores:
        return measures.class_scores(self.confusion)

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
