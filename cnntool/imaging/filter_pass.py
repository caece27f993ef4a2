"""One filter over one frame: from pixels to blocks of combined values, ready to be shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.filters.banks import Block, Plan, plan_blocks, run_plan, widened
from cnntool.engine.windows import Axis, SomeRows, border_indices, plan_axes
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Frame
from cnntool.imaging.kernels import Filter
from cnntool.imaging.rows import SomeFrame
from cnntool.imaging.transparency import hides, unweighting, weighted

LARGEST_EXTENT = 16384
"""Pixels that a dilated kernel may span; what a block reads grows with it."""

Write = Callable[[int, np.ndarray, slice, slice], None]


@dataclass(frozen=True)
class Geometry:
    """How kernels slide over the picture; the same for every filter of a chain."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str | int = "same"
    border: str = "reflect"
    constant: float = 0.0
    flip: bool = False


@dataclass(frozen=True, eq=False)
class FilterPlan:
    """Where the windows of a filter lie on pictures of one size; made by :func:`plan_filter`.

    ``count`` results of ``shape`` (oh, ow, C) come out: one, or one a kernel where the responses
    are not combined.
    """

    kernel: Filter
    geometry: Geometry
    rows: Axis
    columns: Axis
    channels: int  # of the pictures

    @property
    def count(self) -> int:
        return self.kernel.count if self.kernel.combine == "none" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        channels = 1 if self.kernel.is_colour else self.channels
        return self.rows.output_size, self.columns.output_size, channels

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """The input row and column at the centre of every output's window."""
        return self._centre(self.rows), self._centre(self.columns)

    def _centre(self, axis: Axis) -> np.ndarray:
        centre = axis.extent // 2
        if self.geometry.flip:
            centre = axis.extent - 1 - centre
        positions = np.arange(axis.output_size) * axis.stride - axis.before + centre
        border = self.geometry.border
        return border_indices(positions, axis.size, "edge" if border == "constant" else border)

    @functools.lru_cache(maxsize=64)  # noqa: B019 (few, and small)
    def blocks(
        self, channels: int, dtype: np.dtype | type = np.float32, may_be_whole: bool = False
    ) -> Plan:
        """How the engine goes through pixels of so many channels, alpha among them.

        Choosing the way takes a millisecond, as much as filtering a small picture.
        """
        return plan_blocks(
            (self.rows, self.columns),
            channels,
            self.kernel.bank,
            flip=self.geometry.flip,
            dtype=dtype,
            may_be_whole=may_be_whole,
        )


def plan_filter(shape: tuple[int, int, int], kernel: Filter, geometry: Geometry) -> FilterPlan:
    """Plan a filter over pictures of ``shape`` (H, W, C).

    Raises InputError where the kernel does not fit, or is for colour and the picture neither in
    colour nor grey; RequestError where it spans too much.
    """
    taps = zip(kernel.bank.shape[1:], geometry.dilation, strict=True)
    for kernel_size, dilation in taps:
        if (kernel_size - 1) * dilation >= LARGEST_EXTENT:
            raise RequestError(
                f"{kernel.label}: dilation {dilation} spreads {kernel_size} taps over more than "
                f"{LARGEST_EXTENT} pixels: use a smaller one"
            )
    try:
        rows, columns = plan_axes(
            shape[:2],
            kernel.bank.shape[1:],
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            flipped=geometry.flip,
        )
    except ValueError as error:
        message = f"{kernel.label}: {error}: use a smaller kernel or --padding same"
        raise InputError(message) from None
    if kernel.is_colour and shape[2] not in (1, 3):
        raise InputError(
            f"{kernel.label} is a filter for colour, and the picture has {shape[2]} channels: use "
            "one in RGB or grey"
        )
    return FilterPlan(kernel, geometry, rows, columns, shape[2])


@dataclass(frozen=True)
class WholeFacts:
    """What is to be known of a whole picture before its first rows are filtered.

    is_weighted: whether some pixels are transparent, so that alpha goes through the kernels as
    well. is_wide: whether pixels span more than a transform in float32 keeps.
    """

    is_weighted: bool = False
    is_wide: bool = False


class FilterPass:
    """A planned filter over a frame whose white is ``white``; results are ``scale * value + bias``.

    The filter's own bias is a part of the value. Angles are neither scaled nor shifted. Of a frame
    of which some rows are there, ``whole`` says what only the whole can tell.
    """

    def __init__(
        self,
        frame: Frame | SomeFrame,
        white: float,
        plan: FilterPlan,
        scale: float = 1.0,
        bias: float = 0.0,
        whole: WholeFacts | None = None,
    ):
        self.frame, self.plan = frame, plan
        self.kernel, self.geometry = plan.kernel, plan.geometry
        is_angle = self.kernel.combine == "orientation"
        bias += scale * self.kernel.bias
        self.scale, self.bias = (1.0, 0.0) if is_angle else (scale, bias)
        if whole is None:
            assert isinstance(frame, Frame)
            whole = WholeFacts(hides(frame.alpha, white))
        self.is_weighted = whole.is_weighted
        self._white = white
        may_be_whole = self.kernel.combine == "none" and not self.kernel.is_colour
        may_be_whole &= (self.scale, self.bias) == (1, 0)
        channels, dtype = frame.pixels.shape[2] + self.is_weighted, frame.pixels.dtype
        if self.is_weighted:
            assert frame.alpha is not None
            dtype = np.result_type(dtype, float_dtype(np.empty(0, frame.alpha.dtype)))
        self.blocks = plan.blocks(channels, dtype, may_be_whole)
        if whole.is_wide and self.blocks.is_narrow:
            self.blocks = widened(self.blocks)

    @functools.cached_property
    def pixels(self) -> np.ndarray | SomeRows:
        """What goes through the kernels, (H, W, C); weighted, (H, W, C + 1) floats, which a pass
        that tells how another runs never makes."""
        return _weighted(self.frame, self._white) if self.is_weighted else self.frame.pixels

    def run(
        self, write: Write, threads: int | None = None, blocks: Sequence[Block] | None = None
    ) -> None:
        """Hand blocks to ``write(result, values, rows, columns)``, from several threads: those that
        are given, whose rows are at hand, else all.

        ``values`` is (strips, rows of a strip, columns, C), floats or 16-bit integers with room for
        half a range more, scratch that may be overwritten.
        """
        constant: float | np.ndarray = self.geometry.constant
        unweight = None
        if self.is_weighted:
            constant = np.append(np.full(self.frame.pixels.shape[2], constant), 1)
            unweight = unweighting(self.frame.pixels, self.kernel.bank, *self.plan.centres())

        def emit(block: np.ndarray, rows: slice, columns: slice) -> None:
            if unweight is not None:
                block = unweight(block, rows, columns)
            if self.kernel.is_colour:
                block = sum_colours(block)
            for index, values in enumerate(self.finish(block)):
                write(index, values, rows, columns)

        border = self.geometry.border
        padding: dict[str, Any] = {"border": border, "constant": constant}
        run_plan(self.blocks, self.pixels, emit, **padding, threads=threads, blocks=blocks)

    def finish(self, responses: np.ndarray) -> np.ndarray:
        """What becomes of responses (F, ...): combined, scaled and shifted, in their memory."""
        directions = self.kernel.directions
        if self.geometry.flip and directions is not None:  # a turned kernel answers the other way
            directions = tuple(direction + 180 for direction in directions)
        combined = combine_responses(responses, self.kernel.combine, directions)
        if self.scale != 1:
            combined *= self.scale
        if self.bias != 0:
            combined += self.bias
        return combined

    def alpha(self, rows: slice = slice(None)) -> np.ndarray | None:
        """The frame's alpha at the centre of every window, or those of some rows, (oh, ow)."""
        if self.frame.alpha is None:
            return None
        centres, columns = self.plan.centres()
        return self.frame.alpha[centres[rows]][:, columns]

    def bounds(self) -> tuple[float, float]:
        """What the results cannot go beyond: black and white under the weights that do most."""
        dtype = self.frame.pixels.dtype
        if dtype.kind != "u" or self.is_weighted:
            return -np.inf, np.inf
        black, white = 0.0, float(np.iinfo(dtype).max)
        if self.geometry.border == "constant":
            black, white = min(black, self.geometry.constant), max(white, self.geometry.constant)
        positive = np.maximum(self.kernel.weights, 0).sum(axis=1)
        negative = np.minimum(self.kernel.weights, 0).sum(axis=1)
        low = float((black * positive + white * negative).min())
        high = float((white * positive + black * negative).max())
        if self.kernel.combine == "magnitude":
            low, high = 0.0, max(-low, high) * self.kernel.count**0.5
        ends = sorted(self.scale * end + self.bias for end in (low, high))
        return ends[0], ends[1]


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
        np.multiply(responses, responses, out=responses)
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
