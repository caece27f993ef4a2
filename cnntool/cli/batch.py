"""Images from files to files: what every image command does around its own work.

A command gives a function from one image to its results; reading, naming, converting, writing,
progress, reports and errors are here. One bad file never stops the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.ahead import Opening, open_source
from cnntool.cli.console import complain, progress
from cnntool.cli.memory import give_back_freed_memory
from cnntool.cli.options import BatchOptions
from cnntool.cli.places import (
    Source,
    Targets,
    check_free,
    find_sources,
    make_folder,
    plan_targets,
)
from cnntool.cli.reports import Report, Reporter, reason
from cnntool.engine.threads import available_cores, share
from cnntool.errors import InputError, RequestError
from cnntool.imaging.codecs.streams import Reading
from cnntool.imaging.conversion import (
    DEPTHS,
    Depth,
    choose_depth,
    stacked,
    with_alpha,
    without_opaque_alpha,
)
from cnntool.imaging.files import probe_image, save_image
from cnntool.imaging.formats import EXTENSIONS, FORMATS, can_hold, format_for, format_named
from cnntool.imaging.image import Frame, Image, ImageInfo
from cnntool.imaging.writing import check_holdable
from cnntool.wording import counted

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


def run_batch(options: BatchOptions, work: Work, first: Opening | None = None) -> int:
    """Run a command over its images; returns the exit code. ``first`` is opened already."""
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
                    _run_image(source, target, options, work, threads, report, first)
            except BrokenPipeError:
                raise
            except (InputError, RequestError, OSError, MemoryError) as error:
                report.error = reason(error, source.name)
            reporter.done(index, report)
            advance()

        jobs = [(i, s, t) for i, (s, t) in enumerate(zip(sources, targets, strict=True))]
        share(jobs, lambda: run_one, job_count)
    return 1 if problems or reporter.failed else 0


def _check_options(options: BatchOptions) -> None:
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


def _plan(sources: Sequence[Source], options: BatchOptions, work: Work) -> list[Targets]:
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


def _run_image(source, target, options, work, threads, report, first) -> None:
    kept = {path for path in target.paths if options.skip_existing and path.is_file()}
    for path in target.paths:
        if path not in kept:
            check_free(path, options.force)
    if kept and kept == set(target.paths):
        report.notes.append(f"{source.name}: skipped, its output exists")
        report.skipped = True
        return
    if first is not None:
        image = first.result()
    else:
        stream = sys.stdin.buffer if source.path is None else source.path
        image = open_source(stream, source.name, options)
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


def _formats(target: Targets, options: BatchOptions, image: Image) -> list[str]:
    if target.paths:
        return [_format_of(path, options) or image.format for path in target.paths]
    if options.format:
        return [format_named(options.format)]
    return ["PNG" if target.stdout else image.format]


def _format_of(path: Path, options: BatchOptions) -> str | None:
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
