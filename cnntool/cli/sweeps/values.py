"""What an option of a sweep takes: several values in the place of one, or a range of numbers.

One rule: ``a,b,c`` and ``0..4`` are several values where the option takes a number, a size, one of
some words, or is a switch; of all others the text is one value, whatever it holds, and the option
is given again for the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click

from cnntool.cli.types import Number, Pair, WholeNumber

MOST_VALUES = 10_000
"""That a range of whole numbers stands for."""

SWITCH = ("on", "off")


@dataclass(frozen=True)
class Range:
    """``low..high``, both ends included."""

    text: str
    low: float
    high: float
    is_whole: bool


class Several(click.ParamType):
    """Values of another type, as a command is given them again: a tuple of texts and ranges.

    takes_parts: whether commas part values.
    """

    def __init__(self, own: click.ParamType) -> None:
        self.own, self.name = own, own.name
        self.takes_parts = isinstance(own, Number | WholeNumber | Pair | click.Choice)

    def convert(self, value, param, ctx) -> tuple[str | Range, ...]:
        texts = value.split(",") if self.takes_parts else [value]
        return tuple(self._part(text, param, ctx) for text in texts)

    def _part(self, text: str, param, ctx) -> str | Range:
        low, dots, high = text.partition("..")
        if dots and isinstance(self.own, Number | WholeNumber):
            first, last = (self.own.convert(end, param, ctx) for end in (low, high))
            if not first < last:
                self.fail(f"{text} is no range: its end is not above its beginning", param, ctx)
            return Range(text, first, last, isinstance(self.own, WholeNumber))
        return as_text(self.own.convert(text, param, ctx), text.strip())

    def shell_complete(self, ctx, param, incomplete: str):
        return self.own.shell_complete(ctx, param, incomplete)


def as_text(value: Any, text: str = "") -> str:
    """One text for all ways to write a value, so that ``1e-3`` and ``0.001`` are the same; as it
    was written where it is no number and no word."""
    if isinstance(value, float):
        short = f"{value:.12g}"
        return short if float(short) == value else repr(value)
    return str(value) if isinstance(value, int | str) else text


def listed_values(parts: Iterable[str | Range], option: str) -> tuple[str, ...]:
    """All values, each once, ranges of whole numbers as such; UsageError where there is no list."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, str):
            found.append(part)
        elif not part.is_whole:
            raise click.UsageError(
                f"{option} {part.text} is a range of any numbers: --random 20 draws from it, or "
                "list some, with commas"
            )
        elif part.high - part.low >= MOST_VALUES:
            raise click.UsageError(
                f"{option} {part.text} are more than {MOST_VALUES:,} values: give fewer"
            )
        else:
            found += map(str, range(int(part.low), int(part.high) + 1))
    return tuple(dict.fromkeys(found))
