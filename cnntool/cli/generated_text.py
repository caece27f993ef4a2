"""A text that a language model writes, on stdout as it comes, with reasons where asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np

from cnntool.cli.console import console, harmless, json_text, one_line, styled
from cnntool.datasets.texts.tokens import as_bytes
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.networks.sampling import Draw
from cnntool.wording import shortened

RUNNERS_UP = 4

WIDEST = 20
"""Characters of a token on a terminal, where its odds are to be seen beside it."""


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
    """Print a line a token: its odds, and the likeliest others with theirs."""
    screen = console()
    width = min(WIDEST, max(map(len, vocabulary.tokens)) if vocabulary.level == "word" else 6)
    for draw in drawn:
        token, p = token_text(vocabulary, draw.token), draw.odds[draw.token]
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
        if draw.at_temperature_1 is not None:
            entry["at_temperature_1"] = round(float(draw.at_temperature_1[draw.token]), 6)
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
    order = np.argsort(-draw.odds, kind="stable")[: RUNNERS_UP + 1].tolist()
    others = [token for token in order if token != draw.token and draw.odds[token] > 0]
    return [(token, float(draw.odds[token])) for token in others[:RUNNERS_UP]]
