"""From what was read to the arrays of a step: texts as ids, series and pictures as numbers.

Each way in has ``rows``, which turns inputs into what a feed takes batches of, and ``to_json``,
from which a model file makes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing, fit_preprocessing
from cnntool.datasets.sequences.cutting import all_tokens, bare, written
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.engine.arrays import within
from cnntool.errors import InputError

HIDDEN = 0.5
"""How often a word that occurs once is learned as the unknown one, of which there is no other."""

MOST_STEPS = 1000
"""Tokens of a text, or steps of a series, from which on the rest is left out of training."""


class Spelled(NamedTuple):
    """Tokens with their spelling, each different word once."""

    ids: np.ndarray  # (T, B)
    words: np.ndarray  # (T, B), the place of each among the spellings
    letters: np.ndarray  # (L, W) ids
    lengths: np.ndarray  # (W,)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.ids.shape

    @property
    def ndim(self) -> int:
        return self.ids.ndim

    @property
    def nbytes(self) -> int:
        return self.ids.nbytes + self.words.nbytes + self.letters.nbytes


@dataclass(frozen=True, eq=False)
class TextRows:
    """Ids of texts; rare: (V,) booleans, the tokens that are hidden at random.

    words, spellings: the place of each token among all different ones, and those in letters; None
    where the network reads none.
    """

    ids: Ragged
    rare: np.ndarray
    words: Ragged | None = None
    spellings: Ragged | None = None

    @property
    def lengths(self) -> np.ndarray:
        return self.ids.lengths

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        return self.ids.nbytes

    def take(self, indices: np.ndarray, rng: np.random.Generator | None = None) -> tuple[Any, Any]:
        """Ids (T, B), or :class:`Spelled`, and the lengths (B,)."""
        ids, lengths = self.ids.padded(indices)
        if rng is not None and self.rare.any():
            is_hidden = self.rare[ids] & (rng.random(ids.shape) < HIDDEN)
            ids = np.where(is_hidden, ids.dtype.type(0), ids)
        if self.words is None or self.spellings is None:
            return ids, lengths
        places, _ = self.words.padded(indices)
        distinct, words = np.unique(places, return_inverse=True)
        letters, counts = self.spellings.padded(distinct)
        return Spelled(ids, words.reshape(ids.shape), letters, counts), lengths


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Series, videos or pictures, prepared for the network when they are taken."""

    values: Ragged | np.ndarray
    prepare: Callable[[np.ndarray], np.ndarray]

    @property
    def lengths(self) -> np.ndarray | None:
        return self.values.lengths if isinstance(self.values, Ragged) else None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    def take(self, indices: np.ndarray, rng: np.random.Generator | None = None) -> tuple[Any, Any]:
        """(T, B, ...) with the lengths (B,), or (B, C, H, W) and None."""
        if not isinstance(self.values, Ragged):
            return self.prepare(self.values[indices]), None
        x, lengths = self.values.padded(indices)
        shape = x.shape
        x = self.prepare(x.reshape(-1, *shape[2:])).reshape(shape)
        x[~within(lengths, *shape[:2])] = 0
        return x, lengths


Rows = TextRows | ArrayRows
"""What inputs are to a feed: ``take`` gives what a network takes of some of them, changed at random
where that was asked for and there is an ``rng``, and their lengths. lengths: (N,) of sequences,
None where all are of one shape."""


@dataclass(frozen=True)
class TextInput:
    """Texts of a level: word (signs apart, see :mod:`cutting`), symbol (what stands between white
    space), char or byte; or ``words`` that are given one by one.

    letters: what each word is spelled with, where the network reads that, too. folds: whether words
    are read in lower case, and those given one by one with all digits as 0.
    """

    form: str
    level: str
    vocabulary: Vocabulary
    letters: Vocabulary | None = None
    folds: bool = True

    @classmethod
    def of(
        cls,
        inputs: Sequence[Any],
        form: str,
        level: str,
        has_letters: bool = False,
        folds: bool = True,
        size: int | None = None,
        min_count: int = 1,
        name: str = "the data",
    ) -> TextInput:
        """That of the inputs of a training part, or of its answers."""
        kind = "word" if level == "symbol" else level
        lines = ("".join(_lines(tokens, kind)) for tokens in all_tokens(inputs, form, level, folds))
        vocabulary = Vocabulary.of(lines, kind, size, min_count, name)
        letters = None
        if has_letters:
            words = (" ".join(tokens) for tokens in all_tokens(inputs, form, level, False))
            letters = Vocabulary.of(words, "char", name=name)
        return cls(form, level, vocabulary, letters, folds)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a step, for the network: none, as it takes ids."""
        return ()

    @property
    def end(self) -> int:
        """The id of what ends a text."""
        return int(self.vocabulary.encode("\n")[0])

    def tokens(self, text: Any, is_raw: bool = False) -> list[str]:
        """What a text is cut into; raw: before it is folded."""
        return next(all_tokens([text], self.form, self.level, self.folds and not is_raw))

    def ids(self, text: Any) -> np.ndarray:
        """(N,): of a text with the end behind it, which words to be tagged do not have."""
        found = self.vocabulary.encode("".join(_lines(self.tokens(text), self.vocabulary.level)))
        return found[:-1] if self.form == "words" else found

    def rows(
        self, inputs: Sequence[Any], is_learned: bool = False, most: int | None = None
    ) -> TextRows:
        """is_learned: whether what occurs once may be hidden. most: tokens of a text."""
        ids = Ragged.of([self.ids(text)[:most] for text in inputs], self.vocabulary.dtype)
        rare = np.zeros(len(self.vocabulary), bool)
        if is_learned and self.vocabulary.level != "byte":
            rare = np.bincount(ids.values, minlength=len(rare)) == 1
        if self.letters is None:
            return TextRows(ids, rare)
        places: dict[str, int] = {}
        words = [
            np.array([places.setdefault(word, len(places)) for word in self._spelled(text)[:most]])
            for text in inputs
        ]
        spellings = [self.letters.encode(word) for word in places]
        return TextRows(
            ids, rare, Ragged.of(words, np.int32), Ragged.of(spellings, self.letters.dtype)
        )

    def _spelled(self, text: Any) -> list[str]:
        words = self.tokens(text, is_raw=True)
        return words if self.form == "words" else [*words, "\n"]

    def text(self, ids: Iterable[int]) -> str:
        """What ids without the end say, with one space where there may be more white space."""
        said = [i for i in ids if i != self.end]
        if self.level == "word":
            return written(self.vocabulary.tokens[i] for i in said)
        return self.vocabulary.decode(said)

    def shown(self, token: str) -> str:
        """A token as people are shown it: a sign without the marks of what it touches."""
        return bare(token) if self.form == "text" and self.level == "word" else token

    def to_json(self) -> dict[str, Any]:
        letters = None if self.letters is None else self.letters.tokens
        return {
            "form": self.form,
            "level": self.level,
            "tokens": self.vocabulary.tokens,
            "letters": letters,
            "folds": self.folds,
        }


@dataclass(frozen=True)
class SeriesInput:
    """Series of measurements, each feature of mean 0 and deviation 1 over the training part."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    form = "steps"

    @classmethod
    def of(cls, inputs: Sequence[np.ndarray]) -> SeriesInput:
        values = np.concatenate(inputs).astype(np.float64)
        deviation = values.std(axis=0)
        deviation[deviation == 0] = 1
        return cls(tuple(values.mean(axis=0).tolist()), tuple(deviation.tolist()))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.mean),)

    def rows(
        self, inputs: Sequence[np.ndarray], is_learned: bool = False, most: int | None = None
    ) -> ArrayRows:
        return ArrayRows(Ragged.of([each[:most] for each in inputs], np.float32), self.prepared)

    def prepared(self, x: np.ndarray) -> np.ndarray:
        mean, deviation = (np.array(each, np.float32) for each in (self.mean, self.deviation))
        return (x - mean) / deviation

    def to_json(self) -> dict[str, Any]:
        return {"form": self.form, "mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True)
class PixelInput:
    """Pictures, or videos of them, as :class:`Preprocessing` makes them."""

    form: str  # picture or frames
    preprocessing: Preprocessing

    @classmethod
    def of(cls, inputs: Sequence[np.ndarray], form: str) -> PixelInput:
        return cls(form, fit_preprocessing(cls.images(inputs, form)))

    @staticmethod
    def images(inputs: Sequence[np.ndarray], form: str) -> Dataset:
        """All pictures, or all frames, uint8 (N, C, H, W), as images of no class."""
        x = np.stack(inputs) if form == "picture" else np.concatenate(inputs)
        return Dataset(x, np.zeros(len(x), np.int64), (), form)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.preprocessing.channels, *(self.preprocessing.size or ())

    def rows(
        self, inputs: Sequence[np.ndarray], is_learned: bool = False, most: int | None = None
    ) -> ArrayRows:
        if self.form == "picture":
            return ArrayRows(np.stack(inputs), self.prepared)
        return ArrayRows(Ragged.of([each[:most] for each in inputs]), self.prepared)

    def prepared(self, x: np.ndarray) -> np.ndarray:
        return self.preprocessing.normalized(x, 255.0)

    def to_json(self) -> dict[str, Any]:
        return {"form": self.form, **self.preprocessing.to_json()}


Input = TextInput | SeriesInput | PixelInput


def input_from_json(plain: dict[str, Any], name: str = "the model file") -> Input:
    """What ``to_json`` gave; InputError where it cannot be."""
    form = plain.get("form")
    if form in ("picture", "frames"):
        return PixelInput(form, Preprocessing.from_json(plain, name))
    if form == "steps":
        mean, deviation = (_numbers(plain.get(key), name, key) for key in ("mean", "deviation"))
        if len(mean) != len(deviation) or not all(value > 0 for value in deviation):
            raise InputError(
                f"{name} is damaged: it has {len(mean)} means of its features and "
                f"{len(deviation)} deviations above 0"
            )
        return SeriesInput(mean, deviation)
    if form not in ("text", "words"):
        raise InputError(f"{name} is damaged: it does not say what it takes")
    level, tokens, letters = (plain.get(key) for key in ("level", "tokens", "letters"))
    if level not in ("word", "symbol", "char", "byte"):
        raise InputError(f"{name} is damaged: its level is {str(level)[:40]!r}")
    kind = "word" if level == "symbol" else level
    spelled = None if letters is None else Vocabulary.from_labels("char", _texts(letters), name)
    vocabulary = Vocabulary.from_labels(kind, _texts(tokens), name)
    return TextInput(form, level, vocabulary, spelled, bool(plain.get("folds", True)))


def _texts(value: Any) -> list[str]:
    return value if isinstance(value, list) and all(isinstance(t, str) for t in value) else []


def _numbers(value: Any, name: str, key: str) -> tuple[float, ...]:
    is_right = isinstance(value, list) and value and all(isinstance(v, int | float) for v in value)
    if not is_right:
        raise InputError(f"{name} is damaged: its '{key}' is no list of numbers")
    return tuple(map(float, value))


def _lines(tokens: list[str], level: str) -> Iterator[str]:
    """The line of a text that has these tokens."""
    yield (" " if level == "word" else "").join(tokens)
    yield "\n"
