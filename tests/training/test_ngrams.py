"""The baselines by hand, against dictionaries of fractions, and as distributions."""

import math
import time
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.training import baselines
from cnntool.training.baselines import Bigram, Unigram, count_pairs, cross_entropy, discount

A, B, C, D = range(4)
CORPUS = np.array([A, B, A, B, A, C, B], np.uint8)
"""The hand-worked text "a b a b a c b" over a, b, c, d; d never occurs.

Pairs: ab 2, ba 2, ac 1, cb 1. Two occur once, two twice: D = 2 / (2 + 2 * 2) = 1/3.
Contexts: a has 1 (b), b has 2 (a, c), c has 1 (a); together 4. Two have one, one has two:
E = 2 / (2 + 2 * 1) = 1/2. What E takes, 3 * 1/2, is spread over four: 3/8 each.
q(a) = (1 - 1/2 + 3/8) / 4 = 7/32      q(b) = (2 - 1/2 + 3/8) / 4 = 15/32
q(c) = q(a) = 7/32                     q(d) = (3/8) / 4 = 3/32
Behind a: 3 tokens of 2 kinds, so D takes 2/3.
p(a | a) = (2/3 * 7/32) / 3 = 7/144                p(b | a) = (5/3 + 2/3 * 15/32) / 3 = 95/144
p(c | a) = (2/3 + 2/3 * 7/32) / 3 = 39/144         p(d | a) = (2/3 * 3/32) / 3 = 3/144
Behind b: 2 tokens of 1 kind.  p(a | b) = (5/3 + 1/3 * 7/32) / 2 = 167/192
Behind c: 1 token.             p(b | c) = 2/3 + 1/3 * 15/32 = 79/96
Single tokens: a 3, b 3, c 1 of 7. One occurs once, none twice: D = 1/2; 3 * 1/2 / 4 = 3/8 each.
p(a) = p(b) = (5/2 + 3/8) / 7 = 23/56     p(c) = (1/2 + 3/8) / 7 = 7/56     p(d) = (3/8) / 7 = 3/56
"""


def test_the_bigram_of_the_hand_worked_text():
    model = Bigram.fit(CORPUS, 4)
    assert model.discount == pytest.approx(1 / 3, abs=1e-15)
    np.testing.assert_allclose(model.continuation * 32, [7, 15, 7, 3], rtol=1e-14)
    np.testing.assert_allclose(model.probability(A, range(4)) * 144, [7, 95, 39, 3], rtol=1e-14)
    np.testing.assert_allclose(model.probability(D, range(4)) * 32, [7, 15, 7, 3], rtol=1e-14)
    others = model.probability([B, C], [A, B])
    np.testing.assert_allclose(others, [167 / 192, 79 / 96], rtol=1e-14)


def test_the_unigram_of_the_hand_worked_text():
    np.testing.assert_allclose(Unigram.fit(CORPUS, 4).distribution * 56, [23, 23, 7, 3], rtol=1e-14)


def test_the_cross_entropies_of_the_hand_worked_text():
    """Of "d a b a c" all but d, which is given: a | d, b | a, a | b, c | a."""
    found = cross_entropy(CORPUS, np.array([D, A, B, A, C]), 4)
    assert found.uniform == pytest.approx(math.log(4), rel=1e-14)
    unigram = Fraction(23, 56) ** 3 * Fraction(7, 56)
    assert found.unigram == pytest.approx(-math.log(unigram) / 4, rel=1e-14)
    bigram = Fraction(7, 32) * Fraction(95, 144) * Fraction(167, 192) * Fraction(39, 144)
    assert found.bigram == pytest.approx(-math.log(bigram) / 4, rel=1e-14)


def fraction_discount(counts):
    times = Counter(counts)
    both = times[1] and times[2]
    return Fraction(times[1], times[1] + 2 * times[2]) if both else Fraction(1, 2)


def by_fractions(ids, size):
    """The bigram by its definition, in dictionaries and exact."""
    pairs = Counter(pairwise(ids))
    contexts = Counter(w for _, w in pairs)
    d, e = fraction_discount(pairs.values()), fraction_discount(contexts.values())

    def q(w):
        if not pairs:
            return Fraction(1, size)
        return (max(contexts[w] - e, 0) + e * len(contexts) / size) / len(pairs)

    def p(v, w):
        followers = {x: count for (h, x), count in pairs.items() if h == v}
        if not followers:
            return q(w)
        taken = d * len(followers) * q(w)
        return (max(followers.get(w, 0) - d, 0) + taken) / sum(followers.values())

    return [[p(v, w) for w in range(size)] for v in range(size)]


TEXTS = st.integers(1, 7).flatmap(
    lambda size: st.tuples(st.just(size), st.lists(st.integers(0, size - 1), max_size=40))
)


@given(TEXTS)
def test_any_text_gives_the_bigram_of_its_definition(case):
    size, ids = case
    expected = np.array(by_fractions(ids, size), float)
    every = np.arange(size)
    found = Bigram.fit(np.array(ids, np.uint8), size).probability(every[:, None], every)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(TEXTS)
def test_all_are_distributions_without_zeros_behind_every_history(case):
    size, ids = case
    ids = np.array(ids, np.uint8)
    every = np.arange(size)
    behind = Bigram.fit(ids, size).probability(every[:, None], every)
    alone = Unigram.fit(ids, size).distribution
    assert (behind > 0).all()
    assert (alone > 0).all()
    np.testing.assert_allclose(behind.sum(axis=1), 1, rtol=1e-12)
    assert alone.sum() == pytest.approx(1, rel=1e-12)


@given(TEXTS, st.integers(1, 6))
def test_pairs_are_counted_part_by_part(case, at_once):
    size, ids = case
    expected = Counter(v * size + w for v, w in pairwise(ids))
    with patch.object(baselines, "AT_ONCE", at_once):
        pairs, counts = count_pairs(np.array(ids, np.uint8), size)
    assert dict(zip(pairs.tolist(), counts.tolist(), strict=True)) == expected
    assert (np.diff(pairs) > 0).all()
    assert pairs.dtype == counts.dtype == np.int64


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([1, 1, 2, 9], 0.5), ([1, 2, 2], 0.2), ([2, 2], 0.5), ([1, 1, 3], 0.5), ([], 0.5)],
)
def test_the_discount_is_chen_and_goodmans_and_a_half_without_ones_or_twos(counts, expected):
    assert discount(np.array(counts, int)) == pytest.approx(expected)


def test_the_cross_entropy_is_the_mean_of_the_surprisals():
    rng = np.random.default_rng(1)
    ids, others = rng.integers(0, 50, 3000), rng.integers(0, 60, 1000)
    model = Bigram.fit(ids, 60)
    expected = -np.log(model.probability(others[:-1], others[1:])).mean()
    assert model.cross_entropy(others) == pytest.approx(expected, rel=1e-12)


def test_a_markov_chain_is_predicted_as_well_as_it_can_be():
    """Cross-entropy comes near the entropy rate, which for a doubly stochastic chain is that of a
    row; the unigram stays at the uniform distribution's."""
    rng = np.random.default_rng(2)
    row = np.array([0.7, 0.2, 0.1])
    steps = rng.choice(3, 200_000, p=row)
    ids = np.cumsum(steps) % 3
    found = cross_entropy(ids[:100_000], ids[100_000:], 3)
    assert found.bigram == pytest.approx(-(row * np.log(row)).sum(), abs=0.01)
    assert found.unigram == pytest.approx(math.log(3), abs=0.01)


def test_codes_of_pairs_do_not_overflow_narrow_ids():
    ids = np.array([255, 255, 254, 255], np.uint8)
    assert count_pairs(ids, 256)[0].tolist() == [254 * 256 + 255, 255 * 256 + 254, 255 * 257]
    size = 3_000_000
    pairs, _ = count_pairs(np.array([size - 1, size - 1], np.int32), size)
    assert pairs.tolist() == [size * size - 1]


def test_one_token_has_nothing_to_predict():
    with pytest.raises(ValueError, match="1 test tokens: expected 2 or more"):
        cross_entropy(CORPUS, CORPUS[:1], 4)


def test_two_million_words_take_less_than_two_seconds():
    ids = np.random.default_rng(0).zipf(1.3, 2_000_000) % 10_000
    start = time.process_time()
    cross_entropy(ids.astype(np.uint16), ids[:200_000].astype(np.uint16), 10_000)
    assert time.process_time() - start < 2
