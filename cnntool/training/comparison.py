"""Which of several settings does best, and which do as well, of scores that chance has a part in.

A setting is trained with several seeds, each of which holds out other data and starts from other
weights. So two settings are compared by the seeds that both have: what a seed makes easy or hard
for both is no difference between them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Scores = Mapping[str, float]
"""Of one setting, by seed."""


class Behind(NamedTuple):
    """How much worse a setting is than the best, on average.

    error: the standard error of that; None where there are too few scores to say.
    """

    mean: float
    error: float | None

    @property
    def is_noise(self) -> bool:
        """Whether it is no more than its standard error (the rule of one standard error: Breiman,
        Friedman, Olshen and Stone 1984, Classification and Regression Trees, section 3.4.3)."""
        return self.error is not None and self.mean <= self.error


def behind(best: Scores, other: Scores, is_higher_better: bool = True) -> Behind:
    """How much worse than the best another is.

    Of the n seeds that both have ``d_i = best_i - other_i``, with the standard error
    ``s_d / sqrt(n)`` of their mean; where they have none, the difference of the means, with Welch's
    ``sqrt(s_1^2 / n_1 + s_2^2 / n_2)`` (Biometrika 1947).

    >>> behind({"0": 0.9, "1": 0.8}, {"0": 0.8, "1": 0.7})
    Behind(mean=0.1, error=0.0)
    """
    sign = 1 if is_higher_better else -1
    differences = [sign * (best[seed] - other[seed]) for seed in best if seed in other]
    if differences:
        mean = statistics.fmean(differences)
        if len(differences) < 2:
            return Behind(mean, None)
        return Behind(mean, statistics.stdev(differences) / math.sqrt(len(differences)))
    one, two = [*best.values()], [*other.values()]
    mean = sign * (statistics.fmean(one) - statistics.fmean(two))
    if min(len(one), len(two)) < 2:
        return Behind(mean, None)
    return Behind(mean, math.sqrt(sum(statistics.variance(x) / len(x) for x in (one, two))))


@dataclass(frozen=True)
class Summary:
    """Of the scores of one setting: their mean, standard deviation (n - 1, None of one), number."""

    mean: float
    deviation: float | None
    count: int


def summary(scores: Scores) -> Summary:
    values = [*scores.values()]
    deviation = statistics.stdev(values) if values[1:] else None
    return Summary(statistics.fmean(values), deviation, len(values))


def ranked(every: Sequence[Scores], is_higher_better: bool = True) -> list[int]:
    """The places of settings with scores from best to worst, by their means; those of fewer scores
    than others behind them, as a mean of few is high by luck."""
    sign = -1 if is_higher_better else 1
    there = [place for place, scores in enumerate(every) if scores]
    return sorted(there, key=lambda i: (-len(every[i]), sign * summary(every[i]).mean))
