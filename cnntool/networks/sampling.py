"""Writing with a language model: one token after the other, each drawn from the softmax.

    p_i = exp(z_i / temperature) / sum_j exp(z_j / temperature)

At temperature 1 the text has the statistics that were learned; below, likelier tokens come more
often, at 0 the likeliest always; above, all come closer to each other. ``top_k`` keeps the k
likeliest tokens, ``top_p`` the fewest that have the probability p together (Holtzman, Buys, Du,
Forbes, Choi, The curious case of neural text degeneration, ICLR 2020); both after the temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import not_finite
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.network import Network


@dataclass(frozen=True)
class Choice:
    """How tokens are drawn.

    temperature: from 0. top_k: None for all. top_p: above 0, up to 1.
    banned: ids that are never drawn, such as that of the unknown token.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    banned: tuple[int, ...] = ()

    def distribution(self, logits: np.ndarray) -> np.ndarray:
        """The probabilities (V,) float64 that a token is drawn with, from logits (V,)."""
        z = logits.astype(np.float64)
        if self.banned:
            z[list(self.banned)] = -np.inf
        if self.temperature == 0:
            return (np.arange(len(z)) == z.argmax()).astype(np.float64)
        with np.errstate(over="ignore", under="ignore"):  # a small temperature: all or nothing
            p = np.exp((z - z.max()) / self.temperature)
        if self.top_k is not None and self.top_k < len(p):
            p[np.argsort(-p, kind="stable")[self.top_k :]] = 0
        p /= p.sum()
        if self.top_p < 1:
            order = np.argsort(-p, kind="stable")
            before = np.cumsum(p[order]) - p[order]
            p[order[before >= self.top_p]] = 0
            p /= p.sum()
        return p


@dataclass(frozen=True, eq=False)
class Draw:
    """A token, with the probabilities (V,) that it was drawn with; at temperature 0, which leaves
    one token alone, also those at 1."""

    token: int
    distribution: np.ndarray
    at_temperature_1: np.ndarray | None = None

    @property
    def odds(self) -> np.ndarray:
        """Those that tell what else could have come."""
        return self.distribution if self.at_temperature_1 is None else self.at_temperature_1


def line_start(vocabulary: Vocabulary) -> np.ndarray:
    """The ids (1,) of what comes before a text that begins with nothing: the end of a line."""
    return vocabulary.encode("\n")


READ_AT_ONCE = 4096
"""Tokens of a beginning: so that memory does not grow with it."""


def primed(
    network: Network, ids: np.ndarray, advance: Callable[[int], None] | None = None
) -> tuple[np.ndarray, Arrays]:
    """The logits (V,) behind a text of ids (N,), and the states; N is 1 or more.

    advance: called with the number of tokens that were read, again and again.
    """
    states = network.start(1)
    for first in range(0, len(ids) - 1, READ_AT_ONCE):
        block = np.asarray(ids[first : min(first + READ_AT_ONCE, len(ids) - 1)])
        states = _read(network, block, states, stop=-1)[1]
        if advance:
            advance(first + len(block))
    return _read(network, ids[-1:], states)


def _read(
    network: Network, ids: Sequence[int] | np.ndarray, states: Arrays, stop: int | None = None
) -> tuple[np.ndarray, Arrays]:
    """What layers up to ``stop`` give for the last of some tokens, and the states behind them."""
    y, caches = network.forward(
        np.asarray(ids)[:, None], stop=stop, states=states, keeps_caches=False
    )
    return y[-1, 0], caches.states


def draws(
    network: Network,
    logits: np.ndarray,
    states: Arrays,
    choice: Choice,
    rng: np.random.Generator,
) -> Iterator[Draw]:
    """Token after token, without end, each read by the network before the next is drawn.

    InputError where the network's numbers are not finite.
    """
    whole = Choice(banned=choice.banned)
    while True:
        if not np.isfinite(logits).all():
            raise not_finite("the network")
        p = choice.distribution(logits)
        below = np.cumsum(p)
        token = int(np.searchsorted(below, rng.random() * below[-1], side="right"))
        if token == len(p) or p[token] == 0:  # rounding says it is past the end
            token = int(np.flatnonzero(p)[-1])
        yield Draw(token, p, None if choice.temperature else whole.distribution(logits))
        logits, states = _read(network, [token], states)
