"""How well a language model predicts a text: each token's surprisal, and their mean.

A long text is read as some rows side by side, which is many times as fast. The first token of each
row is predicted from the last one of the row before, with states of 0: of a thousand tokens or
more a row, that costs the mean next to nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cnntool.networks.language_model import LanguageModel

MOST_ROWS, TOKENS_A_ROW = 64, 1000
"""A text has as many rows as leave each so many tokens, up to the most."""

STEPS_AT_ONCE = 100


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a model made of the tokens of a text but the first, which is given.

    surprisals: (N - 1,) float32, ``-log p(token)`` in nats. correct: how many were the likeliest.
    """

    surprisals: np.ndarray
    correct: int

    @property
    def count(self) -> int:
        return len(self.surprisals)

    @property
    def loss(self) -> float:
        """The mean, in nats a token."""
        return float(self.surprisals.mean(dtype=np.float64))

    @property
    def accuracy(self) -> float:
        return self.correct / self.count


def judge_text(network: LanguageModel, ids: np.ndarray, rows: int | None = None) -> Judgement:
    """Predict every token of ids (N,) but the first from those before it.

    rows: to read it as, None for what its length asks for. ValueError for fewer than two tokens.
    """
    count = len(ids) - 1
    if count < 1:
        raise ValueError(f"{len(ids)} tokens: expected 2 or more, the first is given")
    if rows is None:
        rows = min(MOST_ROWS, max(1, count // TOKENS_A_ROW))
    steps = -(-count // rows)
    rows = -(-count // steps)  # none is empty
    padded = np.zeros(rows * steps + 1, ids.dtype)
    padded[: len(ids)] = ids
    inputs, targets = (padded[first : first + rows * steps].reshape(rows, -1).T for first in (0, 1))
    is_real = (np.arange(rows * steps) < count).reshape(rows, -1).T
    surprisals = np.empty((rows, steps), np.float32)
    correct, states = 0, network.start(rows)
    for first in range(0, steps, STEPS_AT_ONCE):
        block = slice(first, first + STEPS_AT_ONCE)
        found, right, states = network.surprisal(
            inputs[block], targets[block], states, is_real[block]
        )
        surprisals[:, block] = found.T
        correct += right
    return Judgement(surprisals.ravel()[:count], correct)


def perplexity(loss: float) -> float:
    """``e^loss``: among how many equally likely tokens the model is in doubt; inf if too large."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def bits(nats: float) -> float:
    """The same in bits."""
    return nats / math.log(2)
