"""What a network has to beat: always the most frequent class, and a linear classifier."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from cnntool import engine
from cnntool.datasets.feeds import batches
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.datasets.texts.tokens import counts_of
from cnntool.engine.fast.threads import one_blas_thread
from cnntool.engine.linear import DenseCache
from cnntool.training.optimizers import make_optimizer
from cnntool.training.schedules import parse_schedule
from cnntool.training.shards import flatten, views_of

STEPS = 1_000
BATCH_SIZE = 128
LARGEST_SIDE = 32
BLOCK_VALUES = 1 << 19

REACH = 0.64
"""The learning rate times the number of pixels. Adam's first steps change each weight by the rate
itself, so this is how far a logit may move in one step, whatever the size of the images."""


def majority_accuracy(training: Dataset, validation: Dataset) -> float:
    """The accuracy on ``validation`` of always answering training's most frequent class, the first
    one where several have as many images."""
    return float(np.mean(validation.y == training.class_counts.argmax()))


def linear_accuracy(
    training: Dataset, validation: Dataset, preprocessing: Preprocessing, seed: int = 0
) -> float:
    """The accuracy on ``validation`` of a linear classifier trained on the normalized pixels.

    ``softmax(x W + b)``, from 0, with cross-entropy and Adam at a rate that falls as a cosine, for
    :data:`STEPS` batches whatever the number of images: the same seed gives the same accuracy.
    Images with a side above :data:`LARGEST_SIDE` are averaged down to it first.
    """
    training, validation = _shrunk(training), _shrunk(validation)
    with one_blas_thread():  # products this small are slower on two
        params = _trained(training, preprocessing, seed)
        predicted = [
            _logits(validation, indices, preprocessing, params)[0].argmax(axis=1)
            for indices in batches(len(validation), BATCH_SIZE)
        ]
    return float(np.mean(np.concatenate(predicted) == validation.y))


def _trained(training: Dataset, preprocessing: Preprocessing, seed: int) -> dict[str, np.ndarray]:
    inputs, classes = training.x[0].size, len(training.labels)
    shapes = {"weight": (inputs, classes), "bias": (classes,)}
    vector, params = flatten({name: np.zeros(size, np.float32) for name, size in shapes.items()})
    gradient = np.zeros_like(vector)
    grads = views_of(gradient, params)
    optimizer, schedule = make_optimizer("adam", REACH / inputs), parse_schedule("cosine")
    state = optimizer.start(vector)
    for step, indices in enumerate(_batches(len(training), np.random.default_rng(seed))):
        logits, cache = _logits(training, indices, preprocessing, params)
        _, loss_cache = engine.softmax_cross_entropy(logits, training.y[indices])
        dlogits = engine.softmax_cross_entropy_backward(1.0, loss_cache)
        _, grads["weight"][...], grads["bias"][...] = engine.dense_backward(
            dlogits, cache, need_dx=False
        )
        optimizer.step(vector, gradient, state, optimizer.learning_rate * schedule(step, STEPS))
    return params


def _batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The batches of as many epochs as :data:`STEPS` batches take."""
    epochs = (batches(count, BATCH_SIZE, rng) for _ in range(STEPS))
    return islice(chain.from_iterable(epochs), STEPS)


def _logits(
    data: Dataset, indices: np.ndarray, preprocessing: Preprocessing, params: dict[str, np.ndarray]
) -> tuple[np.ndarray, DenseCache]:
    x = preprocessing.normalized(data.x[indices], data.scale)
    return engine.dense(x.reshape(len(x), -1), params["weight"], params["bias"])


def _shrunk(data: Dataset) -> Dataset:
    return replace(data, x=shrunk(data.x))


def shrunk(images: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) with no side above LARGEST_SIDE, averages of the pixels there were."""
    count, channels, *sides = images.shape
    size = tuple(min(side, LARGEST_SIDE) for side in sides)
    if size == tuple(sides):
        return images
    x = np.empty((count, channels, *size), np.float32)
    step = max(1, BLOCK_VALUES // images[0].size)
    for start in range(0, count, step):
        block = images[start : start + step].astype(np.float32)
        x[start : start + step] = engine.adaptive_pool2d(block, size, "average")[0]
    return x


AT_ONCE = 1 << 23
"""Pairs that are sorted at a time: 64 MB."""

DEFAULT_DISCOUNT = 0.5


class Baselines(NamedTuple):
    """Cross-entropies in nats a token."""

    uniform: float
    unigram: float
    bigram: float


def cross_entropy(train_ids: np.ndarray, test_ids: np.ndarray, size: int) -> Baselines:
    """Of the baselines, counted on ``train_ids`` (N,), over the tokens of ``test_ids`` (M,).

    The first of ``test_ids`` is given, the other M - 1 are predicted, as by a model that reads the
    text from its beginning. size: of the vocabulary, V. ValueError where M is less than 2.
    """
    bigram = Bigram.fit(train_ids, size)
    unigram = Unigram.fit(train_ids, size)
    return Baselines(
        math.log(size), unigram.cross_entropy(test_ids), bigram.cross_entropy(test_ids)
    )


@dataclass(frozen=True, eq=False)
class Unigram:
    """The frequencies of ids, discounted and interpolated with the uniform distribution."""

    counts: np.ndarray  # (V,) c(w)

    @classmethod
    def fit(cls, ids: np.ndarray, size: int) -> Unigram:
        """Of the tokens (N,), all below ``size``."""
        return cls(counts_of(ids, size))

    @cached_property
    def distribution(self) -> np.ndarray:
        """(V,) float64: p(w), all positive, of sum 1."""
        return _discounted(self.counts)

    def cross_entropy(self, ids: np.ndarray) -> float:
        """In nats a token, of all tokens (M,) but the first."""
        _check_test(ids)
        counts = counts_of(ids[1:], len(self.counts))
        return -float(counts @ np.log(self.distribution)) / (len(ids) - 1)


@dataclass(frozen=True, eq=False)
class Bigram:
    """Interpolated Kneser-Ney smoothing of pairs.

    pairs: (K,) int64, ascending: ``v * size + w`` of each pair that was seen.
    counts: (K,) int64: c(vw).
    """

    pairs: np.ndarray
    counts: np.ndarray
    size: int

    @classmethod
    def fit(cls, ids: np.ndarray, size: int) -> Bigram:
        """Of the pairs of neighbours among the tokens (N,), all below ``size``."""
        return cls(*count_pairs(ids, size), size)

    @cached_property
    def discount(self) -> float:
        """D."""
        return discount(self.counts)

    @cached_property
    def continuation(self) -> np.ndarray:
        """(V,) float64: q(w), what to expect behind a token that was never seen."""
        contexts = np.zeros(self.size, np.int64)  # P(w)
        for part in _parts(self.pairs):
            contexts += np.bincount(part % self.size, minlength=self.size)
        return _discounted(contexts)

    def probability(self, histories: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """p(ids | histories), float64 of the shape of both together, which broadcast."""
        histories, ids = np.broadcast_arrays(
            np.asarray(histories, np.int64), np.asarray(ids, np.int64)
        )
        wanted = histories * self.size + ids
        places = np.minimum(np.searchsorted(self.pairs, wanted), max(0, len(self.pairs) - 1))
        seen = np.zeros(ids.shape)
        if len(self.pairs):
            discounted = np.maximum(self.counts[places] - self.discount, 0)
            seen = np.where(self.pairs[places] == wanted, discounted, 0)
        total, followers = (array[histories] for array in self._histories)
        is_new = total == 0
        backed_off = np.where(is_new, 1, self.discount * followers) * self.continuation[ids]
        return (seen + backed_off) / np.where(is_new, 1, total)

    def cross_entropy(self, ids: np.ndarray) -> float:
        """In nats a token, of all tokens (M,) but the first."""
        _check_test(ids)
        pairs, counts = count_pairs(ids, self.size)
        total = 0.0
        for part, times in zip(_parts(pairs), _parts(counts), strict=True):
            total += float(times @ np.log(self.probability(part // self.size, part % self.size)))
        return -total / (len(ids) - 1)

    @cached_property
    def _histories(self) -> tuple[np.ndarray, np.ndarray]:
        """(V,) c(v), how many tokens stand behind v, and (V,) F(v), how many kinds."""
        total, followers = np.zeros(self.size), np.zeros(self.size, np.int64)
        for part, times in zip(_parts(self.pairs), _parts(self.counts), strict=True):
            histories = part // self.size
            total += np.bincount(histories, times, minlength=self.size)
            followers += np.bincount(histories, minlength=self.size)
        return total, followers


def discount(counts: np.ndarray) -> float:
    """n1 / (n1 + 2 n2), or 1/2 where no count is 1 or none is 2."""
    ones, twos = (int(np.count_nonzero(counts == count)) for count in (1, 2))
    return ones / (ones + 2 * twos) if ones and twos else DEFAULT_DISCOUNT


def count_pairs(ids: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """``v * size + w`` of each pair of neighbours in ids (N,), ascending, and how often it occurs.

    Both (K,) int64.
    """
    starts = range(0, len(ids) - 1, AT_ONCE)
    parts = (ids[start : start + AT_ONCE + 1].astype(np.int64) for start in starts)
    return counted_kinds(part[:-1] * size + part[1:] for part in parts)


def counted_kinds(parts: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The different codes of all parts (M,) int64 together, ascending, and how often each occurs:
    every part is sorted, and put to those before."""
    codes, counts = np.zeros((2, 0), np.int64)
    for part in parts:
        found, times = np.unique(part, return_counts=True)
        codes, places = np.unique(np.concatenate([codes, found]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, times])).astype(np.int64)
    return codes, counts


def _discounted(counts: np.ndarray) -> np.ndarray:
    """(max(c - D, 0) + D K / V) / N of counts (V,) with sum N, K of them not 0."""
    total = counts.sum()
    if not total:
        return np.full(len(counts), 1 / len(counts))
    taken = discount(counts)
    spread = taken * np.count_nonzero(counts) / len(counts)
    return (np.maximum(counts - taken, 0) + spread) / total


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(array), AT_ONCE):
        yield array[start : start + AT_ONCE]


def _check_test(ids: np.ndarray) -> None:
    if len(ids) < 2:
        raise ValueError(f"{len(ids)} test tokens: expected 2 or more, the first is given")
