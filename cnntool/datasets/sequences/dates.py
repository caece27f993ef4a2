"""Dates as people write them, and as ISO 8601 does."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from cnntool.datasets.sequences.samples import Samples

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
