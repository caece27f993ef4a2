"""What a network that reads or writes sequences has to beat: the commonest answer, tables of words,
nearest neighbours, and the same network without recurrence.

Naive Bayes has a file of its own, and so have edit distances with the nearest source by them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from cnntool.datasets.sequences.feeds import SequenceFeed
from cnntool.datasets.sequences.inputs import TextInput
from cnntool.datasets.sequences.samples import Samples
from cnntool.networks.joined import parse_network
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.model import SequenceModel
from cnntool.networks.network import Network
from cnntool.networks.objective import begin_at_frequencies
from cnntool.networks.sequence_answers import tag_odds
from cnntool.training.baselines import BLOCK_VALUES, Unigram, shrunk
from cnntool.training.edit_distance import NearestSource, tokens_of
from cnntool.training.loop import Trainer
from cnntool.training.naive_bayes import NaiveBayes, letters
from cnntool.training.sequence_feeds import target_counts
from cnntool.training.settings import Streams
from cnntool.training.shards import fill
from cnntool.training.task import Diverged, Task

WORD_ORDER = 2
LETTER_ORDER = 4
"""Of the n-grams of Naive Bayes."""

LONGEST_SUFFIX = 5
RARE = 10
"""Words seen as often at most tell what tag a suffix has: unknown words are like rare ones (Brants,
TnT, ANLP 2000)."""

DIGIT = re.compile(r"\d")

PART = 2
"""The network without recurrence has as many steps, each of a half of the sequences: the run takes
at most half as long again, where whole ones take nearly as long. Of the frames of moving digits it
tells 74 % then, not 76 %."""

Baseline = Callable[[Sequence[Any]], Sequence[Any]]
"""From inputs to an answer each, as :mod:`samples` has them; of several right ones one text."""


def baselines_of(
    model: SequenceModel, training: Samples, task: Task | None = None
) -> dict[str, Baseline]:
    """What the model has to beat, fitted on what it learned from, by name.

    task: what it was trained by, which a tagger of frames or rows needs beside it: the same network
    without recurrence is trained then.
    """
    kind, reader = model.header.kind, model.reader
    if kind == "classifier":
        if not isinstance(reader, TextInput):
            return classifier_baselines(training)
        level = "word" if reader.level in ("word", "symbol") else "char"
        return classifier_baselines(training, level, reader.tokens)
    if kind == "tagger":
        found = tagger_baselines(training)
        if task is not None and is_compared(model):
            found["the same network without recurrence"] = without_recurrence(model, task)
        return found
    if kind == "translator":
        return translator_baselines(training, reader.level if isinstance(reader, TextInput) else "")
    return captioner_baselines(training)


def classifier_baselines(
    training: Samples, level: str = "word", cut: Callable[[str], list[str]] = str.split
) -> dict[str, Baseline]:
    """By name. level: of a text's tokens; cut: makes words of it."""
    found = {"most frequent class": always(most_common(Counter(training.answers)))}
    if training.form != "text":
        found["nearest neighbour on means and deviations"] = nearest_series(training)
        return found
    tokens: Callable[[str], Sequence[str]] = cut if level == "word" else letters
    order = WORD_ORDER if level == "word" else LETTER_ORDER
    fitted = NaiveBayes.fit([tokens(text) for text in training.inputs], training.answers, order)
    kind = "words and pairs" if level == "word" else f"1 to {order} letters"
    found[f"Naive Bayes on {kind}"] = lambda texts: fitted.answers(list(map(tokens, texts)))
    return found


def tagger_baselines(training: Samples) -> dict[str, Baseline]:
    """By name; of anything but words only the most frequent tag."""
    tag = most_common(Counter(chain.from_iterable(training.answers)))
    found: dict[str, Baseline] = {
        "most frequent tag": lambda inputs: [(tag,) * len(each) for each in inputs]
    }
    if training.form == "words":
        found["most frequent tag of the word"] = word_tags(training.inputs, training.answers)
    return found


def translator_baselines(training: Samples, level: str) -> dict[str, Baseline]:
    """By name. level: of the tokens of sources that distances count."""
    tokens = partial(tokens_of, level=level)
    targets = [right[0] for right in training.answers]
    fitted = NearestSource.fit(list(map(tokens, training.inputs)), targets)
    return {
        "copy": list,
        "nearest source": lambda sources: fitted.answers(list(map(tokens, sources))),
        "most frequent target": always(most_common(Counter(targets))),
    }


def captioner_baselines(training: Samples) -> dict[str, Baseline]:
    """By name."""
    captions = Counter(chain.from_iterable(training.answers))
    return {
        "most frequent caption": always(most_common(captions)),
        "nearest picture": nearest_picture(training),
    }


def most_common(counts: Counter[Any]) -> Any:
    """What has the largest count, the first of several."""
    return max(counts, key=counts.__getitem__)


def always(answer: Any) -> Baseline:
    return lambda inputs: [answer] * len(inputs)


def word_tags(sentences: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> Baseline:
    """The most frequent tag of each word: of the word with its digits folded to 0, else of that in
    small letters, else of the longest suffix of the rare words that it ends in, else of all."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in zip(sentences, answers, strict=True):
        for word, tag in zip(words, tags, strict=True):
            counts[DIGIT.sub("0", word)][tag] += 1
    small: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for word, found in counts.items():
        small[word.lower()] += found
    suffixes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for word, found in small.items():
        for suffix in _suffixes(word) if found.total() <= RARE else [""]:
            suffixes[suffix] += found
    by_word, by_suffix = (
        {key: most_common(tags) for key, tags in table.items()}
        for table in (small | counts, suffixes)
    )

    def tag_of(word: str) -> str:
        word = DIGIT.sub("0", word)
        known = by_word.get(word, by_word.get(word.lower()))
        if known is not None:
            return known
        return next(by_suffix[s] for s in _suffixes(word.lower()) if s in by_suffix)

    return lambda others: [tuple(map(tag_of, words)) for words in others]


def _suffixes(word: str) -> Iterator[str]:
    """The longest first, the last is empty."""
    for length in range(min(LONGEST_SUFFIX, len(word)), -1, -1):
        yield word[len(word) - length :]


def nearest_series(training: Samples) -> Baseline:
    """The class of the training series that is nearest in the means and standard deviations over
    time of each measurement, each shifted and scaled to mean 0 and deviation 1 in training."""
    features = _moments(training.inputs)
    shift, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0] = 1
    own = (features - shift) / scale

    def answers(series: Sequence[np.ndarray]) -> list[str]:
        places = nearest((_moments(series) - shift) / scale, [own])
        return [training.answers[i] for i in places.tolist()]

    return answers


def _moments(series: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 2 D) float64 of series (T, D); 0 where T is 0."""
    rows = []
    for steps in series:
        values = np.asarray(steps, np.float64) if len(steps) else np.zeros((1, *steps.shape[1:]))
        rows.append([values.mean(axis=0), values.std(axis=0)])
    return np.array(rows).reshape(len(rows), -1)


def nearest_picture(training: Samples) -> Baseline:
    """The caption of the training picture that is nearest in the squares of pixels' differences; of
    pictures with a side above :data:`cnntool.training.baselines.LARGEST_SIDE`, of averages."""

    def answers(pictures: Sequence[np.ndarray]) -> list[str]:
        if not len(pictures):
            return []
        own = np.concatenate(list(_pixels(pictures)))
        return [training.answers[i][0] for i in nearest(own, _pixels(training.inputs)).tolist()]

    return answers


def _pixels(pictures: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Some pictures at a time, (n, pixels) float32."""
    step = max(1, BLOCK_VALUES // pictures[0].size)
    for start in range(0, len(pictures), step):
        block = shrunk(np.stack(pictures[start : start + step]))
        yield block.reshape(len(block), -1).astype(np.float32, copy=False)


def nearest(points: np.ndarray, blocks: Iterable[np.ndarray]) -> np.ndarray:
    """(N,) which of all rows of the blocks (n, F) is nearest to each of the points (N, F), the
    first of several. ``|b - a|^2 - |a|^2`` is compared, which needs only a product."""
    best = np.zeros(len(points), np.int64)
    least = np.full(len(points), np.inf)
    first = 0
    for block in blocks:
        squares = np.einsum("nf,nf->n", block, block)
        step = max(1, BLOCK_VALUES // max(1, len(block)))
        for start in range(0, len(points), step):
            some = slice(start, start + step)
            distances = squares - 2 * (points[some] @ block.T)
            places = distances.argmin(axis=1)
            found = np.take_along_axis(distances, places[:, None], axis=1)[:, 0]
            best[some] = np.where(found < least[some], first + places, best[some])
            least[some] = np.minimum(least[some], found)
        first += len(block)
    return best


def is_compared(model: SequenceModel) -> bool:
    """Whether a model is a tagger of frames or rows with a recurrence."""
    has_recurrence = any(isinstance(layer, Recurrent) for layer in model.network.layers)
    is_tagger = model.header.kind == "tagger" and not isinstance(model.reader, TextInput)
    return is_tagger and has_recurrence


def step_by_step(network: Network) -> Network:
    """The layers of a tagger that look at one step alone; parameters not drawn yet."""
    layers = [str(layer) for layer in network.layers if not isinstance(layer, Recurrent)]
    return parse_network("; ".join(layers), network.input_shape)


def without_recurrence(model: SequenceModel, task: Task) -> Baseline:
    """What the network of a tagger tells of each frame or row by itself, trained as the model was,
    on the same, with what stands at the end: what a recurrent network has over it is what the steps
    before and behind a step tell of that."""
    feed, settings = task.feed, task.settings
    assert isinstance(feed, SequenceFeed)  # that of a tagger
    feed = replace(feed, batch_size=-(-feed.batch_size // PART))
    settings = replace(settings, epochs=-(-settings.epochs // PART), patience=0)
    streams, network = Streams(settings.seed), step_by_step(model.network)
    network.initialise(streams["start"])
    if len(network.layers) == 1:  # linear: from 0 it comes to the same, and sooner
        for array in network.params.values():
            array[...] = 0
    if feed.class_weights is None:
        counts = target_counts(feed, len(model.labels))
        begin_at_frequencies(network, Unigram(counts).distribution)
    arrays = {**network.params, **network.buffers}
    begun = {path: array.copy() for path, array in arrays.items()}
    own = Task(task.name, network, feed, None, settings, task.measure)
    with Trainer(own, streams) as trainer:
        try:
            for _ in trainer.run():
                pass
        except Diverged:  # as it was before that
            fill({**network.params, **network.buffers}, trainer.best or begun)

    def answers(inputs: Sequence[Any]) -> list[tuple[str, ...]]:
        odds = tag_odds(network, model.reader.rows(inputs))
        each = (odds[index].argmax(axis=1) for index in range(len(inputs)))
        return [tuple(model.labels[k] for k in found) for found in each]

    return answers
