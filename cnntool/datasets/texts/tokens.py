"""What a text is cut into: words, characters or bytes.

====  ==========================================================================================
word  what stands between white space (Unicode's, as in ``str.split``), and ``<eos>`` at the end of
      each line, blank ones too: the Penn Treebank set-up of Mikolov et al., Interspeech 2010
char  code points: a letter with a combining accent is two, a Chinese character or an emoji one
byte  0 to 255, as they are in the file: nothing is decoded or mended
====  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from cnntool.errors import RequestError
from cnntool.wording import suggestion

LEVELS = ("word", "char", "byte")
UNITS = {"word": "word", "char": "character", "byte": "byte"}
UNKNOWN = "<unk>"
END = "<eos>"


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
