"""The settings of a sweep's runs: what an option takes, and every combination, or some drawn.

One rule: ``a,b,c`` and ``0..4`` are several values where the option takes a number, a size, one of
some words, or is a switch; of all others the text is one value, whatever it holds, and the option
is given again for the next.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import click

from cnntool.cli.types import Number, Pair, WholeNumber

Setting = Mapping[str, str]
"""The value of each option that is given, by its name, such as ``{"lr": "0.001"}``; of a switch
``on`` or ``off``."""

SEED = "seed"
MOST_RUNS = 100_000
DIGITS = 3
"""Significant ones of a number that is drawn."""

DECADE = 10
"""Ends so many times apart, and more, are drawn between on a scale of logarithms."""

LONGEST_NAME = 80

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


@dataclass(frozen=True)
class Axis:
    """An option with its values, or with the range that they are drawn from."""

    name: str
    values: tuple[str, ...]
    range: Range | None = None

    @property
    def varies(self) -> bool:
        return self.range is not None or len(self.values) > 1


def axis(name: str, parts: Sequence[str | Range], is_drawn: bool) -> Axis:
    """The axis of what was given for an option; UsageError where that makes no sense."""
    ranges = [part for part in parts if isinstance(part, Range)]
    if not is_drawn or not ranges or name == SEED:
        return Axis(name, listed_values(parts, f"--{name}"))
    if len(parts) > 1:
        raise click.UsageError(f"--{name} {ranges[0].text}: a range to draw from stands alone")
    return Axis(name, (), ranges[0])


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


def grid(axes: Sequence[Axis]) -> list[Setting]:
    """Every combination; of the last axis the values change fastest."""
    count = math.prod(len(each.values) for each in axes)
    if count > MOST_RUNS:
        raise click.UsageError(
            f"{count:,} combinations are more than {MOST_RUNS:,}: --random 20 draws some of them"
        )
    names = [each.name for each in axes]
    return [dict(zip(names, values, strict=True)) for values in product(*(a.values for a in axes))]


def drawn(axes: Sequence[Axis], count: int, seed: int) -> list[Setting]:
    """``count`` different settings at random, fewer where there are no more; each with every seed.

    The first of many are those of few. Numbers have three digits; between ends that are ten times
    apart or more each decade is as likely (Bergstra and Bengio 2012, Random search for
    hyper-parameter optimization, JMLR 13).
    """
    rng = Random(seed)
    found: dict[tuple, dict[str, str]] = {}
    seeds = next((each.values for each in axes if each.name == SEED), ("",))
    for _ in range(100 * count):
        if len(found) == count:
            break
        setting = {a.name: _draw(a, rng) for a in axes if a.name != SEED}
        found.setdefault(tuple(setting.items()), setting)
    order = [each.name for each in axes]
    return [
        {name: value if name == SEED else setting[name] for name in order}
        for setting in found.values()
        for value in seeds
    ]


def _draw(axis: Axis, rng: Random) -> str:
    if not axis.varies:
        return axis.values[0]
    share, span = rng.random(), axis.range
    if span is None:
        return axis.values[int(share * len(axis.values))]
    low, high = span.low, span.high + span.is_whole
    if low > 0 and span.high >= DECADE * low:
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    else:
        value = low + share * (high - low)
    if span.is_whole:
        return str(min(int(value), int(span.high)))
    return as_text(min(max(float(f"{value:.{DIGITS}g}"), span.low), span.high))


def words_of(setting: Setting) -> list[str]:
    """The options of a setting on a command line."""
    return [word for name, value in setting.items() for word in _words(name, value)]


def _words(name: str, value: str) -> Iterator[str]:
    if value != SWITCH[1]:
        yield f"--{name}"
        if value != SWITCH[0]:
            yield value


def name_of(setting: Setting, varied: Sequence[str]) -> str:
    """A name for the folder of a run, which any file system takes: ``lr=0.001,seed=0``, by what
    is varied, or by all that is set where nothing is.

    What is too long, or cannot stand in a name, is cut or replaced, and the whole is told apart by
    the first digits of its SHA-256.
    """
    text = ",".join(f"{name}={setting[name]}" for name in varied or setting) or "run"
    plain = re.sub(r"[^a-z0-9.,=+_-]+", "_", text.lower())
    if plain == text and len(text) <= LONGEST_NAME and not text.endswith("."):
        return text
    return f"{plain[: LONGEST_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
