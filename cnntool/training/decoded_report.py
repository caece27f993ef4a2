"""What a translator or a captioner gets right and wrong in the texts that it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnntool.training.edit_distance import (
    ERROR_RATES,
    ErrorRate,
    token_error_rate,
    tokens_of,
)
from cnntool.training.report import (
    Headline,
    Report,
    Share,
    WrongAnswer,
    surest_first,
    text_at,
)
from cnntool.training.translation_scores import References, Score, bleu, chrf
from cnntool.wording import counted

SENTENCE = 4
"""Words that the references of sentences have on average, at least."""


@dataclass(frozen=True, eq=False)
class DecodedReport(Report):
    """kind: translator or captioner. references: of each sample one text or more, which are all
    right. level: of the tokens that the error rate counts: char, word, byte, or a lexicon's symbol.
    sources: None of pictures. odds: probabilities of the answers."""

    kind: str
    references: References
    answers: Sequence[str]
    level: str
    sources: Sequence[str] | None = None
    odds: Sequence[float] | np.ndarray | None = None

    def answered(self, answers: Sequence[str]) -> DecodedReport:
        return replace(self, answers=answers, odds=None)

    @cached_property
    def is_right(self) -> np.ndarray:
        """(N,) booleans: whether an answer is one of its references, where words or symbols are
        told apart by white space whatever that is."""
        same = _spaced if self.level in ("word", "symbol") else str
        pairs = zip(self.answers, self.references, strict=True)
        return np.array([same(answer) in map(same, right) for answer, right in pairs], bool)

    @property
    def distinct(self) -> int:
        """How many different answers there are."""
        return len(set(self.answers))

    @property
    def exact(self) -> Share:
        return Share.of([self.is_right])

    @cached_property
    def errors(self) -> ErrorRate:
        return token_error_rate(
            [tokens_of(text, self.level) for text in self.answers],
            [[tokens_of(text, self.level) for text in right] for right in self.references],
        )

    @property
    def tokenizer(self) -> str:
        """What BLEU counts, as the model's own tokens are: symbols, words or characters."""
        return {"symbol": "none", "word": "13a"}.get(self.level, "char")

    @cached_property
    def bleu(self) -> Score:
        return bleu(self.answers, self.references, tokenizer=self.tokenizer)

    @cached_property
    def chrf(self) -> Score:
        return chrf(self.answers, self.references)

    @property
    def score(self) -> Headline:
        """BLEU of translated sentences, else the share of exact answers."""
        words = sum(len(right[0].split()) for right in self.references)
        are_sentences = self.level != "symbol" and words >= SENTENCE * len(self.references)
        if self.kind == "translator" and are_sentences:
            return Headline("BLEU", self.bleu.value, f"{self.bleu.value:.1f}")
        return Headline("exact", self.exact.value, self.exact.text)

    def figures(self) -> dict[str, Any]:
        errors = {"name": ERROR_RATES[self.level], "rate": self.errors.rate}
        errors |= self.errors._asdict()
        return {
            "exact": self.exact.sure_facts(),
            "error_rate": errors,
            "bleu": self.bleu._asdict(),
            "different_answers": self.distinct,
        }

    def details(self) -> dict[str, Any]:
        return {"chrf": self.chrf._asdict()} if self.kind == "translator" else {}

    def summary(self) -> list[str]:
        rate = f"{ERROR_RATES[self.level]} {self.errors.rate:.1%}"
        if self.level == "symbol":  # what tools for pronunciation call WER
            rate = f"WER {1 - self.exact.value:.1%}, {rate}"
        parts = [f"exact {self.exact.sure_text}", rate]
        parts.append(f"BLEU {self.bleu.value:.1f} (tok:{self.tokenizer})")
        if self.kind == "translator":
            return [", ".join([*parts, f"chrF2 {self.chrf.value:.1f}"])]
        said = counted(self.distinct, "different caption")
        return [", ".join(parts), f"{said} for {counted(len(self.answers), 'picture')}"]

    @cached_property
    def mistakes(self) -> tuple[WrongAnswer, ...]:
        """Each with the first of its references."""
        return surest_first(
            WrongAnswer(
                index=i,
                step=None,
                place=text_at(self.places, i),
                given=text_at(self.sources, i),
                reference=self.references[i][0],
                answer=self.answers[i],
                probability=None if self.odds is None else float(self.odds[i]),
            )
            for i in np.flatnonzero(~self.is_right).tolist()
        )


def _spaced(text: str) -> str:
    return " ".join(text.split())
