"""A text that a language model writes, on stdout as it comes, with reasons where asked for."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from cnntool.cli.console import complain, console, one_line
from cnntool.datasets.texts.text import STDIN, checked_encoding, read_bytes, read_text
from cnntool.datasets.texts.tokens import UNITS
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.networks.model import TrainedText
from cnntool.networks.sampling import Draw
from cnntool.wording import counted

RUNNERS_UP = 4
FLUSH_SECONDS = 0.05


class _Stream:
    """Text on stdout: at once on a terminal, else a little later, in fewer pieces."""

    def __init__(self) -> None:
        self._is_terminal, self._flushed = sys.stdout.isatty(), time.monotonic()
        self.ends_line = True

    def write(self, text: str) -> None:
        if not text:
            return
        sys.stdout.write(text)
        self.ends_line = text.endswith("\n")
        now = time.monotonic()
        if self._is_terminal or now - self._flushed > FLUSH_SECONDS:
            sys.stdout.flush()
            self._flushed = now


class TextView:
    """The tokens as text, behind the prime."""

    def __init__(self, vocabulary: Vocabulary, prime: str, shows_prime: bool) -> None:
        self._decoder, self._stream = vocabulary.decoder(), _Stream()
        if shows_prime:
            # as it was typed, also where it is unknown; the decoder knows what it goes on from
            shown = "".join(map(self._decoder.feed, vocabulary.encode(prime).tolist()))
            as_typed = {"word": prime.rstrip(" \t"), "char": prime}
            self._stream.write(as_typed.get(vocabulary.level, shown))

    def show(self, draw: Draw) -> None:
        self._stream.write(self._decoder.feed(draw.token))

    def end(self) -> None:
        """What of a character is left, and the end of the line."""
        self._stream.write(self._decoder.flush())
        if not self._stream.ends_line:
            self._stream.write("\n")
        sys.stdout.flush()


def token_text(vocabulary: Vocabulary, token: int) -> str:
    """A token in one line of a table: characters in quotes, bytes by number where they are none."""
    text = vocabulary.tokens[token]
    if vocabulary.level == "word":
        return one_line(text)
    if vocabulary.level == "byte" and not 32 < token < 127:
        return f"0x{token:02x}"
    return repr(text)


def _runners_up(draw: Draw) -> list[tuple[int, float]]:
    order = np.argsort(-draw.distribution, kind="stable")[: RUNNERS_UP + 1].tolist()
    others = [token for token in order if token != draw.token and draw.distribution[token] > 0]
    return [(token, float(draw.distribution[token])) for token in others[:RUNNERS_UP]]


class WhyView:
    """A line a token: its probability, and the likeliest others with theirs."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._screen = vocabulary, console()
        self._width = min(20, max(map(len, vocabulary.tokens)) if vocabulary.level == "word" else 6)

    def show(self, draw: Draw) -> None:
        token, p = token_text(self._vocabulary, draw.token), draw.distribution[draw.token]
        rest = [(token_text(self._vocabulary, other), q) for other, q in _runners_up(draw)]
        if not self._screen.is_terminal:
            others = (field for name, q in rest for field in (name, f"{q:.6f}"))
            print("\t".join([token, f"{p:.6f}", *others]))
            return
        from rich.text import Text

        others = "   ".join(f"{name} {q:.1%}" for name, q in rest)
        line = Text.assemble((f"{token:<{self._width}}", "bold"), f" {p:>6.1%}  ", (others, "dim"))
        line.truncate(self._screen.width, overflow="ellipsis")
        self._screen.print(line, no_wrap=True)

    def end(self) -> None:
        sys.stdout.flush()


class JsonView:
    """A line of JSON a token."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def show(self, draw: Draw) -> None:
        tokens = self._vocabulary.tokens
        entry = {
            "token": tokens[draw.token],
            "id": draw.token,
            "probability": round(float(draw.distribution[draw.token]), 6),
            "runners_up": [
                {"token": tokens[token], "probability": round(p, 6)}
                for token, p in _runners_up(draw)
            ],
        }
        print(json.dumps(entry, ensure_ascii=False))

    def end(self) -> None:
        sys.stdout.flush()


MOST_NAMED = 8
"""Unknown tokens that are named."""


def typed_text(text: str, trained: TrainedText, encoding: str | None = None) -> str:
    """The text itself, or for ``-`` that of stdin, without the newline that a file ends in.

    encoding: of stdin, None for that of the model's own text. Bytes that are no UTF-8 are kept as
    Python keeps those of arguments. InputError where stdin cannot be read.
    """
    encoding = checked_encoding(trained.encoding if encoding is None else encoding)
    if text != STDIN:
        return text
    if trained.vocabulary.level == "byte":
        return b"".join(read_bytes(STDIN)).decode("utf-8", "surrogateescape")
    return "".join(read_text(STDIN, encoding)).removesuffix("\n")


def name_unknown(text: str, vocabulary: Vocabulary, option: str) -> None:
    """Say on stderr which tokens of the text of an option are unknown, if any are."""
    unknown = vocabulary.unknown_tokens(text)
    if not unknown:
        return
    named = ", ".join(map(one_line, unknown[:MOST_NAMED]))
    more = f" and {len(unknown) - MOST_NAMED:,} more" if len(unknown) > MOST_NAMED else ""
    what = counted(len(unknown), UNITS[vocabulary.level])
    complain(f"{what} of {option} unknown to the model: {named}{more}")
