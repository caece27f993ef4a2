"""One image on its way from its file to those of its results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnntool.cli.files import Source, Targets
from cnntool.cli.image_route import (
    Needs,
    Route,
    blank_of,
    choose_route,
    formats_of,
    open_source,
    probe_source,
    white_note,
)
from cnntool.cli.manifest import Fate, State, state_of
from cnntool.cli.options import Batch
from cnntool.cli.running import Report
from cnntool.cli.strips import PROGRAM_BYTES, Make, height_within, write_strips
from cnntool.engine.fast.scratch import give_back_freed_memory
from cnntool.engine.fast.threads import ahead
from cnntool.errors import InputError
from cnntool.files.atomic import exists
from cnntool.files.formats import FORMATS, can_hold
from cnntool.files.image import (
    Depth,
    Image,
    ImageInfo,
    blank_frame,
    choose_depth,
    stacked,
    without_opaque_alpha,
)
from cnntool.files.images import check_holdable, left_out, save_image
from cnntool.files.layout import Layout
from cnntool.wording import counted, joined, readable

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


class Item(NamedTuple):
    """An image and where its results go."""

    source: Source
    target: Targets
    fate: Fate | InputError | None = None  # None: not settled yet

    @property
    def name(self) -> str:
        return self.source.name


@dataclass
class Job:
    """One image on its way from its file to those of its results; made by :func:`open_job`.

    image: all zeros, which take no memory, of a dry run and where it goes in strips. info: of a dry
    run. read: what was read, where that is put down.
    """

    item: Item
    fate: Fate
    batch: Batch
    needs: Needs
    threads: int
    report: Report
    route: Route
    image: Image | None
    formats: list[str]  # of its results
    depth: Depth  # that they are wanted in
    info: ImageInfo | None = None
    read: State | None = None
    strip_bytes: int | None = None  # of memory that strips take, once that is known

    def __post_init__(self) -> None:
        assert self.image is not None
        frames = self.image.frames
        self.shapes: list[Shape] = [frame.pixels.shape for frame in frames]
        self.source_dtype, self.white = frames[0].pixels.dtype, self.image.white
        self.has_alpha = any(frame.alpha is not None for frame in frames)
        self.is_large = sum(frame.pixels.nbytes for frame in frames) > LARGE_BYTES

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def paths(self) -> Sequence[Path]:
        """Of the results."""
        return self.item.target.paths

    def check(self, sides: Sequence[tuple[int, int]]) -> None:
        """Raise, before any work, what would make results of these sizes impossible.

        sides: height and width of a result, frame by frame.
        """
        pixels = sum(height * width for height, width in sides)
        if pixels > self.batch.max_pixels:
            raise InputError(
                f"{self.name}: the result would have {pixels:,} pixels, over the limit of "
                f"{self.batch.max_pixels:,}: raise the limit with --max-pixels"
            )
        if self.item.target.stdout and self.needs.results > 1:
            return
        has_alpha = self.has_alpha
        if self.batch.dry_run:  # which does not know whether it hides anything
            has_alpha &= self.batch.alpha == "keep" and self.batch.depth is not None
        frames = [
            blank_frame((*pair, channels), self.depth.dtype, has_alpha)
            for pair, (_, _, channels) in zip(sides, self.shapes, strict=True)
        ]
        for format, path in zip(self.formats, self.paths or ("the output",), strict=False):
            check_holdable(Image(tuple(frames), 0.0, format), format, str(path))

    def take_image(self) -> Image:
        """The image, once: its memory is free when the caller lets go of it."""
        image, self.image = self.image, None
        assert image is not None
        return image

    def plan_strips(self, shape: Shape, bytes_of: Callable[[int, int], int]) -> tuple[Layout, int]:
        """What each result of a shape is like, and how many rows are made at a time.

        bytes_of: about what strips take, by their rows and the bytes of a row of all results.
        """
        assert self.route.file is not None
        sides: dict[str, Any] = dict(zip(("height", "width", "channels"), shape, strict=True))
        depth = self.depth
        like = replace(self.route.file.layout, **sides, dtype=depth.dtype, white=depth.white)

        def of_rows(rows: int) -> int:
            return bytes_of(rows, self.needs.results * like.row_bytes)

        memory, beside = self.route.memory, self.route.beside
        height = height_within(memory, of_rows, like.height, self.name, beside)
        self.strip_bytes = PROGRAM_BYTES + beside + of_rows(height)
        return like, height

    @property
    def strip_threads(self) -> int:
        """On which a strip is made: by a worker of a cluster on one."""
        return 1 if self.needs.cluster else self.threads

    def deliver_strips(
        self,
        like: Layout,
        make: Make,
        tops: Sequence[int],
        results_of: Callable[[Any], Sequence[Result]],
    ) -> None:
        """Write results that come in strips, and put down what there is to say of them then.

        like: each of them. make: gives some of their rows; to the workers of a cluster it goes by
        value, with all that it names. tops: rows where strips begin. results_of: by what there is
        to say of all rows.

        Strips are made ahead, on a thread of their own; those of a cluster are taken on this one,
        so that Ctrl-C leaves none of its files.
        """
        layouts = [like] * self.needs.results
        if self.needs.cluster:
            from cnntool.cli.shared_strips import shared_strips

            strips = shared_strips(self.needs.cluster, make, tops, layouts, self.paths[0].parent)
        else:
            strips = ahead(make(0, like.height))
        paths = [None if path in self.fate.kept else path for path in self.paths]
        said = write_strips(paths, layouts, strips, self.formats, **self._writing)
        results = results_of(said)
        self.report.notes.extend(note for result in results for note in result.notes)
        self._say_written(results)

    @property
    def _writing(self) -> dict[str, Any]:
        fate, quality = self.fate, self.batch.quality
        return {"overwrite": fate.overwrite, "adopt": fate.adopt, "quality": quality}

    def deliver(self, results: Sequence[Result]) -> None:
        """Write the results, or draw them, and put down what there is to say of them."""
        batch, report = self.batch, self.report
        report.notes.extend(note for result in results for note in result.notes)
        if batch.show:
            report.pictures.extend(result.image for result in results)
        if self.is_large:  # encoding may need it in pieces of another size
            give_back_freed_memory()
        if self.item.target.stdout:
            image = stacked([result.image for result in results])
            save_image(image, sys.stdout.buffer, format=self.formats[0], quality=batch.quality)
            return
        for path, format, result in zip(self.paths, self.formats, results, strict=False):
            if path in self.fate.kept:
                continue
            save_image(result.image, path, format=format, **self._writing)
        self._say_written(results)

    def _say_written(self, results: Sequence[Result]) -> None:
        report = self.report
        for path, result in zip(self.paths, results, strict=False):
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
        if self.read is not None:
            self.report.states = self.read, [state_of(path) for path in self.paths]

    def describe(self, method: str, shape: Shape, scratch_bytes: int, **facts: int) -> None:
        """Put down, of a dry run, what would be done: by which windows, to a result of what shape.

        scratch_bytes: the memory it takes beside the two pictures.
        """
        info, batch, report = self.info, self.batch, self.report
        assert info is not None
        item = {"8-bit": 1, "1-bit": 1, "16-bit": 2}.get(info.depth, 4)
        values = info.frames * (info.height * info.width * info.channels + int(np.prod(shape)))
        height, width, _ = shape
        strips = self.strip_bytes
        megabytes = round((item * values + scratch_bytes if strips is None else strips) / 1e6)
        fate = "overwritten" if self.fate.overwrite else "refused"
        if batch.skip_existing or self.fate.adopt:
            fate = "kept" if batch.skip_existing else "kept if it is the same"
        fates: dict[str, str | None] = {
            str(path): fate if exists(path) else None for path in self.paths
        }
        fates = fates or {"stdout" if self.item.target.stdout else "the terminal": None}
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
        counts = "".join(
            f"{counted(count, name.removesuffix('s'))} " for name, count in facts.items()
        )
        threads = f"{counted(self.threads, 'thread')}{', in strips' if strips else ''}"
        report.lines.append(
            f"{self.name}: {read} -> {', '.join(written)}: {width}x{height} by {method} "
            f"windows, {counts}on {threads}, about {megabytes} MB"
        )


def open_job(
    item: Item, fate: Fate, batch: Batch, needs: Needs, threads: int, report: Report
) -> Job | None:
    """Read the image, of a dry run its header alone; None where its results exist already.

    What is read and written is put down in the report where there is a manifest.
    """
    source, target = item.source, item.target
    report.why, report.states = fate.why, fate.states
    if fate.kept and fate.kept == set(target.paths):
        report.skipped = True
        if not fate.why:
            report.notes.append("skipped, its output exists")
        return None
    info = read = None
    if batch.dry_run:
        info = probe_source(source, batch)
    elif batch.manifest and source.path is not None and os.path.isfile(source.path):
        read = state_of(source.path)
    route = choose_route(source, target, batch, needs)
    if route.file is not None:
        image = route.file.layout.blank()
    elif info is not None:
        image = blank_of(info, batch)
    else:
        image = open_source(source, batch, route.piped)
    formats = formats_of(target, batch, image.format)
    is_whole = route.file is None and info is None
    if is_whole and not all(can_hold(name, alpha=True) for name in formats):
        image = without_opaque_alpha(image)
    depth = choose_depth(image, formats[0], batch.depth)
    if note := white_note(image, batch.white):
        report.notes.append(note)
    if not batch.dry_run:
        own = image.frames[0].pixels.dtype
        if own == np.uint16 and depth.dtype == np.uint8 and not batch.depth:
            but = " but in grey without alpha" if FORMATS[formats[0]].gray_dtypes else ""
            report.notes.append(f"{formats[0]} holds 8 bits a channel{but}: reduced from 16")
        if lost := left_out(image, formats[0], depth.dtype):
            report.notes.append(f"left out of the result: {joined(lost)}")
    route = route._replace(piped=None)
    job = Job(item, fate, batch, needs, threads, report, route, image, formats, depth, info, read)
    if job.is_large and not batch.dry_run:
        give_back_freed_memory()  # of the decoder
    return job
