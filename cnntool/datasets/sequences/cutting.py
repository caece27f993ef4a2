"""What a text is cut into at each level, and how words are written as a text again.

A word is a run of letters, digits, underscores and the marks that combine with them (Unicode's
categories M, and the joiners of Persian and Indian scripts), apostrophes within one included;
every other sign is a token by itself. Where a sign touches what stands beside it, it carries ``_``
on that side: words are the same tokens wherever they stand, and the text can be had again. Of
``Well-known (by "us")!`` these are ``Well _-_ known (_ by "_ us _" _) _!``. The place between two
signs is marked on the second one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from cnntool.datasets.texts.tokens import UNKNOWN

TOUCHES = "_"
"""On a side of a sign, that no space stands there. A sign is none itself, as words have it."""

JOINERS = "\u200c\u200d"

KEPT = 1 << 16
"""Kinds of word, with the signs that touch them, whose tokens are kept."""


def all_tokens(
    inputs: Sequence[Any], form: str, level: str, is_folded: bool = True
) -> Iterator[list[str]]:
    """The tokens of each input, folded where words are: after the cut, as small letters may be
    more than the capital one. White space around a text is none of it."""
    for each in inputs:
        if form == "words":
            words = ["_".join(word.split()) or UNKNOWN for word in each]
            yield [re.sub(r"\d", "0", word.lower()) for word in words] if is_folded else words
            continue
        text = unicodedata.normalize("NFC", each).strip()
        if level == "word":
            words = cut(text)
            yield [word.lower() for word in words] if is_folded else words
        elif level == "symbol":
            yield text.split()
        else:
            yield list(text.replace("\n", " "))


def cut(text: str) -> list[str]:
    """Words and signs, these with their marks.

    >>> cut("It's $3.50, (today)")
    ["It's", '$_', '3', '_._', '50', '_,', '(_', 'today', '_)']
    """
    return list(chain.from_iterable(map(_cut, text.split())))


def written(tokens: Iterable[str]) -> str:
    """The text of words and signs with their marks, one space where there was white space."""
    pieces: list[str] = []
    touches = True  # the beginning
    for token in tokens:
        before, bare, after = _parts(token)
        pieces += [bare] if touches or before else [" ", bare]
        touches = bool(after)
    return "".join(pieces)


def bare(token: str) -> str:
    """A word, or a sign without its marks."""
    return _parts(token)[1]


@lru_cache(KEPT)
def _cut(chunk: str) -> tuple[str, ...]:
    """Of what has no white space within."""
    found, pieces = [], _piece().findall(chunk)
    for piece, before, after in zip(pieces, ["", *pieces], [*pieces[1:], ""], strict=False):
        if not _is_word(piece):
            piece = TOUCHES * bool(before) + piece + TOUCHES * _is_word(after)
        found.append(piece)
    return tuple(found)


def _parts(token: str) -> tuple[str, str, str]:
    found = _marked_sign().fullmatch(token)
    return (found[1], found[2], found[3]) if found else ("", token, "")


def _is_word(piece: str) -> bool:
    return piece[:1].isalnum() or piece[:1] == "_"


@cache
def _piece() -> re.Pattern[str]:
    """A word or a sign. ``_'`` begins no word, as it is the apostrophe that touches a word."""
    marks = _marks()
    run = rf"\w[\w{marks}]*"
    return re.compile(rf"{run}(?:(?<!_)['’]{run})*|[^\w\s][{marks}]*")


@cache
def _marked_sign() -> re.Pattern[str]:
    return re.compile(rf"({TOUCHES}?)([^\w\s][{_marks()}]*)({TOUCHES}?)")


@cache
def _marks() -> str:
    """All characters that belong to the one before them; Unicode has none of them beyond these."""
    codes = (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0))
    return JOINERS + "".join(c for c in map(chr, codes) if unicodedata.category(c)[0] == "M")
