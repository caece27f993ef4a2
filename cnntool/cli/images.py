"""Images from files to files: what every image command does around its own work.

A command gives a function from one image to its results; reading, naming, converting, writing,
progress, reports and errors are here. One bad file never stops the others.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from cnntool.cli.console import complain, progress
from cnntool.cli.files import (
    Source,
    Targets,
    check_free,
    find_sources,
    make_folder,
    plan_targets,
)
from cnntool.cli.options import Batch
from cnntool.engine.fast.threads import available_cores, share
from cnntool.errors import InputError, RequestError
from cnntool.files.formats import EXTENSIONS, FORMATS, can_hold, format_for, format_named
from cnntool.files.image import Frame, Image, ImageInfo
from cnntool.files.images import check_holdable, open_image, probe_image, save_image
from cnntool.files.pixels import (
    DEPTHS,
    Depth,
    choose_depth,
    stacked,
    with_alpha,
    without_opaque_alpha,
)
from cnntool.files.streams import Reading
from cnntool.wording import counted

if TYPE_CHECKING:
    from cnntool.files.image import Image
import ctypes
from typing import TYPE_CHECKING

from cnntool.files.image import Image
from cnntool.imaging.filter_pass import Geometry
from cnntool.imaging.filtering import FeatureMap
from cnntool.imaging.kernel_facts import flip_matters
from cnntool.imaging.kernels import Filter
from cnntool.imaging.tone import automatic_range

LARGE_BYTES = 50_000_000
"""Of a picture whose freed memory is not kept: there clearing new pages hardly counts."""


@dataclass(frozen=True)
class Result:
    """One picture that a command made of an image, with what there is to say about it."""

    image: Image
    notes: Sequence[str] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What a command does: its label, the names of its results, and how to get them.

    ``process(image, depth, threads)`` returns as many results as there are ``parts``;
    ``sides(height, width)`` is the size of a result; ``describe(info, threads)`` says for a dry
    run what would be done.
    """

    label: str
    parts: tuple[str, ...]
    sides: Callable[[int, int], tuple[int, int]]
    process: Callable[[Image, Depth, int], Sequence[Result]]
    describe: Callable[[ImageInfo, int], dict[str, Any]]


def run_batch(options: Batch, work: Work) -> int:
    """Run a command over its images; returns the exit code."""
    _check_options(options)
    sources, problems = find_sources(options.images, options.recursive, options.output)
    for problem in problems:
        complain(problem)
    targets = _plan(sources, options, work)
    job_count = min(options.jobs or available_cores(), max(1, len(sources)))
    threads = max(1, available_cores() // job_count)
    reporter = Reporter(options.as_json, options.quiet)
    with progress(work.label, len(sources), options.quiet) as advance:

        def run_one(job: tuple[int, Source, Targets]) -> None:
            index, source, target = job
            report = Report(source.name)
            try:
                if options.dry_run:
                    _dry_run(source, target, options, work, threads, report)
                else:
                    _run_image(source, target, options, work, threads, report)
            except BrokenPipeError:
                raise
            except (InputError, RequestError, OSError, MemoryError) as error:
                report.error = reason(error, source.name)
            reporter.done(index, report)
            advance()

        jobs = [(i, s, t) for i, (s, t) in enumerate(zip(sources, targets, strict=True))]
        share(jobs, lambda: run_one, job_count)
    return 1 if problems or reporter.failed else 0


def _check_options(options: Batch) -> None:
    to_stdout = options.output == "-" or (options.output is None and "-" in options.images)
    writes_stdout = to_stdout and not options.dry_run and not (options.show and not options.output)
    if writes_stdout and options.as_json:
        raise RequestError(
            "the image and --json both go to stdout: write the image to a file with -o"
        )
    if writes_stdout and options.output is None and sys.stdout.isatty():
        raise RequestError(
            "the image would go to the terminal: name a file with -o, pipe it on, or use --show"
        )
    if "-" in options.images and sys.stdin.isatty():
        raise RequestError("- reads an image from stdin, which is a terminal: pipe one in")
    if options.output == "":
        raise RequestError("-o is empty: name a file, a folder or -")
    if options.force and options.skip_existing:
        raise RequestError("--force and --skip-existing contradict each other: use one of them")


def _plan(sources: Sequence[Source], options: Batch, work: Work) -> list[Targets]:
    if options.show and options.output is None:
        return [Targets(()) for _ in sources]
    suffix = None
    if options.format:
        suffix = FORMATS[format_named(options.format)].extensions[0]
    targets = plan_targets(sources, options.output, suffix, work.label, work.parts)
    if targets and targets[0].stdout and len(work.parts) > 1 and suffix != ".npy":
        raise RequestError(
            f"{len(work.parts)} feature maps do not fit into one picture on stdout: "
            "--format npy stacks them, -o writes files"
        )
    for target in targets:
        for path in target.paths:  # what cannot be written is an error before any work
            name = _format_of(path, options)
            if name and options.depth and not can_hold(name, dtype=DEPTHS[options.depth]):
                raise RequestError(f"--depth {options.depth} does not fit into {path}: {name}")
            if path.suffix.lower() in EXTENSIONS and EXTENSIONS[path.suffix.lower()] != name:
                raise RequestError(f"--format {options.format} contradicts the name of {path}")
            if name and options.quality is not None and not FORMATS[name].quality:
                raise RequestError(f"--quality does not apply to {path}: {name} has none")
    return targets


def _run_image(source, target, options, work, threads, report) -> None:
    kept = {path for path in target.paths if options.skip_existing and path.is_file()}
    for path in target.paths:
        if path not in kept:
            check_free(path, options.force)
    if kept and kept == set(target.paths):
        report.notes.append(f"{source.name}: skipped, its output exists")
        report.skipped = True
        return
    image = open_source(source, options)
    image = with_alpha(image, options.alpha, source.name)
    formats = _formats(target, options, image)
    if not all(can_hold(name, alpha=True) for name in formats):
        image = without_opaque_alpha(image)
    depth = choose_depth(image, formats[0], options.depth)
    if image.frames[0].pixels.dtype == np.uint16 and depth.dtype == np.uint8 and not options.depth:
        report.notes.append(f"{source.name}: {formats[0]} holds 8 bits a channel: reduced from 16")
    shapes = [frame.pixels.shape for frame in image.frames]
    has_alpha = any(frame.alpha is not None for frame in image.frames)
    _check_result(shapes, has_alpha, depth.dtype, formats, options, work, target, source.name)
    results = work.process(image, depth, threads)
    is_large = sum(frame.pixels.nbytes for frame in image.frames) > LARGE_BYTES
    del image
    if is_large:  # encoding may need it in pieces of another size
        give_back_freed_memory()
    for result in results:
        name = f"{source.name}: " if len(options.images) > 1 or options.recursive else ""
        report.notes.extend(name + note for note in result.notes)
    if options.show:
        report.pictures.extend(result.image for result in results)
    if target.stdout:
        whole = stacked([result.image for result in results])
        try:
            save_image(whole, sys.stdout.buffer, format=formats[0], quality=options.quality)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise InputError(f"stdout cannot be written: {error.strerror or error}") from None
        return
    for path, name, result in zip(target.paths, formats, results, strict=False):
        if path in kept:
            continue
        make_folder(path.parent)
        save_image(
            result.image, path, format=name, overwrite=options.force, quality=options.quality
        )
        report.lines.append(str(path))
        name = os.fsencode(path).decode(errors="backslashreplace")
        report.outputs.append({"path": name, **_shape(result.image), **result.facts})


def _check_result(shapes, has_alpha, dtype, formats, options, work, target, name) -> None:
    """Raise, before any work, what would make the results impossible: their size, the format."""
    sides = [work.sides(*shape[:2]) for shape in shapes]
    pixels = sum(height * width for height, width in sides)
    if pixels > options.max_pixels:
        raise InputError(
            f"{name}: the result would have {pixels:,} pixels, over the limit of "
            f"{options.max_pixels:,}: raise the limit with --max-pixels"
        )
    frames = []
    for (height, width), (_, _, channels) in zip(sides, shapes, strict=True):
        nothing = np.zeros((), dtype)  # stands for pixels: takes no memory, whatever its shape
        alpha = np.broadcast_to(nothing, (height, width)) if has_alpha else None
        frames.append(Frame(np.broadcast_to(nothing, (height, width, channels)), alpha))
    if not (target.stdout and len(work.parts) > 1):
        for format, path in zip(formats, target.paths or ("the output",), strict=False):
            check_holdable(Image(tuple(frames), 0.0, format), format, str(path))


def _formats(target: Targets, options: Batch, image: Image) -> list[str]:
    if target.paths:
        return [_format_of(path, options) or image.format for path in target.paths]
    if options.format:
        return [format_named(options.format)]
    return ["PNG" if target.stdout else image.format]


def _format_of(path: Path, options: Batch) -> str | None:
    """The format of an output; None for a device such as /dev/null, which takes any."""
    if options.format:
        return format_named(options.format)
    if path.exists() and not path.is_file() and not path.is_dir():
        return None
    return format_for(path)


def _shape(image: Image) -> dict[str, Any]:
    height, width, channels = image.frames[0].pixels.shape
    return {"width": width, "height": height, "channels": channels, "frames": len(image.frames)}


def _dry_run(source, target, options, work, threads, report) -> None:
    if source.path is None:
        raise InputError("stdin: a dry run reads no data: name a file")
    info = probe_image(source.path)
    limits = Reading(source.name, options.max_pixels, options.gray, options.white)
    limits.check_size(info.width, info.height, info.frames)
    if options.gray:
        info = replace(info, channels=1)
    shapes = [(info.height, info.width, info.channels)] * info.frames
    formats = [_format_of(path, options) or info.format for path in target.paths]
    dtype = np.dtype(DEPTHS[options.depth]) if options.depth else np.dtype(np.uint8)
    has_alpha = info.alpha and options.alpha == "keep" and options.depth is not None
    _check_result(shapes, has_alpha, dtype, formats, options, work, target, source.name)
    facts = work.describe(info, threads)
    fate = "kept" if options.skip_existing else "overwritten" if options.force else "refused"
    fates = {str(path): fate if path.is_file() else None for path in target.paths}
    fates = fates or {"stdout" if target.stdout else "the terminal": None}
    if options.as_json:
        for path, fate in fates.items():
            name = os.fsencode(path).decode(errors="backslashreplace")
            report.outputs.append({"path": name, "exists": fate, **facts})
        return
    written = [f"{path} (exists: {fate})" if fate else path for path, fate in fates.items()]
    read = (
        f"{source.name}: {info.format} {info.width}x{info.height}, {info.channels} x {info.depth}"
    )
    if info.frames > 1:
        read += f", {info.frames} frames"
    blocks = f"{facts['blocks']} blocks " if "blocks" in facts else ""
    done = (
        f"{facts['width']}x{facts['height']} by {facts['method']} windows, {blocks}on "
        f"{counted(facts['threads'], 'thread')}, about {facts['megabytes']} MB"
    )
    report.lines.append(f"{read} -> {', '.join(written)}: {done}")


@dataclass
class Report:
    """What there is to say about one input once it is done."""

    name: str
    error: str = ""
    skipped: bool = False
    notes: list[str] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # for stdout
    pictures: list[Image] = field(default_factory=list)  # to draw


class Reporter:
    """Takes reports from several threads and says them one after the other."""

    def __init__(self, as_json: bool, quiet: bool):
        self.failed = False
        self._as_json, self._quiet = as_json, quiet
        self._waiting: dict[int, Report] = {}
        self._next, self._lock = 0, Lock()

    def done(self, index: int, report: Report) -> None:
        """Say the report of this input, once all before it are said."""
        with self._lock:
            self._waiting[index] = report
            while self._next in self._waiting:
                self._say(self._waiting.pop(self._next))
                self._next += 1

    def _say(self, report: Report) -> None:
        if report.error:
            self.failed = True
            complain(report.error)
        if not self._quiet:
            for note in report.notes:
                complain(note)
        for picture in report.pictures:
            from cnntool.cli.terminal.pictures import draw

            draw(picture)
        lines = [json.dumps(_entry(report))] if self._as_json else report.lines
        try:
            for line in lines:
                print(line, flush=True)
        except BrokenPipeError:  # the reader has enough; the work goes on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _entry(report: Report) -> dict[str, Any]:
    name = os.fsencode(report.name).decode(errors="backslashreplace")  # JSON is Unicode
    entry = {"input": name, "outputs": report.outputs, "error": report.error or None}
    return entry | ({"skipped": True} if report.skipped else {})


def reason(error: Exception, name: str) -> str:
    """One line that says what went wrong, and with which input."""
    if isinstance(error, MemoryError):
        return f"{name}: not enough memory{f' ({error})' if str(error) else ''}"
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return message if name in message else f"{name}: {message}"


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc serve large arrays from memory that was freed before; elsewhere do nothing.

    By default every array of many megabytes is mapped anew, and the kernel clears each of its pages
    at the first touch: a quarter of the time that a large photograph takes. One heap serves all
    threads, so that what the thread that decodes has freed becomes the result's memory: with a heap
    a thread, a picture's worth of it would lie idle. Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, LARGEST)
        mallopt(M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Let glibc return every free page, even between what is in use. Source: malloc_trim(3)."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def open_source(source: Source, options: Batch) -> Image:
    """Open an image, or read it from stdin, as the options say."""
    return open_image(
        sys.stdin.buffer if source.path is None else source.path,
        name=source.name,
        max_pixels=options.max_pixels,
        gray=options.gray,
        float_white=options.white,
    )


DIM = 1 / 6
"""A result whose brightest value is below this share of white deserves a word."""


def notes_before_work(
    filters: Sequence[Filter], geometry: Geometry, shown: str, bias: float
) -> list[str]:
    """Where the anchor of an even kernel is, and where convolution would be something else."""
    drops_sign = shown == "abs" or (shown == "auto" and automatic_range(filters, bias) == "abs")
    notes = []
    for kernel in filters:
        height, width = kernel.bank.shape[1:]
        if height % 2 == 0 or width % 2 == 0:
            notes.append(
                f"{kernel.label}: an even size has no middle; the anchor is row {height // 2}, "
                f"column {width // 2}, counted from 0"
            )
        ignores_sign = drops_sign and kernel is filters[-1]
        if not geometry.flip and flip_matters(kernel, ignores_sign=ignores_sign):
            notes.append(
                f"{kernel.label}: applied as cross-correlation; --flip gives true convolution, "
                "which differs for this kernel"
            )
    return notes


def remarks(result: FeatureMap, image: Image) -> list[str]:
    """What a result could not show, or that it is almost black, with the option that helps."""
    notes = []
    pixels = [frame.pixels for frame in result.image.frames]
    source = max(float(frame.pixels.max()) for frame in image.frames)
    is_float = image.frames[0].pixels.dtype == "f4"
    if result.losses:
        remedy = "-o out.npy keeps everything"
        if result.range == "abs":
            remedy = f"--range offset keeps the sign, {remedy}"
        if is_float and image.white == 255 and source > 2 * image.white:
            remedy = f"--white 65535 takes that for white, {remedy}"
        notes.append(f"{result.losses.describe()} ({remedy})")
    brightest, white = max(float(each.max()) for each in pixels), result.image.white
    if 0 < brightest < DIM * white and result.range in ("clip", "abs") and pixels[0].dtype != "f4":
        remedy = "--range stretch uses all levels"
        if is_float and source <= 1 < image.white:
            remedy = "--white 1 takes 1 for white"
        notes.append(f"the brightest value is {brightest:g} of {white:g}, almost black ({remedy})")
    return notes
