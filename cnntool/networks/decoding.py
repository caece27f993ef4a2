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
from cnntool.networks.joined import Encoded, Joined
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
    network: Joined, source: Any, lengths: np.ndarray | None, end: int, most: int
) -> list[Said]:
    """What is said to each source: always the likeliest next token, of at most ``most``."""
    return said_of(network, network.encoded(source, lengths), end, most)


def said_of(
    network: Joined,
    encoded: Encoded,
    end: int,
    most: int,
    choice: Choice | None = None,
    rng: np.random.Generator | None = None,
) -> list[Said]:
    """What is said to each of sources that are encoded: always the likeliest next token, of at most
    ``most``; or one that is drawn by a ``choice`` with an ``rng``. No step is made for what has
    ended.

    InputError where the network's numbers are not finite.
    """
    states, count = encoded.states, len(encoded)
    ids: list[list[int]] = [[] for _ in range(count)]
    odds: list[list[float]] = [[] for _ in range(count)]
    rows, given = np.arange(count), np.full(count, end)
    for _ in range(most + 1):
        logs, states = _next(network, given, states)
        if choice is None or rng is None:
            given = logs.argmax(axis=1)
        else:
            given = np.array([_drawn(row, choice, rng) for row in logs])
        found = logs[np.arange(len(rows)), given]
        for row, token, p in zip(rows.tolist(), given.tolist(), found.tolist(), strict=True):
            ids[row].append(token)
            odds[row].append(p)
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
    begun = network.encoded(source, lengths)
    count = len(begun)
    states = {path: np.repeat(array, width, axis=0) for path, array in begun.states.items()}
    beam, given = _Beam.at_start(count, width), np.full(count * width, end)
    found: list[list[Said]] = [[] for _ in range(count)]
    for step in range(most + 1):
        logs, after = _next(network, given, states)
        logs = logs.reshape(len(beam.rows), width, -1)
        ways = _ways(beam.totals, logs, end)
        if watch:
            for at in range(len(beam.rows)):
                watch(_watched(beam, ways, at))
        beam.end(ways, logs, found)
        beam, parents = beam.grown(ways, logs)
        is_open = np.array([len(found[row]) < width for row in beam.rows], bool)
        goes_on = is_open & beam.is_there[:, 0]
        if step == most or not goes_on.any():
            beam.of(goes_on).break_off(found)
            break
        places = (np.arange(len(parents))[:, None] * width + parents)[goes_on].ravel()
        states = {
            # what a step leaves as it is, such as keys, all beginnings of a source have alike
            path: array if array is states[path] and goes_on.all() else array[places]
            for path, array in after.items()
        }
        beam = beam.of(goes_on)
        given = beam.ids[:, :, -1].ravel()
    return [sorted(each, key=lambda said: -said.score)[:width] for each in found]


class _Ways(NamedTuple):
    """The likeliest ways to go on, (N, C) each, the likeliest first."""

    beginnings: np.ndarray
    tokens: np.ndarray
    totals: np.ndarray  # log probabilities of all, -inf where there is no such way
    is_kept: np.ndarray
    has_ended: np.ndarray


@dataclass(frozen=True, eq=False)
class _Beam:
    """K beginnings for each of N sources, the likeliest first."""

    rows: np.ndarray  # (N,) the numbers of the sources
    ids: np.ndarray  # (N, K, T), after T steps
    odds: np.ndarray  # (N, K, T), their log probabilities
    totals: np.ndarray  # (N, K), -inf where there is none

    @classmethod
    def at_start(cls, count: int, width: int) -> _Beam:
        """One beginning each, which is empty."""
        totals = np.full((count, width), -np.inf)
        totals[:, 0] = 0
        ids = np.zeros((count, width, 0), np.intp)
        return cls(np.arange(count), ids, np.zeros(ids.shape), totals)

    @property
    def is_there(self) -> np.ndarray:
        return self.totals > -np.inf

    def of(self, chosen: np.ndarray) -> _Beam:
        """That of some sources."""
        return _Beam(self.rows[chosen], self.ids[chosen], self.odds[chosen], self.totals[chosen])

    def grown(self, ways: _Ways, logs: np.ndarray) -> tuple[_Beam, np.ndarray]:
        """The kept ways as beginnings, and of each the number (N, K) of the one it goes on from."""
        order = np.argsort(~ways.is_kept, axis=1, kind="stable")[:, : self.totals.shape[1]]
        parents, tokens = (np.take_along_axis(each, order, axis=1) for each in ways[:2])
        at = np.arange(len(self.rows))[:, None]
        last = logs[at, parents, tokens]
        ids = np.concatenate([self.ids[at, parents], tokens[..., None]], axis=2)
        odds = np.concatenate([self.odds[at, parents], last[..., None]], axis=2)
        totals = np.take_along_axis(np.where(ways.is_kept, ways.totals, -np.inf), order, axis=1)
        return _Beam(self.rows, ids, odds, totals), parents

    def end(self, ways: _Ways, logs: np.ndarray, found: list[list[Said]]) -> None:
        """Put the texts that have ended to those found for each source."""
        for at, way in zip(*np.nonzero(ways.has_ended), strict=True):
            parent, token = ways.beginnings[at, way], ways.tokens[at, way]
            ids = tuple(self.ids[at, parent].tolist())
            odds = *self.odds[at, parent].tolist(), float(logs[at, parent, token])
            found[self.rows[at]].append(Said(ids, odds))

    def break_off(self, found: list[list[Said]]) -> None:
        """The same with all there are, without the last token."""
        for at, k in zip(*np.nonzero(self.is_there), strict=True):
            ids, odds = (each[at, k, :-1].tolist() for each in (self.ids, self.odds))
            found[self.rows[at]].append(Said(tuple(ids), tuple(odds), has_ended=False))


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


def _ways(totals: np.ndarray, logs: np.ndarray, end: int) -> _Ways:
    """As many as may be kept or end, and those just behind them; an end is one of the first K."""
    sums = (totals[:, :, None] + logs).reshape(len(logs), -1)
    width = totals.shape[1]
    count = min(3 * width, sums.shape[1])
    places = np.sort(np.argpartition(sums, -count, axis=1)[:, -count:], axis=1)
    found = np.take_along_axis(sums, places, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    places, found = (np.take_along_axis(each, order, axis=1) for each in (places, found))
    beginnings, tokens = np.divmod(places, logs.shape[2])
    is_end, is_there = tokens == end, found > -np.inf
    is_kept = is_there & ~is_end & (np.cumsum(~is_end, axis=1) <= width)
    return _Ways(beginnings, tokens, found, is_kept, is_there & is_end & (np.arange(count) < width))


def _watched(beam: _Beam, ways: _Ways, at: int) -> BeamStep:
    """A step of one source."""
    found, length = [], beam.ids.shape[2] + 1
    for beginning, token, total, is_kept, has_ended in zip(
        *(each[at].tolist() for each in ways), strict=True
    ):
        became = "kept" if is_kept else "ended" if has_ended else "dropped"
        score = total / length**PENALTY
        if total > -np.inf:
            found.append(Candidate(beginning, token, total, score, became))
    beginnings = beam.ids[at, beam.is_there[at]].tolist()
    return BeamStep([tuple(ids) for ids in beginnings], found)


def _said(ids: list[int], odds: list[float], end: int, most: int) -> Said:
    if ids and ids[-1] == end:
        return Said(tuple(ids[:-1]), tuple(odds))
    return Said(tuple(ids[:most]), tuple(odds[:most]), has_ended=False)
