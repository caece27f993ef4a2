"""What a decoder says: the likeliest token again and again, or the best text that a beam finds.

A beam of width K keeps the K likeliest beginnings of each source, goes on from all of them, and
ends when K texts have ended. Of those the best has the highest ``log p / length^penalty``, the end
counting as a token: without it the shortest would win (Wu et al., Google's neural machine
translation system, arXiv:1609.08144, 2016, section 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cnntool.engine.losses import log_softmax
from cnntool.errors import not_finite
from cnntool.networks.joined import Joined
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.sampling import Choice

PENALTY = 1.0


@dataclass(frozen=True)
class Said:
    """A text as ids without the end; the log probability, in nats, of each and of the end.

    has_ended: whether the end was said, or the text was broken off at the most tokens.
    """

    ids: tuple[int, ...]
    log_odds: tuple[float, ...]
    has_ended: bool = True

    @property
    def log_probability(self) -> float:
        return sum(self.log_odds)

    def tokens(self, end: int) -> tuple[int, ...]:
        """The ids, with the end behind them where it was said."""
        return (*self.ids, end) if self.has_ended else self.ids

    @property
    def score(self) -> float:
        return self.log_probability / max(1, len(self.log_odds)) ** PENALTY


class Candidate(NamedTuple):
    """A way that a beam may go: the number of the beginning it goes on from, the next token, the
    log probability of all and its score, and whether it is ``kept``, has ``ended`` or is dropped,
    None for what is below those."""

    beginning: int
    token: int
    log_probability: float
    score: float
    became: str


class BeamStep(NamedTuple):
    """What one step of a beam over one source looked at.

    beginnings: the ids of each. candidates: the likeliest first.
    """

    beginnings: list[tuple[int, ...]]
    candidates: list[Candidate]


def greedy(
    network: Joined,
    source: Any,
    lengths: np.ndarray | None,
    end: int,
    most: int,
    choice: Choice | None = None,
    rng: np.random.Generator | None = None,
) -> list[Said]:
    """What is said to each source: always the likeliest next token, of at most ``most``; or one
    that is drawn by a ``choice`` with an ``rng``. No step is made for what has ended.

    InputError where the network's numbers are not finite.
    """
    states = network.encoded(source, lengths).states
    count = len(next(iter(states.values())))
    ids: list[list[int]] = [[] for _ in range(count)]
    odds: list[list[float]] = [[] for _ in range(count)]
    rows, given = np.arange(count), np.full(count, end)
    for _ in range(most + 1):
        logs, states = _next(network, given, states)
        if choice is None or rng is None:
            given = logs.argmax(axis=1)
        else:
            given = np.array([_drawn(row, choice, rng) for row in logs])
        for row, token, log in zip(rows, given, logs[np.arange(len(rows)), given], strict=True):
            ids[row].append(int(token))
            odds[row].append(float(log))
        goes_on = given != end
        if not goes_on.any():
            break
        if not goes_on.all():
            rows, given = rows[goes_on], given[goes_on]
            states = {path: array[goes_on] for path, array in states.items()}
    return [_said(*each, end, most) for each in zip(ids, odds, strict=True)]


def beams(
    network: Joined,
    source: Any,
    lengths: np.ndarray | None,
    end: int,
    most: int,
    width: int,
    watch: Callable[[BeamStep], None] | None = None,
) -> list[list[Said]]:
    """Up to ``width`` texts for each source, the best first, of at most ``most`` tokens.

    watch: is told of each step, of one source.
    """
    begun = network.encoded(source, lengths).states
    count = len(next(iter(begun.values())))
    states = {path: np.repeat(array, width, axis=0) for path, array in begun.items()}
    alive = [[Said((), ())] for _ in range(count)]
    ended: list[list[Said]] = [[] for _ in range(count)]
    rows = list(range(count))
    for step in range(most + 1):
        given = [
            each[k].ids[-1] if k < len(each) and each[k].ids else end
            for each in alive
            for k in range(width)
        ]
        logs, states = _next(network, np.array(given), states)
        parents, kept = [], []
        for at, row in enumerate(rows):
            own = logs[at * width : at * width + len(alive[at])]
            candidates = _candidates(alive[at], own, width, end)
            if watch:
                watch(BeamStep([each.ids for each in alive[at]], candidates))
            goes_on = []
            for each in candidates:
                parent = alive[at][each.beginning]
                log = float(own[each.beginning, each.token])
                said = Said((*parent.ids, each.token), (*parent.log_odds, log))
                if each.became == "ended":
                    ended[row].append(_said(list(said.ids), list(said.log_odds), end, most))
                elif each.became == "kept":
                    goes_on.append((said, each.beginning))
            is_done = len(ended[row]) >= width or not goes_on
            if step == most or is_done:
                if not is_done:
                    ended[row] += [
                        _said(list(s.ids), list(s.log_odds), end, most) for s, _ in goes_on
                    ]
                continue
            kept.append((row, [said for said, _ in goes_on]))
            places = [at * width + parent for _, parent in goes_on]
            parents += places + [at * width] * (width - len(places))
        if not kept:
            break
        rows, alive = [row for row, _ in kept], [each for _, each in kept]
        states = {path: array[parents] for path, array in states.items()}
    return [sorted(each, key=lambda said: -said.score)[:width] for each in ended]


def _next(network: Joined, given: np.ndarray, states: Arrays) -> tuple[np.ndarray, Arrays]:
    """The log probabilities (B, V) of what comes behind tokens (B,), and the states."""
    with np.errstate(over="ignore", invalid="ignore"):
        y, caches = network.forward(given[None], network.joint, states=states, keeps_caches=False)
        logs = log_softmax(y[0])
    if not np.isfinite(y).all():
        raise not_finite("the network")
    return logs, states | caches.states


def _drawn(logs: np.ndarray, choice: Choice, rng: np.random.Generator) -> int:
    p = choice.distribution(logs)
    return int(rng.choice(len(p), p=p))


def _candidates(alive: list[Said], logs: np.ndarray, width: int, end: int) -> list[Candidate]:
    """The likeliest ways to go on, as many as may be kept or end and those just behind them."""
    totals = np.array([each.log_probability for each in alive])[:, None] + logs
    order = np.argsort(-totals, axis=None, kind="stable")[: 3 * width]
    found, kept, has_ended = [], 0, 0
    for place in order:
        beginning, token = divmod(int(place), logs.shape[1])
        total = float(totals[beginning, token])
        length = len(alive[beginning].ids) + 1
        if token == end and kept + has_ended < width:
            became, has_ended = "ended", has_ended + 1
        elif token != end and kept < width:
            became, kept = "kept", kept + 1
        else:
            became = "dropped"
        found.append(Candidate(beginning, token, total, total / length**PENALTY, became))
    return found


def _said(ids: list[int], odds: list[float], end: int, most: int) -> Said:
    if ids and ids[-1] == end:
        return Said(tuple(ids[:-1]), tuple(odds))
    return Said(tuple(ids[:most]), tuple(odds[:most]), has_ended=False)
