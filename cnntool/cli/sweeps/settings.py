"""The settings of a sweep's runs: every combination of values, or some that are drawn."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

import click

from cnntool.cli.sweeps.values import SWITCH, Range, as_text, listed_values

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
