"""What an explanation is asked for: a position, lists of numbers, options of other commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.help import option
from cnntool.cli.options import LARGEST_NUMBER, PathName

if TYPE_CHECKING:
    from cnntool.files.image import Image

LARGEST_LIST = 1000


class PointType(click.ParamType):
    """``X,Y``: a column and a row, counted from 0."""

    name = "X,Y"

    def convert(self, value, param, ctx) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", value)
        if not match:
            self.fail(f"'{value}' is not a position: expected X,Y such as 120,80", param, ctx)
        return int(match[1]), int(match[2])


class NumbersType(click.ParamType):
    """Numbers with commas or spaces between; ``what`` they are opens an error message."""

    name = "N,N,..."

    def __init__(self, what: str):
        self.what = what

    def convert(self, value, param, ctx) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        from cnntool.specs import read_number

        words = re.split(r"\s*,\s*|\s+", value.replace("\N{MINUS SIGN}", "-").strip())
        if words == [""]:
            self.fail(f"the {self.what} is empty: give numbers such as 1,2,3", param, ctx)
        if len(words) > LARGEST_LIST:
            self.fail(
                f"the {self.what} has {len(words):,} numbers: at most {LARGEST_LIST:,} are "
                "explained, cnntool convolve1d takes any number",
                param,
                ctx,
            )
        numbers = tuple(read_number(w, f"{self.what} number {i}") for i, w in enumerate(words, 1))
        for i, number in enumerate(numbers, 1):
            if not abs(number) < LARGEST_NUMBER:
                limit = f"expected numbers below {LARGEST_NUMBER:g}"
                self.fail(f"{self.what} number {i} is {number:g}: {limit}", param, ctx)
        return numbers


def taken_from(command: click.Command, *names: str) -> Callable:
    """Give a command some parameters of another, word for word, so that they never differ."""
    known = {parameter.name: parameter for parameter in command.params}

    def decorate(function: Callable) -> Callable:
        parameters = [known[name] for name in reversed(names)]
        function.__click_params__ = [*getattr(function, "__click_params__", []), *parameters]
        return function

    return decorate


image_argument = click.argument("image", metavar="IMAGE", type=PathName("an image or -"))

at_option = option(
    "--at",
    section="Pixel",
    type=PointType(),
    metavar="X,Y",
    help="Which pixel of the result: its column and row, counted from 0 at the upper left.  "
    "[default: the middle]",
)

json_option = option(
    "--json", "as_json", section="Output", is_flag=True, help="Print JSON: every number."
)


def open_one(path: str, settings: dict[str, Any]) -> tuple[Image, str]:
    """The image that IMAGE names, and what to call it; raises as open_image.

    ``gray``, ``alpha``, ``white`` and ``max_pixels`` are taken out of the settings.
    """
    from cnntool.errors import RequestError
    from cnntool.files.images import open_image
    from cnntool.files.pixels import with_alpha

    name = "stdin" if path == "-" else path
    if path == "-" and sys.stdin.isatty():
        raise RequestError("- reads an image from stdin, which is a terminal: pipe one in")
    source = sys.stdin.buffer if path == "-" else path
    image = open_image(
        source,
        name=name,
        max_pixels=settings.pop("max_pixels"),
        gray=settings.pop("gray"),
        float_white=settings.pop("white"),
    )
    return with_alpha(image, settings.pop("alpha"), name), name
