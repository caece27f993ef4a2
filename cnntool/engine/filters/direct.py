"""Any bank as im2col over the kernels' columns, times a band matrix: the plain way.

The band matrix holds the whole bank moved down several rows, so that one product gives several rows
of every response.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import gcd

import numpy as np

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis, even_cuts

MATRIX_BYTES = 8 << 20
"""What one thread unfolds at a time: enough that calls are few, little enough for the cache."""

STRIP_BYTES = 1 << 19
"""What one strip unfolds to at most, where it can be cut narrower: the second-level cache."""

BLOCK_ELEMENTS = 1 << 18
"""Elements that one thread makes at a time of each response, or of four together."""

COPY_NS = 0.16
"""To copy one element to the im2col matrix, which the second-level cache does not hold whole."""


@dataclass(frozen=True, eq=False)
class Direct:
    """The whole bank in one im2col product, ``rows`` output rows at a time."""

    kernels: np.ndarray  # (F, taps, kh): the columns of the kernels that are not all zero
    first_tap: int  # which columns those are
    tap_step: int
    rows: int
    span: int  # input rows that a strip reads, ``row_step`` apart; stride and dilation in them
    row_step: int
    stride: int
    dilation: int
    cost: float  # nanoseconds an output

    mixes = False
    """Whether other products are rounded with those of a window, or larger ones."""

    @property
    def filters(self) -> int:
        return len(self.kernels)

    @property
    def elements_per_column(self) -> int:
        """Elements that im2col writes for one strip and one output column."""
        return self.kernels.shape[1] * self.span

    @functools.cached_property
    def _all_bands(self) -> np.ndarray | None:
        """(F * rows, taps * span) where that is small enough to keep."""
        elements = self.filters * self.rows * self.elements_per_column
        if elements * self.kernels.itemsize > MATRIX_BYTES:
            return None
        return band_matrix(self.kernels, self.rows, self.stride, self.dilation)

    def _bands(self, first: int, count: int) -> np.ndarray:
        """(F * rows, count * span): the band matrix of some columns of the kernels."""
        if self._all_bands is not None:
            return self._all_bands[:, first * self.span : (first + count) * self.span]
        kernels = self.kernels[:, first : first + count]
        return band_matrix(kernels, self.rows, self.stride, self.dilation)

    def cut(self, rows: Axis, columns: Axis, channels: int) -> tuple[int, int]:
        """How many strips and how many columns of the output make a block."""
        elements = self.elements_per_column * channels * columns.stride
        return cut_blocks(
            rows,
            columns,
            channels,
            filters=self.filters,
            strip_rows=self.rows,
            column_bytes=elements * self.kernels.itemsize,
        )

    def __call__(self, tile: np.ndarray, shape: tuple, axes: tuple, scratch: Scratch) -> np.ndarray:
        """Responses (F, strips, rows, columns, C) of a tile (rows, columns, C) of pixels."""
        (strips, outputs, channels), (row_axis, column_axis) = shape, axes
        taps, dtype = self.kernels.shape[1], self.kernels.dtype
        length = self.filters * self.rows
        responses = scratch.array("responses", (strips, length, outputs * channels), dtype)
        chunk = max(1, MATRIX_BYTES // dtype.itemsize // (strips * self.span * responses.shape[2]))
        for first in range(0, taps, chunk):
            count = min(chunk, taps - first)
            columns = im2col_strips(
                tile,
                scratch.array("columns", (strips, count, self.span, outputs, channels), dtype),
                strip_step=self.rows * row_axis.stride,
                row_step=row_axis.dilation if self.rows == 1 else self.row_step,
                tap_step=self.tap_step * column_axis.dilation,
                column_step=column_axis.stride,
                first_tap=(self.first_tap + first * self.tap_step) * column_axis.dilation,
            ).reshape(strips, count * self.span, outputs * channels)
            multiply_add(self._bands(first, count), columns, responses, first > 0, scratch)
        responses = responses.reshape(strips, self.filters, self.rows, outputs, channels)
        return responses.transpose(1, 0, 2, 3, 4)


def cut_blocks(
    rows: Axis, columns: Axis, channels: int, *, filters: int, strip_rows: int, column_bytes: int
) -> tuple[int, int]:
    """Strips and columns of a block: as wide as one strip fits the cache, as many as fit at all.

    A strip is ``strip_rows`` rows of each response; ``column_bytes`` are unfolded for a column.
    """
    widest = max(1, 512 // channels, STRIP_BYTES // column_bytes)
    width = even_cuts(columns.output_size, widest)
    outputs = max(1, BLOCK_ELEMENTS // channels)
    strips = min(
        MATRIX_BYTES // (column_bytes * width),
        outputs // (max(1, filters / 4) * strip_rows * width),
        rows.output_size // strip_rows,
    )
    return max(1, int(strips)), width


def multiply_add(left, right, out: np.ndarray, add: bool, scratch: Scratch) -> None:
    """``out = left @ right``, or ``out += left @ right``."""
    if not add:
        np.matmul(left, right, out=out)
        return
    product = scratch.array("product", out.shape, out.dtype)
    np.matmul(left, right, out=product)
    np.add(out, product, out=out)


def plan_direct(bank: np.ndarray, rows: Axis) -> Direct:
    """The number of rows at a time that costs least for a bank (F, kh, kw)."""
    used = np.flatnonzero(bank.any(axis=(0, 1)))
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
    step = functools.reduce(gcd, (int(tap) - first for tap in used), 0) or 1
    kernels = bank[:, :, first : last + 1 : step].transpose(0, 2, 1)  # (F, taps, kh)
    filters, taps, _ = kernels.shape

    def cost(count: int) -> float:
        span, _ = _rows_read(rows, count)
        copies = taps * span / count * COPY_NS / filters
        return copies + product_ns(taps * span, filters * count)

    candidates = [n for n in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64) if n < 2 * rows.output_size]
    count = min(candidates, key=cost)
    span, row_step = _rows_read(rows, count)
    stride, dilation = max(1, rows.stride // row_step), rows.dilation // row_step
    return Direct(kernels, first, step, count, span, row_step, stride, dilation, cost(count))


def product_ns(length: int, rows: int) -> float:
    """An output of a product over ``length``, when ``rows`` rows share what is read."""
    return length * max(0.021, 0.014 + 0.05 / rows)


def _rows_read(rows: Axis, count: int) -> tuple[int, int]:
    """How many input rows ``count`` outputs read, and the step between them."""
    if count == 1:
        return rows.kernel_size, rows.dilation
    step = gcd(rows.stride, rows.dilation)
    return (rows.span(count) - 1) // step + 1, step


def im2col_strips(
    tile: np.ndarray,
    out: np.ndarray,
    *,
    strip_step: int,
    row_step: int,
    tap_step: int,
    column_step: int,
    first_tap: int = 0,
) -> np.ndarray:
    """Unfold a tile (rows, columns, C) into strips of windows (strips, taps, rows, outputs, C).

    ``out[s, k, j, o, c] = tile[s*strip_step + j*row_step, t + k*tap_step + o*column_step, c]``
    with t = first_tap; the tile is C-contiguous.

    One strided copy, converting to ``out``'s dtype on the way: taps are columns of the kernel, and
    the rows of a strip stand beneath each other, so that a banded matrix
    (:func:`band_matrix`) times this gives several output rows at once.
    """
    row, column, channel = tile.strides
    steps = (strip_step * row, tap_step * column, row_step * row, column_step * column, channel)
    # The constructor checks that the view stays within the tile, which as_strided does not.
    np.copyto(out, np.ndarray(out.shape, tile.dtype, tile, first_tap * column, steps))
    return out


def band_matrix(kernels: np.ndarray, outputs: int, stride: int, dilation: int) -> np.ndarray:
    """Kernels (F, taps, kh) moved down ``outputs`` times: (F * outputs, taps * span).

    ``span = (outputs-1)*stride + (kh-1)*dilation + 1`` is the number of rows that the outputs see.
    The columns agree with the rows of :func:`im2col_strips`.
    """
    filters, taps, kernel_size = kernels.shape
    span = (outputs - 1) * stride + (kernel_size - 1) * dilation + 1
    bands = np.zeros((filters, outputs, taps, span), kernels.dtype)
    for output in range(outputs):
        first = output * stride
        bands[:, output, :, first : first + (kernel_size - 1) * dilation + 1 : dilation] = kernels
    return bands.reshape(filters * outputs, taps * span)
