"""What a step reads of sequences: a batch of like length, each with a label, tags or a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cnntool.datasets.feeds import Batch, ImageFeed, Taken, WindowFeed
from cnntool.datasets.sequences.inputs import Rows
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.engine.arrays import within
from cnntool.wording import counted

PIECE = 50
"""Batches that are sorted by length together: so many are drawn at random first."""

MOST_STEPS = 1 << 16
"""Of a batch in order, padding included: a few very long sequences do not take all memory."""


class Pair(NamedTuple):
    """What an encoder and a decoder take.

    lengths: (B,) of what the decoder is given, None where all are of one length.
    """

    source: Any
    given: np.ndarray  # (T, B): the end of a text, then the text
    lengths: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        return self.source.nbytes + self.given.nbytes


def like_lengths(
    keys: np.ndarray,
    batch_size: int,
    rng: np.random.Generator | None,
    most_steps: int | None = MOST_STEPS,
    least: int = 1,
) -> list[np.ndarray]:
    """Indices of one epoch, ``batch_size`` at a time, of samples whose keys are alike: all are
    shuffled, cut into pieces of ``PIECE`` batches, sorted within each, and the batches shuffled.

    keys: (N,), or (N, K) of which the first column counts most. Without ``rng`` all are sorted,
    from the longest on, those of one length in order, and a batch has at most ``most_steps``, if it
    has more than one; None for any. With it what is left over at the end goes into a batch before,
    where it is less than ``least``.

    >>> [batch.tolist() for batch in like_lengths(np.array([3, 1, 2, 1, 9]), 2, None)]
    [[4, 0], [2, 1], [3]]
    """
    columns = keys.reshape(len(keys), -1).T[::-1]
    found: list[np.ndarray] = []
    if rng is None:
        order, start = np.lexsort(-columns), 0
        steps = columns[:, order].max(axis=0, initial=1)
        while start < len(order):
            longest = int(steps[start : start + batch_size].max())
            fitting = batch_size if most_steps is None else max(1, most_steps // longest)
            found.append(order[start : start + min(batch_size, fitting)])
            start += len(found[-1])
        return found
    order = rng.permutation(len(keys))
    starts = range(0, max(1, len(order) - least + 1), PIECE * batch_size)
    for piece in np.split(order, starts[1:]):
        piece = piece[np.lexsort(columns[:, piece])]
        found += np.split(piece, range(batch_size, len(piece) - least + 1, batch_size))
    return [found[i] for i in rng.permutation(len(found))]


@dataclass(frozen=True, eq=False)
class SequenceFeed:
    """Sequences, each with a label, or a tag for each of its steps, in batches of like length.

    targets: labels (N,), or tags as long as the sequences. class_weights: (K,) of each class in the
    loss while learning. facts: what a model file says of what goes in and comes out. most_steps,
    least: see :func:`like_lengths`.
    """

    rows: Rows
    targets: np.ndarray | Ragged
    batch_size: int
    unit: str = "text"
    class_weights: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    most_steps: int | None = None
    least: int = 1

    carries, unknown, has_unknown = False, None, False

    @property
    def steps(self) -> int:
        return -(-len(self._keys) // self.batch_size)

    @property
    def counts(self) -> str:
        return "tag" if isinstance(self.targets, Ragged) else self.unit

    @property
    def samples(self) -> int:
        """Labels, tags or tokens, the ends among them."""
        return len(self.targets.values if isinstance(self.targets, Ragged) else self.targets)

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes

    @property
    def step_text(self) -> str:
        return counted(self.batch_size, self.unit)

    @cached_property
    def _keys(self) -> np.ndarray:
        lengths = self.rows.lengths
        return np.zeros(len(self.rows), int) if lengths is None else lengths

    @cached_property
    def _weights(self) -> np.ndarray | None:
        """(N,) what each target comes to in a mean; None where all come to the same."""
        if self.class_weights is not None:
            values = self.targets.values if isinstance(self.targets, Ragged) else self.targets
            each = self.class_weights[values]
            if not isinstance(self.targets, Ragged):
                return each
            sums = np.append(0.0, np.cumsum(each))
            starts = self.targets.starts
            return sums[starts + self.targets.lengths] - sums[starts]
        return self.targets.lengths if isinstance(self.targets, Ragged) else None

    def batches(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        found = like_lengths(self._keys, self.batch_size, rng, self.most_steps, self.least)
        lengths = self.targets.lengths if isinstance(self.targets, Ragged) else None
        for number, indices in enumerate(found, 1):
            samples = len(indices) if lengths is None else int(lengths[indices].sum())
            weights = None if self._weights is None else self._weights[indices]
            yield Batch(number, indices, samples, weights=weights)

    def take(self, batch: Batch, rng: np.random.Generator | None = None) -> Taken:
        """The sequences time first; targets (B,), or (T, B) of which those before the ends count.
        While learning classes count by their weights."""
        x, lengths = self.rows.take(batch.indices, rng)
        counts: np.ndarray | None = None
        if isinstance(self.targets, Ragged):
            targets, lengths = self.targets.padded(batch.indices)
            counts = within(lengths, *targets.shape)
        else:
            targets = self.targets[batch.indices]
        if rng is not None and self.class_weights is not None:
            weights = self.class_weights[targets]
            counts = weights if counts is None else weights * counts
        return Taken(x, targets, counts, lengths=lengths)

    def in_order(self, found: Sequence[np.ndarray]) -> np.ndarray:
        batches = [batch.indices for batch in self.batches()]
        if isinstance(self.targets, Ragged):
            return unpadded(found, batches, self.targets)
        order = np.concatenate(batches)
        values = np.concatenate(found)
        restored = np.empty_like(values)
        restored[order] = values
        return restored

    def header(self) -> dict[str, Any]:
        return self.facts


@dataclass(frozen=True, eq=False)
class PairFeed(SequenceFeed):
    """Sequences or pictures, each with a text that is given token by token, and to be said.

    targets: ids of texts, each with the ``end`` behind it. sources: (N,) the row that each is of;
    None for one each.
    """

    targets: Ragged
    unit: str = "pair"
    sources: np.ndarray | None = None
    end: int = field(kw_only=True)

    counts = "token"

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + self.targets.nbytes

    @cached_property
    def _keys(self) -> np.ndarray:
        lengths = self.rows.lengths
        if lengths is None:
            return self.targets.lengths
        if self.sources is not None:
            lengths = lengths[self.sources]
        return np.stack([lengths, self.targets.lengths], axis=1)

    def take(self, batch: Batch, rng: np.random.Generator | None = None) -> Taken:
        """A :class:`Pair`, the targets (T, B), and the lengths of the sources."""
        rows = batch.indices if self.sources is None else self.sources[batch.indices]
        source, lengths = self.rows.take(rows, rng)
        targets, counts = self.targets.padded(batch.indices)
        given = np.concatenate([np.full_like(targets[:1], self.end), targets[:-1]])
        pair = Pair(source, given, counts)
        return Taken(pair, targets, within(counts, *targets.shape), lengths=lengths)


Feed = ImageFeed | WindowFeed | SequenceFeed


def unpadded(
    found: Sequence[np.ndarray], batches: Sequence[np.ndarray], like: Ragged
) -> np.ndarray:
    """What batches (T, B) of sequences came to, in the order of the values of ``like``."""
    values = np.empty((len(like.values), *found[0].shape[2:]), found[0].dtype)
    for part, indices in zip(found, batches, strict=True):
        lengths = like.lengths[indices]
        is_there = within(lengths, *part.shape[:2])
        places = like.starts[indices] + np.arange(len(part))[:, None]
        values[places[is_there]] = part[is_there]
    return values
