"""Images from files to files: what every image command does around its own work.

A command says what it does with one image, a :class:`Job`; reading, naming, converting, writing,
progress, reports and errors are here. One bad file never stops the others.

    def shrink(job: Job) -> None:
        job.check([size_of(shape) for shape in job.shapes])  # before any work
        if job.is_dry_run:
            job.describe("mean", ...)
        else:
            job.deliver([Result(shrunk(job.take_image()))])

    return run_images(batch, "smaller", ("",), shrink, {"command": "shrink", "factor": 2})
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.console import complain
from cnntool.cli.files import (
    STDIO,
    Source,
    Targets,
    check_free,
    check_no_terminal,
    gather,
    in_shard,
    make_folder,
    plan_targets,
)
from cnntool.cli.manifest import Fate, Manifest, State, state_of
from cnntool.cli.options import Batch, Reading, given
from cnntool.cli.running import Report, jobs_of, run_each
from cnntool.cli.strips import Passing, bytes_whole, is_large_file, memory_for_one, write_strips
from cnntool.engine.fast.processes import in_order
from cnntool.engine.fast.scratch import give_back_freed_memory, keep_freed_memory
from cnntool.engine.fast.threads import available_cores
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import exists
from cnntool.files.formats import EXTENSIONS, FORMATS, can_hold, format_for, format_named
from cnntool.files.image import (
    DEPTHS,
    Frame,
    Image,
    ImageInfo,
    choose_depth,
    stacked,
    with_alpha,
    without_opaque_alpha,
)
from cnntool.files.images import (
    check_holdable,
    left_out,
    open_image,
    probe_image,
    save_image,
)
from cnntool.files.layout import NotInRows, layout_of
from cnntool.files.rows import can_write_rows
from cnntool.wording import bytes_text, counted, joined, readable

EASY_BYTES = 400_000_000
"""Of a picture and its result: what needs more goes in strips, where it can, which is no slower."""

LARGE_BYTES = 50_000_000
"""Of a picture whose freed memory is not kept: there clearing new pages hardly counts."""

Shape = tuple[int, int, int]
"""Of the pixels of a frame, (H, W, C)."""


@dataclass(frozen=True)
class Result:
    """One picture that a command made of an image, with what there is to say about it."""

    image: Image
    notes: Sequence[str] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """An image and where its results go."""

    source: Source
    target: Targets
    fate: Fate | InputError | None = None  # None: not settled yet

    @property
    def name(self) -> str:
        return self.source.name


def run_images(
    batch: Batch,
    label: str,
    parts: tuple[str, ...],
    work: Callable[[Job], None],
    settings: dict[str, Any],
    between: int = 0,
    why_whole: str = "",
) -> int:
    """Do the work on every image that the options name; returns the exit code.

    ``label`` says in names what was done, ``parts`` name the results of one image, of which the
    work delivers as many. ``settings`` are all else that the results depend on, for a manifest.
    ``between``: bytes that it takes of each value beside image and results.
    ``why_whole``: why it cannot be done in strips.
    """
    keep_freed_memory()
    _check_options(batch)
    sources, is_failed = gather(batch.images, batch.recursive, batch.quiet, batch.output)
    targets = _plan(sources, batch, label, parts)
    mine = in_shard(sources, batch.shard, batch.quiet)

    items = [Item(sources[place], targets[place]) for place in mine]
    manifest = _manifest(items, batch, settings)

    find_fate: Callable[[Item], Fate] = partial(settle, batch=batch, manifest=manifest)
    if batch.cluster and not batch.dry_run:
        items, find_fate = _settled(items, find_fate), known_fate
    # This function goes by value to the workers of a cluster, with all that it names.
    count, is_recorded = len(items), manifest is not None
    share = _shared(items, batch, between, why_whole)
    if share:
        batch = replace(batch, cluster=None, jobs=1)

    def work_on(item: Item, report: Report, threads: int) -> None:
        job = Job(item, find_fate(item), batch, len(parts), threads, report)
        job.between, job.jobs, job.why_whole = between, jobs_of(batch, count), why_whole
        job.share = share
        if job.open(is_recorded):
            work(job)
            job.close()

    def put_down(report: Report) -> None:
        if manifest is not None and report.states is not None:
            manifest.append(*report.states)

    reports = run_each(items, label, batch, work_on, batch.as_json, put_down)
    summary = manifest.summary(report.why for report in reports) if manifest else ""
    if summary and not batch.quiet:
        complain(summary)
    return int(is_failed or any(report.error for report in reports))


def _shared(items: Sequence[Item], batch: Batch, between: int, why_whole: str) -> str:
    """The cluster whose workers share a picture that is large, and the only one; else nothing."""
    if not batch.cluster or batch.dry_run or len(items) != 1:
        return ""
    job = Job(items[0], Fate(), batch, 1, 1, Report(items[0].name))
    job.between, job.why_whole = between, why_whole
    try:
        return batch.cluster if job.find_passing() is not None else ""
    except (InputError, RequestError, OSError, MemoryError):  # which the work itself says in words
        return ""


OF_RESULTS = ("depth", "format", "quality", "gray", "alpha", "white")
"""Options of a batch that make a difference to what is written."""


def _manifest(items: Sequence[Item], batch: Batch, settings: dict[str, Any]) -> Manifest | None:
    """What was done before, where that is asked for."""
    if batch.manifest is None:
        return None
    if batch.skip_existing:
        raise RequestError(
            "--manifest tells what is done by content, --skip-existing by names: use one of them"
        )
    if any(item.source.path is None or not item.target.paths for item in items):
        raise RequestError(
            "--manifest puts down files that were read and written: name files, and write with -o"
        )
    asked = {name: value for name, value in given(batch).items() if name in OF_RESULTS}
    wanted = [(item.source, item.target.paths) for item in items]
    manifest = Manifest(batch.manifest, settings | asked, wanted, batch.dry_run)
    for note in [] if batch.quiet else manifest.notes:
        complain(note)
    return manifest


def settle(item: Item, batch: Batch, manifest: Manifest | None) -> Fate:
    """What becomes of an image, by the outputs that exist; InputError where that may not be."""
    paths = item.target.paths
    if manifest is not None:
        return manifest.fate(item.source, paths, batch.force)
    if batch.dry_run:
        return Fate(overwrite=batch.force)
    kept = frozenset(path for path in paths if batch.skip_existing and path.is_file())
    for path in paths:
        if path not in kept:
            check_free(path, batch.force)
    return Fate(kept, overwrite=batch.force)


def _settled(items: Sequence[Item], find_fate: Callable[[Item], Fate]) -> list[Item]:
    """The items with their fates, before any work elsewhere.

    What is written meanwhile is then that of an earlier try, whose worker was killed: it is adopted
    where it is the same.
    """

    def settled(place: int) -> Item:
        try:
            return replace(items[place], fate=replace(find_fate(items[place]), adopt=True))
        except InputError as error:
            return replace(items[place], fate=error)

    jobs = min(available_cores(), max(1, len(items)))
    lost = InputError("the process that looked at its outputs was ended: run it again")
    with in_order(
        settled, len(items), jobs, lambda place: replace(items[place], fate=lost)
    ) as all_:
        return list(all_)


def known_fate(item: Item) -> Fate:
    """The fate that is settled already."""
    assert item.fate is not None
    if isinstance(item.fate, InputError):
        raise item.fate
    return item.fate


class Job:
    """One image on its way from its file to those of its results.

    Once it is open there are its ``shapes``, frame by frame, and the ``depth`` that results are
    wanted in.
    """

    def __init__(
        self,
        item: Item,
        fate: Fate,
        batch: Batch,
        parts: int,
        threads: int,
        report: Report,
    ):
        self.source, self.target, self.fate = item.source, item.target, fate
        self.batch, self.parts, self.threads, self.report = batch, parts, threads, report
        self.is_dry_run = batch.dry_run
        self._read: State | None = None
        self.between, self.jobs, self.why_whole = 0, 1, ""  # see run_images
        self.share = ""  # the cluster whose workers make its strips
        self.source_dtype = np.dtype(np.uint8)  # of its pixels, once it is open

    def open(self, is_recorded: bool = False) -> bool:
        """Read the image, of a dry run its header alone; False where its results exist already.

        is_recorded: what was read and written is put down in the report.
        """
        batch, fate, report = self.batch, self.fate, self.report
        report.why, report.states = fate.why, fate.states
        if fate.kept and fate.kept == set(self.target.paths):
            report.skipped = True
            if not fate.why:
                report.notes.append("skipped, its output exists")
            return False
        if self.is_dry_run:
            self._probe()
            return True
        if is_recorded and self.source.path is not None and self.source.path.is_file():
            self._read = state_of(self.source.path)
        self.passing = self.find_passing()
        if self.passing is None:
            image = open_source(self.source, batch)
            self.formats = self._formats(image.format)
            if not all(can_hold(name, alpha=True) for name in self.formats):
                image = without_opaque_alpha(image)
        else:
            image = self.passing.layout.blank()
        self.depth = choose_depth(image, self.formats[0], batch.depth)
        pixels = [frame.pixels for frame in image.frames]
        if pixels[0].dtype == np.uint16 and self.depth.dtype == np.uint8 and not batch.depth:
            self.report.notes.append(f"{self.formats[0]} holds 8 bits a channel: reduced from 16")
        if lost := left_out(image, self.formats[0], self.depth.dtype):
            self.report.notes.append(f"left out of the result: {joined(lost)}")
        self.shapes: list[Shape] = [each.shape for each in pixels]
        self._has_alpha = any(frame.alpha is not None for frame in image.frames)
        self._dtype, self._image, self.source_dtype = self.depth.dtype, image, pixels[0].dtype
        self._is_large = sum(each.nbytes for each in pixels) > LARGE_BYTES
        if self._is_large:
            give_back_freed_memory()  # of the decoder
        return True

    def _probe(self) -> None:
        batch = self.batch
        self._info = info = probe_source(self.source, batch)
        self.shapes = [(info.height, info.width, info.channels)] * info.frames
        self.formats = self._formats(info.format)
        self._dtype = np.dtype(DEPTHS[batch.depth or "8"])
        self._has_alpha = info.alpha and batch.alpha == "keep" and batch.depth is not None

    def _formats(self, own: str) -> list[str]:
        """Of the results, by their names or as asked for; else as the image is, PNG on stdout."""
        batch, target = self.batch, self.target
        if target.paths:
            return [_format_of(path, batch) or own for path in target.paths]
        if batch.format:
            return [format_named(batch.format)]
        return ["PNG" if target.stdout else own]

    def check(self, sides: Sequence[tuple[int, int]]) -> None:
        """Raise, before any work, what would make results of these sizes impossible.

        sides: height and width of a result, frame by frame.
        """
        pixels = sum(height * width for height, width in sides)
        if pixels > self.batch.max_pixels:
            raise InputError(
                f"{self.source.name}: the result would have {pixels:,} pixels, over the limit of "
                f"{self.batch.max_pixels:,}: raise the limit with --max-pixels"
            )
        if self.target.stdout and self.parts > 1:
            return
        frames = []
        nothing = np.zeros((), self._dtype)  # stands for pixels, and takes no memory in any shape
        for (height, width), (_, _, channels) in zip(sides, self.shapes, strict=True):
            alpha = np.broadcast_to(nothing, (height, width)) if self._has_alpha else None
            frames.append(Frame(np.broadcast_to(nothing, (height, width, channels)), alpha))
        for format, path in zip(self.formats, self.target.paths or ("the output",), strict=False):
            check_holdable(Image(tuple(frames), 0.0, format), format, str(path))

    def find_passing(self) -> Passing | None:
        """The image as one that goes by in strips, where it is large, and can.

        InputError where it cannot, and takes more memory than was asked for.
        """
        batch, path = self.batch, self.source.path
        if batch.memory is None and (path is None or not is_large_file(path)):
            return None
        self.memory = memory_for_one(batch.memory, self.jobs)
        reason, item = self._why_whole(), 4 if batch.depth == "float" else 1
        try:
            if path is None:
                raise NotInRows("stdin", "comes through a pipe")
            passing = Passing(path, self.source.name, batch)
            image, self.formats = passing.layout.blank(), self._formats(passing.layout.format)
            reason = reason or next(filter(None, map(can_write_rows, self.formats)), "")
        except NotInRows as error:
            if batch.memory is None or path is None:
                return None
            info = probe_source(self.source, batch)
            shape = info.frames * info.height, info.width, info.channels + info.alpha
            own = np.dtype(DEPTHS.get(info.depth.removesuffix("-bit"), "uint8"))
            image, reason = _blank(shape, own), f"{self.source.name} {error.reason}"
        item = max(item, image.frames[0].pixels.dtype.itemsize)
        need = bytes_whole(image, item, self.between)
        if need <= min(self.memory, float("inf") if reason else EASY_BYTES):
            return None
        if not reason:
            if passing.layout.has_alpha and not all(can_hold(n, alpha=True) for n in self.formats):
                passing.drop_opaque_alpha()
            self.beside = 0 if batch.memory is None else passing.address_space
            return passing
        if need <= self.memory or batch.memory is None:
            return None
        raise InputError(
            f"{self.source.name} needs about {bytes_text(need)} of memory as a whole, more than "
            f"the {bytes_text(int(self.memory))} that it may take, and goes not in strips: {reason}"
        )

    def _why_whole(self) -> str:
        """'' where the results may be written row by row, else why not."""
        if self.why_whole:
            return self.why_whole
        if self.batch.show:
            return "--show draws the whole of it"
        return "" if self.target.paths else "stdout takes it whole, -o names a file"

    def take_image(self) -> Image:
        """The image, once: its memory is free when the caller lets go of it."""
        image = self._image
        del self._image
        return image

    def deliver_strips(
        self,
        images: Sequence[Image],
        strips: Iterator[Sequence[Frame]],
        said: Callable[[], Sequence[Result]],
    ) -> None:
        """Write results that come in strips, and put down what there is to say of them then.

        images: what they are like.
        """
        paths = [None if path in self.fate.kept else path for path in self.target.paths]
        for path in paths:
            if path is not None:
                make_folder(path.parent)
        write_strips(
            paths,
            [layout_of(image) for image in images],
            strips,
            self.formats,
            overwrite=self.fate.overwrite,
            adopt=self.fate.adopt,
            quality=self.batch.quality,
        )
        results = said()
        self.report.notes.extend(note for result in results for note in result.notes)
        self._say_written(results)

    def deliver(self, results: Sequence[Result]) -> None:
        """Write the results, or draw them, and put down what there is to say of them."""
        batch, report = self.batch, self.report
        report.notes.extend(note for result in results for note in result.notes)
        if batch.show:
            report.pictures.extend(result.image for result in results)
        if self._is_large:  # encoding may need it in pieces of another size
            give_back_freed_memory()
        if self.target.stdout:
            image = stacked([result.image for result in results])
            save_image(image, sys.stdout.buffer, format=self.formats[0], quality=batch.quality)
            return
        for path, format, result in zip(self.target.paths, self.formats, results, strict=False):
            if path in self.fate.kept:
                continue
            make_folder(path.parent)
            save_image(
                result.image,
                path,
                format=format,
                overwrite=self.fate.overwrite,
                adopt=self.fate.adopt,
                quality=batch.quality,
            )
        self._say_written(results)

    def _say_written(self, results: Sequence[Result]) -> None:
        report = self.report
        for path, result in zip(self.target.paths, results, strict=False):
            if path in self.fate.kept:
                continue
            height, width, channels = result.image.frames[0].pixels.shape
            report.lines.append(str(path))
            report.outputs.append(
                {
                    "path": readable(path),
                    "width": width,
                    "height": height,
                    "channels": channels,
                    "frames": len(result.image.frames),
                    **result.facts,
                }
            )

    def close(self) -> None:
        """Put down, where that was asked for, what was read and written."""
        if self._read is not None:
            self.report.states = self._read, [state_of(path) for path in self.target.paths]

    def describe(self, method: str, shape: Shape, scratch_bytes: int, **facts: int) -> None:
        """Put down, of a dry run, what would be done: by which windows, to a result of what shape.

        scratch_bytes: the memory it takes beside the two pictures.
        """
        info, batch, report = self._info, self.batch, self.report
        item = {"8-bit": 1, "1-bit": 1, "16-bit": 2}.get(info.depth, 4)
        values = info.frames * (info.height * info.width * info.channels + int(np.prod(shape)))
        height, width, _ = shape
        megabytes = round((item * values + scratch_bytes) / 1e6)
        fate = "overwritten" if self.fate.overwrite else "refused"
        if batch.skip_existing or self.fate.adopt:
            fate = "kept" if batch.skip_existing else "kept if it is the same"
        fates: dict[str, str | None] = {
            str(path): fate if exists(path) else None for path in self.target.paths
        }
        fates = fates or {"stdout" if self.target.stdout else "the terminal": None}
        if batch.as_json:
            done = {"width": width, "height": height, "method": method, **facts}
            done |= {"threads": self.threads, "megabytes": megabytes}
            for path, why in fates.items():
                report.outputs.append({"path": readable(path), "exists": why, **done})
            return
        read = f"{info.format} {info.width}x{info.height}, {info.channels} x {info.depth}"
        if info.frames > 1:
            read += f", {info.frames} frames"
        written = [f"{path} (exists: {why})" if why else path for path, why in fates.items()]
        counts = "".join(f"{count} {name} " for name, count in facts.items())
        report.lines.append(
            f"{self.source.name}: {read} -> {', '.join(written)}: {width}x{height} by {method} "
            f"windows, {counts}on {counted(self.threads, 'thread')}, about {megabytes} MB"
        )


def _blank(shape: Shape, dtype: np.dtype) -> Image:
    """An image that takes no memory."""
    return Image((Frame(np.broadcast_to(np.zeros((), dtype), shape)),), 0.0, "")


def open_source(source: Source, reading: Reading) -> Image:
    """The image of a source, read as the options say."""
    image = open_image(
        sys.stdin.buffer if source.path is None else source.path,
        name=source.name,
        max_pixels=reading.max_pixels,
        gray=reading.gray,
        float_white=reading.white,
    )
    return with_alpha(image, reading.alpha, source.name)


def probe_source(source: Source, reading: Reading) -> ImageInfo:
    """What a dry run knows of an image: what its header says, read as the options say."""
    if source.path is None:
        raise InputError("stdin: a dry run reads no data: name a file")
    info = probe_image(source.path, max_pixels=reading.max_pixels)
    return replace(info, channels=1) if reading.gray else info


def _check_options(batch: Batch) -> None:
    to_stdout = batch.output == STDIO or (batch.output is None and STDIO in batch.images)
    writes_stdout = to_stdout and not batch.dry_run and not (batch.show and not batch.output)
    if writes_stdout and batch.as_json:
        raise RequestError(
            "the image and --json both go to stdout: write the image to a file with -o"
        )
    if writes_stdout:
        check_no_terminal()
    if batch.cluster and (STDIO in batch.images or batch.output == STDIO):
        raise RequestError(
            "--cluster works on files that its workers share, not on stdin and stdout: name files"
        )
    if batch.cluster and batch.jobs:
        raise RequestError("--jobs is of this machine, --cluster has workers: use one of them")
    if batch.force and batch.skip_existing:
        raise RequestError("--force and --skip-existing contradict each other: use one of them")


def _plan(
    sources: Sequence[Source], batch: Batch, label: str, parts: Sequence[str]
) -> list[Targets]:
    """Where the results of each source go; what cannot be written is an error before any work."""
    if batch.show and batch.output is None:
        return [Targets(()) for _ in sources]
    suffix = FORMATS[format_named(batch.format)].extensions[0] if batch.format else None
    targets = plan_targets(sources, batch.output, suffix, label, parts)
    if targets and targets[0].stdout and len(parts) > 1 and suffix != ".npy":
        raise RequestError(
            f"{len(parts)} feature maps do not fit into one picture on stdout: "
            "--format npy stacks them, -o writes files"
        )
    for target in targets:
        for path in target.paths:
            name = _format_of(path, batch)
            if name and batch.depth and not can_hold(name, dtype=DEPTHS[batch.depth]):
                raise RequestError(f"--depth {batch.depth} does not fit into {path}: {name}")
            if path.suffix.lower() in EXTENSIONS and EXTENSIONS[path.suffix.lower()] != name:
                raise RequestError(f"--format {batch.format} contradicts the name of {path}")
            if name and batch.quality is not None and not FORMATS[name].quality:
                raise RequestError(f"--quality does not apply to {path}: {name} has none")
    return targets


def _format_of(path: Path, batch: Batch) -> str | None:
    """The format of an output; None for a device such as /dev/null, which takes any."""
    if batch.format:
        return format_named(batch.format)
    if path.exists() and not path.is_file() and not path.is_dir():
        return None
    return format_for(path)
