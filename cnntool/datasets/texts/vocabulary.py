"""The tokens that a model knows, and the way from text to their ids and back."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np

from cnntool.choices import LEVELS
from cnntool.datasets.texts.tokens import (
    CODE_POINTS,
    END,
    TALLIES,
    UNKNOWN,
    as_bytes,
    check_cuts,
    checked_level,
    code_points,
    id_dtype,
    ranked,
    whole_words,
    words,
)
from cnntool.errors import InputError

REPLACEMENT = "\ufffd"
"""What an unknown character is shown as: Unicode's REPLACEMENT CHARACTER."""

LATIN = 1 << 8


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """Tokens by id, of one level: word, char or byte.

    A vocabulary of words or characters always has ``<unk>``, as id 0, so that it can read any other
    text; one of words also has ``<eos>``, the end of a line. One of bytes is all 256, written as
    the characters U+0000 to U+00FF, and knows everything. ``len`` counts ``<unk>`` and ``<eos>``.

    ValueError for tokens that are not so; :meth:`from_labels` has InputError instead.
    """

    level: str
    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        if reason := _reason_against(self.level, self.tokens):
            raise ValueError(reason)

    @classmethod
    def of(
        cls,
        chunks: Iterable[str],
        level: str,
        size: int | None = None,
        min_count: int = 1,
        name: str = "the text",
    ) -> Vocabulary:
        """That of a text, which may come in pieces of any length; see :func:`tokens.ranked`.

        >>> Vocabulary.of(["to be or not", " to be\\n"], "word").tokens
        ('<unk>', 'to', 'be', 'or', 'not', '<eos>')
        """
        check_cuts(checked_level(level), size, min_count)
        if level == "byte":
            return cls.of_bytes()
        tally = TALLIES[level]()
        for chunk in whole_words(chunks) if level == "word" else chunks:
            tally.add(chunk)
        return cls(level, ranked(tally, size, min_count, name).tokens)

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """All 256."""
        return cls("byte", tuple(map(chr, range(LATIN))))

    @classmethod
    def from_labels(cls, level: str, labels: Sequence[str], name: str = "the file") -> Vocabulary:
        """Of the tokens that a model file holds; InputError where they cannot be."""
        if reason := _reason_against(level, tuple(labels)):
            raise InputError(f"{name} is damaged: {reason}")
        return cls(level, tuple(labels))

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self):,} {self.level}s>"

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def dtype(self) -> np.dtype:
        """Of ids: the narrowest of uint8, uint16 and int32."""
        return id_dtype(len(self))

    @property
    def unknown(self) -> int | None:
        """The id of ``<unk>``; None for bytes."""
        return None if self.level == "byte" else 0

    def encode(self, text: str | bytes) -> np.ndarray:
        """The ids (N,) of its tokens. Bytes take bytes, or text, which they see as UTF-8.

        A word ends where the text does, and only a newline is ``<eos>``.
        """
        if self.level == "byte":
            return np.frombuffer(as_bytes(text), np.uint8)
        assert isinstance(text, str)
        if self.level == "word":
            found = words(text)
            ids = map(self._index.get, found, repeat(self.unknown))
            return np.fromiter(ids, self.dtype, len(found))
        codes = code_points(text)
        if codes.itemsize == self.dtype.itemsize == 1:
            return np.frombuffer(codes.tobytes().translate(self._latin), np.uint8)
        return self._table[codes]

    def unknown_tokens(self, text: str) -> tuple[str, ...]:
        """What of a text it does not know, each once, in the order of the text."""
        if self.level == "byte":
            return ()
        found = dict.fromkeys(words(text) if self.level == "word" else text)
        return tuple(token for token in found if token not in self._index)

    def count_unknown(self, ids: np.ndarray) -> int:
        """How many of ids are that of ``<unk>``."""
        return 0 if self.unknown is None else int(np.count_nonzero(ids == self.unknown))

    def decode(self, ids: np.ndarray | Sequence[int]) -> str:
        """Text: of characters and bytes what was encoded; of words with one space between two, and
        a newline for ``<eos>``. An unknown character and bytes that are not UTF-8 give U+FFFD."""
        ids = np.asarray(ids, np.intp)
        if self.level == "byte":
            return ids.astype(np.uint8).tobytes().decode("utf-8", "replace")
        shown = self._shown
        if self.level == "char":
            return "".join(shown[i] for i in ids.tolist())
        text = " ".join(shown[i] for i in ids.tolist())
        return text.replace(" \n", "\n").replace("\n ", "\n")

    def decoded(self, ids: Iterable[int]) -> Iterator[str]:
        """What can be shown at each id as it comes; joined, that is what :meth:`decode` gives.

        Of bytes, that is nothing while a character is not whole; what is left comes at the end.
        """
        if self.level == "byte":
            characters = codecs.getincrementaldecoder("utf-8")("replace")
            yield from (characters.decode(bytes([byte])) for byte in ids)
            yield characters.decode(b"", True)
            return
        begins_line = True
        for token in ids:
            text = self._shown[token]
            is_apart = self.level == "word" and not begins_line and text != "\n"
            yield f" {text}" if is_apart else text
            begins_line = text == "\n"

    @cached_property
    def _shown(self) -> tuple[str, ...]:
        special = {END: "\n"} if self.level == "word" else {UNKNOWN: REPLACEMENT}
        return tuple(special.get(token, token) for token in self.tokens)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    @cached_property
    def _table(self) -> np.ndarray:
        """The id of each code point; of those that are none of the vocabulary's, <unk>'s."""
        table = np.zeros(CODE_POINTS, self.dtype)
        table[[ord(token) for token in self.tokens[1:]]] = np.arange(1, len(self))
        return table

    @cached_property
    def _latin(self) -> bytes:
        return self._table[:LATIN].tobytes()


def _reason_against(level: str, tokens: tuple[str, ...]) -> str | None:
    """Why these cannot be the tokens of a vocabulary, in words."""
    if level not in LEVELS:
        return f"its level is {level!r}, not one of {', '.join(LEVELS)}"
    if level == "byte":
        is_right = tokens == tuple(map(chr, range(LATIN)))
        return None if is_right else f"its {len(tokens):,} tokens are not the 256 bytes"
    if tokens[:1] != (UNKNOWN,):
        return f"the first of its {len(tokens):,} tokens is not {UNKNOWN}"
    if len(set(tokens)) < len(tokens):
        return "a token stands twice in its vocabulary"
    if level == "word" and END not in tokens:
        return f"its vocabulary of words has no {END}"
    for token in tokens[1:]:
        if level == "char" and (len(token) != 1 or "\ud800" <= token <= "\udfff"):
            return f"{token[:20]!a} in its vocabulary is no character"
        if level == "word" and token.split() != [token]:
            return f"{token[:20]!a} in its vocabulary is no word"
    if level == "word" and any("\ud800" <= c <= "\udfff" for c in set("".join(tokens))):
        return "a word in its vocabulary holds half a surrogate pair"
    return None
