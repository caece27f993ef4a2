"""`cnntool convolve`: filter images."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import click

from cnntool.choices import COMBINATIONS, RANGES
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Batch, flag, option, takes
from cnntool.cli.types import Choice, Number, Padding, Pair, Spec, read_border

if TYPE_CHECKING:
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
        "A name with parameters (gaussian:sigma=2), a matrix ('1 0 -1; 2 0 -2; 1 0 -1') or a "
        "file (.txt, .csv, .json, .npy), or what a network learned: a filter "
        "(model.npz:conv1/7) or a layer (model.npz:conv1). Repeat it to run filters one after "
        "the other, unrounded. `cnntool kernels` lists the names.",
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
        "How the responses of a bank become one picture: magnitude, maximum, orientation (of the "
        "gradient: black -180, white 180 degrees), or none: each is a feature map in a file of its "
        "own, OUTPUT-NAME. In a chain, of the last kernel.  [default: as the kernel says]",
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
class Windows:
    """How kernels slide over a picture."""

    stride: tuple[int, int] = option(
        "--stride", Pair(), "Step between windows.  [default: 1]", default=(1, 1)
    )
    dilation: tuple[int, int] = option(
        "--dilation", Pair(), "Step between taps.  [default: 1]", default=(1, 1)
    )
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
  cnntool convolve photo.jpg -k gaussian:sigma=2 -k laplacian -o edges.png
  cnntool convolve photo.jpg -k '1 0 -1; 2 0 -2; 1 0 -1' --range offset
  cnntool convolve photos/*.jpg -k sharpen -o out/ --jobs 4
  cnntool convolve photos -r -k sobel -o 'out/{folder}/{stem}.png' --skip-existing
  cat photo.png | cnntool convolve - -k gaussian:sigma=2 -o - --format npy |
    cnntool convolve - -k laplacian -o edges.png
  cnntool convolve photo.jpg -k digits.npz:conv1/7
  cnntool convolve photo.jpg -k digits.npz:conv1 --combine none -o maps/
  cnntool convolve photo.jpg -k kirsch --show""",
)
@takes(Kernels, Windows, Pixels, Batch)
def command(kernels: Kernels, windows: Windows, pixels: Pixels, batch: Batch) -> int:
    """Filter images with kernels: edges, blurs, lines, sharpening, or your own.

    Each IMAGE is a file, a folder (with -r) or - for stdin: PNG, JPEG, TIFF, WebP, BMP, PNM, GIF
    or .npy, grey or RGB, with 1, 8 or 16 bits or floats, with or without alpha. The result lands
    in this folder under a name that tells what was done, and its path is printed. Options
    on geometry apply to every filter of a chain.

    A filter that a network learned on colour images sees red, green and blue with a kernel each,
    and their sum is one grey picture; others go through each channel.
    """
    from cnntool.cli.images import keep_freed_memory

    keep_freed_memory()

    from cnntool.cli.console import complain
    from cnntool.cli.images import Work, notes_before_work, run_batch
    from cnntool.imaging.filter_pass import Geometry

    filters = read_filters(kernels)
    shown, scale, bias = pixels.shown, pixels.scale, pixels.bias
    geometry = Geometry(
        windows.stride, windows.dilation, windows.padding, *windows.border, kernels.flip
    )
    if not batch.quiet:
        for note in notes_before_work(filters, geometry, shown, bias):
            complain(note)
    last = filters[-1]
    parts = last.names if last.combine == "none" and last.count > 1 else ("",)
    label = "-".join(kernel.label for kernel in filters)
    if last.combine == "orientation":
        label += "-orientation"
    work = Work(
        label,
        parts,
        lambda height, width: final_sides(height, width, filters, geometry),
        lambda image, depth, threads: _process(
            image, filters, geometry, (shown, scale, bias), depth, threads
        ),
        lambda info, threads: describe(info, filters, geometry, threads),
    )
    return run_batch(batch, work)


def read_filters(kernels: Kernels) -> list[Filter]:
    """The filters of a chain; raises RequestError on the first mistake in any of them."""
    from cnntool.errors import RequestError
    from cnntool.imaging.filter_pass import check_combination
    from cnntool.imaging.filtering import normalized
    from cnntool.imaging.kernel_spec import parse_kernel

    specs = kernels.specs
    shortcuts = {name: getattr(kernels, name) for name in ("size", "sigma", "angle")}
    given = [f"--{name}" for name, value in shortcuts.items() if value is not None]
    if given and len(specs) > 1:
        raise RequestError(
            f"{' and '.join(given)} with {len(specs)} kernels: say which one it is for, as in "
            "--kernel gaussian:sigma=2"
        )
    filters = [parse_kernel(spec, read_learned, **shortcuts) for spec in specs]
    if kernels.combine is not None:
        check_combination(filters[-1], kernels.combine)
        filters[-1] = replace(filters[-1], combine=kernels.combine)
    return [normalized(kernel) for kernel in filters] if kernels.normalize else filters


def read_learned(path: str, place: str | None):
    """The learned kernels that a spec such as ``model.npz:conv1/7`` names."""
    from cnntool.networks.learned_kernels import learned_filter

    return learned_filter(path, place)


def _process(image, filters, geometry, tone, depth, threads):
    from cnntool.cli.images import Result, remarks
    from cnntool.imaging.filtering import Rendering, filter_image

    shown, scale, bias = tone
    rendering = Rendering(shown, scale, bias, depth.dtype, depth.white)
    results = []
    for result in filter_image(image, filters, geometry, rendering, threads=threads):
        notes = [f"{result.name}: {text}" for text in remarks(result, image)]
        facts = {"kernel": result.name, "range": result.range, "lost": asdict(result.losses)}
        results.append(Result(result.image, notes, facts))
    return results


def final_sides(height: int, width: int, filters, geometry) -> tuple[int, int]:
    """The size of the picture after the whole chain."""
    from cnntool.imaging.filter_pass import plan_filter

    for kernel in filters:
        height, width, _ = plan_filter((height, width, 3), kernel, geometry).shape
    return height, width


def describe(info, filters, geometry, threads) -> dict:
    """For a dry run: the size of the result, and the memory and blocks that it takes."""
    from cnntool.imaging.filtering import plan_chain

    plans = plan_chain((info.height, info.width, info.channels), filters, geometry)
    last = plans[-1]
    height, width, channels = last.shape
    item = {"8-bit": 1, "1-bit": 1, "16-bit": 2}.get(info.depth, 4)
    pixels = (
        info.frames * item * (info.height * info.width * info.channels + height * width * channels)
    )
    between = 4 * max((p.shape[0] * p.shape[1] * channels for p in plans[:-1]), default=0)
    runs = [plan.blocks(plan.channels) for plan in plans]
    scratch = threads * max(run.scratch_bytes for run in runs)
    return {
        "width": width,
        "height": height,
        "method": " + ".join(type(run.method).__name__.lower() for run in runs),
        "blocks": sum(len(run.blocks) for run in runs),
        "threads": threads,
        "megabytes": round((pixels + between + scratch) / 1e6),
    }
