"""Blocks of samples as lines of numbers that people and programs like to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

WHOLE = float(1 << 53)
"""Up to here every whole number is a float64."""

EXACT = 17
"""Digits that tell every float64 from its neighbours."""


def text_of(block: np.ndarray, digits: int) -> bytes:
    """A block (C, n) as n lines of C numbers, split by commas.

    Numbers have at most so many significant digits, 17 meaning the shortest text that reads back
    as the same float64; whole numbers are written in full.
    """
    values = block.T.ravel()
    whole = (np.abs(values) < WHOLE) & (values == np.rint(values))
    template = f"%.{digits}g"
    if whole.all():
        numbers, template = values.astype(np.int64).tolist(), "%d"
    elif digits >= EXACT:
        numbers, template = [_shortest(value) for value in (values + 0.0).tolist()], "%s"
    elif (whole & (np.abs(values) >= 10.0**digits)).any():
        pairs = zip(values.tolist(), whole.tolist(), strict=True)
        numbers = [int(value) if is_whole else template % value for value, is_whole in pairs]
        template = "%s"
    else:
        numbers = (values + 0.0).tolist()  # -0.0 becomes 0.0
    row = ",".join([template] * len(block)) + "\n"
    return (row * block.shape[1] % tuple(numbers)).encode()


def header_of(columns: Sequence[str]) -> bytes:
    """The first line of a CSV file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(columns)
    return line.getvalue().encode("utf-8", "surrogateescape")


def _shortest(value: float) -> str:
    return repr(value).removesuffix(".0")
