"""Options that are said once: as fields of a dataclass, which a command takes filled in.

    @dataclass(frozen=True)
    class Learning:
        epochs: int | None = option("--epochs", WholeNumber(1), "Times to go through the data.")
        strict: bool = flag("--strict", "An image that cannot be read is an error.")

    @click.command("train", cls=SectionedCommand)
    @takes(Learning, Running)
    def command(learning: Learning, running: Running) -> int: ...

The name of a field is that of the value, whatever the option is called (``as_json`` of ``--json``),
and its default is Click's as well, so that a dataclass made in Python is one made by a person who
gave nothing; ``dataclasses.asdict`` of it is what ``--json`` reports. In the help the fields of a
class stand below its name, or its ``section``: a plain class attribute, or that of a field.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from cnntool.choices import ALPHAS, IMAGE_DEPTHS, IMAGE_FORMATS, SIGNAL_FORMATS, WAV_DEPTHS
from cnntool.cli.console import complain
from cnntool.cli.help import Option
from cnntool.cli.types import (
    Choice,
    Number,
    OutputName,
    PathName,
    Spec,
    WholeNumber,
    read_cluster,
    read_memory,
    read_pixel_count,
    read_shard,
)
from cnntool.files.limits import MAX_PIXELS


def option(
    names: str,
    type: Any,
    help: str,
    *,
    default: Any = None,
    section: str = "",
    metavar: str | None = None,
    **attributes: Any,
) -> Any:
    """A field that is an option with a value; several ``names`` stand with spaces between.

    metavar: how the help calls the value; by default as its type does.
    attributes: what else ``click.Option`` takes, such as ``multiple=True`` (the field is a tuple
    then, by default the empty one) or ``required=True``.
    """
    if attributes.get("multiple") and default is None:
        default = ()
    metavar = metavar or getattr(type, "metavar", None)
    attributes |= {"type": type, "help": help, "metavar": metavar}
    if not attributes.get("required"):  # for Click None is a value, once it is said
        attributes["default"] = default
    return _field(Option, names, default, section, attributes)


def flag(names: str, help: str, *, default: bool = False, section: str = "") -> Any:
    """A field that is True where the option is given; ``"--flip/--no-flip"`` can be both."""
    attributes = {"help": help, "is_flag": True, "default": default}
    return _field(Option, names, default, section, attributes)


def argument(metavar: str, type: Any, *, many: bool = False, default: Any = None, **rest) -> Any:
    """A field that is an argument, required unless ``required=False``; ``many`` are a tuple."""
    default = () if many else default
    attributes = {"metavar": metavar, "type": type, "nargs": -1 if many else 1, "required": True}
    if default is not None and not many:
        attributes |= {"default": default, "required": False}
    return _field(click.Argument, "", default, "", attributes | rest)


def _field(kind: Callable, names: str, default: Any, section: str, attributes: dict) -> Any:
    declared = [f" {name}" if name.startswith("/") else name for name in names.split()]
    metadata = {"kind": kind, "names": declared, "section": section, "attributes": attributes}
    return dataclasses.field(default=default, metadata=metadata)


def takes(*kinds: type) -> Callable[[Callable], Callable]:
    """Give a command the options of dataclasses; it is called with an instance of each, in order.

    Parameters of other decorators are handed over by name, as Click does.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def command(*above: Any, **values: Any) -> Any:
            filled = [
                kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
                for kind in kinds
            ]
            return function(*above, *filled, **values)

        declared = [parameter for kind in kinds for parameter in _parameters(kind)]
        below = getattr(function, "__click_params__", [])
        vars(command)["__click_params__"] = [*below, *reversed(declared)]  # read from the end
        return command

    return decorate


def _parameters(kind: type) -> Iterator[click.Parameter]:
    """The Click parameters of a dataclass; each stands below the class that declares it."""
    for field in dataclasses.fields(kind):
        said = field.metadata
        attributes = dict(said["attributes"])
        if said["kind"] is Option:
            owner = next(
                c for c in kind.__mro__ if field.name in vars(c).get("__annotations__", ())
            )
            attributes["section"] = said["section"] or vars(owner).get("section", owner.__name__)
        yield said["kind"]([field.name, *said["names"]], **attributes)


def encoding_option(of: str, section: str = "") -> Any:
    """``--encoding`` of a command that reads a text for a model that learned from one."""
    return option(
        "--encoding",
        str,
        f"{of}.  [default: that of the text it learned from]",
        section=section,
        metavar="NAME",
    )


def given(*options: Any) -> dict[str, Any]:
    """What was asked for, by the names of the fields: all that is not as usual."""
    return {
        field.name: value
        for each in options
        for field in dataclasses.fields(each)
        if (value := getattr(each, field.name)) != field.default
    }


def refuse(options: Any, names: Iterable[str], reason: str) -> None:
    """UsageError where one of these options was given: ``--name`` and the reason."""
    usual = {field.name: field.default for field in dataclasses.fields(options)}
    for name in names:
        if getattr(options, name) != usual[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} {reason}")


class Noting:
    """Options of which ``quiet`` is one."""

    quiet: bool

    def note(self, *notes: str) -> None:
        """Lines on stderr, unless none are wanted or there is nothing to say."""
        for note in filter(None, () if self.quiet else notes):
            complain(note)


def _depth() -> Any:
    return option(
        "--depth",
        Choice(IMAGE_DEPTHS, "depth"),
        "Of the output.  [default: the image's own, where the format can hold it]",
    )


@dataclass(frozen=True)
class Depth:
    """What pixels become, for a command that writes no picture."""

    section = "Output"
    depth: str | None = _depth()


@dataclass(frozen=True)
class Output:
    """Where the pictures of a command go, and as what."""

    output: str | None = option(
        "-o --output",
        OutputName("a file, a folder or -"),
        "A file, a folder (end it in /), a template such as 'out/{stem}-{kernel}.png' "
        "(also {name}, {ext} with its dot, {number:03}, and {folder}: below that which -r goes "
        "through, or that a file was named with, a/b of a/b/cat.png; nothing at the top: "
        "'out/{folder}/{name}'), or - for stdout. Folders that are missing are made.  "
        "[default: IMAGE-KERNEL in this folder]",
        metavar="PATH",
    )
    format: str | None = option(
        "--format",
        Choice(IMAGE_FORMATS, "format", "FORMAT"),
        f"{', '.join(IMAGE_FORMATS)}.  [default: by the output's name; png on stdout]",
    )
    force: bool = flag("-f --force", "Overwrite files that exist.")
    skip_existing: bool = flag("--skip-existing", "Leave out images whose output exists.")
    depth: str | None = _depth()
    quality: int | None = option(
        "--quality", WholeNumber(1, 100, "1-100"), "Of JPEG and WebP.  [default: 90]"
    )
    show: bool = flag(
        "--show", "Draw the result in the terminal, on stderr; a file is written only with -o."
    )


@dataclass(frozen=True)
class Model:
    """What was trained."""

    model: str = argument("MODEL", PathName("a model file"))


@dataclass(frozen=True)
class Sources:
    """Which images are read."""

    section = "Input"
    images: tuple[str, ...] = argument(
        "IMAGE...", PathName("an image, a folder (-r) or -"), many=True
    )
    recursive: bool = flag(
        "-r --recursive",
        "Go through folders: files with the extension of an image, hidden ones left out.",
    )


@dataclass(frozen=True)
class Gray:
    """Whether colour counts."""

    section = "Input"
    gray: bool = flag("--gray --grey", "Convert to grey first.")


@dataclass(frozen=True)
class Alpha:
    """What becomes of transparency."""

    section = "Input"
    alpha: str = option(
        "--alpha",
        Choice(ALPHAS, "way", "HOW"),
        "keep: transparency is kept, and not filtered; drop: forget it; last: the last "
        "channel of a .npy array is alpha.  [default: keep]",
        default="keep",
    )


@dataclass(frozen=True)
class Limits:
    """How bright and how large images may be."""

    section = "Input"
    white: float = option(
        "--white",
        Number(above=0, metavar="V"),
        "What white is in float images.  [default: 255]",
        default=255.0,
    )
    max_pixels: int = option(
        "--max-pixels",
        Spec("N", read_pixel_count),
        "Refuse larger images, such as 20M.  [default: 500M]",
        default=MAX_PIXELS,
    )


@dataclass(frozen=True)
class Reading(Limits, Alpha, Gray):
    """How images are read."""


@dataclass(frozen=True)
class OwnSize:
    """Whether images get the size that a network was trained on."""

    section = "Input"
    own_size: bool = flag(
        "--own-size",
        "Leave images at their own size, where the network takes any.  [default: the size that "
        "it was trained on]",
    )


@dataclass(frozen=True)
class Running(Noting):
    """How many images at a time, and what is said of them."""

    jobs: int | None = option(
        "-j --jobs", WholeNumber(1, 256), "Images at a time.  [default: as many as there are cores]"
    )
    dry_run: bool = flag("--dry-run", "Say what would be read, done and written.")
    as_json: bool = flag("--json", "Report on stdout as JSON, one line an image.")
    quiet: bool = flag("-q --quiet", "No notes and no progress: only results and errors.")


@dataclass(frozen=True)
class Spread:
    """Among which runs or machines the inputs are parted."""

    section = "Many images"
    shard: tuple[int, int] | None = option(
        "--shard",
        Spec("I/N", read_shard),
        "Only the I-th of N parts of the inputs, such as 3/8. An input belongs to the part that a "
        "hash of its path tells, below the folder that -r goes through, else as it is named: new "
        "ones move no others, and {number} counts all.",
    )
    cluster: str | None = option(
        "--cluster",
        Spec("WHERE", read_cluster),
        "Have the workers of a Dask cluster do it, which share the folders: local:4 starts so many "
        "here, tcp://HOST:8786 is the scheduler of those that run. Needs the extra cluster.",
    )


@dataclass(frozen=True)
class Batch(Spread, Running, Reading, Sources, Output):
    """All that is asked of a command that makes images of images."""

    manifest: str | None = option(
        "--manifest",
        PathName("a file such as done.jsonl"),
        "Put down what is done, a line of JSON an image: input, settings and outputs, with their "
        "hashes. A later run leaves out what is there and unchanged, does the rest, and says why; "
        "outputs that were changed since take -f. Several runs may share the file.",
        metavar="FILE.jsonl",
        section=Spread.section,
    )
    memory: int | None = option(
        "--memory",
        Spec("SIZE", read_memory),
        "Take no more than this, such as 500M or 2G, all in all: pictures that need more go from "
        "file to file in strips, as .npy, PNM, PNG, TIFF and JPEG can; what cannot is refused.  "
        "[default: no limit, and strips of large pictures]",
        section="Running",
    )


@dataclass(frozen=True)
class SignalOutput(Noting):
    """Where a signal goes, and what is said of it."""

    section = "Output"
    output: str | None = option(
        "-o --output",
        OutputName("a file, a folder or -"),
        "A file, a folder (end it in /) or - for stdout.  [default: numbers go to stdout; a WAV "
        "or .npy becomes FILE-KERNEL in this folder, from stdin it goes to stdout]",
        metavar="PATH",
    )
    format: str | None = option(
        "--format",
        Choice(SIGNAL_FORMATS, "format", "FORMAT"),
        "text, csv (with the header), npy, wav.  [default: by the output's name, else as FILE]",
    )
    force: bool = flag("-f --force", "Overwrite a file that exists.")
    digits: int | None = option(
        "--digits",
        WholeNumber(1, 17),
        "Significant digits of text and CSV; 17 is exact. Whole numbers below 2^53 are written in "
        "full.  [default: 12]",
    )
    depth: str | None = option(
        "--depth",
        Choice(WAV_DEPTHS, "depth"),
        "Of a WAV: 8, 16, 24 or 32 bits, or floats of 32 or 64. Full scale is 1; what is "
        "beyond is clipped, and counted.  [default: the input's; float if that is no WAV]",
    )
    rate: int | None = option(
        "--rate",
        WholeNumber(1, 1_000_000_000, "HZ"),
        "Sample rate of a WAV.  [default: the input's]",
    )
    as_json: bool = flag("--json", "Report on stdout as JSON, of a file.", section="Running")
    quiet: bool = flag("-q --quiet", "No notes and no progress: only errors.", section="Running")
