"""What a network answers to sequences or pictures, all in order, however long each is: the odds of
its labels or tags, or texts. Those of like length go through together, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from cnntool.datasets.sequences.inputs import Rows
from cnntool.engine.losses import softmax
from cnntool.errors import not_finite
from cnntool.networks.decoding import Said, beams, greedy
from cnntool.networks.joined import Joined
from cnntool.networks.network import Network
from cnntool.networks.sampling import Choice

BATCH = 256
"""Sequences that go through together, if they are short."""

NUMBERS = 1 << 20
"""In the inputs of a batch, at most, if it holds more than one; a token is worth ``TOKEN``."""

TOKEN = 64


def class_odds(network: Network, rows: Rows) -> np.ndarray:
    """(N, K): the probability of each label; InputError where they are not finite."""
    found, order = [], []
    for indices in _batches(network, rows):
        found.append(_odds(network, rows, indices))
        order.append(indices)
    odds = np.concatenate(found)
    odds[np.concatenate(order)] = odds.copy()
    return odds


def tag_odds(network: Network, rows: Rows) -> list[np.ndarray]:
    """Of each sequence (T, K): the probability of each tag of each step."""
    found: list[np.ndarray] = [np.zeros(0)] * len(rows)
    lengths = rows.lengths
    assert lengths is not None
    for indices in _batches(network, rows):
        odds = _odds(network, rows, indices)
        for column, index in enumerate(indices.tolist()):
            found[index] = odds[: lengths[index], column].copy()
    return found


def said(
    network: Joined,
    rows: Rows,
    end: int,
    most: int,
    width: int = 1,
    choice: Choice | None = None,
    rng: np.random.Generator | None = None,
) -> list[list[Said]]:
    """What is said to each, at most ``most`` tokens and ``end``: the best ``width`` texts that a
    beam of that width finds, the best first; or one, greedily or drawn by a ``choice``."""
    found: list[list[Said]] = [[]] * len(rows)
    for indices in _batches(network, rows):
        source, lengths = rows.take(indices)
        if width > 1:
            texts = beams(network, source, lengths, end, most, width)
        else:
            texts = [[each] for each in greedy(network, source, lengths, end, most, choice, rng)]
        for index, each in zip(indices.tolist(), texts, strict=True):
            found[index] = each
    return found


def _odds(network: Network, rows: Rows, indices: np.ndarray) -> np.ndarray:
    x, lengths = rows.take(indices)
    with np.errstate(over="ignore", invalid="ignore"):
        logits, _ = network.forward(x, lengths=lengths, keeps_caches=False)
    if not np.isfinite(logits).all():
        raise not_finite("the network")
    return softmax(logits)


def _batches(network: Network, rows: Rows) -> Iterator[np.ndarray]:
    """Indices from the shortest to the longest, as many as may go through together."""
    each = max(TOKEN, prod(size for size in network.input_shape if size))
    lengths = np.ones(len(rows), int) if rows.lengths is None else rows.lengths
    order, start = np.argsort(lengths, kind="stable"), 0
    while start < len(order):
        some = order[start : start + BATCH]
        sizes = lengths[some] * np.arange(1, len(some) + 1) * each
        some = some[: max(1, int(np.searchsorted(sizes, NUMBERS, "right")))]
        yield some
        start += len(some)
