"""One image on its way from its file to those of its results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.files import Source, Targets, make_folder
from cnntool.cli.manifest import Fate, State, state_of
from cnntool.cli.options import Batch, Reading
from cnntool.cli.running import Report
from cnntool.cli.strips import (
    PROGRAM_BYTES,
    Make,
    Passing,
    bytes_whole,
    height_within,
    is_large_file,
    made_here,
    memory_for_one,
    write_strips,
)
from cnntool.engine.fast.scratch import give_back_freed_memory
from cnntool.engine.fast.threads import ahead
from cnntool.errors import InputError
from cnntool.files.atomic import exists
from cnntool.files.formats import can_hold, format_for, format_named
from cnntool.files.image import (
    DEPTHS,
    Image,
    ImageInfo,
    blank_frame,
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
from cnntool.files.layout import Layout, NotInRows
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
        self._piped: bytes | None = None  # of stdin, where it has to be known what they take
        self.between, self.jobs, self.why_whole = 0, 1, ""  # see run_images
        self.strip_bytes: int | None = None  # of memory that strips take, once that is known
        self.share = ""  # the cluster whose workers make its strips
        self.formats: list[str] = []  # of its results, once it is open
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
            self.passing = self.find_passing()
            if self.passing is not None:
                image = self.passing.layout.blank()
                self.depth = choose_depth(image, self.formats[0], batch.depth)
            return True
        if is_recorded and self.source.path is not None and self.source.path.is_file():
            self._read = state_of(self.source.path)
        self.passing = self.find_passing()
        if self.passing is None:
            image = open_source(self.source, batch, self._piped)
            self._piped = None
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
            return [format_of(path, batch) or own for path in target.paths]
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
        frames = [
            blank_frame((*pair, channels), self._dtype, self._has_alpha)
            for pair, (_, _, channels) in zip(sides, self.shapes, strict=True)
        ]
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
        reason = self._why_whole()
        try:
            if path is None:
                raise NotInRows("stdin", "comes through a pipe")
            passing = Passing(path, self.source.name, batch)
            image, self.formats = passing.layout.blank(), self._formats(passing.layout.format)
            reason = reason or next(filter(None, map(can_write_rows, self.formats)), "")
        except NotInRows as error:
            if batch.memory is None:
                return None
            if path is None:
                self._piped = _piped_within(self.memory, self.source.name)
            image = _blank(self.source, batch, self._piped)
            reason = f"{self.source.name} {error.reason}"
        item = choose_depth(image, self._formats(image.format)[0], batch.depth).dtype.itemsize
        need = bytes_whole(image, item, self.between, self.parts) + len(self._piped or b"")
        if need <= min(self.memory, float("inf") if reason else EASY_BYTES):
            return None
        if not reason:
            keeps_alpha = all(can_hold(name, alpha=True) for name in self.formats)
            if passing.layout.has_alpha and not keeps_alpha and not self.is_dry_run:
                passing.drop_opaque_alpha()
            self.beside = 0 if batch.memory is None else passing.address_space
            return passing
        if batch.memory is not None:
            _check_need(need, self.memory, self.source.name, reason)
        return None

    def _why_whole(self) -> str:
        """'' where the results may be written row by row, else why not."""
        if self.why_whole:
            return self.why_whole
        if self.batch.show:
            return "--show draws the whole of it"
        return "" if self.target.paths else "stdout takes it whole, -o names a file"

    def strip_height(self, bytes_of: Callable[[int], int], rows: int) -> int:
        """The rows of strips that take no more memory than may be taken; as height_within."""
        height = height_within(self.memory, bytes_of, rows, self.source.name, self.beside)
        self.strip_bytes = PROGRAM_BYTES + self.beside + bytes_of(height)
        return height

    def take_image(self) -> Image:
        """The image, once: its memory is free when the caller lets go of it."""
        image = self._image
        del self._image
        return image

    @property
    def strip_threads(self) -> int:
        """On which a strip is made: by a worker of a cluster on one."""
        return 1 if self.share else self.threads

    def deliver_strips(
        self,
        layouts: Sequence[Layout],
        make: Make,
        tops: Sequence[int],
        hear: Callable[[Any], None],
        said: Callable[[], Sequence[Result]],
    ) -> None:
        """Write results that come in strips, and put down what there is to say of them then.

        layouts: of the results. make: gives some of their rows; to the workers of a cluster it goes
        by value, with all that it names. tops: rows where strips begin. hear: is told what there is
        to say of some rows. said: and says what of all.

        Strips are made ahead, on a thread of their own; those of a cluster are taken on this one,
        so that Ctrl-C leaves none of its files.
        """
        if self.share:
            from cnntool.cli.shared_strips import shared_strips

            folder = self.target.paths[0].parent
            strips = shared_strips(self.share, make, tops, layouts, folder, hear)
        else:
            strips = ahead(made_here(make, layouts[0].height, hear))
        paths = [None if path in self.fate.kept else path for path in self.target.paths]
        for path in paths:
            if path is not None:
                make_folder(path.parent)
        write_strips(
            paths,
            layouts,
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
        strips = self.strip_bytes
        megabytes = round((item * values + scratch_bytes if strips is None else strips) / 1e6)
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
            done |= {"in_strips": strips is not None}
            for path, why in fates.items():
                report.outputs.append({"path": readable(path), "exists": why, **done})
            return
        read = f"{info.format} {info.width}x{info.height}, {info.channels} x {info.depth}"
        if info.frames > 1:
            read += f", {info.frames} frames"
        written = [f"{path} (exists: {why})" if why else path for path, why in fates.items()]
        counts = "".join(f"{count} {name} " for name, count in facts.items())
        threads = f"{counted(self.threads, 'thread')}{', in strips' if strips else ''}"
        report.lines.append(
            f"{self.source.name}: {read} -> {', '.join(written)}: {width}x{height} by {method} "
            f"windows, {counts}on {threads}, about {megabytes} MB"
        )


def _blank(source: Source, reading: Reading, piped: bytes | None) -> Image:
    """An image with as many values as that of a source, which takes no memory."""
    info = probe_source(source, reading, piped)
    shape, has_alpha = (info.height, info.width, info.channels), info.alpha
    dtype = DEPTHS.get(info.depth.removesuffix("-bit"), "uint8")
    frame = blank_frame(shape, dtype, has_alpha and reading.alpha != "drop")
    return Image((frame,) * info.frames, 0.0, info.format)


def _check_need(need: int, memory: float, name: str, reason: str) -> None:
    """InputError where a picture takes more memory as a whole than it may."""
    if need > memory:
        raise InputError(
            f"{name} needs about {bytes_text(need)} of memory as a whole, more than the "
            f"{bytes_text(int(memory))} that it may take, and goes not in strips: {reason}"
        )


def open_within(source: Source, batch: Batch, jobs: int, reason: str) -> Image:
    """The image of a source, one of several at a time; InputError where it takes more memory than
    was asked for. reason: why it goes not in strips."""
    if batch.memory is None:
        return open_source(source, batch)
    memory = memory_for_one(batch.memory, jobs)
    piped = _piped_within(memory, source.name) if source.path is None else None
    image = _blank(source, batch, piped)
    need = bytes_whole(image, image.frames[0].pixels.dtype.itemsize, 0) + len(piped or b"")
    _check_need(need, memory, source.name, reason)
    return open_source(source, batch, piped)


def _piped_within(memory: float, name: str) -> bytes:
    """What stdin has, read whole; InputError where that alone takes more than it may."""
    room = max(0, int(memory) - PROGRAM_BYTES)
    piped = sys.stdin.buffer.read(room + 1)
    if len(piped) > room:
        raise InputError(
            f"{name} takes more than the {bytes_text(int(memory))} that it may take, and a pipe "
            "goes not in strips: name a file, or raise --memory"
        )
    return piped


def open_source(source: Source, reading: Reading, piped: bytes | None = None) -> Image:
    """The image of a source, read as the options say. piped: what stdin had, if that is read."""
    stdin = sys.stdin.buffer if piped is None else piped
    image = open_image(
        stdin if source.path is None else source.path,
        name=source.name,
        max_pixels=reading.max_pixels,
        gray=reading.gray,
        float_white=reading.white,
    )
    return with_alpha(image, reading.alpha, source.name)


def probe_source(source: Source, reading: Reading, piped: bytes | None = None) -> ImageInfo:
    """What a dry run knows of an image: what its header says, read as the options say."""
    found = piped if source.path is None else source.path
    if found is None:
        raise InputError("stdin: a dry run reads no data: name a file")
    info = probe_image(found, max_pixels=reading.max_pixels, name=source.name)
    return replace(info, channels=1) if reading.gray else info


def format_of(path: Path, batch: Batch) -> str | None:
    """The format of an output; None for a device such as /dev/null, which takes any."""
    if batch.format:
        return format_named(batch.format)
    if path.exists() and not path.is_file() and not path.is_dir():
        return None
    return format_for(path)
