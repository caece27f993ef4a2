"""One filter over one frame: from pixels to blocks of combined values, ready to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnntool.engine.banks import Plan, plan_filter_bank, run_plan
from cnntool.engine.windows import Axis, border_indices, plan_axis
from cnntool.errors import InputError, RequestError
from cnntool.imaging.combining import combine_responses, sum_colours
from cnntool.imaging.image import Frame
from cnntool.imaging.kernels import Filter
from cnntool.imaging.transparency import Unweighting, with_weights

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


def output_sides(height: int, width: int, kernel: Filter, geometry: Geometry) -> tuple[int, int]:
    """Height and width of the result of a filter.

    Raises InputError where the kernel does not fit, RequestError where it spans too much.
    """
    sides = []
    sizes = zip(
        (height, width), kernel.bank.shape[1:], geometry.stride, geometry.dilation, strict=True
    )
    for size, kernel_size, stride, dilation in sizes:
        if (kernel_size - 1) * dilation >= LARGEST_EXTENT:
            raise RequestError(
                f"{kernel.label}: dilation {dilation} spreads {kernel_size} taps over more than "
                f"{LARGEST_EXTENT} pixels: use a smaller one"
            )
        try:
            axis = plan_axis(
                size, kernel_size, stride, dilation, geometry.padding, flipped=geometry.flip
            )
        except ValueError as error:
            message = f"{kernel.label}: {error}: use a smaller kernel or --padding same"
            raise InputError(message) from None
        sides.append(axis.output_size)
    return sides[0], sides[1]


def check_channels(channels: int, kernel: Filter) -> None:
    """InputError where a colour filter meets a picture that is neither in colour nor grey."""
    if kernel.is_colour and channels not in (1, 3):
        raise InputError(
            f"{kernel.label} is a filter for colour, and the picture has {channels} channels: use "
            "one in RGB or grey"
        )


def plan_filter(
    shape: tuple[int, int, int],
    kernel: Filter,
    geometry: Geometry,
    dtype: np.dtype,
    may_be_whole: bool = False,
) -> Plan:
    """The plan of a filter over pixels of ``shape`` (H, W, C); errors as output_sides."""
    output_sides(*shape[:2], kernel, geometry)
    return plan_filter_bank(
        shape,
        kernel.bank,
        geometry.stride,
        geometry.dilation,
        geometry.padding,
        flip=geometry.flip,
        dtype=dtype,
        may_be_whole=may_be_whole,
    )


class FilterPass:
    """A filter over a frame whose white is ``white``; results are ``scale * value + bias``.

    ``count`` results of ``shape`` (oh, ow, C) come out: one, or one a kernel where the responses
    are not combined. Angles are neither scaled nor shifted.
    """

    def __init__(
        self,
        frame: Frame,
        white: float,
        kernel: Filter,
        geometry: Geometry,
        scale: float = 1.0,
        bias: float = 0.0,
    ):
        self.frame, self.kernel, self.geometry = frame, kernel, geometry
        is_angle = kernel.combine == "orientation"
        self.scale, self.bias = (1.0, 0.0) if is_angle else (scale, bias)
        weighted = with_weights(frame, white)
        self.pixels = frame.pixels if weighted is None else weighted
        check_channels(frame.pixels.shape[2], kernel)
        may_be_whole = kernel.combine == "none" and (self.scale, self.bias) == (1, 0)
        may_be_whole &= not kernel.is_colour
        self.plan = plan_filter(
            self.pixels.shape, kernel, geometry, self.pixels.dtype, may_be_whole
        )
        _, height, width, _ = self.plan.shape
        self.shape = height, width, 1 if kernel.is_colour else frame.pixels.shape[2]
        self.count = kernel.count if kernel.combine == "none" else 1

    @property
    def is_weighted(self) -> bool:
        """Whether some pixels are transparent, so that alpha goes through the kernels as well."""
        return self.pixels is not self.frame.pixels

    def run(self, write: Write, threads: int | None = None) -> None:
        """Hand every block to ``write(result, values, rows, columns)``, from several threads.

        ``values`` is (strips, rows of a strip, columns, C), floats or 16-bit integers with room for
        half a range more, scratch that may be overwritten.
        """
        constant: float | np.ndarray = self.geometry.constant
        unweight = None
        if self.is_weighted:
            constant = np.append(np.full(self.frame.pixels.shape[2], constant), 1)
            unweight = Unweighting(self.frame.pixels, self.kernel.bank, *self._centres())

        directions = self.kernel.directions
        if self.geometry.flip and directions is not None:  # a turned kernel answers the other way
            directions = tuple(direction + 180 for direction in directions)

        def emit(block: np.ndarray, rows: slice, columns: slice) -> None:
            if unweight is not None:
                block = unweight(block, rows, columns)
            if self.kernel.is_colour:
                block = sum_colours(block)
            combined = combine_responses(block, self.kernel.combine, directions)
            for index, values in enumerate(combined):
                if self.scale != 1:
                    values *= self.scale
                if self.bias != 0:
                    values += self.bias
                write(index, values, rows, columns)

        border = self.geometry.border
        run_plan(self.plan, self.pixels, emit, border=border, constant=constant, threads=threads)

    def alpha(self) -> np.ndarray | None:
        """The frame's alpha at the centre of every window, (oh, ow)."""
        if self.frame.alpha is None:
            return None
        rows, columns = self._centres()
        return self.frame.alpha[rows[:, None], columns]

    def bounds(self) -> tuple[float, float]:
        """What the results cannot go beyond: black and white under the weights that do most."""
        dtype = self.frame.pixels.dtype
        if dtype.kind != "u" or self.is_weighted:
            return -np.inf, np.inf
        black, white = 0.0, float(np.iinfo(dtype).max)
        if self.geometry.border == "constant":
            black, white = min(black, self.geometry.constant), max(white, self.geometry.constant)
        by_response = self.kernel.by_response
        positive = by_response(np.maximum(self.kernel.bank, 0).sum(axis=(1, 2)))
        negative = by_response(np.minimum(self.kernel.bank, 0).sum(axis=(1, 2)))
        low = float((black * positive + white * negative).min())
        high = float((white * positive + black * negative).max())
        if self.kernel.combine == "magnitude":
            low, high = 0.0, max(-low, high) * self.kernel.count**0.5
        ends = sorted(self.scale * end + self.bias for end in (low, high))
        return ends[0], ends[1]

    def _centres(self) -> tuple[np.ndarray, np.ndarray]:
        """The input row and column at the centre of every output's window."""
        return self._centre(self.plan.rows), self._centre(self.plan.columns)

    def _centre(self, axis: Axis) -> np.ndarray:
        centre = axis.extent // 2
        if self.geometry.flip:
            centre = axis.extent - 1 - centre
        positions = np.arange(axis.output_size) * axis.stride - axis.before + centre
        border = self.geometry.border
        return border_indices(positions, axis.size, "edge" if border == "constant" else border)
