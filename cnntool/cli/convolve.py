"""`cnntool convolve`: filter images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, prod
from typing import TYPE_CHECKING, Any

import click

from cnntool.choices import COMBINATIONS, RANGES
from cnntool.cli.console import picked
from cnntool.cli.files import STDIO, check_apart, check_stdin
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Batch, flag, given, option, takes
from cnntool.cli.types import Choice, Number, Padding, Pair, Spec, read_border
from cnntool.errors import RequestError

if TYPE_CHECKING:
    from cnntool.cli.image_job import Job, Result
    from cnntool.cli.strips import Made, PictureFile
    from cnntool.imaging.filter_plan import FilterPlan, Geometry
    from cnntool.imaging.filtering import FeatureMap, Rendering
    from cnntool.imaging.kernels import Filter

BORDER_RULES = """\b
Border rules, for pixels  a b c d  (other names that are understood):
  reflect   c b a | a b c d | d c b   SciPy reflect, NumPy symmetric, OpenCV REFLECT
  mirror    d c b | a b c d | c b a   SciPy mirror, OpenCV REFLECT_101;
                                      NumPy and PyTorch call this one reflect
  edge      a a a | a b c d | d d d   SciPy nearest, OpenCV and PyTorch replicate
  wrap      b c d | a b c d | a b c   SciPy grid-wrap, PyTorch circular
  constant  k k k | a b c d | k k k   PyTorch zeros; constant:128 sets k

"""


@dataclass(frozen=True)
class Kernels:
    """Which filters, and how their responses become one picture."""

    section = "Kernel"
    specs: tuple[str, ...] = option(
        "-k --kernel",
        str,
        "A name with parameters (gaussian:sigma=2), a matrix ('1 0 -1; 2 0 -2; 1 0 -1', as in "
        "MATLAB or ImageMagick, too), a file (.txt, .csv, .json, .npy) or - for stdin, or what a "
        "network learned: a filter (model.npz:conv1/7) or a layer (model.npz:conv1). Repeat it to "
        "run filters one after the other, unrounded. `cnntool kernels` lists the names.",
        metavar="SPEC",
        multiple=True,
        required=True,
    )
    size: float | None = option("--size", Number(metavar="N"), "Its size, as in box:size=N.")
    sigma: float | None = option("--sigma", Number(metavar="S"), "As in gaussian:sigma=S.")
    angle: float | None = option(
        "--angle", Number(metavar="A"), "As in motion:angle=A, in degrees counterclockwise."
    )
    combine: str | None = option(
        "--combine",
        Choice(COMBINATIONS, "combination", "HOW"),
        "How the responses of a bank become one picture: magnitude, maximum, orientation (where "
        "the brightness grows: 0 degrees is right, 90 up, counterclockwise with y up; black -180, "
        "white 180), or none: each is a feature map in a file of its own, OUTPUT-NAME. In a chain, "
        "of the last kernel.  [default: as the kernel says]",
    )
    normalize: bool = flag(
        "--normalize",
        "Divide each kernel by the sum of its weights, or of its positive ones where that is 0.",
    )
    flip: bool = flag(
        "--flip",
        "True convolution: kernels turned by 180 degrees.  [default: cross-correlation]",
    )


@dataclass(frozen=True)
class Steps:
    """How far apart windows and taps are."""

    section = "Windows"
    stride: tuple[int, int] = option(
        "--stride", Pair(), "Step between windows.  [default: 1]", default=(1, 1)
    )
    dilation: tuple[int, int] = option(
        "--dilation", Pair(), "Step between taps.  [default: 1]", default=(1, 1)
    )


@dataclass(frozen=True)
class Windows(Steps):
    """How kernels slide over a picture."""

    padding: str | int = option(
        "--padding",
        Padding(),
        "same: as large as the image (with a stride, the result of stride 1 taken at 0, s, 2s, "
        "...); valid: only whole windows; full: every window that touches; or N pixels.  "
        "[default: same]",
        default="same",
    )
    border: tuple[str, float] = option(
        "--border",
        Spec("RULE", read_border),
        "What lies outside: reflect, mirror, edge, wrap, constant[:V]; see below.  "
        "[default: reflect]",
        default=("reflect", 0.0),
    )


@dataclass(frozen=True)
class Pixels:
    """How the results are shown."""

    section = "From numbers to pixels"
    scale: float = option("--scale", Number(metavar="A"), "Multiply the result by A.", default=1.0)
    bias: float = option("--bias", Number(metavar="B"), "Then add B.", default=0.0)
    shown: str = option(
        "--range",
        Choice(RANGES, "range", "HOW"),
        "clip: to black and white; abs: absolute value; offset: 0 is mid grey; stretch: from the "
        "least to the greatest; raw: no change; auto: abs for a signed response whose kernel sums "
        "to 0, stretch for what a network learned, else clip; .npy files get the plain numbers.  "
        "[default: auto]",
        default="auto",
    )


@click.command(
    "convolve",
    cls=SectionedCommand,
    epilog=BORDER_RULES
    + """\b
Examples:
  cnntool convolve photo.jpg --kernel sobel
  cnntool convolve photo.jpg -k gaussian:sigma=2 -k laplacian -o outlines.png
  cnntool convolve photo.jpg -k '1 0 -1; 2 0 -2; 1 0 -1' --range offset
  cnntool convolve photos/*.jpg -k sharpen -o out/ --jobs 4
  cnntool convolve photos -r -k sobel -o 'out/{folder}/{stem}.png' --skip-existing
  cnntool convolve photos -r -k sobel -o out/ --manifest done.jsonl --shard 1/8
  cat photo.png | cnntool convolve - -k gaussian:sigma=2 -o - --format npy |
    cnntool convolve - -k laplacian -o edges.png
  cnntool convolve photo.jpg -k digits.npz:conv1/7
  cnntool convolve photo.jpg -k digits.npz:conv1 --combine none -o maps/
  cnntool convolve photo.jpg -k kirsch --show""",
)
@takes(Kernels, Windows, Pixels, Batch)
def command(kernels: Kernels, windows: Windows, pixels: Pixels, batch: Batch) -> int:
    """Filter images with kernels: edges, blurs, lines, sharpening, or your own.

    Each IMAGE is a file, a folder (with -r) or - for stdin: PNG, JPEG, TIFF, WebP, BMP, PNM, GIF,
    AVIF, JPEG 2000 or .npy, grey or RGB, with 1, 8 or 16 bits or floats, with or without alpha.
    The result lands in this folder under a name that tells what was done, and its path is
    printed. Options on geometry apply to every filter of a chain.

    A filter that a network learned on colour images sees red, green and blue with a kernel each,
    and their sum is one grey picture; others go through each channel.
    """
    from cnntool.cli.image_route import Needs
    from cnntool.cli.images import run_images
    from cnntool.imaging.filter_plan import Geometry, plan_chain
    from cnntool.imaging.filtering import Rendering, run_chains

    filters = read_filters(kernels, batch.images)
    for spec in kernels.specs:
        check_apart({"-o": batch.output}, {"--kernel": spec})
    geometry = Geometry(
        windows.stride, windows.dilation, windows.padding, *windows.border, kernels.flip
    )
    batch.note(*notes_before_work(filters, geometry, pixels))

    plans: dict[tuple[int, int, int], list[FilterPlan]] = {}

    def plan(shape: tuple[int, int, int]) -> list[FilterPlan]:
        if shape not in plans:
            if len(plans) == MOST_PLANS:
                plans.clear()
            plans[shape] = plan_chain(shape, filters, geometry)
        return plans[shape]

    def filter_one(job: Job) -> None:
        chains = [plan(shape) for shape in job.shapes]
        job.check([chain[-1].shape[:2] for chain in chains])
        depth = job.depth
        rendering = Rendering(pixels.shown, pixels.scale, pixels.bias, depth.dtype, depth.white)
        if job.route.file is not None:
            filter_strips(job, job.route.file, chains[0], rendering)
        elif not job.batch.dry_run:
            maps = run_chains(job.take_image(), chains, rendering, threads=job.threads)
            job.deliver(as_results(maps, job.white))
        if job.batch.dry_run:
            describe(job, chains[0])

    last = filters[-1]
    label = "-".join(kernel.label for kernel in filters)
    if last.combine == "orientation":
        label += "-orientation"
    parts = last.names if last.combine == "none" and last.count > 1 else ("",)
    settings = {"command": "convolve", **given(kernels, windows, pixels)}
    if batch.manifest:
        settings["weights"] = [kernel.digest for kernel in filters]
    needs = Needs(between=4 * (len(filters) > 1))
    return run_images(batch, label, parts, filter_one, settings, needs)


def filter_strips(
    job: Job, file: PictureFile, plans: Sequence[FilterPlan], rendering: Rendering
) -> None:
    """Filter a picture that goes by from file to file; for a dry run, plan that."""
    from cnntool.imaging.filter_plan import plan_chain
    from cnntool.imaging.filtering import Tally, chain_over
    from cnntool.imaging.strips import bytes_in_strips

    def bytes_of(height: int, row_bytes: int) -> int:
        return bytes_in_strips(file.rows, plans, height, job.threads, row_bytes)

    white, threads = job.white, job.strip_threads
    like, height = job.plan_strips(plans[-1].shape, bytes_of)
    if job.batch.dry_run:
        return
    chain = chain_over(file.rows, white, plans, rendering, height=height, threads=job.threads)
    filters, geometry, known = [plan.kernel for plan in plans], plans[0].geometry, chain.survey

    def make(start: int, stop: int) -> Made:
        rows = file.rows
        again = plan_chain(rows.shape, filters, geometry)
        settings: dict[str, Any] = {"height": height, "threads": threads, "known": known}
        return chain_over(rows, white, again, rendering, **settings).strips(start, stop)

    def results_of(tally: Tally) -> list[Result]:
        return as_results(chain.maps([like.blank()] * job.needs.results, tally), white)

    tops = [band.start for band, _ in chain.last.bands()]
    job.deliver_strips(like, make, tops, results_of)


def as_results(maps: Sequence[FeatureMap], white: float) -> list[Result]:
    """What came of a picture with this white, with what there is to say of it."""
    from cnntool.cli.image_job import Result

    results = []
    more = [ALPHA_KEPT] if maps[0].is_weighted else []
    for each in maps:
        facts = {"kernel": each.name, "range": each.range, "lost": asdict(each.losses)}
        notes = [f"{each.name}: {text}" for text in remarks(each, white)] + more
        results.append(Result(each.image, notes, facts))
        more = []  # once a picture
    return results


ALPHA_KEPT = (
    "transparency stays as it is, and a shape that lies in it looks unfiltered (--alpha drop shows "
    "its colours alone)"
)


def read_filters(kernels: Kernels, inputs: Sequence[str]) -> list[Filter]:
    """The filters of a chain; raises RequestError on the first mistake in any of them.

    inputs: what else is read, one of which may be stdin.
    """
    from cnntool.imaging.filtering import normalized
    from cnntool.imaging.kernels import check_combination, parse_kernel

    shortcuts = picked(kernels, "size", "sigma", "angle")
    given = [f"--{name}" for name, value in shortcuts.items() if value is not None]
    if given and len(kernels.specs) > 1:
        raise RequestError(
            f"{' and '.join(given)} with {len(kernels.specs)} kernels: say which one it is for, as "
            "in --kernel gaussian:sigma=2"
        )
    check_stdin_once(kernels.specs, inputs)
    filters = [parse_kernel(spec, read_learned, **shortcuts) for spec in kernels.specs]
    if kernels.combine is not None:
        check_combination(filters[-1], kernels.combine)
        filters[-1] = replace(filters[-1], combine=kernels.combine)
    return [normalized(kernel) for kernel in filters] if kernels.normalize else filters


def check_stdin_once(specs: Sequence[str], inputs: Sequence[str] = ()) -> None:
    """RequestError where a kernel from stdin could not be read: it is taken, or a terminal."""
    stripped = [spec.strip() for spec in specs]
    count = stripped.count(STDIO)
    if count + (STDIO in inputs) > 1 and count:
        raise RequestError("stdin can be read once, and two are to come from it: name a file")
    check_stdin(stripped, "a kernel")


def read_learned(path: str, place: str | None) -> Filter:
    """The learned kernels that a spec such as ``model.npz:conv1/7`` names."""
    from cnntool.study.learned_kernels import learned_filter

    return learned_filter(path, place)


def describe(job: Job, chain: Sequence[FilterPlan]) -> None:
    """For a dry run: the size of the result, and the memory and blocks that it takes."""
    plans = [plan.blocks(plan.channels) for plan in chain]
    between = 4 * max((prod(plan.shape) * plan.count for plan in chain[:-1]), default=0)
    scratch = job.threads * max(plan.scratch_bytes for plan in plans)
    job.describe(
        " + ".join(type(plan.method).__name__.lower() for plan in plans),
        chain[-1].shape,
        between + scratch,
        blocks=sum(len(plan.blocks) for plan in plans),
    )


MOST_PLANS = 64
"""That are kept, for pictures of as many sizes."""

DIM = 1 / 6
"""A result whose brightest value is below this share of white deserves a word."""


def notes_before_work(filters: Sequence[Filter], geometry: Geometry, pixels: Pixels) -> list[str]:
    """Where the anchor of an even kernel is, and where convolution would be something else."""
    from cnntool.imaging.kernel_facts import flip_matters
    from cnntool.imaging.tone import automatic_range

    shown = pixels.shown
    if shown == "auto":
        shown = automatic_range(filters, pixels.bias)
    notes = without_effect(geometry, pixels)
    for kernel in filters:
        if geometry.padding == "same" and (place := _uneven(kernel.bank.shape[1:], geometry)):
            notes.append(f"{kernel.label}: an even size has no middle; {place}")
        ignores_sign = shown == "abs" and kernel is filters[-1]
        if not geometry.flip and flip_matters(kernel, ignores_sign=ignores_sign):
            notes.append(
                f"{kernel.label}: applied as cross-correlation; --flip gives true convolution, "
                "which differs for this kernel"
            )
    return notes


def without_effect(geometry: Geometry, pixels: Pixels) -> list[str]:
    """The options that others leave nothing to do."""
    notes = []
    border, padding = (geometry.border, geometry.constant), geometry.padding
    if border != ("reflect", 0.0) and padding in ("valid", 0):
        notes.append(nothing_outside(geometry.border, padding))
    if pixels.shown == "stretch" and pixels.scale > 0:
        given = {"--scale": pixels.scale != 1, "--bias": pixels.bias != 0}
        for name in filter(given.get, given):
            notes.append(f"{name} does nothing: --range stretch takes it back")
    return notes


def nothing_outside(border: str, padding: str | int) -> str:
    """What to say of a border that no window reaches."""
    return f"--border {border} does nothing: --padding {padding} reads nothing outside"


def _uneven(size: tuple[int, int], geometry: Geometry) -> str:
    """Where the window lies of a kernel that reaches farther on one side; '' where none does."""
    from cnntool.engine.windows import plan_axes

    axes = plan_axes(size, size, 1, geometry.dilation, "same", flipped=geometry.flip)
    sides = [(axis.before, axis.after) for axis in axes]
    if all(before == after for before, after in sides):
        return ""
    if geometry.dilation == (1, 1):
        return f"the anchor is row {size[0] // 2}, column {size[1] // 2}, counted from 0"
    (above, below), (left, right) = sides
    return (
        f"its window reaches {above} above and {below} below, {left} left and {right} right of the "
        "pixel"
    )


def remarks(result: FeatureMap, source_white: float) -> list[str]:
    """What a result could not show, or that it is almost black, with the option that helps."""
    notes = []
    if result.losses:
        remedy = "-o out.npy keeps everything"
        if result.range == "abs":
            remedy = f"--range offset keeps the sign, {remedy}"
        if source_white == 255 and result.largest > 2 * source_white:
            remedy = f"--white 65535 takes that for white, {remedy}"
        notes.append(f"{result.losses.describe()} ({remedy})")
    brightest, white = result.brightest, result.image.white
    is_dark = 0 < brightest < DIM * white and result.range in ("clip", "abs")
    if is_dark and result.image.frames[0].pixels.dtype != "f4":
        remedy = "--range stretch uses all levels"
        if -inf < result.largest <= 1 < source_white:
            remedy = "--white 1 takes 1 for white"
        notes.append(f"the brightest value is {brightest:g} of {white:g}, almost black ({remedy})")
    return notes
