"""Texts with an answer each that are made on the spot: sums, and dates as people write them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import RequestError
from cnntool.wording import counted

DRAWN_AT_ONCE = 1 << 16


def sums(count: int | None = None, digits: int = 3, seed: int = 0) -> dict[str, Samples]:
    """``123+45`` with the answer ``168``: two numbers of 1 to ``digits`` digits, each length as
    often as another while there are any.

    No two numbers stand together twice, in neither order. count: None for 40,000, or for half of
    all pairs where those are fewer. RequestError for more than half of all pairs.

    Source: the task of W. Zaremba and I. Sutskever, Learning to Execute, arXiv:1410.4615, and of
    Keras' addition_rnn.
    """
    numbers = 10**digits
    most = numbers * (numbers + 1) // 4
    count = min(40_000, most) if count is None else count
    if count > most:
        raise RequestError(
            f"sums: count is {count:,}, but of numbers of {counted(digits, 'digit')} half of all "
            f"pairs are {most:,}: give fewer, or more digits"
        )
    pairs = _distinct_pairs(count, digits, np.random.default_rng(seed)).tolist()
    return {
        "train": Samples(
            "sums",
            "text",
            [f"{one}+{other}" for one, other in pairs],
            [(str(one + other),) for one, other in pairs],
        )
    }


def _distinct_pairs(count: int, digits: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) numbers, whose pairs are different in either order."""
    pairs = np.zeros((0, 2), np.int64)
    while len(pairs) < count:
        lengths = rng.integers(1, digits + 1, (DRAWN_AT_ONCE, 2))
        lowest = np.where(lengths == 1, 0, 10 ** (lengths - 1))
        drawn = rng.integers(lowest, 10**lengths)
        pairs = np.concatenate([pairs, drawn])
        keys = np.sort(pairs, axis=1) @ [10**digits, 1]
        firsts = np.unique(keys, return_index=True)[1]
        pairs = pairs[np.sort(firsts)]
    return pairs[:count]


FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)
"""Two digits of a year tell which."""

ENGLISH = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
GERMAN = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September"),
    *("Oktober", "November", "Dezember"),
)
FRENCH = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre"),
    *("octobre", "novembre", "décembre"),
)
SPANISH = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre"),
    *("octubre", "noviembre", "diciembre"),
)
ENGLISH_DAYS = "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"
FRENCH_DAYS = "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"

PATTERNS = (
    "{day} {month} {year}",
    "{short} {day} '{two:02}",
    "{month} {day}, {year}",
    "{short} {ordinal}, {year}",
    "{weekday}, {month} {day}, {year}",
    "the {ordinal} of {month} {year}",
    "{day:02}-{capitals}-{two:02}",
    "{number}/{day}/{year}",
    "{day}.{number}.{year}",
    "{year}{number:02}{day:02}",
    "{day}. {german} {year}",
    "{jour} {premier} {french} {year}",
    "{day} de {spanish} de {year}",
    "{year}年{number}月{day}日",
)
"""With slashes the month comes first, with dots the day."""


def dates(count: int = 12_000, seed: int = 0) -> dict[str, Samples]:
    """``the 5th of March 2024`` with the answer ``2024-03-05``: days from 1950 to 2049, none of
    them twice in one pattern."""
    days = (LAST - FIRST).days + 1
    places = np.random.default_rng(seed).choice(days * len(PATTERNS), count, replace=False)
    texts, answers = [], []
    for number, pattern in zip(*np.divmod(places, len(PATTERNS)), strict=True):
        day = FIRST + timedelta(int(number))
        texts.append(written(day, PATTERNS[pattern]))
        answers.append((day.isoformat(),))
    return {"train": Samples("dates", "text", texts, answers)}


def written(day: date, pattern: str) -> str:
    """A date in one of the patterns.

    >>> written(date(2024, 3, 5), "{weekday}, the {ordinal} of {month} {year}")
    'Tuesday, the 5th of March 2024'
    """
    month = ENGLISH[day.month - 1]
    return pattern.format(
        day=day.day,
        number=day.month,
        year=day.year,
        two=day.year % 100,
        month=month,
        short=month[:3],
        capitals=month[:3].upper(),
        ordinal=f"{day.day}{_ending(day.day)}",
        weekday=ENGLISH_DAYS[day.weekday()],
        german=GERMAN[day.month - 1],
        french=FRENCH[day.month - 1],
        spanish=SPANISH[day.month - 1],
        jour=FRENCH_DAYS[day.weekday()],
        premier="1er" if day.day == 1 else day.day,
    )


def _ending(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
