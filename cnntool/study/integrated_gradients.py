"""Integrated gradients: shares of a score that sum to its change from a baseline.

    share_i = (x_i - b_i) * mean over t from 0 to 1 of dy/dx_i at b + t (x - b)

They sum to ``y(x) - y(b)`` as far as the mean is the integral (completeness), which is taken at the
places of Gauss and Legendre, of twice as many until that holds.
Source: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML, 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnntool.networks.network import Network
from cnntool.study.affine_sum import in_float64

FEWEST, MOST = 32, 1024
"""Places on the way from the baseline."""

ENOUGH = 1e-3
"""Of the change of the score, that may be missing."""

AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Shares:
    """Of every element of what goes in, as large as that. score, baseline: at its two ends. places:
    on the way that were taken."""

    values: np.ndarray
    score: float
    baseline: float
    places: int

    @property
    def error(self) -> float:
        """What the shares miss of the change of the score, beside that."""
        change = self.score - self.baseline
        return abs(float(self.values.sum()) - change) / max(abs(change), 1e-300)


Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Of times (n,) from 0 to 1: scores (n,) there, and gradients (n, ...)."""


def image_shares(network: Network, x: np.ndarray, weights: np.ndarray) -> Shares:
    """Of an image x (1, C, H, W), from the mean of the images that were learned from, which is 0;
    of the scores of all classes, each times its weight (K,)."""
    network, x = in_float64(network), x.astype(np.float64)

    def slopes(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, caches = network.forward(times[:, None, None, None] * x)
        dscores = np.broadcast_to(weights, scores.shape).astype(np.float64)
        return scores @ weights, network.backward_to_input(dscores, caches)

    return _integrated(slopes, x[0])


def token_shares(
    network: Network, x: np.ndarray, lengths: np.ndarray | None, weights: np.ndarray, step: int = 0
) -> Shares:
    """Of each token of a text, a batch of one: the vectors (T, E) that the embedding gives, from
    vectors of 0; step: of a tagger, the one whose tag it is about."""
    network = in_float64(network)
    vectors, _ = network.forward(x, stop=1, lengths=lengths)  # (T, 1, E)
    vectors = vectors.astype(np.float64)

    def slopes(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        many = None if lengths is None else np.repeat(lengths, len(times))
        scores, caches = network.forward(times[:, None] * vectors, start=1, lengths=many)
        dscores = np.zeros_like(scores)
        at = (step,) if scores.ndim == 3 else ()
        dscores[at] = weights
        gradient = network.backward_to_input(dscores, caches)  # (T, n, E)
        return scores[at] @ weights, np.moveaxis(gradient, 1, 0)

    return _integrated(slopes, vectors[:, 0])


def _integrated(slopes: Slopes, x: np.ndarray) -> Shares:
    (baseline, score), _ = slopes(np.array([0.0, 1.0]))
    places = FEWEST
    while True:
        times, parts = np.polynomial.legendre.leggauss(places)
        times, parts = (times + 1) / 2, parts / 2
        mean = np.zeros_like(x)
        for first in range(0, places, AT_ONCE):
            some = slice(first, first + AT_ONCE)
            mean += np.tensordot(parts[some], slopes(times[some])[1], axes=1)
        found = Shares(mean * x, float(score), float(baseline), places)
        if found.error <= ENOUGH or places >= MOST:
            return found
        places *= 2
