"""The target of the training source that is nearest to a source, by edit distance: what a memory
without understanding would translate.

To measure all of them would take hours. Candidates are those that share the most tokens and pairs
of neighbours (Ukkonen, 1992: each edit costs at most one token and two pairs): only they are
measured.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cnntool.datasets.sequences.ragged import Ragged
from cnntool.training.edit_distance import Tokens, edits

CANDIDATES = 32
MOST_SHARED = 1 << 17
"""Sources that are looked at because they have a token or a pair, counted each time: the rarest
come first, and what stands in most sources tells little."""

SOURCES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class NearestSource:
    """sources: (N,) of training, with their targets. lengths: (N,). places: which of them have each
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
