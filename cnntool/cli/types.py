"""What the words of a command line become: numbers, sizes, names, and whatever a function reads.

Each type knows how the help names its values (``metavar``) and says in one line what is wrong with
a word, what was expected and how to write it. A type of one command alone is a function from text
to value that raises ValueError, handed to :class:`Spec`.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import stat
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from cnntool.choices import BORDERS
from cnntool.wording import counted, shortened, suggestion

LARGEST_STEP = 16384
"""Of sizes and steps in pixels."""

LARGEST_NUMBER = 1e12

MOST_SHARDS = 1_000_000

LONGEST_QUOTED = 80
"""Letters of a wrong value that its message shows."""

ADDRESS = re.compile(r"(https?|ftp)://", re.IGNORECASE)


class Spec(click.ParamType):
    """What ``read`` makes of a text; the ValueError that it raises says what is wrong.

    complete: the words that a shell may complete, asked for only then.
    """

    def __init__(
        self,
        metavar: str,
        read: Callable[[str], Any] | None = None,
        complete: Callable[[], Iterable[str]] = tuple,
    ):
        self.name = self.metavar = metavar
        self.complete = complete
        if read is not None:
            self.read = read

    def shell_complete(self, ctx, param, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.complete() if word.startswith(incomplete)]

    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return value  # a default
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(str(error).replace(value, shortened(value, LONGEST_QUOTED)), param, ctx)


class PathName(click.Path):
    """A path; an empty one, as of a shell's unset variable, is refused: ``what`` is missing."""

    metavar = None

    def __init__(self, what: str):
        super().__init__(readable=False, allow_dash=True)  # whoever opens it says what is wrong
        self.what = what

    def convert(self, value, param, ctx):
        if not value:
            self.fail(f"the name is empty: name {self.what}", param, ctx)
        if ADDRESS.match(value):
            self.fail(f"{value} is an address: {self._instead(value, ctx)}", param, ctx)
        return super().convert(value, param, ctx)

    def _instead(self, address: str, ctx) -> str:
        if re.search(r"\bor -", self.what):
            return f"curl -L {shlex.quote(address)} | {ctx.command_path} - reads what is there"
        return f"curl -LO {shlex.quote(address)} fetches what is there, to name here"


class OutputName(PathName):
    """The path of a result; other names of stdout become ``-``."""

    def convert(self, value, param, ctx):
        return "-" if names_stdout(value) else super().convert(value, param, ctx)

    def _instead(self, address: str, ctx) -> str:
        return f"name {self.what} here"


def names_stdout(path: str) -> bool:
    """Whether a path is stdout by name, or the pipe or terminal that stdout is."""
    if os.path.abspath(path) in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        return True
    try:
        there, stdout = os.stat(path), os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return False
    is_stream = stat.S_ISFIFO(there.st_mode) or sys.stdout.isatty()
    return is_stream and os.path.samestat(there, stdout)


class Choice(click.Choice):
    """One of some words, in upper or lower case; ``what`` they are is said of one that is none."""

    def __init__(self, words: Iterable[str], what: str = "choice", metavar: str | None = None):
        super().__init__(tuple(words), case_sensitive=False)
        self.what, self.metavar = what, metavar

    def convert(self, value, param, ctx) -> str:
        if value.lower() not in self.choices:
            hint = suggestion(value, self.choices)
            self.fail(f"no {self.what} '{value[:40]}'{hint}", param, ctx)
        return value.lower()


class Number(Spec):
    """A number or a fraction such as 1/3, within limits; ``above`` and ``below`` are outside.

    Without a ``most`` it is finite and of sensible size. ``noun`` and ``example`` say in messages
    what is expected.
    """

    def __init__(
        self,
        *,
        least: float = -math.inf,
        above: float = -LARGEST_NUMBER,
        most: float = math.inf,
        below: float | None = None,
        metavar: str = "X",
        noun: str = "number",
        example: str = "0.5",
    ):
        super().__init__(metavar)
        self.noun, self.example = noun, example
        if below is None:
            below = LARGEST_NUMBER if most == math.inf else math.inf
        self.least, self.above, self.most, self.below = least, above, most, below

    def read(self, text: str) -> float:
        top, slash, bottom = text.partition("/")
        try:
            number = float(top) / (float(bottom) if slash else 1.0)
        except ValueError:
            raise ValueError(
                f"'{text}' is not a {self.noun}: expected one such as {self.example}"
            ) from None
        except ZeroDivisionError:
            number = math.nan
        if not (self.least <= number <= self.most and self.above < number < self.below):
            expected = f"expected a {self.noun} {self._limits}"
            raise ValueError(f"'{text}' is out of range: {expected}")
        return number

    @property
    def _limits(self) -> str:
        has_most = self.below == math.inf
        if self.above > self.least:
            end = f", up to {self.most:g}" if has_most else f" and below {self.below:g}"
            return f"above {self.above:g}{end}"
        end = f"{self.most:g}" if has_most else f"below {self.below:g}"
        return f"from {self.least:g} to {end}"


class WholeNumber(Spec):
    """A whole number from ``least`` to ``most``, None being no limit."""

    def __init__(self, least: int = 1, most: int | None = None, metavar: str = "N"):
        super().__init__(metavar)
        self.least, self.most = least, most

    def read(self, text: str) -> int:
        limits = f"{self.least} to {self.most}" if self.most else f"at least {self.least}"
        if not re.fullmatch(r"[+-]?[0-9]{1,99}", text.strip()):
            raise ValueError(f"'{text}' is not a whole number: expected {limits}")
        number = int(text)
        if number < self.least or (self.most is not None and number > self.most):
            raise ValueError(f"'{text}' is out of range: expected {limits}")
        return number


class Pair(Spec):
    """``N`` or ``HxW``: one whole number for both axes, or rows x columns."""

    def __init__(self, least: int = 1):
        super().__init__("N|HxW")
        self.least = least

    def read(self, text: str) -> tuple[int, int]:
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", text.strip(), re.IGNORECASE)
        if not match:
            raise ValueError(f"'{text}' is not a size: expected N or HxW, such as 2 or 2x3")
        pair = whole_number(match[1]), whole_number(match[2] or match[1])
        if not all(self.least <= number <= LARGEST_STEP for number in pair):
            raise ValueError(f"'{text}' is out of range: expected {self.least} to {LARGEST_STEP}")
        return pair


class Padding(Spec):
    """``same``, ``valid``, ``full`` or a number of pixels, or other units, on every side."""

    def __init__(self, unit: str = "pixels", largest: int = LARGEST_STEP):
        super().__init__("HOW")
        self.unit, self.largest = unit, largest

    def read(self, text: str) -> str | int:
        if text in ("same", "valid", "full"):
            return text
        if not re.fullmatch(r"\d+", text):
            expected = f"expected same, valid, full or a number of {self.unit}"
            raise ValueError(f"'{text}' is not a padding: {expected}")
        if whole_number(text) > self.largest:
            raise ValueError(f"'{text}' is out of range: expected 0 to {self.largest}")
        return int(text)


def read_border(text: str) -> tuple[str, float]:
    """A border rule under any of its names, ``constant`` with an optional value."""
    word, colon, number = text.partition(":")
    word = word.lower().removeprefix("border_")
    border = next((rule for rule, names in BORDERS.items() if word in names), None)
    if border is None:
        raise ValueError(f"no border rule '{word}'{suggestion(word, BORDERS)}")
    if colon and border != "constant":
        raise ValueError(f"'{text}': only constant takes a value, as in constant:128")
    return border, Number().read(number) if colon else 0.0


def read_duration(text: str) -> float:
    """Seconds, of ``90``, ``90s``, ``10m`` or ``1.5h``."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(s|m|min|h)?", text.strip().lower())
    if not match:
        raise ValueError(f"'{text}' is no time: expected seconds, or such as 30s, 10m or 2h")
    return float(match[1]) * {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600}[match[2]]


def read_shard(text: str) -> tuple[int, int]:
    """``(3, 8)`` of ``3/8``: which part, from 1 on, of how many."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not match:
        raise ValueError(f"'{text}' is no part of a whole: expected I/N such as 3/8")
    part, parts = whole_number(match[1]), whole_number(match[2])
    if not 1 <= parts <= MOST_SHARDS:
        raise ValueError(f"'{text}' is out of range: expected N from 1 to {MOST_SHARDS:,}")
    if not 1 <= part <= parts:
        raise ValueError(
            f"'{text}' is none of {counted(parts, 'part')}: expected 1/{parts} to {parts}/{parts}"
        )
    return part, parts


def read_cluster(text: str) -> str:
    """``local:4``, or the address of a scheduler."""
    match = re.fullmatch(r"local:(\d+)|(?:tcp|tls)://[^/\s]+:\d+/?", text.strip())
    if not match:
        raise ValueError(f"'{text}' is no cluster: expected local:4 or such as tcp://host:8786")
    if match[1] and not 1 <= whole_number(match[1]) <= 256:
        raise ValueError(f"'{text}' is out of range: expected local:1 to local:256")
    return text.strip()


def read_pixel_count(text: str) -> int:
    """A number of pixels, with k, M or G for thousand, million or thousand million."""
    return _amount(text, r"\s*([kmg]?)", "not a number of pixels: expected such as 500M")


def read_memory(text: str) -> int:
    """A number of bytes, with k, M, G or T for thousand, million and so on."""
    return _amount(text, r"\s*([kmgt]?)b?", "no amount of memory: expected such as 500M or 2G")


def _amount(text: str, unit: str, wrong: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)" + unit, text, re.IGNORECASE)
    if not match or not 0 < float(match[1]) < LARGEST_NUMBER:
        raise ValueError(f"'{text}' is {wrong}")
    return int(float(match[1]) * 1000 ** " kmgt".index(match[2].lower() or " "))


def whole_number(digits: str) -> int:
    """The number, or of very many digits one that is beyond every limit as well.

    Python refuses to convert more than 4,300 digits.
    """
    return int(digits.lstrip("0")[:20] or 0)
