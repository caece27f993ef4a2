"""What a text can be predicted with by counting: uniform, unigram and bigram.

A trained model ought to be better than these, on the same tokens. Over a vocabulary of V ids:

uniform   ``p(w) = 1 / V``
unigram   ``p(w) = (max(c(w) - D, 0) + D K / V) / N``
          with c(w) of N training tokens and K ids among them: what the discount D takes from each
          is spread over all V, so that an id which was never seen has a probability too
bigram    ``p(w | v) = (max(c(vw) - D, 0) + D F(v) q(w)) / c(v)``
          with c(vw) times w behind v, c(v) the sum of these and F(v) different w behind v;
          ``q(w) = (max(P(w) - E, 0) + E L / V) / B``
          with P(w) different v before w, B = sum of P(w) different pairs and L ids with P(w) > 0:
          how many contexts a word has, not how often it occurs. Behind a v that was never seen,
          ``p(w | v) = q(w)``

The discounts are ``n1 / (n1 + 2 n2)``, with n1 and n2 the numbers of counts that are 1 and 2: D of
those in its own line, E of P(w). Where n1 or n2 is 0 that would be 0 or 1, so 1/2 is taken. Where
there is nothing to count, 1 / V stands for the unigram and for q.

Sources: Kneser, Ney, ICASSP 1995; Chen, Goodman, An Empirical Study of Smoothing Techniques for
Language Modeling, TR-10-98, Harvard, 1998, sections 2.6 (the discount) and 2.7 (interpolated).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

DENSE_SIZE = 1 << 11
"""Vocabularies up to this have a table of all pairs: 32 MB, and no sorting."""

AT_ONCE = 1 << 23
"""Pairs that are sorted at a time: 64 MB."""

DEFAULT_DISCOUNT = 0.5


class Baselines(NamedTuple):
    """Cross-entropies in nats a token."""

    uniform: float
    unigram: float
    bigram: float


def cross_entropy(train_ids: np.ndarray, test_ids: np.ndarray, size: int) -> Baselines:
    """Of the baselines, counted on ``train_ids`` (N,), over the tokens of ``test_ids`` (M,).

    The first of ``test_ids`` is given, the other M - 1 are predicted, as by a model that reads the
    text from its beginning. size: of the vocabulary, V. ValueError where M is less than 2.
    """
    bigram = Bigram.fit(train_ids, size)
    unigram = Unigram.fit(train_ids, size)
    return Baselines(
        math.log(size), unigram.cross_entropy(test_ids), bigram.cross_entropy(test_ids)
    )


@dataclass(frozen=True, eq=False)
class Unigram:
    """The frequencies of ids, discounted and interpolated with the uniform distribution."""

    counts: np.ndarray  # (V,) c(w)

    @classmethod
    def fit(cls, ids: np.ndarray, size: int) -> Unigram:
        """Of the tokens (N,), all below ``size``."""
        return cls(_id_counts(ids, size))

    @cached_property
    def distribution(self) -> np.ndarray:
        """(V,) float64: p(w), all positive, of sum 1."""
        return _discounted(self.counts)

    def cross_entropy(self, ids: np.ndarray) -> float:
        """In nats a token, of all tokens (M,) but the first."""
        _check_test(ids)
        counts = _id_counts(ids[1:], len(self.counts))
        return -float(counts @ np.log(self.distribution)) / (len(ids) - 1)


@dataclass(frozen=True, eq=False)
class Bigram:
    """Interpolated Kneser-Ney smoothing of pairs.

    pairs: (K,) int64, ascending: ``v * size + w`` of each pair that was seen.
    counts: (K,) int64: c(vw).
    """

    pairs: np.ndarray
    counts: np.ndarray
    size: int

    @classmethod
    def fit(cls, ids: np.ndarray, size: int) -> Bigram:
        """Of the pairs of neighbours among the tokens (N,), all below ``size``."""
        return cls(*count_pairs(ids, size), size)

    @cached_property
    def discount(self) -> float:
        """D."""
        return discount(self.counts)

    @cached_property
    def continuation(self) -> np.ndarray:
        """(V,) float64: q(w), what to expect behind a token that was never seen."""
        contexts = np.zeros(self.size, np.int64)  # P(w)
        for part in _parts(self.pairs):
            contexts += np.bincount(part % self.size, minlength=self.size)
        return _discounted(contexts)

    def probability(self, histories: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """p(ids | histories), float64 of the shape of both together, which broadcast."""
        histories, ids = np.broadcast_arrays(
            np.asarray(histories, np.int64), np.asarray(ids, np.int64)
        )
        wanted = histories * self.size + ids
        places = np.minimum(np.searchsorted(self.pairs, wanted), max(0, len(self.pairs) - 1))
        seen = np.zeros(ids.shape)
        if len(self.pairs):
            discounted = np.maximum(self.counts[places] - self.discount, 0)
            seen = np.where(self.pairs[places] == wanted, discounted, 0)
        total, followers = (array[histories] for array in self._histories)
        is_new = total == 0
        backed_off = np.where(is_new, 1, self.discount * followers) * self.continuation[ids]
        return (seen + backed_off) / np.where(is_new, 1, total)

    def cross_entropy(self, ids: np.ndarray) -> float:
        """In nats a token, of all tokens (M,) but the first."""
        _check_test(ids)
        pairs, counts = count_pairs(ids, self.size)
        total = 0.0
        for part, times in zip(_parts(pairs), _parts(counts), strict=True):
            total += float(times @ np.log(self.probability(part // self.size, part % self.size)))
        return -total / (len(ids) - 1)

    @cached_property
    def _histories(self) -> tuple[np.ndarray, np.ndarray]:
        """(V,) c(v), how many tokens stand behind v, and (V,) F(v), how many kinds."""
        total, followers = np.zeros(self.size), np.zeros(self.size, np.int64)
        for part, times in zip(_parts(self.pairs), _parts(self.counts), strict=True):
            histories = part // self.size
            total += np.bincount(histories, times, minlength=self.size)
            followers += np.bincount(histories, minlength=self.size)
        return total, followers


def discount(counts: np.ndarray) -> float:
    """n1 / (n1 + 2 n2), or 1/2 where no count is 1 or none is 2."""
    ones, twos = (int(np.count_nonzero(counts == count)) for count in (1, 2))
    return ones / (ones + 2 * twos) if ones and twos else DEFAULT_DISCOUNT


def count_pairs(ids: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """``v * size + w`` of each pair of neighbours in ids (N,), ascending, and how often it occurs.

    Both (K,) int64. A small vocabulary has a table of all pairs; for a large one the pairs are
    sorted some millions at a time, and the runs merged, two of about the same length together.
    """
    if size <= DENSE_SIZE:
        table = np.zeros(size * size, np.int64)
        for codes in _codes(ids, size):
            table += np.bincount(codes, minlength=size * size)
        pairs = np.flatnonzero(table)
        return pairs.astype(np.int64, copy=False), table[pairs]
    runs: list[tuple[np.ndarray, np.ndarray]] = []
    for codes in _codes(ids, size):
        runs.append(_summed(np.sort(codes), None))
        while len(runs) > 1 and 2 * len(runs[-1][0]) >= len(runs[-2][0]):
            runs.append(_merged(runs.pop(), runs.pop()))
    while len(runs) > 1:
        runs.append(_merged(runs.pop(), runs.pop()))
    return runs[0] if runs else (np.zeros(0, np.int64), np.zeros(0, np.int64))


def _codes(ids: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(ids) - 1, AT_ONCE):
        part = ids[start : start + AT_ONCE + 1].astype(np.int64)
        codes = part[:-1] * size
        codes += part[1:]
        yield codes


def _merged(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    pairs, counts = (np.concatenate(both) for both in zip(first, second, strict=True))
    order = np.argsort(pairs, kind="stable")  # Timsort: linear for two sorted runs
    return _summed(pairs[order], counts[order])


def _summed(pairs: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Sorted pairs, each once, and the sum of its counts, each 1 for None."""
    starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
    if counts is None:
        return pairs[starts], np.diff(starts, append=len(pairs))
    return pairs[starts], np.add.reduceat(counts, starts)


def _discounted(counts: np.ndarray) -> np.ndarray:
    """(max(c - D, 0) + D K / V) / N of counts (V,) with sum N, K of them not 0."""
    total = counts.sum()
    if not total:
        return np.full(len(counts), 1 / len(counts))
    taken = discount(counts)
    spread = taken * np.count_nonzero(counts) / len(counts)
    return (np.maximum(counts - taken, 0) + spread) / total


def _id_counts(ids: np.ndarray, size: int) -> np.ndarray:
    counts = np.zeros(size, np.int64)
    for part in _parts(ids):
        counts += np.bincount(part, minlength=size)
    return counts


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(array), AT_ONCE):
        yield array[start : start + AT_ONCE]


def _check_test(ids: np.ndarray) -> None:
    if len(ids) < 2:
        raise ValueError(f"{len(ids)} test tokens: expected 2 or more, the first is given")
