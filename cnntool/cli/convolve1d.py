"""`cnntool convolve1d`: filter signals, in a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cnntool.choices import LARGEST_SIGNAL_KERNEL, METHODS
from cnntool.cli.convolve import check_stdin_once, nothing_outside
from cnntool.cli.files import check_apart, source_of
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import SignalOutput, argument, flag, option, takes
from cnntool.cli.types import (
    Choice,
    Number,
    Padding,
    PathName,
    Spec,
    WholeNumber,
    read_border,
)
from cnntool.errors import InputError, RequestError
from cnntool.wording import joined

if TYPE_CHECKING:
    from cnntool.signals.filtering import Geometry
    from cnntool.signals.kernels import Kernel

Size = WholeNumber(1, LARGEST_SIGNAL_KERNEL)


@dataclass(frozen=True)
class Input:
    """What is read."""

    file: str = argument("[FILE]", PathName("a signal or -"), default="-")
    columns: tuple[str, ...] = option(
        "--column",
        str,
        "Read this column or channel only, by its name in the header or its number from 1. "
        "Repeat it for several.  [default: all]",
        metavar="NAME|N",
        multiple=True,
    )
    live: bool = flag(
        "--live",
        "Pass on each result as soon as its samples are there, as for tail -f.  [default: in "
        "blocks, unless a pipe is shown in the terminal]",
    )


@dataclass(frozen=True)
class Kernels:
    """What the signal goes through."""

    section = "Kernel"
    specs: tuple[str, ...] = option(
        "-k --kernel",
        str,
        "A name with parameters (box:size=5), numbers ('1 0 -1'), a file (.txt, .csv, .json, "
        ".npy) or - for stdin; see below. Repeat it to run kernels one after the other.",
        metavar="SPEC",
        multiple=True,
    )
    other: str | None = option(
        "--with",
        PathName("a signal"),
        "Convolve with another signal instead: a file like FILE, or -. One channel goes with "
        "all, else channel goes with channel. It is held in memory, FILE is not.",
        metavar="SIGNAL",
    )
    flip: bool = flag(
        "--flip/--no-flip /--correlate",
        "True convolution, or cross-correlation.  [default: --flip]",
        default=True,
    )
    anchor: int | None = option(
        "--anchor",
        WholeNumber(0, LARGEST_SIGNAL_KERNEL),
        "The weight at time 0, counted from 0, for --padding same.  [default: the middle, "
        "size // 2; 0 for exponential]",
    )
    dt: float | None = option(
        "--dt",
        Number(least=1e-12, most=1e12, metavar="DT", noun="time", example="0.01 or 1/44100"),
        "Time between samples, such as 0.01 or 1/44100: approximate the integral, of each kernel; "
        "see below.",
    )
    normalize: bool = flag(
        "--normalize",
        "Divide the weights by their sum, or by that of the positive ones where it is 0.",
    )
    scale: float = option(
        "--scale",
        Number(metavar="A"),
        "Multiply the result by A, once, however many kernels there are.",
        default=1.0,
    )


@dataclass(frozen=True)
class Windows:
    """How kernels slide along the signal."""

    stride: int = option(
        "--stride",
        Size,
        "Step between windows, of each kernel; the sample rate of a WAV is divided by it, once "
        "for each.  [default: 1]",
        default=1,
    )
    dilation: int = option("--dilation", Size, "Step between taps.  [default: 1]", default=1)
    padding: str | int | None = option(
        "--padding",
        Padding("samples", LARGEST_SIGNAL_KERNEL),
        "same: as long as FILE (with a stride, outputs 0, s, 2s, ...); valid: only whole windows; "
        "full: every window that touches; or N samples.  [default: same; full for --with]",
    )
    border: tuple[str, float] | None = option(
        "--border",
        Spec("RULE", read_border),
        "What lies outside: reflect, mirror, edge, wrap, constant[:V]; see below.  [default: "
        "reflect; constant, which is 0, for --with and --padding full]",
    )
    method: str = option(
        "--method",
        Choice(METHODS, "method", "HOW"),
        "direct: windows; fft: overlap-add, equal to rounding; auto: the faster one.  "
        "[default: auto]",
        default="auto",
    )


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
  reflect   c b a | a b c d | d c b   mirror    d c b | a b c d | c b a
  edge      a a a | a b c d | d d d   wrap      b c d | a b c d | a b c
  constant  0 0 0 | a b c d | 0 0 0   as numpy.convolve; constant:7 sets another

\b
Examples:
  seq 100 | cnntool convolve1d - --kernel box:size=5
  cnntool convolve1d data.csv --column temperature -k gaussian:sigma=3
  cnntool convolve1d position.txt -k derivative --dt 0.01 --padding valid
  cnntool convolve1d voice.wav -k exponential:tau=0.001 --dt 1/44100 -o dull.wav
  cnntool convolve1d voice.wav --with hall.wav --scale 0.1 -o voice-in-hall.wav
  tail -f log.txt | cnntool convolve1d -k box:size=10 --padding valid --live""",
)
@takes(Kernels, Windows, Input, SignalOutput)
def command(asked: Kernels, windows: Windows, input: Input, output: SignalOutput) -> int:
    """Convolve a signal: smooth it, differentiate it, or put it through any filter.

    FILE holds numbers, one a line, or CSV columns, or is .npy or WAV (PCM of 8 to 32 bits, floats);
    without it, or as -, it is read from stdin. Signals of any length are read and written in
    blocks. Numbers go to stdout, one a line, several channels as CSV.
    """
    from cnntool.cli.signal_files import TEXT, counted, open_file, plan_output, report, write
    from cnntool.engine.fast.scratch import keep_freed_memory
    from cnntool.files.signal_text import EXACT
    from cnntool.signals.filtering import plan_passes, run_passes

    keep_freed_memory()
    file = input.file
    _check_request(file, asked)
    check_stdin_once(asked.specs, [file])
    for spec in asked.specs:
        check_apart({"-o": output.output}, {"--kernel": spec})
    check_apart({"-o": output.output}, {"--with": asked.other})
    geometry = _geometry(asked, windows)
    is_shown = output.output in (None, "-") and sys.stdout.isatty()
    if input.live and windows.method == "fft":
        raise RequestError(
            "--live answers sample by sample, and --method fft takes blocks: leave one of them out"
        )
    live = input.live or (file == "-" and is_shown)
    method = "direct" if live and windows.method == "auto" else windows.method
    kernels = _read_kernels(asked)
    with ExitStack() as files:
        signal = open_file(file, files, input.columns, live)
        if asked.other:
            kernels = [_read_other(asked.other, signal.rate, asked)]
        plans = plan_passes(signal, kernels, geometry, method)
        label = "-".join(kernel.label for kernel in kernels)
        result = run_passes(signal, plans, live)  # nothing is computed before it is written
        place = plan_output(result, file, label, output)
        if windows.border and geometry.padding in ("valid", 0):
            output.note(nothing_outside(geometry.border, geometry.padding))
        output.note(*_remarks(kernels, geometry, None if output.rate else signal.rate))
        waits = max(plan.before for plan in plans)
        if live and geometry.border in ("reflect", "mirror") and waits > plans[0].after:
            output.note(
                f"the first result waits for {waits + 1:,} samples, which are reflected: "
                "--border edge needs one"
            )
        with counted(signal, label, place) as signal:
            silent = place.format in TEXT and place.digits != EXACT
            written = write(run_passes(signal, plans, live, silent), place)
    if signal.left_out:
        output.note(f"left out of the result: {joined(signal.left_out)} of {signal.name}")
    report(signal, result, place, written, [plan.method for plan in plans])
    return 0


def _check_request(file: str, asked: Kernels) -> None:
    if bool(asked.specs) == bool(asked.other):
        found = "both are there" if asked.specs else "neither is there"
        raise RequestError(f"give --kernel SPEC or --with SIGNAL, one of them: {found}")
    if asked.other == "-" and file == "-":
        raise RequestError("FILE and --with are both stdin, which can be read once: name a file")
    if "-" in (file, asked.other) and sys.stdin.isatty():
        raise RequestError(
            "there is no FILE, and stdin is a terminal: name a file or pipe numbers in, as in "
            "seq 100 | cnntool convolve1d -k box"
        )


def _geometry(asked: Kernels, windows: Windows) -> Geometry:
    from cnntool.signals.filtering import Geometry

    padding = windows.padding
    if padding is None:
        padding = "full" if asked.other else "same"
    if asked.anchor is not None and padding != "same":
        raise RequestError("--anchor is for --padding same: the others have no middle to move")
    is_whole = bool(asked.other) or padding == "full"  # nothing is outside, as in numpy.convolve
    border = windows.border or ("constant" if is_whole else "reflect", 0.0)
    return Geometry(windows.stride, windows.dilation, padding, *border, asked.flip, asked.anchor)


def _read_kernels(asked: Kernels) -> list[Kernel]:
    """The kernels of a chain; the last one brings the scale."""
    from cnntool.signals.kernels import parse_signal_kernel, scaled

    kernels = [scaled(parse_signal_kernel(spec, asked.dt), asked.normalize) for spec in asked.specs]
    return [*kernels[:-1], *(scaled(kernel, False, asked.scale) for kernel in kernels[-1:])]


def _read_other(file: str, rate: int | None, asked: Kernels) -> Kernel:
    """The signal to convolve with, as a kernel."""
    from cnntool.cli.signal_files import open_file
    from cnntool.files.signal import read_whole
    from cnntool.signals.kernels import LARGEST_KERNEL, Kernel, scaled

    with ExitStack() as files:
        signal = open_file(file, files)
        if rate and signal.rate and rate != signal.rate:
            raise InputError(
                f"{signal.name} has {signal.rate:,} samples a second and FILE {rate:,}: resample "
                "one of them first"
            )
        weights = read_whole(signal, LARGEST_KERNEL) * (asked.dt or 1.0)
    return scaled(Kernel(f"with-{source_of(file).stem}", weights), asked.normalize, asked.scale)


def _remarks(kernels: Sequence[Kernel], geometry: Geometry, rate: int | None) -> Iterator[str]:
    """What a person may not expect."""
    for kernel in kernels:
        taps = kernel.weights.shape[1]
        chosen = kernel.anchor if geometry.anchor is None else geometry.anchor
        if geometry.padding == "same" and chosen is None and taps % 2 == 0:
            yield (
                f"{kernel.label}: an even size has no middle; the anchor is weight {taps // 2}, "
                "counted from 0 (--anchor moves it)"
            )
    steps = geometry.stride ** len(kernels)
    if rate and rate % steps:
        yield (
            f"a rate of {rate:,} divided by {steps:,} is no whole number: it is rounded (--rate "
            "sets another)"
        )
