"""A text that a language model writes, on stdout as it comes, with reasons where asked for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from cnntool.cli.console import complain, console, harmless, json_text, one_line, styled
from cnntool.datasets.texts.encodings import check_decoded, checked_encoding
from cnntool.datasets.texts.text import STDIN, read_bytes, read_text
from cnntool.datasets.texts.tokens import MOST_QUOTED, UNITS, as_bytes
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError
from cnntool.networks.model import TrainedText
from cnntool.networks.sampling import Draw
from cnntool.wording import counted, shortened

RUNNERS_UP = 4

WIDEST = 20
"""Characters of a token on a terminal, where its odds are to be seen beside it."""

OPTION = re.compile(r"\b(set|a text takes|this looks like|name its true) [^;]*--encoding.*")

MOST_NAMED = 8
"""Unknown tokens that are named."""


def write_text(drawn: Iterable[Draw], vocabulary: Vocabulary, prime: str | None) -> None:
    """Print the tokens as text, behind the prime; None where only what is new is shown.

    A pipe or a file gets bytes as they are drawn, and nothing else; a terminal obeys no character.
    """
    is_seen = sys.stdout.isatty()
    if vocabulary.level == "byte" and not is_seen:
        for data in chain([as_bytes(prime or "")], (bytes([draw.token]) for draw in drawn)):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    ends_line = True
    for piece in _pieces(drawn, vocabulary, prime):
        if piece:
            print(harmless(piece) if is_seen else piece, end="", flush=True)
            ends_line = piece.endswith("\n")
    if not ends_line:
        print()


def _pieces(drawn: Iterable[Draw], vocabulary: Vocabulary, prime: str | None) -> Iterator[str]:
    given = vocabulary.encode(prime or "").tolist()
    texts = vocabulary.decoded(chain(given, (draw.token for draw in drawn)))
    if prime is not None:  # as it was typed, also where it is unknown
        shown = "".join(islice(texts, len(given)))
        yield {"word": prime.rstrip(" \t"), "char": prime}.get(vocabulary.level, shown)
    yield from texts


def write_reasons(drawn: Iterable[Draw], vocabulary: Vocabulary) -> None:
    """Print a line a token: its probability, and the likeliest others with theirs."""
    screen = console()
    width = min(WIDEST, max(map(len, vocabulary.tokens)) if vocabulary.level == "word" else 6)
    for draw in drawn:
        token, p = token_text(vocabulary, draw.token), draw.distribution[draw.token]
        rest = [(token_text(vocabulary, other), q) for other, q in _runners_up(draw)]
        if not screen.is_terminal:
            others = (field for name, q in rest for field in (name, f"{q:.6f}"))
            print("\t".join([token, f"{p:.6f}", *others]))
            continue
        line = styled((f"{shortened(token, WIDEST):<{width}}", "bold"), f" {p:>6.1%}")
        for name, q in rest:
            odds = styled(f"  {shortened(name, WIDEST)} {q:.1%}", style="dim")
            if line.cell_len + odds.cell_len <= screen.width:
                line.append_text(odds)
        screen.print(line, no_wrap=True, overflow="ellipsis")


def write_json(drawn: Iterable[Draw], vocabulary: Vocabulary) -> None:
    """Print a line of JSON a token."""
    tokens = vocabulary.tokens
    for draw in drawn:
        entry = {
            "token": tokens[draw.token],
            "id": draw.token,
            "probability": round(float(draw.distribution[draw.token]), 6),
            "runners_up": [
                {"token": tokens[token], "probability": round(p, 6)}
                for token, p in _runners_up(draw)
            ],
        }
        print(json_text(entry))


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


def typed_text(
    text: str, trained: TrainedText, encoding: str | None = None, has_option: bool = True
) -> str:
    """The text itself, or for ``-`` that of stdin, as :func:`piped_text`.

    encoding: of stdin, None for that of the model's own text. Bytes that are no UTF-8 are kept as
    Python keeps those of arguments.
    """
    check_decoded(encoding, trained.vocabulary.level)
    encoding = checked_encoding(trained.encoding if encoding is None else encoding)
    if text != STDIN:
        return text
    if trained.vocabulary.level == "byte":
        return b"".join(read_bytes(STDIN)).decode("utf-8", "surrogateescape")
    return piped_text(encoding, has_option)


def piped_text(encoding: str, has_option: bool) -> str:
    """That of stdin, without the newline that a file ends in; InputError for what is no text, whose
    remedy is --encoding where the command ``has_option``, else iconv."""
    try:
        return "".join(read_text(STDIN, encoding)).removesuffix("\n")
    except InputError as error:
        if has_option:
            raise
        remedy = f"convert it to {encoding.upper()} with iconv"
        raise InputError(OPTION.sub(remedy, str(error))) from None


def check_length(count: int, unit: str, most: int, is_piped: bool, option: str) -> str:
    """What a text is called: stdin, or by its option; RequestError, of stdin InputError, where it
    has no tokens or too many."""
    name, kind = ("stdin", InputError) if is_piped else (option, RequestError)
    if not 1 <= count <= most:
        remedy = "take a part of it" if count else "write a text"
        raise kind(f"{name} has {counted(count, unit)}: expected 1 to {most:,}, {remedy}")
    return name


def name_unknown(text: str, vocabulary: Vocabulary, option: str) -> None:
    """Say on stderr which tokens of the text of an option are unknown, if any are."""
    for note in names_of_unknown(vocabulary.unknown_tokens(text), vocabulary.level, option):
        complain(note)


def names_of_unknown(unknown: Sequence[str], level: str, option: str) -> tuple[str, ...]:
    """A line that names the unknown tokens of the text of an option, the first of many; none where
    all are known."""
    if not unknown:
        return ()
    named = ", ".join(one_line(shortened(each, MOST_QUOTED)) for each in unknown[:MOST_NAMED])
    more = f" and {len(unknown) - MOST_NAMED:,} more" if len(unknown) > MOST_NAMED else ""
    what = counted(len(unknown), UNITS[level])
    return (f"{what} of {option} unknown to the model: {named}{more}",)
