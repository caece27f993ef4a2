"""`cnntool pool`: make pictures smaller, each pixel summing up a window."""

from __future__ import annotations

import math
from dataclasses import asdict

import click

from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import BatchOptions, FiniteFloat, PairType, image_options, whole_number

MODES = ("max", "average", "lp", "gaussian", "min", "median")
EDGES = ("partial", "drop", "pad")
LARGEST_MEDIAN = 4096
POOL, WINDOWS, SIZES = "Pool", "Windows", "A size instead of windows"


class NormType(click.ParamType):
    """The p of a norm: a number from 1 to infinity."""

    name = "p"

    def convert(self, value, param, ctx) -> float:
        try:
            p = float(value)
        except ValueError:
            p = math.nan
        if not p >= 1:
            self.fail(f"'{value}' is no norm: expected a number from 1 on, or inf", param, ctx)
        return p


class LevelsType(click.ParamType):
    """Levels of a spatial pyramid: whole numbers with commas between."""

    name = "N,N,..."

    def convert(self, value, param, ctx) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() and 1 <= whole_number(part) <= 256 for part in parts):
            self.fail(
                f"'{value}' is no list of levels: expected numbers from 1 to 256 such as 1,2,4",
                param,
                ctx,
            )
        levels = tuple(map(int, parts))
        if twice := next((level for level in levels if levels.count(level) > 1), None):
            self.fail(f"level {twice} stands twice in '{value}': name each once", param, ctx)
        return levels


@click.command(
    "pool",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool pool photo.jpg
  cnntool pool photo.jpg --mode average --size 4
  cnntool pool photo.jpg --size 3 --stride 2 -o smaller.png
  cnntool pool photo.jpg --mode lp --p 3 --size 8
  cnntool pool photo.jpg --mode median --size 3 --stride 1 -o calm.png
  cnntool pool photos/*.jpg --mode average --output-size 32x32 -o thumbnails/
  cnntool pool photo.jpg --show-winners --show
  cnntool pool photos/*.jpg --pyramid 1,2,4 -o features.csv
  cnntool convolve photo.jpg -k sobel -o - | cnntool pool - --size 4 -o edges.png""",
)
@option(
    "-m",
    "--mode",
    section=POOL,
    type=click.Choice(MODES),
    default="max",
    metavar="HOW",
    help="max, min, median; average; gaussian: the mean weighted by the distance from the window's "
    "centre; lp: the mean of |x|^p, to the power 1/p.  [default: max]",
)
@option(
    "--p", section=POOL, type=NormType(), metavar="P", help="Of lp, from 1 to inf.  [default: 2]"
)
@option(
    "--sum",
    "is_sum",
    section=POOL,
    is_flag=True,
    help="lp: the norm itself, of the sum instead of the mean: brighter the larger the window.",
)
@option(
    "--sigma",
    section=POOL,
    type=FiniteFloat(above=0),
    metavar="S",
    help="Of gaussian, in pixels.  [default: a quarter of the window or bin]",
)
@option(
    "-s",
    "--size",
    "kernel_size",
    section=WINDOWS,
    type=PairType(),
    metavar="N|HxW",
    help="Of the window: one number, or rows x columns.  [default: 2]",
)
@option(
    "--stride",
    section=WINDOWS,
    type=PairType(),
    metavar="N|HxW",
    help="Step between windows.  [default: the size]",
)
@option(
    "--padding",
    section=WINDOWS,
    type=PairType(least=0),
    metavar="N|HxW",
    help="Room around the picture that windows may reach into, at most half a window; it holds no "
    "pixels, so it neither wins nor darkens.  [default: 0]",
)
@option(
    "--dilation",
    section=WINDOWS,
    type=PairType(),
    metavar="N|HxW",
    help="Step between the pixels of a window.  [default: 1]",
)
@option(
    "--edge",
    section=WINDOWS,
    type=click.Choice(EDGES),
    metavar="HOW",
    help="The last window, where it reaches beyond the picture: partial takes the pixels there "
    "are, drop leaves it out, pad fills it up with black.  [default: partial]",
)
@option("--ceil", "is_ceil", section=WINDOWS, is_flag=True, help="The same as --edge partial.")
@option(
    "--output-size",
    section=SIZES,
    type=PairType(),
    metavar="N|HxW",
    help="Make it this large, rows x columns, whatever the picture's size: adaptive windows.",
)
@option(
    "--global",
    "is_global",
    section=SIZES,
    is_flag=True,
    help="One window, one pixel: the whole picture.",
)
@option(
    "--pyramid",
    section=SIZES,
    type=LevelsType(),
    metavar="N,N,...",
    help="A row of numbers for each picture, of one length whatever its size: N x N bins for every "
    "N. With -o to .csv, .npy or .json; CSV on stdout without.",
)
@option(
    "--show-winners",
    section=POOL,
    is_flag=True,
    help="max and min: write the picture itself, dimmed, with the pixels that won marked.",
)
@image_options
def command(batch: BatchOptions, pyramid, show_winners, **settings) -> int:
    """Pool images: sum up windows by their largest value, their mean, their median or a norm.

    Each IMAGE is a file, a folder (with -r) or - for stdin, in any format and depth that `cnntool
    convolve` takes. The result lands in this folder under a name that tells what was done, and its
    path is printed. Pixels keep their depth (8 bits, 16 bits or 32-bit floats), and transparent
    ones do not show.
    """
    pooling = read_pooling(pyramid, **settings)
    if pyramid:
        from cnntool.cli.feature_table import run_table

        if show_winners:
            raise click.UsageError("--show-winners marks pixels, --pyramid writes numbers")
        return run_table(batch, pooling, pyramid)

    from cnntool.cli.images import keep_freed_memory, open_first

    keep_freed_memory()
    first = open_first(batch)

    from cnntool.cli.images import Work, run_batch
    from cnntool.imaging.pooling import pooled_sides

    if show_winners:
        check_has_winners(pooling)
    label = pooling.label + ("-winners" if show_winners else "")
    work = Work(
        label,
        ("",),
        lambda height, width: (
            (height, width) if show_winners else pooled_sides(height, width, pooling)
        ),
        lambda image, depth, threads: _process(image, pooling, show_winners, depth, threads),
        lambda info, threads: describe(info, pooling, threads),
    )
    return run_batch(batch, work, first)


def read_pooling(
    pyramid, mode, p, is_sum, sigma, kernel_size, edge, is_ceil, output_size, is_global, **windows
):
    """The pooling that the options describe; raises UsageError where they contradict each other."""
    sizes = {"--output-size": output_size, "--global": is_global, "--pyramid": pyramid}
    given = [name for name, value in sizes.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} each say what comes out: use one of them")
    laid = {"--size": kernel_size, "--edge": edge, "--ceil": is_ceil}
    laid.update({f"--{name}": value for name, value in windows.items()})
    unused = [name for name, value in laid.items() if value]
    if given and unused:
        raise click.UsageError(f"{unused[0]} lays windows, {given[0]} cuts bins: use one of them")
    only = {"--p": (p, "lp"), "--sum": (is_sum, "lp"), "--sigma": (sigma, "gaussian")}
    for name, (value, owner) in only.items():
        if value and mode != owner:
            raise click.UsageError(f"{name} is for --mode {owner}, not for {mode}")
    if mode == "median" and kernel_size and math.prod(kernel_size) > LARGEST_MEDIAN:
        raise click.UsageError(
            f"a median of {kernel_size[0]} x {kernel_size[1]} pixels takes too long: use a window "
            f"of at most {LARGEST_MEDIAN} pixels"
        )
    if edge == "pad" and any(windows["padding"] or ()):
        raise click.UsageError(
            "--edge pad fills the last windows up with black, --padding holds no pixels: use one"
        )
    if is_ceil and edge in ("drop", "pad"):
        raise click.UsageError(f"--ceil keeps the last window, --edge {edge} does not: use one")
    from cnntool.imaging.pooling import Pooling

    kernel_size, padding = kernel_size or (2, 2), windows["padding"] or (0, 0)
    dilation = windows["dilation"] or (1, 1)
    check_padding(padding, kernel_size, dilation)
    return Pooling(
        mode,
        kernel_size,
        windows["stride"],
        padding,
        dilation,
        edge or "partial",
        2.0 if p is None else p,
        sigma,
        is_sum,
        (1, 1) if is_global else output_size,
    )


def check_padding(padding, kernel_size, dilation) -> None:
    """Raise UsageError where windows could lie in the padding alone, whatever the picture."""
    for room, size, step in zip(padding, kernel_size, dilation, strict=True):
        span = (size - 1) * step + 1
        if room > span // 2:
            raise click.UsageError(
                f"--padding {room} is more than half a window that spans {span}: use at most "
                f"{span // 2}, or a larger --size"
            )


def check_has_winners(pooling) -> None:
    """Raise UsageError where no pixel wins."""
    if pooling.mode not in ("max", "min") or pooling.output_size:
        raise click.UsageError("--show-winners needs --mode max or min, and windows (--size)")


def _process(image, pooling, show_winners, depth, threads):
    from cnntool.cli.images import Result

    if show_winners:
        from cnntool.imaging.pooling import mark_winners

        marked, share = mark_winners(image, pooling)
        return [Result(marked, [f"{share:.1%} of the pixels won a window"], {"winners": share})]
    from cnntool.imaging.pooling import pool_picture

    result, losses = pool_picture(image, pooling, depth.dtype, depth.white, threads=threads)
    notes = [losses.describe()] if losses else []
    return [Result(result, notes, {"pool": pooling.label, "lost": asdict(losses)})]


def describe(info, pooling, threads) -> dict:
    """For a dry run: the size of the result, and the memory that it takes."""
    from cnntool.imaging.pooling import pooled_sides

    height, width = pooled_sides(info.height, info.width, pooling)
    item = {"8-bit": 1, "1-bit": 1, "16-bit": 2}.get(info.depth, 4)
    pixels = info.frames * info.channels * (info.height * info.width + height * width) * item
    return {
        "width": width,
        "height": height,
        "method": pooling.mode,
        "threads": threads,
        "megabytes": round(pixels / 1e6) + 8 * threads,
    }
