"""`cnntool pool`: make pictures smaller, each pixel summing up a window."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.choices import EDGES, POOLS
from cnntool.cli.console import complain
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Batch, flag, given, option, takes
from cnntool.cli.types import Choice, Number, Pair, Spec, whole_number
from cnntool.wording import duration

if TYPE_CHECKING:
    from cnntool.cli.image_job import Job, Result
    from cnntool.cli.strips import Made, PictureFile
    from cnntool.files.image import Image
    from cnntool.imaging.pooling import Pooling
    from cnntool.imaging.tone import Losses

LARGEST_MEDIAN = 32_767
THREAD_BYTES = 8_000_000
"""About what a thread takes beside the pictures."""
MEAN_BYTES = 8
"""Of a mean that becomes a pixel: it is a float, and one more in units of the result."""


def read_norm(text: str) -> float:
    """The p of a norm: a number or a fraction from 1 to infinity."""
    try:
        return math.inf if text.lower() == "inf" else Number(least=1, most=1e300).read(text)
    except ValueError:
        raise ValueError(f"'{text}' is no norm: expected a number from 1 on, or inf") from None


def read_levels(text: str) -> tuple[int, ...]:
    """Levels of a spatial pyramid: whole numbers with commas between."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= whole_number(part) <= 256 for part in parts):
        raise ValueError(
            f"'{text}' is no list of levels: expected numbers from 1 to 256 such as 1,2,4"
        )
    levels = tuple(map(int, parts))
    if twice := next((level for level in levels if levels.count(level) > 1), None):
        raise ValueError(f"level {twice} stands twice in '{text}': name each once")
    return levels


@dataclass(frozen=True)
class Pool:
    """How a window is summed up."""

    mode: str = option(
        "-m --mode",
        Choice(POOLS, "mode", "HOW"),
        f"max, min; median, of windows of {LARGEST_MEDIAN:,} pixels at the most; average; "
        "gaussian: the mean weighted by the distance from the window's centre; lp: the mean of "
        "|x|^p, to the power 1/p.  [default: max]",
        default="max",
    )
    p: float | None = option("--p", Spec("P", read_norm), "Of lp, from 1 to inf.  [default: 2]")
    is_sum: bool = flag(
        "--sum",
        "lp: the norm itself, of the sum instead of the mean: brighter the larger the window.",
    )
    sigma: float | None = option(
        "--sigma",
        Number(above=0, metavar="S"),
        "Of gaussian, in pixels.  [default: a quarter of the window or bin]",
    )


@dataclass(frozen=True)
class Windows:
    """Where windows lie."""

    kernel_size: tuple[int, int] | None = option(
        "-s --size", Pair(), "Of the window: one number, or rows x columns.  [default: 2]"
    )
    stride: tuple[int, int] | None = option(
        "--stride", Pair(), "Step between windows.  [default: the size]"
    )
    padding: tuple[int, int] | None = option(
        "--padding",
        Pair(least=0),
        "Room around the picture that windows may reach into, at most half a window; it holds no "
        "pixels, so it neither wins nor darkens.  [default: 0]",
    )
    dilation: tuple[int, int] | None = option(
        "--dilation", Pair(), "Step between the pixels of a window.  [default: 1]"
    )
    edge: str | None = option(
        "--edge",
        Choice(EDGES, "edge", "HOW"),
        "The last window, where it reaches beyond the picture: partial takes the pixels there "
        "are, drop leaves it out, pad fills it up with black.  [default: partial]",
    )
    is_ceil: bool = flag("--ceil", "The same as --edge partial.")


@dataclass(frozen=True)
class Sizes:
    """What comes out, whatever the picture's size."""

    section = "A size instead of windows"
    output_size: tuple[int, int] | None = option(
        "--output-size",
        Pair(),
        "Make it this large, rows x columns, whatever the picture's size: adaptive windows.",
    )
    is_global: bool = flag("--global", "One window, one pixel: the whole picture.")


@dataclass(frozen=True)
class Instead:
    """What is written instead of a smaller picture."""

    show_winners: bool = flag(
        "--show-winners",
        "max and min: write the picture itself, dimmed, with the pixels that won marked.",
        section="Pool",
    )
    pyramid: tuple[int, ...] | None = option(
        "--pyramid",
        Spec("N,N,...", read_levels),
        "A row of numbers for each picture, of one length whatever its size: N x N bins for every "
        "N. With -o to .csv, .npy or .json; CSV on stdout without.",
        section=Sizes.section,
    )


@click.command(
    "pool",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool pool photo.jpg
  cnntool pool photo.jpg --mode average --size 4
  cnntool pool photo.jpg --size 3 --stride 2 -o smaller.png
  cnntool pool photo.jpg --mode lp --p 3 --size 8
  cnntool pool photo.jpg --mode median --size 3 --stride 1 --padding 1 -o calm.png
  cnntool pool photos/*.jpg --mode average --output-size 32x32 -o thumbnails/
  cnntool pool photo.jpg --show-winners --show
  cnntool pool photos/*.jpg --pyramid 1,2,4 -o features.csv
  cnntool convolve photo.jpg -k sobel -o - | cnntool pool - --size 4 -o pooled.png""",
)
@takes(Pool, Windows, Sizes, Instead, Batch)
def command(pool: Pool, windows: Windows, sizes: Sizes, instead: Instead, batch: Batch) -> int:
    """Pool images: sum up windows by their largest value, their mean, their median or a norm.

    Each IMAGE is a file, a folder (with -r) or - for stdin, in any format and depth that `cnntool
    convolve` takes. The result lands in this folder under a name that tells what was done, and its
    path is printed. Pixels keep their depth (8 bits, 16 bits or 32-bit floats), and transparent
    ones do not show.
    """
    pyramid, show_winners = instead.pyramid, instead.show_winners
    pooling = read_pooling(pool, windows, sizes, pyramid)
    if pyramid:
        from cnntool.cli.feature_table import run_table

        if show_winners:
            raise click.UsageError("--show-winners marks pixels, --pyramid writes numbers")
        return run_table(batch, pooling, pyramid)
    if show_winners:
        check_has_winners(pooling)

    from cnntool.cli.image_job import Result
    from cnntool.cli.image_route import Needs
    from cnntool.cli.images import run_images
    from cnntool.files.image import choose_depth
    from cnntool.imaging.pooling import RANKS, Pooling, pool_picture, pooled_sides
    from cnntool.imaging.winners import mark_winners

    def pool_one(job: Job) -> None:
        note_long_median(job, pooling)
        sides = [pooled_sides(*shape[:2], pooling) for shape in job.shapes]
        job.check([shape[:2] for shape in job.shapes] if show_winners else sides)
        if job.route.file is not None:
            pool_strips(job, job.route.file, pooling)
        if job.batch.dry_run:
            shape = *sides[0], job.shapes[0][2]
            job.describe(pooling.mode, shape, THREAD_BYTES * job.threads)
        elif job.route.file is not None:
            return
        elif show_winners:
            marked, share = mark_winners(job.take_image(), pooling)
            depth = choose_depth(marked, job.formats[0], job.batch.depth)
            marked, _ = pool_picture(marked, Pooling("max", (1, 1)), depth.dtype, depth.white)
            note = f"{share:.1%} of the pixels won a window"
            job.deliver([Result(marked, [note], {"winners": share})])
        else:
            pooled, losses = pool_picture(
                job.take_image(), pooling, job.depth.dtype, job.depth.white, threads=job.threads
            )
            job.deliver([as_result(pooled, losses, pooling)])

    label = pooling.label + ("-winners" if show_winners else "")
    settings = {"command": "pool", **given(pool, windows, sizes, instead)}
    why_whole = "--show-winners marks the whole of it" if show_winners else ""
    if pooling.output_size:
        why_whole = "bins are parts of the whole, windows with --size are not"
    between = 0
    if pool.mode not in RANKS:
        between = -(-MEAN_BYTES // math.prod(pooling.stride or pooling.kernel_size))
    needs = Needs(between=between, why_whole=why_whole)
    return run_images(batch, label, ("",), pool_one, settings, needs)


LONG = 60.0
"""Seconds that deserve a word before they begin."""


def note_long_median(job: Job, pooling: Pooling) -> None:
    """Say of a median that takes minutes how long it will take."""
    if pooling.mode != "median" or job.batch.quiet or pooling.output_size:
        return
    from cnntool.engine.medians import about_seconds
    from cnntool.imaging.pooling import pool_axes

    planes = [pool_axes(*shape[:2], pooling) for shape in job.shapes for _ in range(shape[2])]
    seconds = sum(about_seconds(job.source_dtype, *axes) for axes in planes) / job.threads
    if seconds > LONG:
        complain(
            f"{job.name}: the median of {math.prod(pooling.kernel_size):,} pixels around each "
            f"takes about {duration(seconds)}"
        )


def pool_strips(job: Job, file: PictureFile, pooling: Pooling) -> None:
    """Pool a picture that goes by from file to file; for a dry run, plan that."""
    from cnntool.imaging.pooling import alpha_weighs, bytes_in_strips, pool_rows, pooled_sides

    def bytes_of(height: int, row_bytes: int) -> int:
        strips = bytes_in_strips(file.rows, pooling, height, row_bytes)
        return THREAD_BYTES * job.threads + strips

    height, width, channels = job.shapes[0]
    shape = *pooled_sides(height, width, pooling), channels
    like, height = job.plan_strips(shape, bytes_of)
    if job.batch.dry_run:
        return
    white, dtype, new_white = job.white, job.depth.dtype, job.depth.white
    settings: dict[str, Any] = {"height": height, "threads": job.strip_threads}
    settings |= {"is_weighted": alpha_weighs(file.rows, white)}

    def make(start: int, stop: int) -> Made:
        span = settings | {"start": start, "stop": stop}
        pooled = pool_rows(file.rows, white, pooling, dtype, new_white, **span)
        return (([frame], lost) for frame, lost in pooled)

    def results_of(losses: Losses) -> list[Result]:
        return [as_result(like.blank(), losses, pooling)]

    job.deliver_strips(like, make, range(0, like.height, height), results_of)


def as_result(image: Image, losses: Losses, pooling: Pooling) -> Result:
    """What came of a picture, with what there is to say of it."""
    from cnntool.cli.image_job import Result

    notes = [losses.describe()] if losses else []
    return Result(image, notes, {"pool": pooling.label, "lost": asdict(losses)})


def read_pooling(
    pool: Pool, windows: Windows, sizes: Sizes, pyramid: tuple[int, ...] | None = None
) -> Pooling:
    """The pooling that the options describe; raises UsageError where they contradict each other."""
    from cnntool.imaging.pooling import Pooling

    check_options(pool, windows, sizes, pyramid)
    kernel_size, padding = windows.kernel_size or (2, 2), windows.padding or (0, 0)
    dilation = windows.dilation or (1, 1)
    if pool.mode == "median" and math.prod(kernel_size) > LARGEST_MEDIAN:
        raise click.UsageError(
            f"a median of {kernel_size[0]} x {kernel_size[1]} pixels takes too long: use a window "
            f"of at most {LARGEST_MEDIAN:,} pixels"
        )
    if windows.edge == "pad" and any(padding):
        raise click.UsageError(
            "--edge pad fills the last windows up with black, --padding holds no pixels: use one"
        )
    check_padding(padding, kernel_size, dilation)
    return Pooling(
        pool.mode,
        kernel_size,
        windows.stride,
        padding,
        dilation,
        windows.edge or "partial",
        2.0 if pool.p is None else pool.p,
        pool.sigma,
        pool.is_sum,
        (1, 1) if sizes.is_global else sizes.output_size,
    )


def check_options(pool: Pool, windows: Windows, sizes: Sizes, pyramid) -> None:
    """Raise UsageError where two options contradict each other, whatever their values."""
    fixed = {
        "--output-size": sizes.output_size,
        "--global": sizes.is_global,
        "--pyramid": pyramid,
    }
    given = [name for name, value in fixed.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} each say what comes out: use one of them")
    laid = {
        "--size": windows.kernel_size,
        "--edge": windows.edge,
        "--ceil": windows.is_ceil,
        "--stride": windows.stride,
        "--padding": windows.padding,
        "--dilation": windows.dilation,
    }
    unused = [name for name, value in laid.items() if value]
    if given and unused:
        raise click.UsageError(f"{unused[0]} lays windows, {given[0]} cuts bins: use one of them")
    only = {
        "--p": (pool.p, "lp"),
        "--sum": (pool.is_sum, "lp"),
        "--sigma": (pool.sigma, "gaussian"),
    }
    for name, (value, owner) in only.items():
        if value and pool.mode != owner:
            raise click.UsageError(f"{name} is for --mode {owner}, not for {pool.mode}")
    if windows.is_ceil and windows.edge in ("drop", "pad"):
        raise click.UsageError(
            f"--ceil keeps the last window, --edge {windows.edge} does not: use one"
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
