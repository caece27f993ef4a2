"""One filter over a picture, whole or a few rows at a time: from pixels to blocks of values.

A picture that is there whole is one strip. Cut into more, every block of the plan stays as it is,
so that results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.filters.banks import Block, Plan, run_plan, widened
from cnntool.engine.windows import SomeRows, runs_read
from cnntool.errors import InputError
from cnntool.files.image import Frame
from cnntool.imaging.filter_plan import FilterPlan
from cnntool.imaging.rows import Rows, SomeFrame, View, cut
from cnntool.imaging.transparency import unweighting, weighted

Write = Callable[[int, np.ndarray, slice, slice], None]

Step = tuple[Frame | SomeFrame, slice, Sequence[Block] | None]
"""All that is read for some rows of a result, those rows, and their blocks (None: all)."""


@dataclass(frozen=True, eq=False)
class FilterPass:
    """A planned filter over a picture with white ``white``; results are ``scale * value + bias``.

    The filter's own bias is a part of the value. Angles are neither scaled nor shifted.

    height: rows of what comes out that are made together; None makes all of them, of a picture that
    is there whole. is_weighted: whether some pixels are transparent, so that alpha goes through the
    kernels as well. is_wide: whether pixels that are not there whole span more than a transform in
    float32 keeps.
    """

    picture: Rows
    white: float
    plan: FilterPlan
    scale: float = 1.0
    bias: float = 0.0
    height: int | None = None
    threads: int | None = None
    is_weighted: bool = False
    is_wide: bool = False

    @property
    def affine(self) -> tuple[float, float]:
        """The factor of what the responses are combined to, and what is added then."""
        if self.plan.kernel.combine == "orientation":
            return 1.0, 0.0
        return self.scale, self.bias + self.scale * self.plan.kernel.bias

    @cached_property
    def blocks(self) -> Plan:
        """How the engine goes through the pixels."""
        kernel, dtype = self.plan.kernel, self.picture.dtype
        may_be_whole = kernel.combine == "none" and not kernel.is_colour
        may_be_whole &= self.affine == (1, 0)
        if self.is_weighted:
            dtype = np.result_type(dtype, float_dtype(np.empty(0, dtype)))
        blocks = self.plan.blocks(self.picture.shape[2] + self.is_weighted, dtype, may_be_whole)
        return widened(blocks) if self.is_wide and blocks.is_narrow else blocks

    def bands(self) -> Iterator[tuple[slice, list[Block]]]:
        """The blocks of the plan, those together that give about ``height`` rows."""
        blocks: list[Block] = []
        for block in self.blocks.blocks:
            if blocks:
                top, is_next = blocks[0][0].start, block[0].start != blocks[-1][0].start
                if is_next and block[0].stop - top > (self.height or 0):
                    yield slice(top, blocks[-1][0].stop), blocks
                    blocks = []
            blocks.append(block)
        yield slice(blocks[0][0].start, blocks[-1][0].stop), blocks

    def steps(self, start: int = 0) -> Iterator[Step]:
        """What there is to do, some rows after the other, up to those with number ``start`` left
        out."""
        if self.height is None:
            (frame,) = self.picture.strips(0)
            yield frame, slice(0, self.plan.shape[0]), None
            return
        view, axis = View(self.picture), self.plan.rows
        for rows, blocks in self.bands():
            if rows.stop > start:
                computed = self.blocks.in_whole_strips(blocks[-1][0])
                reads = axis.input_positions(rows.start, computed.stop - rows.start)
                runs = runs_read(reads, axis.size, self.plan.geometry.border)
                main = min(max(reads.start, 0), axis.size - 1)
                yield view.frame(runs, main), rows, blocks

    def run(self, step: Step, write: Write) -> None:
        """Hand blocks to ``write(result, values, rows, columns)``, from several threads; rows are
        counted from the first of the step.

        ``values`` is (strips, rows of a strip, columns, C), floats or 16-bit integers with room for
        half a range more, scratch that may be overwritten.
        """
        frame, made, blocks = step
        kernel, geometry = self.plan.kernel, self.plan.geometry
        constant: float | np.ndarray = geometry.constant
        unweight = None
        if self.is_weighted:
            constant = np.append(np.full(frame.pixels.shape[2], constant), 1)
            unweight = unweighting(frame.pixels, kernel.bank, *self.plan.centres())

        def emit(block: np.ndarray, rows: slice, columns: slice) -> None:
            if unweight is not None:
                block = unweight(block, rows, columns)
            if kernel.is_colour:
                block = sum_colours(block)
            rows = slice(rows.start - made.start, rows.stop - made.start)
            for index, values in enumerate(self.finish(block)):
                write(index, values, rows, columns)

        padding: dict[str, Any] = {"border": geometry.border, "constant": constant}
        pixels = self.pixels(frame)
        run_plan(self.blocks, pixels, emit, **padding, threads=self.threads, blocks=blocks)

    def pixels(self, frame: Frame | SomeFrame) -> np.ndarray | SomeRows:
        """What goes through the kernels, (H, W, C); weighted by alpha, (H, W, C + 1) floats."""
        return _weighted(frame, self.white) if self.is_weighted else frame.pixels

    def finish(self, responses: np.ndarray) -> np.ndarray:
        """What becomes of responses (F, ...): combined, scaled and shifted, in their memory."""
        kernel, (scale, bias) = self.plan.kernel, self.affine
        directions = kernel.directions
        if (
            self.plan.geometry.flip and directions is not None
        ):  # a turned kernel answers the other way
            directions = tuple(direction + 180 for direction in directions)
        combined = combine_responses(responses, kernel.combine, directions)
        if scale != 1:
            combined *= scale
        if bias != 0:
            combined += bias
        return combined

    def alpha(self, step: Step) -> np.ndarray | None:
        """The picture's alpha at the centre of every window of a step, (oh, ow)."""
        frame, rows, _ = step
        if frame.alpha is None:
            return None
        centres, columns = self.plan.centres()
        return frame.alpha[centres[rows]][:, columns]

    def bounds(self) -> tuple[float, float]:
        """What the results cannot go beyond: black and white under the weights that do most."""
        kernel, constant = self.plan.kernel, self.plan.geometry.constant
        dtype = self.picture.dtype
        if dtype.kind != "u" or self.is_weighted:
            return -np.inf, np.inf
        black, white = 0.0, float(np.iinfo(dtype).max)
        if self.plan.geometry.border == "constant":
            black, white = min(black, constant), max(white, constant)
        positive = np.maximum(kernel.weights, 0).sum(axis=1)
        negative = np.minimum(kernel.weights, 0).sum(axis=1)
        low = float((black * positive + white * negative).min())
        high = float((white * positive + black * negative).max())
        if kernel.combine == "magnitude":
            low, high = 0.0, max(-low, high) * kernel.count**0.5
        scale, bias = self.affine
        ends = sorted(scale * end + bias for end in (low, high))
        return ends[0], ends[1]

    @cached_property
    def result(self) -> Rows:
        """The unrounded picture that comes out; its feature maps are channels."""
        height, width, channels = self.plan.shape
        shape = height, width, self.plan.count * channels
        dtype = np.dtype(np.float64 if self.picture.dtype == np.float64 else np.float32)
        return Rows(shape, dtype, self.picture.has_alpha, self._strips)

    def _strips(self, start: int) -> Iterator[Frame]:
        _, width, channels = self.plan.shape
        for step in self.steps(start):
            _, made, _ = step
            shape = made.stop - made.start, width, self.plan.count, channels
            pixels = np.empty(shape, self.result.dtype)

            def write(index: int, values: np.ndarray, rows: slice, columns: slice, pixels=pixels):
                pixels[rows, columns, index].reshape(values.shape)[...] = values

            self.run(step, write)
            check_finite(pixels, self.plan.kernel.label)
            frame = Frame(pixels.reshape(*shape[:2], -1), self.alpha(step))
            yield cut(frame, slice(max(0, start - made.start), None))

    def extremes(self) -> list[tuple[float, float]]:
        """The least and the greatest value of each result."""
        found = [(np.inf, -np.inf)] * self.plan.count
        lock = Lock()

        def measure(index: int, values: np.ndarray, rows: slice, columns: slice) -> None:
            low, high = float(values.min()), float(values.max())
            with lock:
                found[index] = min(found[index][0], low), max(found[index][1], high)

        for step in self.steps():
            self.run(step, measure)
        return found


def check_finite(pixels: np.ndarray, label: str) -> None:
    """Raise InputError where a float result has overflowed."""
    if not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        kind = pixels.dtype
        raise InputError(f"{label}: values beyond {kind}: make the kernel's weights smaller")


def _weighted(frame: Frame | SomeFrame, white: float) -> np.ndarray | SomeRows:
    """The colours weighted by alpha, which there is."""
    if isinstance(frame, SomeFrame):
        assert frame.alpha is not None
        pairs = zip(frame.pixels.runs, frame.alpha.runs, strict=True)
        runs = ((first, weighted(pixels, alpha, white)) for (first, pixels), (_, alpha) in pairs)
        return SomeRows(frame.pixels.size, tuple(runs))
    assert frame.alpha is not None
    return weighted(frame.pixels, frame.alpha, white)


def sum_colours(responses: np.ndarray) -> np.ndarray:
    """Responses of colour filters (3 F, ..., C), three kernels each, as (F, ..., 1).

    Each kernel's response to its own channel counts; a grey picture is all three channels.
    """
    channels = responses.shape[-1]
    red, green, blue = (responses[k::3, ..., k % channels] for k in range(3))
    return (red + green + blue)[..., None]


def combine_responses(responses: np.ndarray, combine: str, directions=None) -> np.ndarray:
    """Combine responses (F, ...) to (1, ...), or leave them (F, ...); their memory is used again.

    - magnitude: ``sqrt(sum of r_f^2)``
    - maximum: ``max of r_f``
    - orientation: the direction of steepest ascent in degrees, counterclockwise on the screen from
      the x axis, in (-180, 180]: for a pair ``atan2`` of the responses, for a compass the direction
      of the largest response; 0 where the picture is flat.
    """
    if combine == "none":
        return responses
    result = responses[:1]
    if combine == "magnitude":
        np.square(responses, out=responses)
        for response in responses[1:]:
            result += response
        np.sqrt(result, out=result)
    elif combine == "maximum":
        for response in responses[1:]:
            np.maximum(result[0], response, out=result[0])
    else:
        if len(responses) == 2:
            first, second = directions
            turn = np.sign((second - first + 180) % 360 - 180)
            flat = ~responses.any(axis=0)
            np.arctan2(turn * responses[1], responses[0], out=result[0])
            np.degrees(result, out=result)
            result += first
        else:
            flat = responses.max(axis=0) <= 0
            result[0] = np.asarray(directions, result.dtype)[responses.argmax(axis=0)]
        result[0][flat] = 0
        result[result > 180] -= 360
        result[result <= -180] += 360
    return result
