"""How right the answers of a sequence task are: whole ones, their tokens, and how sure that is.

Of an answer there may be several references, texts that are all right. Spans of tags are in
:mod:`spans`, BLEU and chrF in :mod:`translation_scores`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnntool.datasets.texts.tokens import as_bytes
from cnntool.training.edit_distance import Tokens, edits
from cnntool.training.translation_scores import References

NORMAL_95 = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations of its mean."""

ERROR_RATES = {"char": "CER", "word": "WER", "symbol": "PER", "byte": "byte error rate"}
"""What the token error rate is called: of characters, words, phonemes and bytes."""


class Interval(NamedTuple):
    low: float
    high: float


def interval(right: int, count: int) -> Interval:
    """Where a share of ``right`` in ``count`` independent samples truly lies, 95 times in 100.

    Wilson's score interval (JASA 1927): with ``p = right / count`` and z of :data:`NORMAL_95`,
    ``(p + z^2/2n +- z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n)``. 0 to 1 of no samples.
    """
    if not count:
        return Interval(0.0, 1.0)
    share, spread = right / count, NORMAL_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def exact(answers: Sequence[str], references: References) -> np.ndarray:
    """(N,) booleans: whether each answer is one of its references."""
    pairs = zip(answers, references, strict=True)
    return np.array([answer in right for answer, right in pairs], bool)


def distinct(answers: Sequence[str]) -> int:
    """How many different ones there are."""
    return len(set(answers))


def tokens_of(text: str, level: str) -> Tokens:
    """The tokens that an error rate counts: characters, bytes, or what stands between blanks."""
    if level == "char":
        return text
    return as_bytes(text) if level == "byte" else text.split()


class ErrorRate(NamedTuple):
    """The edits that make references of answers, and how many tokens the references have."""

    insertions: int
    deletions: int
    substitutions: int
    tokens: int

    @property
    def edits(self) -> int:
        return self.insertions + self.deletions + self.substitutions

    @property
    def rate(self) -> float:
        """Edits a token, which may be above 1; where references are empty their number, as jiwer
        has it."""
        return self.edits / max(1, self.tokens)


def token_error_rate(
    answers: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> ErrorRate:
    """Over all answers together, each with the reference that takes the fewest edits, the first
    where several do."""
    repeated = [a for a, right in zip(answers, references, strict=True) for _ in right]
    every = [reference for right in references for reference in right]
    found = edits(repeated, every)
    distances, nearest, start = found.distances.tolist(), [], 0
    for right in references:
        end = start + len(right)
        nearest.append(min(range(start, end), key=distances.__getitem__))
        start = end
    chosen = np.array(nearest, np.int64)
    return ErrorRate(
        int(found.insertions[chosen].sum()),
        int(found.deletions[chosen].sum()),
        int(found.substitutions[chosen].sum()),
        tokens=sum(len(every[i]) for i in nearest),
    )
