"""What an explanation is asked for: a picture and a pixel of it, lists of numbers, JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnntool.cli.options import Reading, argument, flag, option
from cnntool.cli.types import LARGEST_NUMBER, PathName, Spec

if TYPE_CHECKING:
    from cnntool.files.image import Image

LARGEST_LIST = 1000


def read_point(text: str) -> tuple[int, int]:
    """``X,Y``: a column and a row, counted from 0."""
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", text)
    if not match:
        raise ValueError(f"'{text}' is not a position: expected X,Y such as 120,80")
    return int(match[1]), int(match[2])


def numbers(what: str) -> Spec:
    """Numbers with commas or spaces between; ``what`` they are opens an error message."""

    def read(text: str) -> tuple[float, ...]:
        from cnntool.specs import read_number

        words = re.split(r"\s*,\s*|\s+", text.replace("\N{MINUS SIGN}", "-").strip())
        if words == [""]:
            raise ValueError(f"the {what} is empty: give numbers such as 1,2,3")
        if len(words) > LARGEST_LIST:
            raise ValueError(
                f"the {what} has {len(words):,} numbers: at most {LARGEST_LIST:,} are explained, "
                "cnntool convolve1d takes any number"
            )
        found = tuple(read_number(w, f"{what} number {i}") for i, w in enumerate(words, 1))
        for i, number in enumerate(found, 1):
            if not abs(number) < LARGEST_NUMBER:
                limit = f"expected numbers below {LARGEST_NUMBER:g}"
                raise ValueError(f"{what} number {i} is {number:g}: {limit}")
        return found

    return Spec("N,N,...", read)


@dataclass(frozen=True)
class Picture:
    """An image."""

    image: str = argument("IMAGE", PathName("an image or -"))


@dataclass(frozen=True)
class Pixel(Picture):
    """An image, and one pixel of what is made of it."""

    at: tuple[int, int] | None = option(
        "--at",
        Spec("X,Y", read_point),
        "Which pixel of the result: its column and row, counted from 0 at the upper left.  "
        "[default: the middle]",
    )


@dataclass(frozen=True)
class Report:
    """How an explanation is given."""

    section = "Output"
    as_json: bool = flag("--json", "Print JSON: every number.")


def open_one(path: str, reading: Reading) -> tuple[Image, str]:
    """The image that IMAGE names, and what to call it; raises as open_image."""
    from cnntool.cli.files import STDIO, Source, check_stdin
    from cnntool.cli.images import open_source

    check_stdin([path])
    source = Source(None if path == STDIO else Path(path))
    return open_source(source, reading), source.name
