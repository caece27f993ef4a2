"""What the pictures of networks share: their options, and where each of them goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.choices import SCALES
from cnntool.cli.help import option
from cnntool.cli.options import OUTPUT, RUN, PathName

if TYPE_CHECKING:
    import numpy as np

STDIO = "-"
WHAT = "What"


def taken_from(command: click.Command, *names: str) -> Callable:
    """Give a command some parameters of another, word for word, so that they never differ."""
    known = {parameter.name: parameter for parameter in command.params}

    def decorate(function: Callable) -> Callable:
        parameters = [known[name] for name in reversed(names)]
        function.__click_params__ = [*getattr(function, "__click_params__", []), *parameters]
        return function

    return decorate


model_argument = click.argument(
    "model", metavar="MODEL", type=PathName("a model file, or weights: .npy, .npz or .safetensors")
)

layer_option = option(
    "--layer",
    section=WHAT,
    metavar="NAME",
    help="A layer, such as conv1; `cnntool info MODEL` lists them.  [default: the "
    "first convolution]",
)

scale_option = option(
    "--scale",
    section=WHAT,
    type=click.Choice(SCALES),
    default="bank",
    metavar="HOW",
    help="bank: one scale for the whole layer, 0 is mid grey; each: the same for each filter or "
    "map by itself; minmax: each from its least value, black, to its greatest, white.  "
    "[default: bank]",
)

json_option = option("--json", "as_json", section=RUN, is_flag=True, help="Report as JSON.")


@dataclass(frozen=True)
class PictureOptions:
    """Where a picture goes, and what is said beside it; see :func:`picture_options`."""

    output: str | None
    force: bool
    show: bool
    quiet: bool


def picture_options(
    function: Callable, default: str = "in this folder, under a name that tells what it shows"
) -> Callable:
    """Give a command the options of PictureOptions, and hand them over as ``picture``.

    default: where the help says that a picture goes without -o.
    """

    def with_picture(**values):
        names = [field.name for field in fields(PictureOptions)]
        picture = PictureOptions(**{name: values.pop(name) for name in names})
        return function(picture=picture, **values)

    with_picture.__name__, with_picture.__doc__ = function.__name__, function.__doc__
    with_picture.__click_params__ = getattr(function, "__click_params__", [])
    decorators = (
        option(
            "-o",
            "--output",
            section=OUTPUT,
            metavar="PATH",
            type=PathName("a picture, such as filters.png, or -"),
            help="A picture, by its name PNG, JPEG, TIFF, WebP or another format, or - for PNG on "
            f"stdout.  [default: {default}]",
        ),
        option("-f", "--force", section=OUTPUT, is_flag=True, help="Overwrite a file that exists."),
        option(
            "--show",
            section=OUTPUT,
            is_flag=True,
            help="Draw it in the terminal, on stderr; a file is written only with -o.",
        ),
        option(
            "-q", "--quiet", section=RUN, is_flag=True, help="No notes: only results and errors."
        ),
    )
    for decorator in reversed(decorators):
        with_picture = decorator(with_picture)
    return with_picture


@dataclass(frozen=True)
class Destination:
    """Where one picture goes: a file, stdout, the terminal.

    path: None where no file is written. format: of a picture on stdout.
    """

    path: Path | None
    stdout: bool
    options: PictureOptions

    def deliver(
        self,
        *frames: np.ndarray,
        durations: Sequence[int] = (),
        print_path: bool = True,
        draw: Callable[[], None] | None = None,
    ) -> None:
        """Write a picture (H, W, 3) uint8, or the frames of an animation; show it; print its path.

        durations: milliseconds of each frame. print_path: whether the path is the line on stdout,
        as it should not be where that is JSON. draw: shows it in the terminal, where it is more
        legible in another way than as the last frame made smaller.
        """
        from cnntool.files.image import Frame, Image, Metadata
        from cnntool.files.images import save_image

        times = durations or [None] * len(frames)
        pictures = tuple(Frame(f, duration=time) for f, time in zip(frames, times, strict=True))
        image = Image(pictures, 255.0, "PNG", Metadata(loop=0 if len(frames) > 1 else None))
        if self.options.show and draw is not None:
            draw()
        elif self.options.show:
            from cnntool.cli.terminal import pictures

            pictures.draw(Image(pictures[-1:], 255.0, "PNG"))
        if self.stdout:
            save_image(image, sys.stdout.buffer, format="png")
        elif self.path is not None:
            save_image(image, self.path, overwrite=self.options.force)
            if print_path:
                print(self.path)


def destination(
    options: PictureOptions, model: str, what: str, suffix: str = ".png"
) -> Destination:
    """Where the picture goes that shows ``what`` of a model; raises before any work is done.

    Without -o it is ``MODEL-WHAT`` in the working directory; with --show and no -o it is nowhere.
    UsageError for a name that is no picture's, InputError for a file that exists or a place that
    takes none.
    """
    from cnntool.cli.files import check_picture

    if options.output == STDIO:
        return Destination(None, True, options)
    if options.output is None and options.show:
        return Destination(None, False, options)
    path = Path(f"{Path(model).stem}-{what}{suffix}" if options.output is None else options.output)
    if path.suffix.lower() in (".pgm", ".pbm"):
        raise click.UsageError(f"-o {path}: {path.suffix} has no colour: end it in .ppm or .png")
    check_picture("-o", path, options.force, f"{what}{suffix}")
    return Destination(path, False, options)


def check_stdout(options: PictureOptions, as_json: bool) -> None:
    """UsageError where both a picture and JSON would go to stdout."""
    if as_json and options.output == STDIO:
        raise click.UsageError("--json and -o - both write to stdout: name a file with -o")
