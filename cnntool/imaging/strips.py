"""A filter over a picture that goes by: which rows it reads for which, and what comes out.

A picture that is there whole is one strip. Cut into more, every block of the plan stays as it is,
so that results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from threading import Lock

import numpy as np

from cnntool.engine.filters.banks import Block
from cnntool.engine.filters.spectral import Spread
from cnntool.engine.windows import runs_read
from cnntool.errors import InputError
from cnntool.files.image import Frame, blank_frame
from cnntool.imaging.filter_pass import FilterPass, FilterPlan, WholeFacts
from cnntool.imaging.rows import Rows, SomeFrame, View, cut
from cnntool.imaging.transparency import hides, weighted

Place = tuple[slice, slice]
"""Rows and columns of a strip."""

Write = Callable[[int, np.ndarray, Place], None]

Step = tuple[FilterPass, slice, Sequence[Block] | None]
"""A pass with all that it reads for some rows at hand, those rows, and its blocks of them."""

SURVEYED_ROWS = 64

IN_FLIGHT = 3
"""Strips of a result that there are at a time: one is made, one waits, one is written."""


@dataclass(frozen=True, eq=False)
class Pass:
    """A filter over a picture that goes by, as :class:`FilterPass` is over one that is there.

    whole: what has to be known of all of it before. height: rows of what comes out that are made
    together; None makes all of them, of a picture that is there whole.
    """

    source: Rows
    white: float
    plan: FilterPlan
    whole: WholeFacts | None = None
    height: int | None = None
    threads: int | None = None
    scale: float = 1.0
    bias: float = 0.0

    def steps(self, start: int = 0) -> Iterator[Step]:
        """What there is to do, some rows after the other, up to those with number ``start`` left
        out."""
        if self.height is None:
            yield self.any_step, slice(0, self.plan.shape[0]), None
            return
        view, axis = View(self.source), self.plan.rows
        for rows, blocks in self.bands():
            if rows.stop > start:
                computed = self.any_step.blocks.in_whole_strips(blocks[-1][0])
                reads = axis.input_positions(rows.start, computed.stop - rows.start)
                runs = runs_read(reads, axis.size, self.plan.geometry.border)
                main = min(max(reads.start, 0), axis.size - 1)
                yield self._over(view.frame(runs, main)), rows, blocks

    @cached_property
    def any_step(self) -> FilterPass:
        """A pass as all others are, of a picture that is there whole the only one."""
        if self.height is None:
            (frame,) = self.source.strips(0)
            return self._over(frame)
        source = self.source
        return self._over(blank_frame(source.shape, source.dtype, source.has_alpha))

    def _over(self, frame: Frame | SomeFrame) -> FilterPass:
        return FilterPass(frame, self.white, self.plan, self.scale, self.bias, self.whole)

    def bands(self) -> Iterator[tuple[slice, list[Block]]]:
        """The blocks of the plan, those together that give about ``height`` rows."""
        blocks: list[Block] = []
        for block in self.any_step.blocks.blocks:
            if blocks:
                top, is_next = blocks[0][0].start, block[0].start != blocks[-1][0].start
                if is_next and block[0].stop - top > (self.height or 0):
                    yield slice(top, blocks[-1][0].stop), blocks
                    blocks = []
            blocks.append(block)
        yield slice(blocks[0][0].start, blocks[-1][0].stop), blocks

    def run(
        self, step: FilterPass, write: Write, rows: slice, blocks: Sequence[Block] | None
    ) -> None:
        """Hand every block to ``write(result, values, place)``, counted from the strip's first
        row; else as :meth:`FilterPass.run`."""

        def within(index: int, values: np.ndarray, at: slice, columns: slice) -> None:
            write(index, values, (slice(at.start - rows.start, at.stop - rows.start), columns))

        step.run(within, self.threads, blocks)

    @cached_property
    def result(self) -> Rows:
        """The unrounded picture that comes out; its feature maps are channels."""
        height, width, channels = self.plan.shape
        shape = height, width, self.plan.count * channels
        dtype = np.dtype(np.float64 if self.source.dtype == np.float64 else np.float32)
        return Rows(shape, dtype, self.source.has_alpha, self._strips)

    def _strips(self, start: int) -> Iterator[Frame]:
        _, width, channels = self.plan.shape
        for step, rows, blocks in self.steps(start):
            shape = rows.stop - rows.start, width, self.plan.count, channels
            pixels = np.empty(shape, self.result.dtype)

            def write(index: int, values: np.ndarray, place: Place, pixels=pixels) -> None:
                pixels[place[0], place[1], index].reshape(values.shape)[...] = values

            self.run(step, write, rows, blocks)
            check_finite(pixels, step.kernel.label)
            frame = Frame(pixels.reshape(*shape[:2], -1), step.alpha(rows))
            yield cut(frame, slice(max(0, start - rows.start), None))

    def extremes(self) -> list[tuple[float, float]]:
        """The least and the greatest value of each result."""
        found = [(np.inf, -np.inf)] * self.plan.count
        lock = Lock()

        def measure(index: int, values: np.ndarray, place: Place) -> None:
            low, high = float(values.min()), float(values.max())
            with lock:
                found[index] = min(found[index][0], low), max(found[index][1], high)

        for step, rows, blocks in self.steps():
            self.run(step, measure, rows, blocks)
        return found


def check_finite(pixels: np.ndarray, label: str) -> None:
    """Raise InputError where a float result has overflowed."""
    if not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        kind = pixels.dtype
        raise InputError(f"{label}: values beyond {kind}: make the kernel's weights smaller")


def facts_of_whole(rows: Rows, white: float, plans: Sequence[FilterPlan]) -> Iterator[WholeFacts]:
    """What each filter of a chain has to know of all of the picture before it, which goes by once
    where alpha or the span of floats decides how it is filtered."""
    hidden = [False] * len(plans)
    if rows.has_alpha:
        hidden = _transparent(rows, white, plans)
    for plan, is_weighted in zip(plans, hidden, strict=True):
        channels = rows.shape[2] + is_weighted
        is_float = is_weighted or rows.dtype.kind == "f"
        is_wide = False
        if is_float and plan.blocks(channels, np.dtype(np.float32)).is_narrow:
            spread = Spread(prod((*rows.shape[:2], channels)))
            for strip in rows.strips(0):
                values = strip.pixels
                if is_weighted and strip.alpha is not None:
                    values = weighted(values, strip.alpha, white)
                spread.add(values)
            is_wide = spread.is_wide
        whole = WholeFacts(is_weighted, is_wide)
        yield whole
        rows = Pass(rows, white, plan, whole, SURVEYED_ROWS).result


def _transparent(rows: Rows, white: float, plans: Sequence[FilterPlan]) -> list[bool]:
    """Whether the picture before each filter of a chain has a pixel that is not opaque."""
    found = [False] * len(plans)
    seen = [(np.arange(rows.shape[0]), np.arange(rows.shape[1]))]
    for plan in plans[:-1]:  # a result keeps what lies at the centres of its windows
        down, across = plan.centres()
        seen.append((seen[-1][0][down], seen[-1][1][across]))
    top = 0
    for strip in rows.strips(0):
        bottom = top + len(strip.pixels)
        for index, (down, across) in enumerate(seen):
            here = down[(down >= top) & (down < bottom)] - top
            if not found[index] and strip.alpha is not None and here.size:
                found[index] = hides(strip.alpha[here][:, across], white)
        top = bottom
    return found


def bytes_in_strips(
    rows: Rows, plans: Sequence[FilterPlan], height: int, threads: int, results: int
) -> int:
    """About the memory that a chain takes in strips of so many rows.

    results: bytes of a row of all that comes out, of which strips are made, wait and are written.
    """
    total = IN_FLIGHT * height * results
    width, channels, item = rows.shape[1], rows.shape[2], rows.dtype.itemsize
    for plan in plans:
        floats = 4 * (channels + 1) if rows.has_alpha else 0
        alpha = item if rows.has_alpha else 0
        blocks = plan.blocks(channels + rows.has_alpha, np.float32)
        made = max(height, blocks.strips * blocks.method.rows)
        held = min(plan.rows.size, plan.rows.span(made))
        total += 2 * held * width * (item * channels + alpha) + held * width * floats
        total += threads * blocks.scratch_bytes
        _, width, channels = plan.shape
        channels, item = plan.count * channels, 4
        if plan is plans[-1]:
            total += IN_FLIGHT * (made - height) * results
        else:
            total += made * width * (item * channels + alpha)
    return total
