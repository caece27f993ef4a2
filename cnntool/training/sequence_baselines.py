"""What a network that reads or writes sequences has to beat: the commonest answer, tables of words,
and nearest neighbours.

Each is fitted on what is trained on, and ``answers(inputs)`` gives as many answers as there are
inputs, of the kind that :mod:`samples` has. Naive Bayes and the nearest source have files of their
own.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Protocol

import numpy as np

from cnntool.datasets.sequences.samples import Samples
from cnntool.training.baselines import BLOCK_VALUES, shrunk
from cnntool.training.naive_bayes import NaiveBayes, letters
from cnntool.training.nearest_source import NearestSource
from cnntool.training.sequence_scores import tokens_of

WORD_ORDER = 2
LETTER_ORDER = 4
"""Of the n-grams of Naive Bayes."""

LONGEST_SUFFIX = 5
RARE = 10
"""Words seen as often at most tell what tag a suffix has: unknown words are like rare ones (Brants,
TnT, ANLP 2000)."""

DIGIT = re.compile(r"\d")


class Baseline(Protocol):
    """Inputs and answers as in :mod:`samples`; of several answers that are right one text."""

    def answers(self, inputs: Sequence[Any]) -> Sequence[Any]: ...


def classifier_baselines(
    training: Samples, level: str = "word", cut: Callable[[str], list[str]] = str.split
) -> dict[str, Baseline]:
    """By name. level: of a text's tokens; cut: makes words of it."""
    found: dict[str, Baseline] = {
        "most frequent class": MostFrequent(most_common(Counter(training.answers)))
    }
    if training.form != "text":
        found["nearest neighbour on means and deviations"] = NearestSeries.fit(training)
        return found
    tokens: Callable[[str], Sequence[str]] = cut if level == "word" else letters
    order = WORD_ORDER if level == "word" else LETTER_ORDER
    fitted = NaiveBayes.fit([tokens(text) for text in training.inputs], training.answers, order)
    kind = "words and pairs" if level == "word" else f"1 to {order} letters"
    found[f"Naive Bayes on {kind}"] = OfTokens(fitted, tokens)
    return found


def tagger_baselines(training: Samples) -> dict[str, Baseline]:
    """By name; of anything but words only the most frequent tag."""
    tag = most_common(Counter(chain.from_iterable(training.answers)))
    found: dict[str, Baseline] = {"most frequent tag": MostFrequentTag(tag)}
    if training.form == "words":
        found["most frequent tag of the word"] = WordTags.fit(training.inputs, training.answers)
    return found


def translator_baselines(training: Samples, level: str) -> dict[str, Baseline]:
    """By name. level: of the tokens of sources that distances count."""
    tokens = partial(tokens_of, level=level)
    sources = [tokens(source) for source in training.inputs]
    targets = [right[0] for right in training.answers]
    return {
        "copy": Copy(),
        "nearest source": OfTokens(NearestSource.fit(sources, targets), tokens),
        "most frequent target": MostFrequent(most_common(Counter(targets))),
    }


def captioner_baselines(training: Samples) -> dict[str, Baseline]:
    """By name."""
    return {
        "most frequent caption": MostFrequent(
            most_common(Counter(chain.from_iterable(training.answers)))
        ),
        "nearest picture": NearestPicture(
            training.inputs, [right[0] for right in training.answers]
        ),
    }


def most_common(counts: Counter[Any]) -> Any:
    """What has the largest count, the first of several."""
    return max(counts, key=counts.__getitem__)


@dataclass(frozen=True)
class OfTokens:
    """One of texts that are cut into tokens first."""

    baseline: Baseline
    tokens: Callable[[str], Sequence[Any]]

    def answers(self, texts: Sequence[str]) -> Sequence[Any]:
        return self.baseline.answers([self.tokens(text) for text in texts])


class Copy:
    """The source itself."""

    def answers(self, sources: Sequence[str]) -> list[str]:
        return list(sources)


@dataclass(frozen=True)
class MostFrequent:
    """Always the same answer."""

    answer: Any

    def answers(self, inputs: Sequence[Any]) -> list[Any]:
        return [self.answer] * len(inputs)


@dataclass(frozen=True)
class MostFrequentTag:
    """The same tag for every word or step."""

    tag: str

    def answers(self, inputs: Sequence[Any]) -> list[tuple[str, ...]]:
        return [(self.tag,) * len(each) for each in inputs]


@dataclass(frozen=True)
class WordTags:
    """The most frequent tag of each word: of the word with its digits folded to 0, else of that in
    small letters, else of the longest suffix of the rare words that it ends in, else of all."""

    by_word: dict[str, str]
    by_suffix: dict[str, str]

    @classmethod
    def fit(cls, sentences: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]) -> WordTags:
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for words, tags in zip(sentences, answers, strict=True):
            for word, tag in zip(words, tags, strict=True):
                counts[_folded(word)][tag] += 1
        small: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for word, found in counts.items():
            small[word.lower()] += found
        suffixes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for word, found in small.items():
            for suffix in _suffixes(word) if found.total() <= RARE else [""]:
                suffixes[suffix] += found
        return cls(_commonest(small) | _commonest(counts), _commonest(suffixes))

    def answers(self, sentences: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
        return [tuple(self.tag(word) for word in words) for words in sentences]

    def tag(self, word: str) -> str:
        word = _folded(word)
        known = self.by_word.get(word, self.by_word.get(word.lower()))
        if known is not None:
            return known
        return next(self.by_suffix[s] for s in _suffixes(word.lower()) if s in self.by_suffix)


def _folded(word: str) -> str:
    return DIGIT.sub("0", word)


def _suffixes(word: str) -> Iterator[str]:
    """The longest first, the last is empty."""
    for length in range(min(LONGEST_SUFFIX, len(word)), -1, -1):
        yield word[len(word) - length :]


def _commonest(counts: dict[str, Counter[str]]) -> dict[str, str]:
    return {word: most_common(tags) for word, tags in counts.items()}


@dataclass(frozen=True, eq=False)
class NearestSeries:
    """The class of the training series that is nearest in the means and standard deviations over
    time of each measurement, each shifted and scaled to mean 0 and deviation 1 in training."""

    features: np.ndarray  # (N, 2 D), shifted and scaled
    shift: np.ndarray
    scale: np.ndarray
    labels: Sequence[str]

    @classmethod
    def fit(cls, training: Samples) -> NearestSeries:
        features = _moments(training.inputs)
        shift, scale = features.mean(axis=0), features.std(axis=0)
        scale[scale == 0] = 1
        return cls((features - shift) / scale, shift, scale, training.answers)

    def answers(self, series: Sequence[np.ndarray]) -> list[str]:
        features = (_moments(series) - self.shift) / self.scale
        return [self.labels[i] for i in nearest(features, [self.features]).tolist()]


def _moments(series: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 2 D) float64 of series (T, D); 0 where T is 0."""
    rows = []
    for steps in series:
        values = np.asarray(steps, np.float64) if len(steps) else np.zeros((1, *steps.shape[1:]))
        rows.append([values.mean(axis=0), values.std(axis=0)])
    return np.array(rows).reshape(len(rows), -1)


@dataclass(frozen=True, eq=False)
class NearestPicture:
    """The caption of the training picture that is nearest in the squares of pixels' differences; of
    pictures with a side above :data:`cnntool.training.baselines.LARGEST_SIDE`, of averages."""

    pictures: Sequence[np.ndarray]
    captions: Sequence[str]

    def answers(self, pictures: Sequence[np.ndarray]) -> list[str]:
        if not len(pictures):
            return []
        own = np.concatenate(list(_pixels(pictures)))
        return [self.captions[i] for i in nearest(own, _pixels(self.pictures)).tolist()]


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
