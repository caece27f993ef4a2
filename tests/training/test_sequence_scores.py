"""Intervals, exact answers and error rates: by hand, by their laws, against SciPy and jiwer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cnntool.training.decoded_report import DecodedReport
from cnntool.training.edit_distance import ErrorRate, token_error_rate, tokens_of
from cnntool.training.report import interval

counts = st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_an_interval_contains_its_share(counts):
    right, count = counts
    low, high = interval(right, count)
    assert 0 <= low <= right / count <= high <= 1


@pytest.mark.parametrize(("right", "count"), [(0, 7), (7, 7), (890, 1056), (1, 1_000_000)])
def test_intervals_are_scipys(right, count):
    theirs = binomtest(right, count).proportion_ci(method="wilson")
    np.testing.assert_allclose(interval(right, count), [theirs.low, theirs.high], atol=1e-12)


def test_of_no_samples_nothing_is_known():
    assert interval(0, 0) == (0, 1)


def test_any_reference_makes_an_answer_exact():
    references = [("a", "b"), ("a",), ("",)]
    report = DecodedReport("translator", references, ["b", "c", ""], "char")
    assert report.is_right.tolist() == [True, False, True]
    assert DecodedReport("translator", [], [], "char").is_right.tolist() == []


def test_different_answers_are_counted():
    said = ["a cat", "a dog", "a cat"]
    assert DecodedReport("captioner", [("",)] * 3, said, "word").distinct == 2
    assert DecodedReport("captioner", [], [], "word").distinct == 0


def test_tokens_are_those_of_the_level():
    assert list(tokens_of("né a", "char")) == ["n", "é", " ", "a"]
    assert tokens_of("né  a\n", "word") == ["né", "a"]
    assert tokens_of("AH0 B", "symbol") == ["AH0", "B"]
    assert tokens_of("né", "byte") == b"n\xc3\xa9"


def test_an_error_rate_by_hand():
    found = token_error_rate(["kitten", "ab"], [("sitting",), ("abcd",)])
    assert found == ErrorRate(insertions=0, deletions=3, substitutions=2, tokens=11)
    assert found.rate == 5 / 11


def test_the_closest_reference_counts_and_its_length():
    assert token_error_rate(["abc"], [("xyz12", "abcd")]) == (0, 1, 0, 4)
    assert token_error_rate(["ab"], [("a", "b")]) == (1, 0, 0, 1)
    assert token_error_rate(["ab"], [("abc", "a")]) == (0, 1, 0, 3)  # the first of as close ones


def test_more_than_everything_can_be_wrong():
    assert token_error_rate(["abcd"], [("x",)]).rate == 4


def test_of_empty_references_the_rate_is_the_number_of_insertions():
    assert token_error_rate(["abc", ""], [("",), ("",)]).rate == 3
    assert token_error_rate([""], [("",)]).rate == 0
    assert token_error_rate([], []).rate == 0


def test_error_rates_are_jiwers():
    jiwer = pytest.importorskip("jiwer")
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcd"), rng.integers(1, 12))) for _ in range(200)]
    answers = [*texts[7:], "", *texts[:6]]
    for level, rate in (("word", jiwer.wer), ("char", jiwer.cer)):
        own = [tokens_of(text, level) for text in answers]
        right = [(tokens_of(text, level),) for text in texts]
        assert token_error_rate(own, right).rate == pytest.approx(rate(texts, answers), abs=1e-12)
