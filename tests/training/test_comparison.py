"""Which settings do best: by hand, and by SciPy, whose statistics are differences over their
standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from cnntool.training.comparison import behind, ranked, summary


def scores(values, first: int = 0):
    return {str(first + number): value for number, value in enumerate(values)}


def test_a_summary_by_hand():
    found = summary(scores([0.9, 0.8, 1.0]))
    assert (found.mean, found.deviation, found.count) == (pytest.approx(0.9), pytest.approx(0.1), 3)
    assert summary({"": 0.5}).deviation is None


def test_of_the_same_seeds_pairs_are_compared():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 7))
    found = behind(scores(one), scores(other))
    assert found.mean / found.error == pytest.approx(ttest_rel(one, other).statistic)
    lower = behind(scores(one), scores(other), is_higher_better=False)
    assert (lower.mean, lower.error) == (pytest.approx(-found.mean), pytest.approx(found.error))


def test_a_seed_that_failed_leaves_the_pairs_of_the_others():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(2, 7))
    left = {seed: score for seed, score in scores(other).items() if seed != "3"}
    found = behind(scores(one), left)
    both = np.arange(7) != 3
    assert found.mean / found.error == pytest.approx(ttest_rel(one[both], other[both]).statistic)


def test_of_other_seeds_means_are_compared_by_welchs_error():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=5), rng.normal(size=8)
    found = behind(scores(one), scores(other, 5))
    wanted = ttest_ind(one, other, equal_var=False).statistic
    assert found.mean / found.error == pytest.approx(wanted)


def test_what_is_behind_by_no_more_than_the_error_is_noise():
    """Differences 0.1 and 0 have the mean 0.05 and the error 0.05; 0.2 and 0.1 are further."""
    best = {"0": 0.5, "1": 0.5}
    assert behind(best, {"0": 0.375, "1": 0.5}).is_noise
    far = behind(best, {"0": 0.25, "1": 0.375})
    assert far.mean == pytest.approx(0.1875)
    assert far.error == pytest.approx(math.sqrt(2 * 0.0625**2) / math.sqrt(2))
    assert not far.is_noise
    assert not behind({"0": 0.5}, {"0": 0.5}).is_noise  # one says nothing of chance


def test_the_best_is_first_and_a_mean_of_fewer_is_none():
    every = [{"0": 0.5, "1": 0.7}, {"0": 0.9, "1": 0.9}, {}, {"0": 1.0}]
    assert ranked(every) == [1, 0, 3]
    assert ranked(every, is_higher_better=False) == [0, 1, 3]
