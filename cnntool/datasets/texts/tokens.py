"""What a text is cut into: words, characters or bytes.

====  ==========================================================================================
word  what stands between white space (Unicode's, as in ``str.split``), and ``<eos>`` at the end of
      each line, blank ones too: the Penn Treebank set-up of Mikolov et al., Interspeech 2010
char  code points: a letter with a combining accent is two, a Chinese character or an emoji one
byte  0 to 255, as they are in the file: nothing is decoded or mended
====  ==========================================================================================
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from cnntool.choices import LEVELS
from cnntool.errors import InputError, RequestError
from cnntool.wording import counted, shortened, suggestion

UNITS = {"word": "word", "char": "character", "byte": "byte"}
UNKNOWN = "<unk>"
END = "<eos>"

MOST_QUOTED = 40
"""Characters of a token that a message repeats."""


def checked_level(level: str) -> str:
    """The level; RequestError with a suggestion for another."""
    if level not in LEVELS:
        raise RequestError(f"--level {level!r} is no level" + suggestion(level, LEVELS))
    return level


def words(text: str) -> list[str]:
    """The words of a text, and ``<eos>`` for each newline."""
    return text.replace("\n", f" {END} ").split()


def whole_words(chunks: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that end where a word does."""
    held: list[str] = []  # of a word that may go on
    for chunk in chunks:
        end = max(chunk.rfind("\n"), chunk.rfind(" ")) + 1
        if end:
            yield "".join([*held, chunk[:end]])
            held = []
        if end < len(chunk):
            held.append(chunk[end:])
    if held:
        yield "".join(held)


def code_points(text: str) -> np.ndarray:
    """Of a text's characters (N,), in the narrowest of uint8, uint16 and uint32 that holds them."""
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        pass
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) == 2 * len(text):  # no pairs
        return np.frombuffer(units, "<u2")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def as_bytes(text: str | bytes) -> bytes:
    """In UTF-8; a byte that the shell passed on although it is none of UTF-8 stays itself."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


CODE_POINTS = 0x110000
COUNTED_AT_ONCE = 1 << 22
"""Tokens: a count needs 8 bytes for each."""
LARGEST_VOCABULARY = 1 << 25
"""Bytes of all tokens as JSON: half of what the header of a model file may have."""


class Found(NamedTuple):
    """All kinds of token of a text, in the order of their first appearance."""

    numbers: np.ndarray  # (K,) what stands for each in the arrays that add returned
    tokens: list[str]
    counts: np.ndarray  # (K,)


class Ranking(NamedTuple):
    """A vocabulary, and the way to it."""

    tokens: tuple[str, ...]
    ids: np.ndarray  # ids[number] of a token: its place among tokens; 0, <unk>, where it was cut


class WordTally:
    """Words, each numbered from 0 where it appears first."""

    level, line_end = "word", END

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._counts = np.zeros(0, np.int64)
        self._waiting: list[np.ndarray] = []  # a count takes as long as there are kinds of word

    def add(self, text: str) -> np.ndarray:
        """The numbers (N,) of its words; a piece must end where a word does."""
        found = words(text)
        numbers = np.fromiter(map(self._numbers.__getitem__, found), np.int32, len(found))
        if len(self._numbers) <= 1 << 16:
            numbers = numbers.astype(np.uint16)
        self._waiting.append(numbers)
        if sum(map(len, self._waiting)) >= COUNTED_AT_ONCE:
            self._count()
        return numbers

    def found(self) -> Found:
        """What was added up to now."""
        self._count()
        return Found(np.arange(len(self._counts)), list(self._numbers), self._counts)

    def _count(self) -> None:
        numbers = np.concatenate([np.zeros(0, np.uint16), *self._waiting])
        counts = np.bincount(numbers, minlength=len(self._numbers))
        counts[: len(self._counts)] += self._counts
        self._counts, self._waiting = counts, []


class CharTally:
    """Characters, each numbered by its code point."""

    level, line_end = "char", "\n"

    def __init__(self) -> None:
        self._counts = np.zeros(CODE_POINTS, np.int64)
        self._order: list[int] = []

    def add(self, text: str) -> np.ndarray:
        """The code points (N,) of its characters."""
        codes = code_points(text)
        counts = np.bincount(codes)
        new = np.flatnonzero(counts)
        new = new[self._counts[new] == 0]
        self._counts[: len(counts)] += counts
        self._order += sorted(new.tolist(), key=lambda code: text.index(chr(code)))
        return codes

    def found(self) -> Found:
        """What was added up to now."""
        numbers = np.array(self._order, np.intp)
        return Found(numbers, list(map(chr, self._order)), self._counts[numbers])


Tally = WordTally | CharTally
TALLIES: dict[str, type[Tally]] = {"word": WordTally, "char": CharTally}


def ranked(tally: Tally, size: int | None, min_count: int, name: str) -> Ranking:
    """The vocabulary: ``<unk>``, then the tokens from the most to the least frequent.

    Of equally frequent ones the first to appear comes first. ``min_count`` drops what is rarer;
    ``size`` is that of the whole vocabulary, with ``<unk>`` and, of words, ``<eos>``, which always
    stays. InputError where less than two kinds of token are left to choose between (ends of lines
    are none: a text of one word a line has nothing to learn), or the vocabulary is too large for a
    model file.
    """
    numbers, tokens, counts = tally.found()
    order = np.argsort(-counts, kind="stable")
    is_kept = counts >= min_count
    end = tokens.index(END) if tally.level == "word" and END in tokens else None
    if end is not None:
        is_kept[end] = True
    if tally.level == "word" and UNKNOWN in tokens:  # as in the Penn Treebank's files
        is_kept[tokens.index(UNKNOWN)] = False
    order = order[is_kept[order]]
    if size is not None and len(order) > size - 1:
        cut = order[: size - 1]
        order = cut if end is None or end in cut else np.append(cut[:-1], end)
    kept = tuple(tokens[place] for place in order)
    _check_kinds(kept, tally, Found(numbers, tokens, counts), min_count, name)
    _check_room(kept, tally.level, name)
    ids = np.zeros(numbers.max(initial=0) + 1, id_dtype(len(kept) + 1))
    ids[numbers[order]] = np.arange(1, len(kept) + 1)
    if tally.level == "word" and end is None:  # a text without a newline has none to count
        kept = (*kept, END)
    return Ranking((UNKNOWN, *kept), ids)


def check_cuts(level: str, size: int | None, min_count: int) -> None:
    """RequestError for cuts that leave nothing, or that bytes cannot have."""
    if level == "byte":
        if size is not None or min_count != 1:
            raise RequestError(
                "--vocab-size and --min-count are for words and characters: of bytes there are "
                "always 256; leave them out, or set another --level"
            )
        return
    special = f"{UNKNOWN}, {END} and a word" if level == "word" else f"{UNKNOWN} and a character"
    least = 3 if level == "word" else 2
    if size is not None and size < least:
        raise RequestError(f"--vocab-size is {size:,}, expected at least {least}: {special}")
    if min_count < 1:
        raise RequestError(f"--min-count is {min_count:,}, expected 1 or more")


def id_dtype(size: int) -> np.dtype:
    """The narrowest of uint8, uint16 and int32 for the ids of a vocabulary of this size."""
    if size <= 1 << 16:
        return np.dtype(np.uint8 if size <= 1 << 8 else np.uint16)
    return np.dtype(np.int32)


def counts_of(ids: np.ndarray, size: int) -> np.ndarray:
    """(size,) int64: how often each of the ids below ``size`` occurs."""
    counts = np.zeros(size, np.int64)
    for start in range(0, len(ids), COUNTED_AT_ONCE):
        counts += np.bincount(ids[start : start + COUNTED_AT_ONCE], minlength=size)
    return counts


def _check_kinds(
    kept: tuple[str, ...], tally: Tally, found: Found, min_count: int, name: str
) -> None:
    unit, total = UNITS[tally.level], int(found.counts.sum())
    choices = [token for token in kept if token != tally.line_end]
    places = [k for k, token in enumerate(found.tokens) if token != tally.line_end]
    others = [found.tokens[k] for k in places]
    if len(choices) + (len(others) > len(choices)) >= 2:
        return
    if len(others) > 1:
        most = int(found.counts[places].max())
        raise InputError(
            f"{name} has {len(others):,} different {unit}s, and --min-count {min_count:,} leaves "
            f"none: the most frequent occurs {counted(most, 'time')}; set it to that or less"
        )
    only = f"one, {shortened(others[0], MOST_QUOTED)!r}" if others else "none"
    remedy = "--level char learns its letters" if tally.level == "word" and others else "add text"
    raise InputError(
        f"{name} has {counted(total, unit)} but a vocabulary of {only}, besides the ends of lines: "
        f"a model needs two or more to choose between; {remedy}"
    )


def _check_room(tokens: tuple[str, ...], level: str, name: str) -> None:
    """An upper bound first: a character takes 12 bytes of JSON at most."""
    if 12 * sum(map(len, tokens)) + 6 * len(tokens) < LARGEST_VOCABULARY:
        return
    needed = sum(len(json.dumps(token)) + 4 for token in tokens)
    if needed > LARGEST_VOCABULARY:
        raise InputError(
            f"{name} has {len(tokens):,} different {UNITS[level]}s, {needed / 1e6:,.0f} MB of "
            f"vocabulary where a model file holds {LARGEST_VOCABULARY / 1e6:,.0f} MB: set a "
            "smaller --vocab-size or a larger --min-count"
        )
