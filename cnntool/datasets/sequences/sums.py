"""Sums to work out, written as text."""

from __future__ import annotations

import numpy as np

from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import RequestError
from cnntool.wording import counted

DRAWN_AT_ONCE = 1 << 16


def sums(count: int | None = None, digits: int = 3, seed: int = 0) -> dict[str, Samples]:
    """``123+45`` with the answer ``168``: two numbers of 1 to ``digits`` digits, each length as
    often as another while there are any.

    No two numbers stand together twice, in neither order. count: None for 40,000, or for half of
    all pairs where those are fewer. RequestError for more than half of all pairs.

    Source: the task of W. Zaremba and I. Sutskever, Learning to Execute, arXiv:1410.4615, and of
    Keras' addition_rnn.
    """
    numbers = 10**digits
    most = numbers * (numbers + 1) // 4
    count = min(40_000, most) if count is None else count
    if count > most:
        raise RequestError(
            f"sums: count is {count:,}, but of numbers of {counted(digits, 'digit')} half of all "
            f"pairs are {most:,}: give fewer, or more digits"
        )
    pairs = _distinct_pairs(count, digits, np.random.default_rng(seed)).tolist()
    return {
        "train": Samples(
            "sums",
            "text",
            [f"{one}+{other}" for one, other in pairs],
            [(str(one + other),) for one, other in pairs],
        )
    }


def _distinct_pairs(count: int, digits: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) numbers, whose pairs are different in either order."""
    pairs = np.zeros((0, 2), np.int64)
    while len(pairs) < count:
        lengths = rng.integers(1, digits + 1, (DRAWN_AT_ONCE, 2))
        lowest = np.where(lengths == 1, 0, 10 ** (lengths - 1))
        drawn = rng.integers(lowest, 10**lengths)
        pairs = np.concatenate([pairs, drawn])
        keys = np.sort(pairs, axis=1) @ [10**digits, 1]
        firsts = np.unique(keys, return_index=True)[1]
        pairs = pairs[np.sort(firsts)]
    return pairs[:count]
