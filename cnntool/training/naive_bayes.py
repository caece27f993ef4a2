"""Multinomial Naive Bayes on n-grams (McCallum & Nigam, AAAI workshop 1998).

With c(k, g) how often the n-gram g stands in the texts of class k, G kinds of n-gram, and one added
to each count (Laplace)::

    log p(k | text) = log p(k) + sum over its n-grams of log((c(k, g) + 1) / (sum_g c(k, g) + G))

up to a constant. n-grams that stand in no training text are left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np

from cnntool.datasets.sequences.ragged import Ragged
from cnntool.datasets.texts.tokens import code_points
from cnntool.training.baselines import counted_kinds

AT_ONCE = 1 << 19
"""Tokens, or counts, that are looked up at a time."""

Text = Sequence[Hashable]
"""Of words, or of letters: a str."""


def letters(text: str) -> str:
    """With one blank before and behind each word, so that n-grams of letters tell where it ends.

    >>> letters("to  be")
    ' to be '
    """
    return f" {' '.join(text.split())} "


@dataclass(frozen=True, eq=False)
class NGrams:
    """Kinds of n-gram, of 1 to ``order`` tokens.

    ids: the number of each token, from 1. codes: (G,) int64, ascending, of the kinds: the numbers
    of an n-gram's tokens as the digits of one number, of which there are ``len(ids) + 1``.
    """

    ids: dict[Hashable, int]
    order: int
    codes: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[Text], order: int) -> NGrams:
        """Of none yet, but with the tokens of the texts."""
        tokens = dict.fromkeys(chain.from_iterable(texts))
        ids = {token: number for number, token in enumerate(tokens, start=1)}
        return cls(ids, order, np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def numbers(self, texts: Sequence[Text]) -> tuple[np.ndarray, np.ndarray]:
        """(M,) the place among the kinds of each n-gram that is one, and (M,) which text has it."""
        codes, owners = self._all(texts)
        places = np.minimum(np.searchsorted(self.codes, codes), max(0, len(self) - 1))
        is_known = self.codes[places] == codes if len(self) else np.zeros(len(codes), bool)
        return places[is_known], owners[is_known]

    def counts(self, texts: Sequence[Text]) -> tuple[np.ndarray, np.ndarray]:
        """The codes of the kinds that the texts have, ascending, and how often."""
        lengths = np.array([len(text) for text in texts], np.int64)
        return counted_kinds(self._all(texts[some])[0] for some in _parts(lengths))

    def _tokens(self, texts: Sequence[Text]) -> np.ndarray:
        """(M,) the numbers of those of all texts, 0 for unknown ones."""
        if not texts or not all(isinstance(text, str) for text in texts):
            found = [self.ids.get(token, 0) for token in chain.from_iterable(texts)]
            return np.array(found, np.int64)
        known = {ord(str(token)): number for token, number in self.ids.items()}
        table = np.zeros(max(known, default=0) + 2, np.int64)
        table[list(known)] = list(known.values())
        points = code_points("".join(map(str, texts))).astype(np.int64)
        return table[np.minimum(points, len(table) - 1)]

    def _all(self, texts: Sequence[Text]) -> tuple[np.ndarray, np.ndarray]:
        """(M,) the codes of all n-grams without unknown tokens, and whose each is. They wrap round
        above 55,000 kinds of letters, where two n-grams may count as one."""
        tokens = self._tokens(texts)
        owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        codes, firsts = tokens, owners
        found = [(codes[tokens > 0], firsts[tokens > 0])]
        for n in range(2, self.order + 1):
            last = tokens[n - 1 :]
            firsts = owners[: len(last)]
            is_whole = (codes[:-1] > 0) & (last > 0) & (firsts == owners[n - 1 :])
            codes = np.where(is_whole, codes[:-1] * (len(self.ids) + 1) + last, 0)
            found.append((codes[is_whole], firsts[is_whole]))
        codes, owners = (np.concatenate(each) for each in zip(*found, strict=True))
        return codes, owners


@dataclass(frozen=True, eq=False)
class NaiveBayes:
    """The logarithms above, without those of ``0 + 1``.

    labels: of the classes (K,), in the order of the alphabet. prior: (K,). totals: (K,) the
    logarithm of ``sum_g c(k, g) + G``. classes, logs: of each n-gram the classes that have it,
    and ``log(c(k, g) + 1)``, where ``places`` has it.
    """

    ngrams: NGrams
    labels: tuple[str, ...]
    prior: np.ndarray
    totals: np.ndarray
    places: Ragged
    classes: np.ndarray
    logs: np.ndarray

    @classmethod
    def fit(cls, texts: Sequence[Text], answers: Sequence[str], order: int) -> NaiveBayes:
        """On n-grams of 1 to ``order`` tokens: 2 for words, 4 for :func:`letters`."""
        labels, targets = np.unique(np.array(answers, object), return_inverse=True)
        tokens = NGrams.of(texts, order)
        members = [np.flatnonzero(targets == k).tolist() for k in range(len(labels))]
        each = [tokens.counts([texts[i] for i in own]) for own in members]
        ngrams = replace(tokens, codes=np.unique(np.concatenate([codes for codes, _ in each])))
        kinds = np.concatenate([np.searchsorted(ngrams.codes, codes) for codes, _ in each])
        logs = np.concatenate([np.log(times + 1) for _, times in each])
        classes = np.repeat(np.arange(len(labels)), [len(codes) for codes, _ in each])
        by_kind = np.argsort(kinds, kind="stable")
        sums = np.array([times.sum() for _, times in each])
        return cls(
            ngrams,
            tuple(labels.tolist()),
            np.log(np.bincount(targets) / len(targets)),
            np.log(np.maximum(1, sums + len(ngrams))),
            Ragged(np.arange(len(kinds)), np.bincount(kinds, minlength=len(ngrams))),
            classes[by_kind],
            logs[by_kind],
        )

    def answers(self, texts: Sequence[Text]) -> list[str]:
        """The likeliest class of each text, of equally likely ones the first."""
        found = []
        for some in _parts(np.array([len(text) for text in texts], np.int64)):
            found += [self.labels[k] for k in self.scores(texts[some]).argmax(axis=1)]
        return found

    def scores(self, texts: Sequence[Text]) -> np.ndarray:
        """(N, K) float64: the logarithms above."""
        numbers, owners = self.ngrams.numbers(texts)
        shape = len(texts), len(self.labels)
        known = np.bincount(owners, minlength=len(texts))
        scores = self.prior - known[:, None] * self.totals
        for part in _parts(self.places.lengths[numbers]):
            places = self.places.at(numbers[part])
            rows = np.repeat(owners[part], places.lengths)
            cells = rows * shape[1] + self.classes[places.values]
            found = np.bincount(cells, self.logs[places.values], minlength=scores.size)
            scores += found.reshape(shape)
        return scores


def _parts(lengths: np.ndarray) -> Iterator[slice]:
    """Of items with these lengths, so that each part is about AT_ONCE long."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    marks = np.arange(AT_ONCE, total, AT_ONCE)
    edges = [0, *np.searchsorted(ends, marks).tolist(), len(lengths)]
    for first, last in pairwise(edges):
        if first < last:
            yield slice(first, last)
