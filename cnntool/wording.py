"""Numbers, names and layers in sentences. Without NumPy."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise, takewhile
from typing import Any, TypeVar

SPARKS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
Item = TypeVar("Item")

LONG_TABLE = re.compile(r"(connections \S{40})\S{40,}")


def counted(count: int, noun: str) -> str:
    """``"1 epoch"``, ``"1,797 images"``, ``"2 classes"``: a number and what it counts."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def span(first: int, last: int, noun: str = "") -> str:
    """``"1 to 3"``, or ``"1"`` where the first is the last; with a noun ``"layers 1 to 3"``."""
    numbers = f"{first:,}" if first == last else f"{first:,} to {last:,}"
    return f"{noun}{'s' * (first != last)} {numbers}" if noun else numbers


def left_out(name: str, count: int, noun: str, which: str = "") -> list[str]:
    """``["a.tsv: 3 pairs with an empty side left out"]``: a note, of 0 none."""
    which = which and f" {which}"
    return [f"{name}: {counted(count, noun)}{which} left out"] * bool(count)


def bytes_text(count: int) -> str:
    """A number of bytes as a person reads it: ``900 bytes``, ``47.0 MB``, ``3.2 GB``."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return counted(count, "byte")


def shape_text(shape: tuple[Any, ...]) -> str:
    """``16 x 5 x 5``, ``84 features``, ``steps of 64 features``, ``8 steps of 64 features`` where
    their number is known, or ``tokens``."""
    if shape[:1] == (None,) or len(shape) == 2:
        steps = "steps" if shape[0] is None else counted(shape[0], "step")
        return f"{steps} of {shape_text(shape[1:])}" if shape[1:] else "tokens"
    if len(shape) == 1:
        return counted(shape[0], "feature")
    return " x ".join(f"{size:,}" for size in shape)


def nan_count(count: int, noun: str) -> str:
    """``"1 value that is NaN or infinite"``."""
    return f"{counted(count, noun)} that {'is' if count == 1 else 'are'} NaN or infinite"


def shown_layer(text: str) -> str:
    """A layer as in a network's description, of a long connection table only the beginning."""
    return LONG_TABLE.sub(r"\1...", text)


def joined(words: Sequence[str], last: str = "and") -> str:
    """``"sigma, size and angle"``."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def listed(words: Sequence[str], most: int | None = 10) -> str:
    """``"sigma, size, ..."``: the first of them, and whether there are more."""
    shown = list(words[:most])
    return ", ".join(shown if len(shown) == len(words) else [*shown, "..."])


def readable(name: str | os.PathLike | None) -> str | None:
    """A file's name as Unicode, as JSON wants it, whatever bytes it has; None stays None."""
    return None if name is None else os.fsencode(name).decode(errors="backslashreplace")


def plain(value: Any) -> Any:
    """The value as JSON has it: a mapping of a dataclass, lists of an array, names of files as
    Unicode, and None for NaN and infinity."""
    if isinstance(value, str | int):
        return value  # a vocabulary is long
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return readable(value)
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def valid_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON in UTF-8; what names of files have beyond Unicode stands as in
    :func:`readable`, wherever they are mentioned."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    return HALVES.sub(_written_out, text)


HALVES = re.compile("[\ud800-\udfff]")
"""Of surrogate pairs: what is no text, and from DC80 on a byte of a name that is none."""


def _written_out(found: re.Match) -> str:
    code = ord(found[0])
    return f"\\\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\\\u{code:04x}"


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with three dots: at most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def short_names(texts: Iterable[str], most: int) -> dict[str, str]:
    """Of each text a name of at most so many characters, unlike the others: what all begin with
    gives way first, then a number tells them apart.

    >>> list(short_names(["conv 8; relu; dense 9", "conv 8; relu; max 2"], 12).values())
    ['... dense 9', '... max 2']
    """
    texts = list(dict.fromkeys(texts))
    names = [shortened(text, most) for text in texts]
    if len(set(names)) < len(texts):
        columns = zip(*texts, strict=False)
        alike = sum(1 for _ in takewhile(lambda letters: len({*letters}) == 1, columns))
        alike = max(0, min(alike, min(map(len, texts)) - most // 2))
        names = [shortened(f"...{text[alike:]}", most) for text in texts]
    if len(set(names)) < len(texts):
        names = [shortened(f"{number} {text}", most) for number, text in enumerate(texts, 1)]
    return dict(zip(texts, names, strict=True))


def sparkline(values: Sequence[float], length: int) -> str:
    """Values as bars of eight heights, from the least to the greatest; of many the means of runs.

    >>> sparkline([0, 1, 2, 3.5, 7], 8)
    '▁▂▃▅█'
    """
    if len(values) > length:
        edges = [len(values) * i // length for i in range(length + 1)]
        runs = [values[a:b] for a, b in pairwise(edges)]
        values = [sum(run) / len(run) for run in runs]
    if not values:
        return ""
    least, most = min(values), max(values)
    scale = (len(SPARKS) - 1) / (most - least) if most > least else 0.0
    return "".join(SPARKS[round((value - least) * scale)] for value in values)


ROUNDING = 4 * sys.float_info.epsilon
"""What float64 leaves of a sum that is 0, beside its terms; their own rounding counts too."""


def without_noise(value: float, size: float, rounding: float = ROUNDING) -> float:
    """A sum, 0 where it is no more than the rounding of terms that are so large together.

    >>> without_noise(0.1 + 0.2 - 0.3, 0.6), without_noise(1e-20, 1e-20)
    (0.0, 1e-20)
    """
    return 0.0 if abs(value) <= rounding * size else value


def figures(value: float, digits: int = 3) -> str:
    """So many significant digits, below a million without an exponent, and no minus before 0.

    >>> figures(31415.9), figures(0.0314159), figures(-1e-320)
    ('31400', '0.0314', '0')
    """
    rounded = float(f"{value:.{digits}g}") if abs(value) > 1e-300 else 0.0
    return f"{rounded:.6g}"


def signed(value: float) -> str:
    """A number with its sign and three decimals; what is 0 then has a plus.

    >>> signed(-0.0004), signed(-0.25)
    ('+0.000', '-0.250')
    """
    return f"{round(value, 3) + 0.0:+.3f}"


def bar(share: float, cells: int) -> str:
    """A bar that is full at a share of 1, in eighths of a character.

    >>> bar(0.5, 3)
    '█▌'
    """
    eighths = round(min(max(share, 0.0), 1.0) * max(0, cells) * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly apart, the first and the last among them.

    >>> evenly("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def without_sign(number: str) -> str:
    """``0%`` for ``-0%``: what is rounded to nothing has no sign."""
    return number if re.search("[1-9]", number) else number.removeprefix("-")


def duration(seconds: float) -> str:
    """``0.35 ms``, ``45 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    seconds = float(f"{seconds:.3g}") if seconds < 60 else seconds
    if seconds < 0.1:
        return f"{figures(1000 * seconds)} ms"
    if seconds < 60:
        return f"{figures(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


ELSEWHERE = {
    **dict.fromkeys(("trainrnn", "traingru"), "train-lstm"),
    **dict.fromkeys(("linear", "fc"), "dense"),
    **dict.fromkeys(("avg", "avgpool"), "average"),
    "blur": "gaussian",
}
"""What others call a thing, in small letters without dashes, and its name here."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that ``word`` was probably meant to be; '' for none.

    That is the name of what others call so, one that begins with the word or begins it, or one that
    differs by what the fingers do: case and dashes count for nothing.
    """
    names = {_plain(name): name for name in known}
    word = _plain(word)
    if (exact := _plain(ELSEWHERE.get(word, word))) in names:
        return names[exact]
    begun = [name for name in names if _begins(word, name) or _begins(name, word)]
    if begun:
        return names[min(begun, key=lambda name: abs(len(name) - len(word)))]
    import difflib  # a millisecond, of every start

    near = difflib.get_close_matches(word, names, n=1, cutoff=0.65)
    return names[near[0]] if near else ""


def _begins(start: str, whole: str) -> bool:
    return len(start) >= 3 and len(whole) <= 3 * len(start) and whole.startswith(start)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"did you mean 'sobel'?"``, or '' where no known name is near."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else ""


def suggestion(word: str, known: Iterable[str], most: int | None = None) -> str:
    """``": did you mean 'sobel'?"``, or the names there are where none is near.

    most: of names that are listed, the first ones.  [default: all]
    """
    known = list(known)
    return f": {did_you_mean(word, known) or 'expected ' + listed(known, most)}"


def instead(word: str, there: Sequence[str], most: int = 12) -> str:
    """``"conv1, conv2: did you mean 'conv2'?"``: what there is where the word names none of it."""
    return f"{listed(there, most)}: {did_you_mean(word, there) or 'name one of those'}"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
