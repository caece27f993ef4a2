"""Options that several commands share, and the types that a person's words become."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields

import click

from cnntool.cli.help import option

LARGEST_STEP = 16384
LARGEST_NUMBER = 1e12


def whole_number(digits: str) -> int:
    """The number, or of very many digits one that is beyond every limit as well.

    Python refuses to convert more than 4,300 digits.
    """
    return int(digits.lstrip("0")[:20] or 0)


class PathName(click.Path):
    """A path; an empty one, as of a shell's unset variable, is refused."""

    def __init__(self, what: str):
        super().__init__(readable=False, allow_dash=True)  # whoever opens it says what is wrong
        self.what = what

    def convert(self, value, param, ctx):
        if not value:
            self.fail(f"the name is empty: name {self.what}", param, ctx)
        return super().convert(value, param, ctx)


class FiniteFloat(click.ParamType):
    """A number of sensible size, neither NaN nor infinite; ``above`` is its lower limit."""

    name = "number"

    def __init__(self, above: float = -LARGEST_NUMBER):
        self.above = above

    def convert(self, value, param, ctx) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"'{value}' is not a number: expected one such as 1.5", param, ctx)
        if not self.above < number < LARGEST_NUMBER:
            limits = f"above {self.above:g} and below {LARGEST_NUMBER:g}"
            self.fail(f"'{value}' is out of range: expected a number {limits}", param, ctx)
        return number


class WholeNumber(click.ParamType):
    """A whole number from ``least`` to ``most``, None being no limit."""

    name = "N"

    def __init__(self, least: int = 1, most: int | None = None):
        self.least, self.most = least, most

    def convert(self, value, param, ctx) -> int:
        limits = f"{self.least} to {self.most}" if self.most else f"at least {self.least}"
        if not re.fullmatch(r"[+-]?[0-9]{1,99}", str(value).strip()):
            self.fail(f"'{value}' is not a whole number: expected {limits}", param, ctx)
        number = int(value)
        if number < self.least or (self.most is not None and number > self.most):
            self.fail(f"'{value}' is out of range: expected {limits}", param, ctx)
        return number


class PairType(click.ParamType):
    """``N`` or ``HxW``: one whole number for both axes, or rows x columns."""

    name = "N|HxW"

    def __init__(self, least: int = 1):
        self.least = least

    def convert(self, value, param, ctx) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", value.strip(), re.IGNORECASE)
        if not match:
            self.fail(f"'{value}' is not a size: expected N or HxW, such as 2 or 2x3", param, ctx)
        pair = whole_number(match[1]), whole_number(match[2] or match[1])
        if not all(self.least <= number <= LARGEST_STEP for number in pair):
            limits = f"{self.least} to {LARGEST_STEP}"
            self.fail(f"'{value}' is out of range: expected {limits}", param, ctx)
        return pair


class PaddingType(click.ParamType):
    """``same``, ``valid``, ``full`` or a number of pixels, or other units, on every side."""

    name = "same|valid|full|N"

    def __init__(self, unit: str = "pixels", largest: int = LARGEST_STEP):
        self.unit, self.largest = unit, largest

    def convert(self, value, param, ctx) -> str | int:
        if isinstance(value, int) or value in ("same", "valid", "full"):
            return value
        if not re.fullmatch(r"\d+", value):
            expected = f"expected same, valid, full or a number of {self.unit}"
            self.fail(f"'{value}' is not a padding: {expected}", param, ctx)
        if whole_number(value) > self.largest:
            self.fail(f"'{value}' is out of range: expected 0 to {self.largest}", param, ctx)
        return int(value)


BORDER_NAMES = {
    "reflect": ("reflect", "symmetric", "grid-mirror"),
    "mirror": ("mirror", "reflect101", "reflect-101", "reflect_101"),
    "edge": ("edge", "nearest", "replicate"),
    "wrap": ("wrap", "circular", "grid-wrap", "periodic"),
    "constant": ("constant", "grid-constant", "zeros", "zero"),
}
"""Each border rule with the names that SciPy, NumPy, OpenCV and PyTorch have for it."""


class BorderType(click.ParamType):
    """A border rule under any of its names, ``constant`` with an optional value."""

    name = "RULE[:V]"

    def convert(self, value, param, ctx) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        word, colon, number = value.partition(":")
        word = word.lower().removeprefix("border_")
        border = next((rule for rule, names in BORDER_NAMES.items() if word in names), None)
        if border is None:
            known = ", ".join(BORDER_NAMES)
            self.fail(f"no border rule '{word}': expected one of {known}", param, ctx)
        if colon and border != "constant":
            self.fail(f"'{value}': only constant takes a value, as in constant:128", param, ctx)
        constant = FiniteFloat().convert(number, param, ctx) if colon else 0.0
        return border, constant


class PixelCount(click.ParamType):
    """A number of pixels, with k, M or G for thousand, million or thousand million."""

    name = "N"

    def convert(self, value, param, ctx) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgG]?)", value)
        if not match or not 0 < float(match[1]) < LARGEST_NUMBER:
            self.fail(f"'{value}' is not a number of pixels: expected such as 500M", param, ctx)
        return int(float(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[match[2].lower()])


@dataclass(frozen=True)
class BatchOptions:
    """Where images come from and go to, and what is said meanwhile; see image_options."""

    images: tuple[str, ...]
    output: str | None
    format: str | None
    force: bool
    skip_existing: bool
    recursive: bool
    jobs: int | None
    quality: int | None
    depth: str | None
    white: float
    gray: bool
    alpha: str
    max_pixels: int
    show: bool
    dry_run: bool
    as_json: bool
    quiet: bool


INPUT, OUTPUT, RUN = "Input", "Output", "Running"
FORMATS = ("png", "jpeg", "tiff", "webp", "bmp", "ppm", "pgm", "pnm", "gif", "npy")


def image_options(function: Callable) -> Callable:
    """Give a command the options of BatchOptions, and hand them over as ``batch``."""

    def with_batch(**values):
        names = {field.name for field in fields(BatchOptions)}
        batch = BatchOptions(**{name: values.pop(name) for name in names})
        return function(batch=batch, **values)

    with_batch.__name__, with_batch.__doc__ = function.__name__, function.__doc__
    with_batch.__click_params__ = getattr(function, "__click_params__", [])
    decorators = (
        click.argument(
            "images",
            metavar="IMAGE...",
            nargs=-1,
            required=True,
            type=PathName("an image, a folder (-r) or -"),
        ),
        option(
            "-o",
            "--output",
            section=OUTPUT,
            metavar="PATH",
            help="A file, a folder (end it in /), a template such as 'out/{stem}-{kernel}.png' "
            "(also {name}, {ext} with its dot, {folder}, {number:03}), or - for stdout.  [default: "
            "IMAGE-KERNEL in this folder]",
        ),
        option(
            "--format",
            section=OUTPUT,
            metavar="FORMAT",
            type=click.Choice(FORMATS, case_sensitive=False),
            help=f"{', '.join(FORMATS)}.  [default: by the output's name; png on stdout]",
        ),
        option("-f", "--force", section=OUTPUT, is_flag=True, help="Overwrite files that exist."),
        option(
            "--skip-existing",
            section=OUTPUT,
            is_flag=True,
            help="Leave out images whose output exists.",
        ),
        option(
            "--depth",
            section=OUTPUT,
            type=click.Choice(["8", "16", "float"]),
            help="Of the output.  [default: the image's own, where the format can hold it]",
        ),
        option(
            "--quality",
            section=OUTPUT,
            type=WholeNumber(1, 100),
            metavar="1-100",
            help="Of JPEG and WebP.  [default: 90]",
        ),
        option(
            "--show",
            section=OUTPUT,
            is_flag=True,
            help="Draw the result in the terminal, on stderr; a file is written only with -o.",
        ),
        option(
            "-r",
            "--recursive",
            section=INPUT,
            is_flag=True,
            help="Go through folders: files with the extension of an image, hidden ones left out.",
        ),
        option("--gray", "--grey", section=INPUT, is_flag=True, help="Convert to grey first."),
        option(
            "--alpha",
            section=INPUT,
            metavar="HOW",
            type=click.Choice(["keep", "drop", "last"]),
            default="keep",
            help="keep: transparency is kept, and not filtered; drop: forget it; last: the last "
            "channel of a .npy array is alpha.  [default: keep]",
        ),
        option(
            "--white",
            section=INPUT,
            type=FiniteFloat(above=0),
            default=255.0,
            metavar="V",
            help="What white is in float images.  [default: 255]",
        ),
        option(
            "--max-pixels",
            section=INPUT,
            type=PixelCount(),
            default=500_000_000,
            metavar="N",
            help="Refuse larger images, such as 20M.  [default: 500M]",
        ),
        option(
            "-j",
            "--jobs",
            section=RUN,
            type=WholeNumber(1, 256),
            metavar="N",
            help="Images at a time.  [default: as many as there are cores]",
        ),
        option(
            "--dry-run", section=RUN, is_flag=True, help="Say what would be read, done and written."
        ),
        option(
            "--json",
            "as_json",
            section=RUN,
            is_flag=True,
            help="Report on stdout as JSON, one line an image.",
        ),
        option(
            "-q",
            "--quiet",
            section=RUN,
            is_flag=True,
            help="No notes and no progress: only results and errors.",
        ),
    )
    for decorator in reversed(decorators):
        with_batch = decorator(with_batch)
    return with_batch
