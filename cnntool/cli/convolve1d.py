"""`cnntool convolve1d`: filter signals, in a stream."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import BorderType, FiniteFloat, PaddingType, PathName, WholeNumber

if TYPE_CHECKING:
    from cnntool.signals.filtering import Geometry
    from cnntool.signals.kernels import Kernel

INPUT, KERNEL, WINDOWS, OUTPUT = "Input", "Kernel", "Windows", "Output"
FORMATS = ("text", "csv", "npy", "wav")
DEPTHS = ("8", "16", "24", "32", "float", "float64")
METHODS = ("auto", "direct", "fft")
LARGEST = 1 << 23


class StepType(click.ParamType):
    """A positive number or fraction, such as 0.01 or 1/44100."""

    name = "DT"

    def convert(self, value, param, ctx) -> float:
        top, slash, bottom = str(value).partition("/")
        try:
            step = float(top) / float(bottom if slash else 1)
        except ValueError:
            self.fail(f"'{value}' is not a time: expected such as 0.01 or 1/44100", param, ctx)
        except ZeroDivisionError:
            step = math.inf
        if not 1e-12 <= step <= 1e12:
            self.fail(f"'{value}' is out of range: expected 1e-12 to 1e12", param, ctx)
        return step


@click.command(
    "convolve1d",
    cls=SectionedCommand,
    epilog="""\b
True convolution is the default here, as in mathematics:
  y[t] = sum over i of w[i] x[t - (i - anchor)]
while cnntool convolve correlates, as CNNs do; --no-flip does so here:
  y[t] = sum over i of w[i] x[t + (i - anchor)]

\b
Kernels:
  box:size=3            mean of 3 samples
  gaussian:sigma=2      smooth mean; size=N cuts it [default: 2 int(4 sigma + 0.5) + 1]
  exponential:tau=5     mean of the past that fades as exp(-t / tau), t >= 0; size=N cuts it
                        [default: ceil(10 tau) + 1]
  derivative:order=1    [1/2 0 -1/2], which convolution turns to f'; order=2 is [1 -2 1], f''
  identity              changes nothing: converts from one format to another
  '1 0 -1', '1/3,1/3'   any numbers; or a file that holds a row or a column of them
Named kernels sum to 1, the derivatives aside.

\b
With --dt the samples are DT apart and the result is the integral
  (f*g)(t) = integral of f(s) g(t-s) ds, approximated by DT times the sum.
Named kernels are then densities that integrate to 1, sigma and tau are in units of t, and
derivatives are per unit of t; numbers and --with are samples of g(t).

\b
Border rules, for samples  a b c d:
  constant  0 0 0 | a b c d | 0 0 0   as numpy.convolve; constant:7 sets another
  edge      a a a | a b c d | d d d   reflect   c b a | a b c d | d c b
  wrap      b c d | a b c d | a b c   mirror    d c b | a b c d | c b a

\b
Examples:
  seq 100 | cnntool convolve1d - --kernel box:size=5
  cnntool convolve1d data.csv --column temperature -k gaussian:sigma=3 --border edge
  cnntool convolve1d position.txt -k derivative --dt 0.01 --padding valid
  cnntool convolve1d voice.wav -k exponential:tau=0.001 --dt 1/44100 -o dull.wav
  cnntool convolve1d voice.wav --with hall.wav --scale 0.1 -o voice-in-hall.wav
  tail -f log.txt | cnntool convolve1d -k box:size=10 --padding valid --live""",
)
@click.argument("file", required=False, default="-", type=PathName("a signal or -"))
@option(
    "-k",
    "--kernel",
    "specs",
    section=KERNEL,
    multiple=True,
    metavar="SPEC",
    help="A name with parameters (box:size=5), numbers ('1 0 -1') or a file (.txt, .csv, .json, "
    ".npy); see below. Repeat it to run kernels one after the other.",
)
@option(
    "--with",
    "other",
    section=KERNEL,
    metavar="SIGNAL",
    help="Convolve with another signal instead: a file like FILE, or -. One channel goes with "
    "all, else channel goes with channel. It is held in memory, FILE is not.",
)
@option(
    "--flip/--no-flip",
    " /--correlate",
    section=KERNEL,
    default=True,
    help="True convolution, or cross-correlation.  [default: --flip]",
)
@option(
    "--anchor",
    section=KERNEL,
    type=WholeNumber(0, LARGEST),
    metavar="N",
    help="The weight at time 0, counted from 0, for --padding same.  [default: the middle, "
    "size // 2; 0 for exponential]",
)
@option(
    "--dt",
    section=KERNEL,
    type=StepType(),
    metavar="DT",
    help="Time between samples, such as 0.01 or 1/44100: approximate the integral, of each kernel; "
    "see below.",
)
@option(
    "--normalize",
    section=KERNEL,
    is_flag=True,
    help="Divide the weights by their sum, or by that of the positive ones where it is 0.",
)
@option(
    "--scale",
    section=KERNEL,
    type=FiniteFloat(),
    default=1.0,
    metavar="A",
    help="Multiply the result by A, once, however many kernels there are.",
)
@option(
    "--stride",
    section=WINDOWS,
    type=WholeNumber(1, LARGEST),
    default=1,
    metavar="N",
    help="Step between windows, of each kernel; the sample rate of a WAV is divided by it, once "
    "for each.  [default: 1]",
)
@option(
    "--dilation",
    section=WINDOWS,
    type=WholeNumber(1, LARGEST),
    default=1,
    metavar="N",
    help="Step between taps.  [default: 1]",
)
@option(
    "--padding",
    section=WINDOWS,
    type=PaddingType("samples", LARGEST),
    metavar="HOW",
    help="same: as long as FILE (with a stride, outputs 0, s, 2s, ...); valid: only whole windows; "
    "full: every window that touches; or N samples.  [default: same; full for --with]",
)
@option(
    "--border",
    section=WINDOWS,
    type=BorderType(),
    metavar="RULE",
    default=("constant", 0.0),
    help="What lies outside: constant[:V], edge, reflect, mirror, wrap; see below.  "
    "[default: constant:0]",
)
@option(
    "--method",
    section=WINDOWS,
    type=click.Choice(METHODS),
    default="auto",
    metavar="HOW",
    help="direct: windows; fft: overlap-add, equal to rounding; auto: the faster one.  "
    "[default: auto]",
)
@option(
    "--column",
    "columns",
    section=INPUT,
    multiple=True,
    metavar="NAME|N",
    help="Read this column or channel only, by its name in the header or its number from 1. "
    "Repeat it for several.  [default: all]",
)
@option(
    "--live",
    section=INPUT,
    is_flag=True,
    help="Pass on each result as soon as its samples are there, as for tail -f.  [default: in "
    "blocks, unless a pipe is shown in the terminal]",
)
@option(
    "-o",
    "--output",
    section=OUTPUT,
    metavar="PATH",
    help="A file, a folder (end it in /) or - for stdout.  [default: numbers go to stdout; a WAV "
    "or .npy becomes FILE-KERNEL in this folder, from stdin it goes to stdout]",
)
@option(
    "--format",
    section=OUTPUT,
    metavar="FORMAT",
    type=click.Choice(FORMATS, case_sensitive=False),
    help="text, csv (with the header), npy, wav.  [default: by the output's name, else as FILE]",
)
@option("-f", "--force", section=OUTPUT, is_flag=True, help="Overwrite a file that exists.")
@option(
    "--digits",
    section=OUTPUT,
    type=WholeNumber(1, 17),
    metavar="N",
    help="Significant digits of text and CSV; 17 is exact. Whole numbers below 2^53 are written in "
    "full.  [default: 12]",
)
@option(
    "--depth",
    section=OUTPUT,
    type=click.Choice(DEPTHS),
    help="Of a WAV: 8, 16, 24 or 32 bits, or floats of 32 or 64. Full scale is 1; what is "
    "beyond is clipped, and counted.  [default: the input's; float if that is no WAV]",
)
@option(
    "--rate",
    section=OUTPUT,
    type=WholeNumber(1, 1_000_000_000),
    metavar="HZ",
    help="Sample rate of a WAV.  [default: the input's]",
)
@click.option("--json", "as_json", is_flag=True, help="Report on stdout as JSON, of a file.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress: only errors.")
def command(file: str, specs, other, columns, live, as_json, quiet, **settings) -> int:
    """Convolve a signal: smooth it, differentiate it, or put it through any filter.

    FILE holds numbers, one a line, or CSV columns, or is .npy or WAV (PCM of 8 to 32 bits, floats);
    without it, or as -, it is read from stdin. Signals of any length are read and written in
    blocks. Numbers go to stdout, one a line, several channels as CSV.
    """
    from cnntool.cli.images import keep_freed_memory
    from cnntool.cli.signal_files import counted, open_file, plan_output, report, write
    from cnntool.signals.filtering import plan_passes, run_passes

    keep_freed_memory()
    _check_request(file, specs, other)
    geometry, dt, method, normalize, scale = _read_settings(settings, "full" if other else "same")
    is_shown = settings["output"] in (None, "-") and sys.stdout.isatty()
    live = live or (file == "-" and is_shown)
    method = "direct" if live and method == "auto" else method
    kernels = _read_kernels(specs, dt, normalize, scale)
    with ExitStack() as files:
        signal = open_file(file, files, columns, live)
        if other:
            kernels = [_read_other(other, signal.rate, dt, normalize, scale)]
        plans = plan_passes(signal, kernels, geometry, method)
        label = "-".join(kernel.label for kernel in kernels)
        result = run_passes(signal, plans, live)  # nothing is computed before it is written
        output = plan_output(result, file, label, as_json, **settings)
        if not quiet:
            _remark(kernels, geometry, None if settings["rate"] else signal.rate)
        with counted(signal, label, output, quiet) as signal:
            written = write(run_passes(signal, plans, live), output)
    report(signal, result, output, written, [plan.method for plan in plans], as_json, quiet)
    return 0


def _check_request(file: str, specs: Sequence[str], other: str | None) -> None:
    from cnntool.errors import RequestError

    if bool(specs) == bool(other):
        found = "both are there" if specs else "neither is there"
        raise RequestError(f"give --kernel SPEC or --with SIGNAL, one of them: {found}")
    if other == "-" and file == "-":
        raise RequestError("FILE and --with are both stdin, which can be read once: name a file")
    if "-" in (file, other) and sys.stdin.isatty():
        raise RequestError(
            "there is no FILE, and stdin is a terminal: name a file or pipe numbers in, as in "
            "seq 100 | cnntool convolve1d -k box"
        )


def _read_settings(settings: dict, padding: str) -> tuple[Geometry, float | None, str, bool, float]:
    """Take out of the settings what is done: geometry, dt, method, normalize and scale."""
    from cnntool.errors import RequestError
    from cnntool.signals.filtering import Geometry

    names = ("stride", "dilation", "padding", "border", "flip", "anchor")
    values = {name: settings.pop(name) for name in names}
    values["border"], constant = values["border"]
    if values["padding"] is None:
        values["padding"] = padding
    if values["anchor"] is not None and values["padding"] != "same":
        raise RequestError("--anchor is for --padding same: the others have no middle to move")
    rest = (settings.pop(name) for name in ("dt", "method", "normalize", "scale"))
    return Geometry(**values, constant=constant), *rest


def _read_kernels(
    specs: Sequence[str], dt: float | None, normalize: bool, scale: float
) -> list[Kernel]:
    """The kernels of a chain; the last one brings the scale."""
    from cnntool.signals.kernels import parse_signal_kernel, scaled

    kernels = [scaled(parse_signal_kernel(spec, dt), normalize) for spec in specs]
    return [*kernels[:-1], *(scaled(kernel, False, scale) for kernel in kernels[-1:])]


def _read_other(
    file: str, rate: int | None, dt: float | None, normalize: bool, scale: float
) -> Kernel:
    """The signal to convolve with, as a kernel."""
    from cnntool.cli.signal_files import open_file
    from cnntool.errors import InputError
    from cnntool.files.signal import read_whole
    from cnntool.signals.kernels import LARGEST_KERNEL, Kernel, scaled

    with ExitStack() as files:
        signal = open_file(file, files)
        if rate and signal.rate and rate != signal.rate:
            raise InputError(
                f"{signal.name} has {signal.rate:,} samples a second and FILE {rate:,}: resample "
                "one of them first"
            )
        weights = read_whole(signal, LARGEST_KERNEL) * (dt or 1.0)
    stem = "stdin" if file == "-" else Path(file).stem
    return scaled(Kernel(f"with-{stem}", weights), normalize, scale)


def _remark(kernels: Sequence[Kernel], geometry: Geometry, rate: int | None) -> None:
    """Say what a person may not expect."""
    from cnntool.cli.console import complain

    for kernel in kernels:
        taps = kernel.weights.shape[1]
        chosen = kernel.anchor if geometry.anchor is None else geometry.anchor
        if geometry.padding == "same" and chosen is None and taps % 2 == 0:
            complain(
                f"{kernel.label}: an even size has no middle; the anchor is weight {taps // 2}, "
                "counted from 0 (--anchor moves it)"
            )
    steps = geometry.stride ** len(kernels)
    if rate and rate % steps:
        complain(
            f"a rate of {rate:,} divided by {steps:,} is no whole number: it is rounded (--rate "
            "sets another)"
        )
