"""A text that a language model reads: typed on the command line, or piped in."""

from __future__ import annotations

from cnntool.cli.console import complain, one_line
from cnntool.cli.text_wording import unit
from cnntool.datasets.sources import STDIN, read_bytes
from cnntool.datasets.text import checked_encoding, read_text
from cnntool.datasets.vocabulary import Vocabulary
from cnntool.networks.trained_text import TrainedText
from cnntool.wording import counted

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
    what = counted(len(unknown), unit(vocabulary.level))
    complain(f"{what} of {option} unknown to the model: {named}{more}")
