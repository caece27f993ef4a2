"""What a trained network answers to sequences: labels, tags or texts, batches of like length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnntool.datasets.sequences.feeds import like_lengths, unpadded
from cnntool.datasets.sequences.inputs import Rows
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.engine.arrays import within
from cnntool.engine.losses import softmax
from cnntool.errors import not_finite
from cnntool.networks.batch_sizes import MOST_SAMPLES, batch_size_for, steps_at_once
from cnntool.networks.decoding import Said, beams, greedy
from cnntool.networks.joined import Joined
from cnntool.networks.network import Network

BEAM_ROWS = 512
"""Beginnings of all texts that a beam goes on from at a time."""


def class_odds(network: Network, rows: Rows) -> np.ndarray:
    """(N, K) the probability of each class; InputError where they are not finite."""
    found = np.empty((len(rows), network.output_shape[-1]), np.float32)
    for indices, x, lengths in _batches(network, rows):
        found[indices] = _odds(network, x, lengths)
    return found


def tag_odds(network: Network, rows: Rows) -> Ragged:
    """(steps, K) the probability of each tag, for each step of each sequence; InputError where
    they are not finite."""
    lengths = rows.lengths
    assert lengths is not None  # there is a tag a step
    like = Ragged(np.empty(lengths.sum(), bool), lengths)
    if not len(like.values):
        return Ragged(np.empty((0, network.output_shape[-1]), np.float32), lengths)
    parts, batches = [], []
    for indices, x, own in _batches(network, rows):
        parts.append(_odds(network, x, own))
        batches.append(indices)
    return Ragged(unpadded(parts, batches, like), lengths)


def texts_said(network: Joined, rows: Rows, end: int, longest: int, beam: int) -> list[list[Said]]:
    """What is said to each: the best text first, of a beam; where its width is 1 the likeliest
    token again and again. InputError where the network's numbers are not finite."""
    found: list[list[Said]] = [[] for _ in range(len(rows))]
    for indices, x, lengths in _batches(network, rows, max(1, BEAM_ROWS // beam)):
        if beam == 1:
            said = [[each] for each in greedy(network, x, lengths, end, longest)]
        else:
            said = beams(network, x, lengths, end, longest, beam)
        for index, texts in zip(indices, said, strict=True):
            found[index] = texts
    return found


def _batches(
    network: Network, rows: Rows, most: int = MOST_SAMPLES
) -> Iterator[tuple[np.ndarray, Any, Any]]:
    """Up to so many at a time, fewer of what is large: steps of pictures, and pictures."""
    lengths = np.ones(len(rows), int) if rows.lengths is None else rows.lengths
    size = min(most, batch_size_for(network))
    for indices in like_lengths(lengths, size, None, steps_at_once(network)):
        yield indices, *rows.take(indices)


def _odds(network: Network, x: Any, lengths: np.ndarray | None) -> np.ndarray:
    y, _ = network.forward(x, lengths=lengths, keeps_caches=False)
    if lengths is not None and y.ndim == 3:
        y[~within(lengths, *y.shape[:2])] = 0
    if not np.isfinite(y).all():
        raise not_finite("the network")
    return softmax(y)
