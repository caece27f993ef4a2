"""Samples as a model of sequences is fed them: to learn from, and to be judged on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from cnntool.datasets.sequences.feeds import PairFeed, SequenceFeed
from cnntool.datasets.sequences.inputs import MOST_STEPS, Rows, TextInput
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.datasets.sequences.samples import Samples, what_of
from cnntool.errors import InputError
from cnntool.networks.batch_sizes import batch_size_for, steps_at_once
from cnntool.networks.model import SequenceModel
from cnntool.wording import listed

UNITS = {
    "classifier": "sample",
    "tagger": "sequence",
    "translator": "pair",
    "captioner": "caption",
}
"""What a batch has so many of, by the task."""


def learning_feed(
    model: SequenceModel,
    samples: Samples,
    batch_size: int,
    most: int = MOST_STEPS,
    is_balanced: bool = False,
) -> SequenceFeed:
    """What a model learns from; InputError for a label or a tag that it has not.

    most: tokens or steps of an input, and of a text that is to be said, which has its end behind
    them where it is no longer. is_balanced: whether all classes count alike in the loss. Of several
    texts that are right each is learned.
    """
    rows = model.reader.rows(samples.inputs, True, most)
    if model.writer is not None:
        return _pairs(model, model.writer, rows, samples.answers, batch_size, most)
    targets = _targets(model, samples, most)
    weights = _balanced(values_of(targets), len(model.labels)) if is_balanced else None
    unit = UNITS[model.header.kind]
    return SequenceFeed(rows, targets, batch_size, unit, weights, model.facts)


def judging_feed(model: SequenceModel, samples: Samples) -> SequenceFeed:
    """What a model is judged on: all of each input, and of several right texts the first."""
    check_fits(model, samples)
    size, most = batch_size_for(model.network), steps_at_once(model.network)
    rows = model.reader.rows(samples.inputs)
    if model.writer is not None:
        firsts = [right[:1] for right in samples.answers]
        feed = _pairs(model, model.writer, rows, firsts, size)
        return replace(feed, most_steps=most)
    targets, unit = _targets(model, samples), UNITS[model.header.kind]
    return SequenceFeed(rows, targets, size, unit, facts=model.facts, most_steps=most)


def check_fits(model: SequenceModel, samples: Samples) -> None:
    """InputError where a model takes other inputs."""
    takes = what_of(model.reader.form, model.reader.shape)
    if samples.what != takes and len(samples):
        raise InputError(f"{samples.name} holds {samples.what}, and {model.name} takes {takes}")


def target_counts(feed: SequenceFeed, kinds: int) -> np.ndarray:
    """(kinds,) how often each class, tag or token is to be said."""
    return np.bincount(values_of(feed.targets), minlength=kinds)


def values_of(targets: np.ndarray | Ragged) -> np.ndarray:
    return targets.values if isinstance(targets, Ragged) else targets


def numbered(
    answers: Iterable[str], labels: Sequence[str], what: str, samples: Samples, owner: str
) -> np.ndarray:
    """(N,) int64 the place of each among the labels; InputError for one that is not there."""
    places, answers = {label: index for index, label in enumerate(labels)}, list(answers)
    for answer in answers:
        if answer not in places:
            raise InputError(
                f"{samples.name} has the {what} {answer!r}, which {owner} has not "
                f"({listed(list(labels))}): they must have the same names"
            )
    return np.array([places[answer] for answer in answers], np.int64)


def _targets(
    model: SequenceModel, samples: Samples, most: int | None = None
) -> np.ndarray | Ragged:
    if model.header.kind == "classifier":
        return numbered(samples.answers, model.labels, "label", samples, model.name)
    answers = [tags[:most] for tags in samples.answers]
    tags = numbered(chain.from_iterable(answers), model.labels, "tag", samples, model.name)
    return Ragged(tags, np.array([len(each) for each in answers], np.int64))


def _balanced(targets: np.ndarray, kinds: int) -> np.ndarray:
    """(kinds,) weights by which all classes that there are come to the same, on average 1."""
    counts = np.bincount(targets, minlength=kinds)
    return len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))


def _pairs(
    model: SequenceModel,
    writer: TextInput,
    rows: Rows,
    answers: Iterable[tuple[str, ...]],
    batch_size: int,
    most: int | None = None,
) -> PairFeed:
    answers = list(answers)
    sources = np.repeat(np.arange(len(answers)), [len(each) for each in answers])
    ids = [writer.ids(text) for text in chain.from_iterable(answers)]
    if most is not None:
        ids = [each if len(each) <= most + 1 else each[:most] for each in ids]
    targets, unit = Ragged.of(ids, writer.vocabulary.dtype), UNITS[model.header.kind]
    facts, end = model.facts, writer.end
    return PairFeed(rows, targets, batch_size, unit, facts=facts, sources=sources, end=end)
