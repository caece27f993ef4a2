"""One picture whose strips the workers of a cluster make, put together here in their order.

A worker writes the rows that it makes into a file in a folder beside the result, of which they are
taken away as soon as they have been read; nothing of it is left.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.cluster import on_cluster
from cnntool.cli.strips import Made, Make
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Frame
from cnntool.files.layout import Layout
from cnntool.files.streams import fill

PART_BYTES = 1 << 26
"""Of a result that a worker makes at a time, in several strips: seconds of work."""


@dataclass(frozen=True)
class Part:
    """Rows that a worker has made: a file, and of each of its strips the height and what there is
    to say; or why there are none."""

    path: str = ""
    strips: tuple[tuple[int, Any], ...] = ()
    error: str = ""


def shared_strips(
    where: str,
    make: Make,
    tops: Sequence[int],
    layouts: Sequence[Layout],
    folder: Path,
) -> Made:
    """The strips of a picture, made by the cluster at ``where``.

    make: goes by value to its workers. tops: rows where strips begin. layouts: of the results.
    folder: which the workers share.
    """
    row_bytes = sum(layout.row_bytes for layout in layouts)
    height, bottom = max(1, PART_BYTES // row_bytes), layouts[0].height
    starts = [tops[0]]
    for top in tops:
        if top - starts[-1] >= height:
            starts.append(top)
    spans = [*zip(starts, [*starts[1:], bottom], strict=True)]
    parts = folder / f".cnntool-parts-{uuid.uuid4().hex}"
    parts.mkdir()
    try:
        with on_cluster(
            where,
            _Making(make, str(parts.absolute())),
            spans,
            lost=lambda span: Part(error="each worker was ended that made some of its rows"),
            again="run it again",
        ) as found:
            for part in found:
                if part.error:
                    raise InputError(part.error)
                yield from _read(part, layouts)
                os.unlink(part.path)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


@dataclass(frozen=True)
class _Making:
    """What a worker does with spans of rows."""

    make: Make
    folder: str

    def __call__(self, spans: Iterable[tuple[int, int]]) -> Iterator[Part]:
        for start, stop in spans:
            try:
                yield self._part(start, stop)
            except (InputError, RequestError, OSError, MemoryError) as error:
                yield Part(error=f"{error}" or type(error).__name__)

    def _part(self, start: int, stop: int) -> Part:
        path = Path(self.folder) / uuid.uuid4().hex
        made = []
        try:
            with open(path, "xb") as file:
                for frames, said in self.make(start, stop):
                    made.append((len(frames[0].pixels), said))
                    for frame in frames:
                        file.write(np.ascontiguousarray(frame.pixels).data)
                        if frame.alpha is not None:
                            file.write(np.ascontiguousarray(frame.alpha).data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Part(str(path), tuple(made))


def _read(part: Part, layouts: Sequence[Layout]) -> Made:
    """The strips that a worker has written."""
    with open(part.path, "rb") as file:
        for height, said in part.strips:
            frames = []
            for layout in layouts:
                shape = height, layout.width
                pixels = np.empty((*shape, layout.channels), layout.dtype)
                fill(file, pixels, part.path)
                alpha = None
                if layout.has_alpha:
                    alpha = np.empty(shape, layout.dtype)
                    fill(file, alpha, part.path)
                frames.append(Frame(pixels, alpha))
            yield frames, said
