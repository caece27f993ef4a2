"""How few tokens to insert, delete and substitute to make one sequence another (Levenshtein 1966),
the error rate that it comes to, and the nearest of many sequences.

The textbook's table ``D`` has a row for each token of the reference and a column for each of the
answer, beginning with ``D[i, 0] = i`` and ``D[0, j] = j``::

    D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + (reference[i] != answer[j]))

No cell of an anti-diagonal ``i + j = k`` needs another, so one is computed at once, for many pairs.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from cnntool.datasets.sequences.ragged import Ragged
from cnntool.datasets.texts.tokens import as_bytes

Tokens = Sequence[Hashable]
"""A text counts as its characters, bytes as theirs."""

ERROR_RATES = {"char": "CER", "word": "WER", "symbol": "PER", "byte": "byte error rate"}
"""What the token error rate is called: of characters, words, phonemes and bytes."""

CANDIDATES = 32
MOST_SHARED = 1 << 17
"""Sources that are looked at because they have a token or a pair, counted each time: the rarest
come first, and what stands in most sources tells little."""

SOURCES_AT_ONCE = 256

CELLS = 1 << 16
"""Of an anti-diagonal of all pairs that are computed side by side: five arrays fit the cache."""


@dataclass(frozen=True, eq=False)
class Edits:
    """What makes references of answers, (N,) int64 each. Insertions are tokens of the answer that
    the reference does not have, deletions those of the reference that the answer does not have.

    Of several ways with as few edits it is one with the fewest substitutions, which has the most
    tokens right.
    """

    insertions: np.ndarray
    deletions: np.ndarray
    substitutions: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """(N,) all of them."""
        return self.insertions + self.deletions + self.substitutions


def edits(answers: Sequence[Tokens], references: Sequence[Tokens]) -> Edits:
    """Of each answer and the reference at the same place; ValueError unless there is one each.

    >>> edits(["kitten"], ["sitting"]).distances.tolist()
    [3]
    """
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers and {len(references)} references: expected pairs")
    ids: dict[Hashable, int] = {}
    columns, rows = (_numbered(sequences, ids) for sequences in (answers, references))
    costs, unit = _costs(rows, columns)
    distances, substitutions = np.divmod(costs, unit)
    surplus = columns.lengths - rows.lengths  # insertions - deletions
    deletions = (distances - substitutions - surplus) // 2
    return Edits(deletions + surplus, deletions, substitutions)


def _numbered(sequences: Sequence[Tokens], ids: dict[Hashable, int]) -> Ragged:
    """A number for each kind of token, as in ``ids``, where new ones are put."""
    lengths = np.array([len(each) for each in sequences], np.int64)
    every = chain.from_iterable(sequences)
    values = [ids.setdefault(token, len(ids)) for token in every]
    return Ragged(np.array(values, np.int32), lengths)


def _costs(rows: Ragged, columns: Ragged) -> tuple[np.ndarray, int]:
    """(N,) int64 ``unit * edits + substitutions``, least of all ways, and the unit."""
    longest = np.maximum(rows.lengths, columns.lengths)
    unit = int(longest.max(initial=0)) + 1
    dtype = np.dtype(np.int32 if unit < 1 << 15 else np.int64)
    costs = np.zeros(len(rows), np.int64)
    order, start = np.argsort(-longest, kind="stable"), 0
    while start < len(order):
        count = max(1, CELLS // int(longest[order[start]] + 1))
        some = order[start : start + count]
        costs[some] = _block(rows.padded(some), columns.padded(some), unit, dtype)
        start += count
    return costs, unit


def _block(
    rows: tuple[np.ndarray, np.ndarray],
    columns: tuple[np.ndarray, np.ndarray],
    unit: int,
    dtype: np.dtype,
) -> np.ndarray:
    """(B,) of padded pairs, (R, B) and (C, B) with their lengths. What is past an end is computed
    too, and not looked at: no cell needs one below or to the right."""
    (reference, heights), (answer, widths) = rows, columns
    reversed_answer = answer[::-1]
    ends, last_row, last_column = heights + widths, len(reference), len(answer)
    costs = np.zeros(len(ends), np.int64)
    diagonals = np.zeros((3, last_row + 1, len(ends)), dtype)
    before, latest, new = diagonals[0], diagonals[1], diagonals[2]  # k - 2, k - 1 and k, by row
    for k in range(1, int(ends.max(initial=0)) + 1):
        low, high = max(1, k - last_column), min(k - 1, last_row)  # the rows inside the table
        if low <= high:
            first = last_column - k + low  # where among the reversed answer column k - low stands
            others = reversed_answer[first : first + high - low + 1]
            cells = new[low : high + 1]
            np.not_equal(reference[low - 1 : high], others, out=cells, casting="unsafe")
            cells *= unit + 1
            cells += before[low - 1 : high]
            shorter = np.minimum(latest[low - 1 : high], latest[low : high + 1])
            shorter += unit
            np.minimum(cells, shorter, out=cells)
        if k <= last_column:
            new[0] = k * unit
        if k <= last_row:
            new[k] = k * unit
        ended = np.flatnonzero(ends == k)
        costs[ended] = new[heights[ended], ended]
        before, latest, new = latest, new, before
    return costs


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


@dataclass(frozen=True, eq=False)
class NearestSource:
    """The target of the training source that is nearest to a source: what a memory without
    understanding would translate.

    To measure all of them would take hours. Candidates are those that share the most tokens and
    pairs of neighbours (Ukkonen, 1992: each edit costs at most one token and two pairs): only they
    are measured.

    sources: (N,) of training, with their targets. lengths: (N,). places: which of them have each
    token and each pair of neighbours, which are numbered by ``ids``."""

    sources: Sequence[Tokens]
    targets: Sequence[str]
    lengths: np.ndarray
    ids: dict[Hashable, int]
    places: Ragged

    @classmethod
    def fit(cls, sources: Sequence[Tokens], targets: Sequence[str]) -> NearestSource:
        ids: dict[Hashable, int] = {}
        numbers = [[ids.setdefault(part, len(ids)) for part in _parts(each)] for each in sources]
        counts = np.array([len(each) for each in numbers], np.int64)
        every = np.array([number for each in numbers for number in each], np.int64)
        owners = np.repeat(np.arange(len(sources)), counts)[np.argsort(every, kind="stable")]
        places = Ragged(owners, np.bincount(every, minlength=len(ids)))
        lengths = np.array([len(source) for source in sources], np.int64)
        return cls(sources, targets, lengths, ids, places)

    def answers(self, sources: Sequence[Tokens]) -> list[str]:
        """Of equally near sources the target of the first."""
        found: list[str] = []
        for start in range(0, len(sources), SOURCES_AT_ONCE):
            some = sources[start : start + SOURCES_AT_ONCE]
            chosen = np.array([self.candidates(source) for source in some])  # (S, C)
            repeated = [source for source in some for _ in range(chosen.shape[1])]
            others = [self.sources[i] for i in chosen.ravel().tolist()]
            distances = edits(repeated, others).distances.reshape(chosen.shape)
            nearest = np.take_along_axis(chosen, distances.argmin(axis=1)[:, None], axis=1)
            found += [self.targets[i] for i in nearest[:, 0].tolist()]
        return found

    def candidates(self, source: Tokens) -> np.ndarray:
        """(CANDIDATES,) the training sources to measure, ascending; all where there are fewer."""
        if len(self.sources) <= CANDIDATES:
            return np.arange(len(self.sources))
        known = [self.ids[part] for part in _parts(source) if part in self.ids]
        numbers = np.array(known, np.int64)
        counts = self.places.lengths[numbers]
        order = np.argsort(counts, kind="stable")
        rare = order[: max(1, np.searchsorted(np.cumsum(counts[order]), MOST_SHARED, "right"))]
        owners = self.places.at(numbers[rare]).values
        shared = np.bincount(owners, minlength=len(self.sources))
        missing = 2 * np.maximum(self.lengths, len(source)) - shared
        return np.sort(np.argpartition(missing, CANDIDATES - 1)[:CANDIDATES])


def _parts(tokens: Tokens) -> set[Hashable]:
    """The tokens and the pairs of neighbours of a sequence, its ends among them."""
    return {*tokens, *pairwise([None, *tokens, None])}
