"""Any bank as im2col over the kernels' columns, times a band matrix: the plain way.

The band matrix holds the whole bank moved down several rows, so that one product gives several rows
of every response.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.small_products import SMALL_PRODUCT
from cnntool.engine.windows import Axis, even_cuts

MATRIX_BYTES = 8 << 20
"""What one thread unfolds at a time: more than its own cache, as threads that make short calls wait
for the interpreter longer than for memory."""

BLOCK_ELEMENTS = 1 << 19
"""Elements that one thread makes at a time of each response, or of four together; half as many of
rows that are cut, since strips of whole rows are at least as high as blocks."""

NARROWEST, WIDEST = 64, 4096
"""Elements of a block's rows, as many as leave its products small: long runs are copied faster."""

HEIGHT = 4
"""How many times as high as its kernel a block should be: each unfolds again what it shares with
the one above."""

COPY_NS = 0.13
"""To copy one element to the im2col matrix."""


@dataclass(frozen=True, eq=False)
class Direct:
    """The whole bank in one im2col product, ``rows`` output rows at a time."""

    kernels: np.ndarray  # (F, kh, taps): the columns of the kernels that are not all zero
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
    def taps(self) -> int:
        """Columns of the kernels, each of which the pixels are copied for."""
        return self.kernels.shape[2]

    @functools.cached_property
    def _all_bands(self) -> np.ndarray | None:
        """(F * rows, span * taps) where that is small enough to keep."""
        elements = self.filters * self.rows * self.span * self.taps
        if elements * self.kernels.itemsize > MATRIX_BYTES:
            return None
        return band_matrix(self.kernels, self.rows, self.stride, self.dilation)

    def _bands(self, first: int, count: int) -> np.ndarray:
        """(F * rows, span * count): the band matrix of some columns of the kernels."""
        if self._all_bands is not None and count == self.taps:
            return self._all_bands
        kernels = self.kernels[:, :, first : first + count]
        return band_matrix(kernels, self.rows, self.stride, self.dilation)

    def cut(self, rows: Axis, columns: Axis, channels: int) -> tuple[int, int]:
        """How many strips and how many columns of the output make a block."""
        taps = self.taps
        products = self.filters * self.rows * self.span * taps
        column_bytes = taps * channels * columns.stride * self.kernels.itemsize
        high = MATRIX_BYTES // (HEIGHT * rows.extent * column_bytes) * channels
        return cut_blocks(
            rows,
            columns,
            channels,
            filters=self.filters,
            strip_rows=self.rows,
            widest=min(WIDEST, max(NARROWEST, min(high, SMALL_PRODUCT // products))),
            column_bytes=column_bytes,
        )

    def __call__(self, tile: np.ndarray, shape: tuple, axes: tuple, scratch: Scratch) -> np.ndarray:
        """Responses (F, strips, rows, columns, C) of a tile (rows, columns, C) of pixels."""
        (strips, outputs, channels), (row_axis, column_axis) = shape, axes
        taps, dtype = self.taps, self.kernels.dtype
        length = self.filters * self.rows
        responses = scratch.array("responses", (strips, length, outputs * channels), dtype)
        chunk = max(1, MATRIX_BYTES // dtype.itemsize // (len(tile) * responses.shape[2]))
        for first in range(0, taps, chunk):
            count = min(chunk, taps - first)
            columns = im2col_strips(
                tile,
                (strips, self.span, count, outputs),
                dtype,
                scratch,
                strip_step=self.rows * row_axis.stride,
                row_step=row_axis.dilation if self.rows == 1 else self.row_step,
                tap_step=self.tap_step * column_axis.dilation,
                column_step=column_axis.stride,
                first_tap=(self.first_tap + first * self.tap_step) * column_axis.dilation,
            )
            multiply_add(self._bands(first, count), columns, responses, first > 0, scratch)
        responses = responses.reshape(strips, self.filters, self.rows, outputs, channels)
        return responses.transpose(1, 0, 2, 3, 4)


def cut_blocks(
    rows: Axis,
    columns: Axis,
    channels: int,
    *,
    filters: int,
    strip_rows: int,
    widest: int,
    column_bytes: int,
) -> tuple[int, int]:
    """Strips and columns of a block: ``widest`` elements wide, as many strips as the cache takes.

    A strip is ``strip_rows`` rows of each response; ``column_bytes`` are unfolded of each row of
    pixels for each column of outputs.
    """
    width = even_cuts(columns.output_size, max(1, widest // channels))
    row_bytes = column_bytes * width
    lines = MATRIX_BYTES // row_bytes
    elements = BLOCK_ELEMENTS if width == columns.output_size else BLOCK_ELEMENTS // 2
    outputs = max(1, elements // channels)
    strips = min(
        (lines - rows.extent) / (strip_rows * rows.stride),
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
    kernels = bank[:, :, first : last + 1 : step]
    filters, _, taps = kernels.shape

    def cost(count: int) -> float:
        span, _ = _rows_read(rows, count)
        is_shared = count > 1 or rows.dilation == 1
        copied = min(span / count, rows.stride) if is_shared else span
        return taps * copied * COPY_NS / filters + product_ns(taps * span, filters * count)

    candidates = [n for n in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64) if n < 2 * rows.output_size]
    count = min(candidates, key=cost)
    span, row_step = _rows_read(rows, count)
    stride, dilation = max(1, rows.stride // row_step), rows.dilation // row_step
    return Direct(kernels, first, step, count, span, row_step, stride, dilation, cost(count))


def product_ns(length: int, rows: int, width: int = NARROWEST) -> float:
    """An output of a product over ``length``, when ``rows`` rows share what is read.

    It is ``width`` wide, or wider.
    """
    if length * rows * width > SMALL_PRODUCT:
        return length * max(0.021, 0.014 + 0.05 / rows)
    return length * max(0.0135, 0.012 + 0.03 / rows)


def _rows_read(rows: Axis, count: int) -> tuple[int, int]:
    """How many input rows ``count`` outputs read, and the step between them."""
    if count == 1:
        return rows.kernel_size, rows.dilation
    step = gcd(rows.stride, rows.dilation)
    return (rows.span(count) - 1) // step + 1, step


def im2col_strips(
    tile: np.ndarray,
    shape: tuple[int, int, int, int],
    dtype: np.dtype,
    scratch: Scratch,
    *,
    strip_step: int,
    row_step: int,
    tap_step: int,
    column_step: int,
    first_tap: int = 0,
) -> np.ndarray:
    """Unfold a tile (rows, columns, C) into strips of windows (strips, rows * taps, outputs * C).

    ``out[s, j*taps + k, o*C + c] = tile[s*strip_step + j*row_step, t + o*column_step, c]``
    with t = first_tap + k*tap_step; ``shape`` is (strips, rows, taps, outputs).

    One strided copy, converting to ``dtype`` on the way: taps are columns of the kernel, each a
    copy of the pixels moved aside, and the rows of a strip stand beneath each other, so that a
    banded matrix (:func:`band_matrix`) times this gives several output rows at once. Strips that
    follow each other share the rows that both read, which are copied once.
    """
    strips, rows, taps, outputs = shape
    channels, (row, column, channel) = tile.shape[2], tile.strides
    step, between = divmod(strip_step, row_step)
    if between or step >= rows:  # they share none
        step, runs, lines = rows, strips, rows
    else:
        runs, lines = 1, (strips - 1) * step + rows
    columns = scratch.array("columns", (runs, lines, taps, outputs, channels), dtype)
    steps = (strip_step * row, row_step * row, tap_step * column, column_step * column, channel)
    np.copyto(columns, as_strided(tile[:, first_tap:], columns.shape, steps))
    width = outputs * channels
    size = width * dtype.itemsize
    strides = (step * taps * size, size, dtype.itemsize)
    return np.ndarray((strips, rows * taps, width), dtype, columns, 0, strides)


def band_matrix(kernels: np.ndarray, outputs: int, stride: int, dilation: int) -> np.ndarray:
    """Kernels (F, kh, taps) moved down ``outputs`` times: (F * outputs, span * taps).

    ``span = (outputs-1)*stride + (kh-1)*dilation + 1`` is the number of rows that the outputs see.
    The columns agree with the rows of :func:`im2col_strips`.
    """
    filters, kernel_size, taps = kernels.shape
    span = (outputs - 1) * stride + (kernel_size - 1) * dilation + 1
    bands = np.zeros((filters, outputs, span, taps), kernels.dtype)
    for output in range(outputs):
        first = output * stride
        bands[:, output, first : first + (kernel_size - 1) * dilation + 1 : dilation] = kernels
    return bands.reshape(filters * outputs, span * taps)
