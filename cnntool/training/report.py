"""What a trained network gets right and wrong on a part of some data, images or a text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnntool.datasets.feeds import ImageFeed, WindowFeed
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.parts import Parts, hold_out
from cnntool.datasets.texts.corpus import Corpus, split
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.networks.model import Classifier, TrainedText
from cnntool.networks.model_header import Header
from cnntool.networks.summary import batch_size_for
from cnntool.training import measures
from cnntool.training.settings import Streams


@dataclass(frozen=True)
class Mistake:
    """An image that was taken for another class: its index in the set, classes by number, and its
    file where it has one."""

    index: int
    target: int
    predicted: int
    probability: float
    file: str | None = None


@dataclass(frozen=True, eq=False)
class Report(measures.Answers):
    """How good a network is on a set of labelled samples.

    files: of the samples, where they have one each. k: how many of the likeliest classes
        :attr:`top_k` looks at.
    """

    labels: tuple[str, ...]
    files: tuple[str, ...] | None
    k: int

    @property
    def top_k(self) -> float:
        """The share of samples whose class is among the k likeliest."""
        return float(np.mean(self.ranks < self.k))

    @cached_property
    def confusion(self) -> np.ndarray:
        """(K, K) int64, rows the true classes, columns the predicted ones."""
        return measures.confusion_matrix(self.predicted, self.targets, len(self.labels))

    @cached_property
    def scores(self) -> measures.ClassScores:
        return measures.class_scores(self.confusion)

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """All of them, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.targets)
        order = wrong[np.argsort(-self.probabilities[wrong], kind="stable")]
        found = []
        for i in order.tolist():
            target, predicted = int(self.targets[i]), int(self.predicted[i])
            file = None if self.files is None else self.files[i]
            found.append(Mistake(i, target, predicted, float(self.probabilities[i]), file))
        return tuple(found)


def evaluate(classifier: Classifier, data: Dataset, k: int = 3) -> Report:
    """Put a network to all images of a set, whose classes are numbered as the network's are."""
    network = classifier.network
    feed = ImageFeed(data, classifier.preprocessing, batch_size_for(network))
    found = measures.answers(network, feed)
    if not np.isfinite(found.losses).all():
        raise not_finite(f"{classifier.name}: its network")
    return Report(**vars(found), labels=classifier.labels, files=data.files, k=k)


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were taken for another: how many, and their share of the class."""

    target: int
    predicted: int
    count: int
    share: float


def confusions(confusion: np.ndarray) -> list[Confusion]:
    """Every pair of classes that were taken for each other, the most frequent first."""
    wrong = confusion * ~np.eye(len(confusion), dtype=bool)
    support = confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
    return [
        Confusion(int(i), int(j), int(wrong[i, j]), float(wrong[i, j] / support[i]))
        for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
    ]


def with_held_out(parts: Parts, header: Header) -> tuple[Parts, bool]:
    """The parts as they were in training, and whether the network learned from ``train``.

    The fingerprint tells whether it did. What training held out of it to validate on is then found
    again from the seed, where the fingerprint is that of the rest, or where the settings say how
    much it was.
    """
    if not header.fingerprint or "train" not in parts.each:
        return parts, False
    fraction = header.training.get("val_split")
    is_known = isinstance(fraction, int | float) and 0 <= fraction < 1
    try:
        rng = Streams(abs(header.seed))["split"]
        split = hold_out(parts, rng, fraction if is_known else None)
    except InputError:  # one image a class: nothing was held out
        split = parts
    if split.train.fingerprint == header.fingerprint:
        return split, True
    is_trained_on = parts.train.fingerprint == header.fingerprint
    return split if is_trained_on and is_known else parts, is_trained_on


@dataclass(frozen=True, eq=False)
class TextReport(measures.Judgement):
    """What a model made of a part of a text: all its tokens but the first, which is given.

    learned_from: whether the model was trained on it.
    """

    part: str
    corpus: Corpus
    learned_from: bool

    @property
    def perplexity(self) -> float:
        return measures.perplexity(self.loss)

    @property
    def bits_per_token(self) -> float:
        return measures.bits(self.loss)

    @property
    def bits_per_character(self) -> float | None:
        """All surprisal shared among the characters of the text; how unknown words are spelled
        is not in it."""
        if self.corpus.vocabulary.level == "char":
            return self.bits_per_token
        if not self.corpus.characters:
            return None
        return measures.bits(self.loss) * self.count / self.corpus.characters


def parts_of(corpus: Corpus, header: Header) -> tuple[dict[str, Corpus], bool]:
    """The parts of a text by name, and whether the model was trained on it: then it is split as it
    was in training."""
    share = header.training.get("val_split")
    is_trained_on = corpus.fingerprint == header.fingerprint
    if not is_trained_on or not isinstance(share, int | float) or not 0 < share < 1:
        return {"all": corpus}, is_trained_on
    train, held = split(corpus, share)
    assert held is not None  # of a share above 0
    return {"validation": held, "train": train, "all": corpus}, True


def evaluate_text(trained: TrainedText, corpus: Corpus, part: str | None = None) -> TextReport:
    """Put a model to a text whose ids are the model's: the part held out in training where it was
    trained on it, else all. RequestError for a part that there is not."""
    parts, is_trained_on = parts_of(corpus, trained.header)
    part = next(iter(parts)) if part is None else part
    if part not in parts:
        raise RequestError(
            f"{corpus.name} has no {part} part: use --part {' or '.join(parts)}, or leave it out"
        )
    chosen = parts[part]
    if len(chosen) < 2:
        raise InputError(f"{corpus.name} has {len(chosen)} token: it needs two, the first is given")
    judgement = measures.judge(trained.network, WindowFeed.whole(chosen))
    if not np.isfinite(judgement.losses).all():
        raise not_finite(f"{trained.name}: its network")
    learned_from = is_trained_on and part != "validation"
    return TextReport(**vars(judgement), part=part, corpus=chosen, learned_from=learned_from)
