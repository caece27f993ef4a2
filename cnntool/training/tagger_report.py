"""What a tagger of words, steps or frames gets right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from cnntool.training import measures
from cnntool.training.report import (
    Headline,
    Report,
    Share,
    WrongAnswer,
    class_facts,
    surest_first,
    text_at,
)
from cnntool.training.spans import NO_SCHEME, SpanScores, scheme, span_scores

TagsOfAll = Sequence[Sequence[str]]


@dataclass(frozen=True, eq=False)
class TaggerReport(Report):
    """labels: the tags. true, predicted: of each sequence, one a step. words: likewise, None where
    steps are no words. is_unknown: likewise, booleans: which words training did not have.
    probabilities: likewise, of what was predicted. unit: what has a tag: a word, step or frame.

    The steps of a sequence depend on each other, so only whole sequences have an interval.
    """

    labels: Sequence[str]
    true: TagsOfAll
    predicted: TagsOfAll
    words: TagsOfAll | None = None
    is_unknown: Sequence[Sequence[bool] | np.ndarray] | None = None
    probabilities: Sequence[Sequence[float] | np.ndarray] | None = None
    unit: str = "word"

    def answered(self, answers: TagsOfAll) -> TaggerReport:
        return replace(self, predicted=answers, probabilities=None)

    @cached_property
    def is_right(self) -> list[np.ndarray]:
        """Of each sequence, (T,) booleans."""
        return [
            np.array([a == b for a, b in zip(said, tags, strict=True)], bool)
            for said, tags in zip(self.predicted, self.true, strict=True)
        ]

    @property
    def accuracy(self) -> Share:
        """Of single steps."""
        return Share.of(self.is_right)

    @property
    def unknown(self) -> Share | None:
        """Of unknown words; None where nobody says which those are."""
        if self.is_unknown is None:
            return None
        pairs = zip(self.is_right, self.is_unknown, strict=True)
        return Share.of(right[np.asarray(unknown, bool)] for right, unknown in pairs)

    @property
    def whole(self) -> Share:
        """Of sequences, those without a mistake."""
        return Share.of([np.array([each.all() for each in self.is_right], bool)])

    @cached_property
    def scheme(self) -> str:
        """That of the true tags."""
        return scheme(self.true)

    @cached_property
    def spans(self) -> SpanScores | None:
        """None where tags are of no scheme."""
        return None if self.scheme == NO_SCHEME else span_scores(self.predicted, self.true)

    @cached_property
    def scores(self) -> tuple[tuple[str, ...], measures.ClassScores]:
        """All tags, behind those of the model what only the data has, and their scores."""
        numbers = {tag: k for k, tag in enumerate(self.labels)}
        said, true = (
            np.array([numbers.setdefault(tag, len(numbers)) for tag in chain.from_iterable(tags)])
            for tags in (self.predicted, self.true)
        )
        confusion = measures.confusion_matrix(said, true, len(numbers))
        return tuple(numbers), measures.class_scores(confusion)

    @property
    def score(self) -> Headline:
        """F1 of spans, where tags are of a scheme, else the share of steps."""
        if self.spans is None:
            return Headline("accuracy", self.accuracy.value, self.accuracy.text)
        return Headline("span F1", self.spans.micro.f1, f"{self.spans.micro.f1:.1%}")

    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {f"{self.unit}s": self.accuracy.facts()}
        if self.unknown is not None:
            found[f"unknown_{self.unit}s"] = self.unknown.facts()
        found["whole"] = self.whole.sure_facts()
        if self.spans is not None:
            found["span_f1"] = self.spans.micro.f1
        return found

    def details(self) -> dict[str, Any]:
        found: dict[str, Any] = {"scheme": self.scheme, "tags": class_facts(*self.scores)}
        if (spans := self.spans) is not None:
            averages: dict[str, Any] = {"micro": spans.micro._asdict(), "macro": spans.macro}
            types = class_facts(spans.types, spans.by_type)
            found["spans"] = {"rule": "conlleval", **averages, "types": types}
        return found

    def summary(self) -> list[str]:
        parts = [f"{self.unit}s {self.accuracy.text}"]
        if self.unknown is not None and self.unknown.count:
            parts.append(f"unknown {self.unit}s {self.unknown.text}")
        found = [", ".join([*parts, f"whole {self.whole.sure_text}"])]
        if self.spans is not None:
            precision, recall, f1 = self.spans.micro
            found.append(
                f"spans ({self.scheme}, conlleval's rule) F1 {f1:.1%}, precision {precision:.1%}, "
                f"recall {recall:.1%}, macro F1 {self.spans.macro.f1:.1%}"
            )
        return found

    @cached_property
    def mistakes(self) -> tuple[WrongAnswer, ...]:
        odds = self.probabilities
        return surest_first(
            WrongAnswer(
                index=i,
                step=step,
                place=text_at(self.places, i),
                given=text_at(None if self.words is None else self.words[i], step),
                reference=self.true[i][step],
                answer=self.predicted[i][step],
                probability=None if odds is None else float(odds[i][step]),
            )
            for i, is_right in enumerate(self.is_right)
            for step in np.flatnonzero(~is_right).tolist()
        )
