"""Pictures that go by a few rows at a time, from top to bottom, so that they are never whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cnntool.engine.windows import SomeRows
from cnntool.files.image import Frame


class Rows(NamedTuple):
    """The rows of a picture (H, W, C), as often as they are asked for, from any one on.

    strips: the rows from one on to the last, as frames of some rows each.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    has_alpha: bool
    strips: Callable[[int], Iterator[Frame]]


def rows_of(frame: Frame) -> Rows:
    """A picture that is there whole: one strip."""

    def strips(start: int) -> Iterator[Frame]:
        yield cut(frame, slice(start, None))

    return Rows(frame.pixels.shape, frame.pixels.dtype, frame.alpha is not None, strips)


def cut(frame: Frame, rows: slice) -> Frame:
    """Some rows of a frame."""
    alpha = None if frame.alpha is None else frame.alpha[rows]
    return Frame(frame.pixels[rows], alpha, frame.duration)


class View:
    """The part of a picture that is read while it goes by: rows are kept until none is read again.

    Asked for in the order that they come in, each is made once; what lies before the part is made
    anew, as for a border that wraps around.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._strips: Iterator[Frame] = iter(())
        self._first = self._stop = 0  # of the rows that are held
        self._held: list[Frame] = []
        self._far: dict[range, Frame] = {}

    def frame(self, runs: Sequence[range], main: int) -> SomeFrame:
        """Those rows; ``main`` is one of the run that moves on from call to call."""
        found = [self.run(run) if main in run else self._from_afar(run) for run in runs]
        size = self._rows.shape[0]
        pixels = tuple((run.start, each.pixels) for run, each in zip(runs, found, strict=True))
        alphas = tuple(
            (run.start, each.alpha)
            for run, each in zip(runs, found, strict=True)
            if each.alpha is not None
        )
        return SomeFrame(SomeRows(size, pixels), SomeRows(size, alphas) if alphas else None)

    def run(self, run: range) -> Frame:
        """Neighbouring rows, none of them above those of the call before."""
        if run.start < self._first or not self._held:
            self._strips, self._held = self._rows.strips(run.start), []
            self._first = self._stop = run.start
        while self._held and self._first + len(self._held[0].pixels) <= run.start:
            self._first += len(self._held.pop(0).pixels)
        while self._stop < run.stop:
            strip = next(self._strips)
            self._stop += len(strip.pixels)
            if self._stop <= run.start:
                self._first = self._stop
            else:
                self._held.append(strip)
        if len(self._held) > 1:
            self._held[0] = cut(self._held[0], slice(run.start - self._first, None))
            self._held = [joined(self._held)]
            self._first = run.start
        return cut(self._held[0], slice(run.start - self._first, run.stop - self._first))

    def _from_afar(self, run: range) -> Frame:
        for known, frame in self._far.items():
            if known.start <= run.start and run.stop <= known.stop:
                return cut(frame, slice(run.start - known.start, run.stop - known.start))
        strips, found, count = self._rows.strips(run.start), [], 0
        while count < len(run):
            found.append(next(strips))
            count += len(found[-1].pixels)
        self._far = {run: cut(joined(found), slice(0, len(run)))}
        return self._far[run]


class SomeFrame(NamedTuple):
    """Rows of a frame that is not there whole."""

    pixels: SomeRows
    alpha: SomeRows | None


def joined(strips: Sequence[Frame]) -> Frame:
    """Strips one below the other, as a frame with memory of its own."""
    alphas = [strip.alpha for strip in strips if strip.alpha is not None]
    pixels = np.concatenate([strip.pixels for strip in strips])
    return Frame(pixels, np.concatenate(alphas) if alphas else None)
