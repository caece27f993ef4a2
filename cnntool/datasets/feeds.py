"""What a step of training reads: images in random order, or the next window of a text.

Every feed has
``batches(rng)``: what each step of an epoch learns from; ``rng`` draws their order where that is
not given by the data.
``take(batch, rng)``: the arrays of a batch, or of a part of one where processes share it: their
share is ``indices``, of images or of rows; changed at random where that was asked for and there is
an ``rng``.
``in_order(found)``: what was found of each batch's targets, without ``rng``, as one array.
``header()``: what a model file says of what goes into its network and comes out.
unit, counts: what a batch has so many of, and what has a target each, of which a unit may have
many; batch_size, ``step_text``: what a step takes, the latter in words. steps, samples: of an
epoch. nbytes: of the data.
carries: whether a batch goes on where the one before it ended, so that states are carried over.
unknown, has_unknown: the target that stands for all unknown ones, and whether one of its targets is
that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cnntool.datasets.images.augmentation import Augmentation, augment
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.datasets.texts.corpus import Corpus
from cnntool.datasets.texts.tokens import UNITS
from cnntool.errors import InputError, RequestError
from cnntool.wording import counted


class Batch(NamedTuple):
    """What one step learns from."""

    number: int  # from 1, within the epoch
    indices: np.ndarray  # of what processes can share: images, or the rows of a text
    samples: int  # that its loss is a mean over: images, or tokens
    draw: int = 0  # that an epoch made for all of its batches
    weights: np.ndarray | None = None  # of each of the indices in that mean; None where all alike


class Taken(NamedTuple):
    """A batch as a network takes it; what ``counts`` says is not, is in no loss and no score."""

    x: Any  # an array, or what has one and more
    targets: np.ndarray
    counts: np.ndarray | None = None  # weights in the loss, as the targets; None where all count 1
    begins: np.ndarray | None = None  # (B,) of bool: the rows whose states are 0; None for none
    lengths: np.ndarray | None = None  # (B,) of sequences; None where all are of one length


def batches(
    count: int, batch_size: int, rng: np.random.Generator | None = None, least: int = 1
) -> Iterator[np.ndarray]:
    """Indices of one epoch, (batch_size,) int64 at a time: every one from 0 to count - 1 once.

    rng: shuffles them, once, when the first batch is asked for; None leaves them in order.
    least: what is left over at the end goes into the batch before, where it is less.

    >>> [batch.tolist() for batch in batches(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected 1 or more")
    order = np.arange(count) if rng is None else rng.permutation(count)
    cuts = [0, *range(batch_size, count - least + 1, batch_size), count] if count else []
    for start, end in pairwise(cuts):
        yield order[start:end]


def steps_of(count: int, batch_size: int, least: int = 1) -> int:
    """How many :func:`batches` there are of one sample or more."""
    whole, rest = divmod(count, batch_size)
    return max(1, whole + (rest >= least))


@dataclass(frozen=True, eq=False)
class ImageFeed:
    """Labelled images, each once an epoch in random order; the last batch as small as it comes, if
    it has the ``least`` that can be learned from, else in the one before."""

    data: Dataset
    preprocessing: Preprocessing
    batch_size: int
    augmentation: Augmentation | None = None
    least: int = 1

    unit = counts = "image"
    carries, unknown, has_unknown = False, None, False

    @property
    def samples(self) -> int:
        return len(self.data)

    @property
    def steps(self) -> int:
        return steps_of(self.samples, self.batch_size, self.least)

    @property
    def nbytes(self) -> int:
        return self.data.x.nbytes

    @property
    def step_text(self) -> str:
        return counted(self.batch_size, self.unit)

    def batches(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        found = batches(self.samples, self.batch_size, rng, self.least)
        for number, indices in enumerate(found, 1):
            yield Batch(number, indices, len(indices))

    def take(self, batch: Batch, rng: np.random.Generator | None = None) -> Taken:
        """(N, C, H, W) float32, changed at random before they are normalized; classes (N,)."""
        data, x = self.data, self.data.x[batch.indices]
        if self.augmentation is not None and rng is not None:
            x = augment(x, self.augmentation, rng, data.white, data.black)
        return Taken(self.preprocessing.normalized(x, data.scale), data.y[batch.indices])

    def in_order(self, found: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(found)

    def header(self) -> dict[str, Any]:
        return {
            "input_shape": self.data.image_shape,
            "preprocessing": self.preprocessing.to_json(),
            "labels": self.data.labels,
        }


MOST_ROWS, TOKENS_A_ROW, STEPS_AT_ONCE = 64, 1000, 100
"""A text that is judged has as many rows as leave each so many tokens, up to the most."""

WARM_UP_SHARE = 10
"""The tokens that a row reads before its own are at most one in so many."""


HIDDEN, RARE = 8, 1000
"""One in so many of the rare tokens is learned as the unknown one: of what occurs once, and of the
rarest that are one in ``RARE`` of the text together, as characters have few that occur once. More
would teach the odds of unknown tokens better, and all others worse."""


@dataclass(frozen=True, eq=False)
class WindowFeed:
    """A text as ``batch_size`` rows that are read side by side, ``seq_length`` columns at a time.

    Row b is the text from ``b * columns`` on, with ``columns = (N - 1) // batch_size``; a window is
    the next ``seq_length`` of them, the last one what is left. So a row of a window goes on where
    it ended in the one before, and a state can be carried over: the gradient goes back through one
    window (truncated backpropagation through time), the state forward through all of them. Each of
    the first ``batch_size * columns`` targets stands in one window, once; the others, less than
    batch_size, are dropped from the text's end, as in the lecture.

    A text that is too short for a window of ``seq_length`` gives one that is shorter, as long as
    every row has a target. RequestError for sizes below 1, InputError for a text that is too short
    for that.

    restart: whether rows begin from states of 0 again where a window begins with the end of a line,
        as a text that is written does, and every so many windows; 0 for never.
    hides: whether one in ``HIDDEN`` of the rare tokens, others in other epochs, is learned as the
        unknown one, of which a text whose tokens are all known has no example.
    counting: how many targets count, from the first one of the text; None for all.
    warm_up: windows that each row but the first reads of the end of the row before.

    Williams, Peng, An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories, Neural Computation 2, 1990.
    """

    corpus: Corpus
    batch_size: int
    seq_length: int
    restart: int = 0
    hides: bool = False
    counting: int | None = None
    warm_up: int = 0

    carries = True

    def __post_init__(self) -> None:
        for option, value in (("--batch-size", self.batch_size), ("--seq-length", self.seq_length)):
            if value < 1:
                raise RequestError(f"{option} is {value:,}, expected 1 or more")
        count = len(self.corpus)
        if count <= self.batch_size:
            remedy = f"set --batch-size {count - 1:,} or less" if count > 1 else "add text"
            raise InputError(
                f"{self.corpus.name} has {counted(count, 'token')}, and --batch-size "
                f"{self.batch_size:,} needs at least {self.batch_size + 1:,}, one to predict in "
                f"each row: {remedy}"
            )

    @classmethod
    def whole(cls, corpus: Corpus, rows: int | None = None, warm_up: int = 1) -> WindowFeed:
        """All tokens of a text but the first, which is given: none is dropped.

        The last row is filled up with what does not count. Every other row goes on where the one
        before it ended, with the state that reading ``warm_up`` windows before it gives: many rows
        are many times as fast as one, and that state soon is what one row would have.

        rows: None for what its length and the warm-up ask for. ValueError for fewer than two
        tokens.
        """
        count = len(corpus) - 1
        if count < 1:
            raise ValueError(f"{len(corpus)} tokens: expected 2 or more, the first is given")
        before = warm_up * STEPS_AT_ONCE
        if rows is None:
            each = max(TOKENS_A_ROW, WARM_UP_SHARE * before)
            rows = min(MOST_ROWS, max(1, count // each))
        if rows == 1 or count <= before:
            warm_up = before = 0
        stride = -(-(count - before) // rows)
        rows = -(-(count - before) // stride)  # none is empty
        ids = np.zeros(rows * stride + before + 1, corpus.ids.dtype)
        ids[: len(corpus)] = corpus.ids
        return cls(replace(corpus, ids=ids), rows, STEPS_AT_ONCE, counting=count, warm_up=warm_up)

    def with_longer_warm_up(self) -> WindowFeed:
        """The same of a whole text, with twice as much read before each row."""
        return self.whole(replace(self.corpus, ids=self.text), warm_up=2 * self.warm_up)

    @property
    def text(self) -> np.ndarray:
        """(N,) the ids of what counts, without what fills the last row up."""
        return self.corpus.ids if self.counting is None else self.corpus.ids[: self.counting + 1]

    @property
    def unit(self) -> str:
        return UNITS[self.corpus.vocabulary.level]

    counts = unit

    @property
    def unknown(self) -> int | None:
        return self.corpus.vocabulary.unknown

    @property
    def has_unknown(self) -> bool:
        return self.corpus.vocabulary.count_unknown(self.text[1:]) > 0

    @property
    def before(self) -> int:
        """Columns of a row that the row before it has too."""
        return self.warm_up * self.seq_length

    @property
    def stride(self) -> int:
        """Tokens from the beginning of one row to that of the next."""
        return (len(self.corpus) - 1 - self.before) // self.batch_size

    @property
    def columns(self) -> int:
        """Of all windows."""
        return self.before + self.stride

    @property
    def samples(self) -> int:
        """Targets of all windows."""
        return self.batch_size * self.columns

    @property
    def steps(self) -> int:
        return -(-self.columns // self.seq_length)

    @property
    def nbytes(self) -> int:
        return self.corpus.ids.nbytes

    @property
    def step_text(self) -> str:
        rows = counted(self.batch_size, "row")
        return f"{rows} x {counted(self.seq_length, self.unit)}"

    def batches(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """The windows in their order; what is hidden in them is drawn for all."""
        rows, left = np.arange(self.batch_size), self.columns
        draw = int(rng.integers(HIDDEN)) if rng is not None and self.hides else 0
        for number in range(1, self.steps + 1):
            length = min(left, self.seq_length)
            yield Batch(number, rows, length * len(rows), draw)
            left -= length

    def take(self, batch: Batch, rng: np.random.Generator | None = None) -> Taken:
        """Ids and targets, each (T, B) with T up to seq_length; rows that stand side by side."""
        first = (batch.number - 1) * self.seq_length
        length = min(self.seq_length, self.columns - first)
        places = batch.indices * self.stride + first + np.arange(length + 1)[:, None]
        ids = self.corpus.ids[places]
        if rng is not None and self.hides:
            is_hidden = self._is_rare[ids] & (places % HIDDEN == batch.draw)
            ids = np.where(is_hidden, ids.dtype.type(self.unknown), ids)
        counts, begins = self._counts(batch, places[:-1]), self._begins(batch, ids[0])
        return Taken(ids[:-1], ids[1:], counts, begins)

    def _counts(self, batch: Batch, places: np.ndarray) -> np.ndarray | None:
        if self.counting is None:
            return None
        counts = places < self.counting
        if batch.number <= self.warm_up:
            counts &= batch.indices == 0
        return None if counts.all() else counts

    def _begins(self, batch: Batch, first: np.ndarray) -> np.ndarray | None:
        if batch.number == 1:
            return np.ones(len(first), bool)
        if not self.restart:
            return None
        turn = (batch.indices + batch.number) % self.restart == 0
        return turn | (first == self._line_end)

    @cached_property
    def _line_end(self) -> int:
        return int(self.corpus.vocabulary.encode("\n")[0])

    @cached_property
    def _is_rare(self) -> np.ndarray:
        counts = self.corpus.counts
        order = np.argsort(counts, kind="stable")
        is_rare = counts == 1
        is_rare[order[RARE * counts[order].cumsum() <= len(self.corpus)]] = True
        is_rare[self._line_end] = False
        return is_rare

    def with_hidden(self, shares: np.ndarray) -> np.ndarray:
        """(V,) how often each token is learned, a mean over epochs, for its share of the text."""
        if not self.hides:
            return shares
        hidden = np.where(self._is_rare & (self.corpus.counts > 0), shares / HIDDEN, 0)
        shares = shares - hidden
        shares[self.unknown] += hidden.sum()
        return shares

    def in_order(self, found: Sequence[np.ndarray]) -> np.ndarray:
        table = np.concatenate(found).T  # (batch_size, columns)
        parts = table[0, : self.before], table[:, self.before :].ravel()
        return np.concatenate(parts)[: self.counting]

    def header(self) -> dict[str, Any]:
        vocabulary = self.corpus.vocabulary
        return {
            "input_shape": (self.seq_length,),
            "preprocessing": {"level": vocabulary.level, "encoding": self.corpus.encoding},
            "labels": vocabulary.tokens,
        }
