"""The text that a user types for a model, or pipes: read, measured, what is unknown named."""

from __future__ import annotations

from collections.abc import Sequence

from cnntool.cli.console import complain, one_line
from cnntool.datasets.texts.encodings import check_decoded, checked_encoding
from cnntool.datasets.texts.text import STDIN, read_bytes, read_text
from cnntool.datasets.texts.tokens import MOST_QUOTED, UNITS
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError
from cnntool.networks.model import TrainedText
from cnntool.wording import counted, shortened

MOST_NAMED = 8
"""Unknown tokens that are named."""


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
    return "".join(read_text(STDIN, encoding, has_option=has_option)).removesuffix("\n")


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
