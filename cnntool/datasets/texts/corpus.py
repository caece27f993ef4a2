"""A text as ids: read, and parted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

import numpy as np

from cnntool.datasets.holding_out import check_fraction
from cnntool.datasets.memory import check_free, check_text_fits
from cnntool.datasets.texts.text import (
    Advance,
    Sources,
    checked_sources,
    joint_name,
    joint_size,
    read_bytes,
    read_text,
)
from cnntool.datasets.texts.tokens import (
    COUNTED_AT_ONCE,
    TALLIES,
    UNKNOWN,
    check_cuts,
    checked_level,
    counts_of,
    ranked,
    whole_words,
    words,
)
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError
from cnntool.wording import bytes_text, counted

NEEDED = {"word": 1.5, "char": 2, "byte": 1}
"""Bytes of memory for a byte of file, at least, while it is read."""

CHECKED_EACH, ROOM = 1 << 26, 0.25
"""Each time so much has come of a pipe, that share of all that came must be free."""


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """A text.

    name: what to call it in messages.
    ids: (N,) uint8, uint16 or int32, those of its tokens.
    vocabulary: what the ids stand for.
    characters: of the text, a line end being one; None for a part of a text of words.
    encoding: what it was written in.
    own_unknown: (K,) places of the ``<unk>`` that the text itself has, as the Penn Treebank's.
    """

    name: str
    ids: np.ndarray
    vocabulary: Vocabulary
    characters: int | None = None
    encoding: str = "utf-8"
    own_unknown: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self):,} {self.vocabulary.level}s of {len(self.vocabulary):,}>"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unknown_rate(self) -> float:
        """The part of its tokens that the vocabulary does not know; ``<unk>`` itself is known."""
        unknown = self.vocabulary.count_unknown(self.ids) - len(self.own_unknown)
        return unknown / max(1, len(self))

    @property
    def own_unknown_rate(self) -> float:
        """The part of its tokens that are ``<unk>`` in the text itself."""
        return len(self.own_unknown) / max(1, len(self))

    @cached_property
    def counts(self) -> np.ndarray:
        """(V,) int64: how often each token occurs."""
        return counts_of(self.ids, len(self.vocabulary))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of SHA-256 over level, vocabulary and ids: the same on all systems.

        What changes no token changes nothing: line ends, a byte-order mark, files or stdin, the
        encoding; bytes are what they are.
        """
        facts = "\n\n".join((self.vocabulary.level, *self.vocabulary.tokens))
        digest = hashlib.sha256(facts.encode())
        for start in range(0, len(self), COUNTED_AT_ONCE):
            chunk = np.ascontiguousarray(self.ids[start : start + COUNTED_AT_ONCE])
            digest.update(chunk.astype(chunk.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()[:32]


def load_corpus(
    sources: Sources,
    level: str = "word",
    encoding: str = "utf-8",
    size: int | None = None,
    min_count: int = 1,
    vocabulary: Vocabulary | None = None,
    advance: Advance | None = None,
) -> Corpus:
    """A text with its own vocabulary, or with that of a model, whose level it then has.

    sources: a path, ``-`` for stdin, or several, read once, one behind the other; see
        :func:`text.read_text`. Bytes are read as they are, whatever the encoding.
    size, min_count: what the vocabulary is cut to; see :func:`tokens.ranked`.
    advance: called with (bytes read, bytes of all or 0) on the way.

    InputError for what cannot be read, is not in the encoding, holds nothing but white space, has
    a vocabulary of one, or would not fit into memory; RequestError for what cannot be asked for.
    """
    level = vocabulary.level if vocabulary else checked_level(level)
    check_cuts(level, size, min_count)
    sources = checked_sources(sources)
    name = joint_name(sources)
    whole = joint_size(sources)
    check_text_fits(name, whole, NEEDED[level])
    if level == "byte":
        data = _filled(read_bytes(sources, advance), name, whole)
        return replace(_of_bytes(data, name, not vocabulary), encoding=encoding)
    texts = read_text(sources, encoding, advance, has_level=vocabulary is None)
    chunks = _filled(texts, name, whole)
    chunks = whole_words(chunks) if level == "word" else chunks
    tally, ids = TALLIES[level](), None
    encode = vocabulary.encode if vocabulary else tally.add
    numbers, own, length, characters = [], [], 0, 0
    for chunk in chunks:
        numbers.append(encode(chunk))
        if level == "word" and UNKNOWN in chunk:
            own.append([length + k for k, word in enumerate(words(chunk)) if word == UNKNOWN])
        length += len(numbers[-1])
        characters += len(chunk)
    if vocabulary is None:
        ranking = ranked(tally, size, min_count, name)
        vocabulary, ids = Vocabulary(level, ranking.tokens), ranking.ids
    del tally, encode
    own_unknown = np.array([*chain.from_iterable(own)], np.int64)
    return Corpus(name, _joined(numbers, ids), vocabulary, characters, encoding, own_unknown)


def split(corpus: Corpus, fraction: float) -> tuple[Corpus, Corpus | None]:
    """What to train on, and the text's end, which is held out: ``fraction`` of its tokens, rounded.

    None for a fraction of 0. Both keep the vocabulary, that of the whole text. RequestError for
    what is no fraction, InputError where a part would have less than two tokens, and so nothing to
    predict.
    """
    check_fraction(fraction)
    if fraction == 0:
        return corpus, None
    held = round(fraction * len(corpus))
    kept = len(corpus) - held
    if min(kept, held) < 2:
        raise InputError(
            f"{corpus.name} has {counted(len(corpus), 'token')}: to hold out {fraction:g} of them "
            f"leaves {kept:,} and {held:,}, and each part needs two; set another --val-split (0 "
            "for none), or add text"
        )
    return _part(corpus, slice(kept), ""), _part(corpus, slice(kept, None), " (held out)")


def _of_bytes(chunks: Iterable[bytes], name: str, is_learned: bool) -> Corpus:
    data = bytearray()
    for chunk in chunks:
        data += chunk
    ids = np.frombuffer(data, np.uint8)
    kinds = [value for value in np.flatnonzero(counts_of(ids, 256)) if value not in b"\r\n"]
    if is_learned and len(kinds) < 2:
        raise InputError(
            f"{name} has {counted(len(ids), 'byte')} but a vocabulary of one, 0x{kinds[0]:02x}, "
            "besides the ends of lines: a model needs two or more to choose between"
        )
    return Corpus(name, ids, Vocabulary.of_bytes(), _byte_characters(ids))


def _byte_characters(ids: np.ndarray) -> int:
    """The characters of UTF-8: all bytes but those that go on with one."""
    chunks = (ids[i : i + COUNTED_AT_ONCE] for i in range(0, len(ids), COUNTED_AT_ONCE))
    return sum(int(np.count_nonzero((chunk & 0xC0) != 0x80)) for chunk in chunks)


def _part(corpus: Corpus, place: slice, suffix: str) -> Corpus:
    ids = corpus.ids[place]
    level, count = corpus.vocabulary.level, None
    if level != "word":
        count = len(ids) if level == "char" else _byte_characters(ids)
    first, last, _ = place.indices(len(corpus))
    own = corpus.own_unknown - first
    own = own[(own >= 0) & (own < last - first)]
    return replace(corpus, name=corpus.name + suffix, ids=ids, characters=count, own_unknown=own)


def _joined(numbers: list[np.ndarray], ids: np.ndarray | None) -> np.ndarray:
    """All in one array, through the table ``ids``; the list is emptied on the way."""
    dtype = ids.dtype if ids is not None else numbers[0].dtype
    joined = np.empty(sum(map(len, numbers)), dtype)
    end = len(joined)
    while numbers:
        chunk = numbers.pop()
        joined[end - len(chunk) : end] = chunk if ids is None else ids[chunk]
        end -= len(chunk)
    return joined


def _filled(chunks: Iterable[str] | Iterable[bytes], name: str, whole: int):
    """The same pieces; InputError at the end of a text without anything but white space, and where
    one that does not say its size, ``whole`` being 0, has taken most of the memory."""
    size, is_blank = 0, True
    for chunk in chunks:
        before, size = size, size + len(chunk)
        if not whole and size // CHECKED_EACH > before // CHECKED_EACH:
            text = f"{name} has brought {bytes_text(size)} and has not ended"
            check_free(int(ROOM * size), text, "name a part of it, such as what head -c gives")
        is_blank = is_blank and chunk.isspace()
        yield chunk
    if is_blank:
        what = "holds nothing but white space" if size else "is empty"
        raise InputError(f"{name} {what}: name a text to read")
