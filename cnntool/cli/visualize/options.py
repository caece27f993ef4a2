"""What the pictures of networks share: their options, and where each of them goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.choices import SCALES
from cnntool.cli.console import print_json, print_line
from cnntool.cli.files import (
    STDIO,
    check_apart,
    check_no_terminal,
    check_picture,
    within_name,
)
from cnntool.cli.options import Limits, Noting, OwnSize, argument, flag, option
from cnntool.cli.types import Choice, OutputName, PathName
from cnntool.errors import RequestError
from cnntool.wording import instead, shortened

if TYPE_CHECKING:
    import numpy as np

    from cnntool.files.image import Image
    from cnntool.networks.model import Classifier, SequenceModel

WHAT, OUTPUT, RUN = "What", "Output", "Running"


@dataclass(frozen=True)
class Weights:
    """A model file, or kernels from elsewhere."""

    model: str = argument("MODEL", PathName("a model file, or weights: .npy, .npz or .safetensors"))


@dataclass(frozen=True)
class Layer:
    """Which layer is meant."""

    section = WHAT
    layer: str | None = option(
        "--layer",
        str,
        "A layer, such as conv1; `cnntool info MODEL` lists them.  [default: the "
        "first convolution]",
        metavar="NAME",
    )


@dataclass(frozen=True)
class Scale:
    """Which weights share one scale of grey."""

    section = WHAT
    scale: str = option(
        "--scale",
        Choice(SCALES, "scale", "HOW"),
        "bank: one scale for the whole layer, 0 is mid grey; each: the same for each filter or "
        "map by itself; minmax: each from its least value, black, to its greatest, white.  "
        "[default: bank]",
        default="bank",
    )


@dataclass(frozen=True)
class Preparing(Limits, OwnSize):
    """How an image is prepared for a network."""


def picture_path(default: str) -> Any:
    """``-o`` of a command whose picture goes where the help says without it."""
    return option(
        "-o --output",
        OutputName("a picture, such as filters.png, or -"),
        "A picture, by its name PNG, JPEG, TIFF, WebP or another format, or - for PNG on "
        f"stdout.  [default: {default}]",
        metavar="PATH",
        section=OUTPUT,
    )


def font_file(section: str = "") -> Any:
    """``--font`` of a command that draws names."""
    return option(
        "--font",
        PathName("a font file, such as NotoSansCJK-Regular.ttc"),
        "Draw letters of this font file.  [default: Pillow's own, and where that lacks letters, "
        "a font of the system]",
        metavar="FILE",
        section=section,
    )


@dataclass(frozen=True)
class Picture(Noting):
    """Where a picture goes, and what is said beside it."""

    section = OUTPUT
    as_json = False
    output: str | None = picture_path("in this folder, under a name that tells what it shows")
    force: bool = flag("-f --force", "Overwrite a file that exists.")
    show: bool = flag(
        "--show", "Draw it in the terminal, on stderr; a file is written only with -o."
    )
    font: str | None = font_file(OUTPUT)
    quiet: bool = flag("-q --quiet", "No notes: only results and errors.", section=RUN)

    @property
    def is_asked_for(self) -> bool:
        """Whether a command that need not draw one is to."""
        return self.output is not None or self.show

    def refuse_font(self) -> None:
        """UsageError for the letters of a picture that is not drawn."""
        if self.font is not None:
            raise click.UsageError(
                "--font is for a picture in a file, and none is written: add -o picture.png"
            )


@dataclass(frozen=True)
class Reported(Picture):
    """The same of a command that may report on stdout instead of naming the picture."""

    as_json: bool = flag("--json", "Report as JSON.", section=RUN)

    def check(self) -> None:
        """UsageError where both a picture and JSON would go to stdout."""
        if self.as_json and self.output == STDIO:
            raise click.UsageError("--json and -o - both write to stdout: name a file with -o")


@dataclass(frozen=True)
class Target:
    """Where one picture goes: a file, stdout, the terminal.

    path: None where no file is written.
    """

    path: Path | None
    stdout: bool
    options: Picture

    def deliver(
        self,
        *frames: np.ndarray,
        draw: Callable[[], None],
        durations: Sequence[int] = (),
        facts: Callable[[], dict[str, Any]] | None = None,
        print_path: bool = True,
    ) -> None:
        """Write a picture (H, W, 3) uint8, or the frames of an animation; show it; print its path.

        draw: shows it in the terminal, where letters of a picture would be too small. durations:
        milliseconds of each frame. facts: what --json reports, in place of the path. print_path:
        whether the path is the line on stdout, where nothing else was printed.
        """
        from cnntool.files.image import Frame, Image, Metadata
        from cnntool.files.images import save_image
        from cnntool.visuals.fonts import told_lost

        if self.options.show:
            draw()
        times: Sequence[int | None] = durations or [None] * len(frames)
        pictures = tuple(Frame(f, duration=time) for f, time in zip(frames, times, strict=True))
        image = Image(pictures, 255.0, "PNG", Metadata(loop=0 if len(frames) > 1 else None))
        if self.stdout:
            save_image(image, sys.stdout.buffer, format="png")
        elif self.path is not None:
            save_image(image, self.path, overwrite=self.options.force)
            if print_path and not self.options.as_json:
                print_line(self.path)
        lost = told_lost()
        if self.stdout or self.path is not None:
            self.options.note(*lost)
        if facts is not None and self.options.as_json:
            print_json(facts() | {"picture": self.path})


def target_of(
    options: Picture,
    model: str,
    *what: str | None,
    suffix: str = ".png",
    read: Mapping[str, str | None] | None = None,
) -> Target:
    """Where the picture goes that shows ``what`` of a model; raises before any work is done.

    Without -o it is ``MODEL-WHAT`` in the working directory; with --show and no -o it is nowhere.
    ``read``: what is read beside the model, by what it is called. UsageError for a name that is no
    picture's, RequestError for what is read, InputError for a file that exists or a place that
    takes none.
    """
    from cnntool.visuals import fonts

    if options.output is None and options.show:
        options.refuse_font()
    fonts.use(options.font)
    if options.output == STDIO:
        check_no_terminal("the picture")
        return Target(None, True, options)
    if options.output is None and options.show:
        return Target(None, False, options)
    name = within_name("-".join(filter(None, what))) + suffix
    path = Path(f"{Path(model).stem}-{name}" if options.output is None else options.output)
    check_apart({"-o": path}, {"MODEL": model, "--font": options.font, **(read or {})})
    check_picture("-o", path, options.force, name)
    return Target(path, False, options)


def read_one(
    model: str, name: str, preparing: Preparing, picture: Picture
) -> tuple[Classifier, Image, np.ndarray]:
    """A network, one image, and what the network takes of it, (1, C, H, W).

    InputError where a file cannot be read or used.
    """
    from cnntool.cli.predictions import read_named
    from cnntool.networks.model import load_trained

    classifier = load_trained(model, "cnn")
    if preparing.own_size:
        classifier = classifier.with_own_sizes()
    _, image, planes, notes = read_named(classifier.preprocessing, name, preparing)
    picture.note(*notes)
    return classifier, image, planes


def class_index(
    model: Classifier | SequenceModel, label: str | None, option: str = "--class"
) -> int | None:
    """The number of the class that an option names; RequestError with those that there are."""
    if label is None or label in model.labels:
        return None if label is None else model.labels.index(label)
    there = instead(label, model.labels)
    raise RequestError(
        f"{option}: {model.name} has no class '{shortened(label, 60)}', only {there}"
    )


def answer_text(labels: Sequence[str], odds: np.ndarray, index: int) -> str:
    """``3, 97.1%``: the likeliest of classes with their odds (K,); where another is asked for, that
    too."""
    shown = dict.fromkeys((int(odds.argmax()), index))
    return "; ".join(f"{labels[each]}, {odds[each]:.1%}" for each in shown)


def answer_facts(labels: Sequence[str], odds: np.ndarray, index: int) -> dict[str, Any]:
    """The same as JSON has it."""
    return {
        key: {"label": labels[each], "probability": odds[each]}
        for key, each in (("class", index), ("likeliest", int(odds.argmax())))
    }
