"""Ways to slide a bank of kernels over a tile; two are matrix products with banded matrices.

- :class:`Direct`: im2col over the kernel's columns, times a band matrix that holds the whole bank
  moved down several rows, so that one product gives several rows of every response.
- :class:`Separable`: where every kernel is a sum of few outer products, one band matrix from the
  left and one from the right; im2col copies the pixels once, not once a column of the kernel;
- :class:`~cnntool.engine.filters.shifting.Shifted`: small whole numbers over 8-bit pixels, as sums;
- :class:`~cnntool.engine.filters.spectral.Spectral`: products of Fourier transforms.

:func:`choose_method` takes the cheapest by a model of their cost.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.filters.costs import (
    COPY_NS,
    PASS_NS,
    column_band_ns,
    product_ns,
    row_band_ns,
)
from cnntool.engine.filters.shifting import Shifted, plan_shifted
from cnntool.engine.filters.spectral import Spectral, plan_spectral
from cnntool.engine.windows import Axis, even_cuts

MATRIX_BYTES = 8 << 20
"""What one thread unfolds at a time: enough that calls are few, little enough for the cache."""

STRIP_BYTES = 1 << 19
"""What one strip unfolds to at most, where it can be cut narrower: the second-level cache."""

BLOCK_ELEMENTS = 1 << 18
"""Elements that one thread makes at a time of each response, or of four together."""

MOST_FACTORS = 8


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
        return _cut(self, self.kernels.itemsize, rows, columns, channels)

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
            _multiply_add(self._bands(first, count), columns, responses, first > 0, scratch)
        responses = responses.reshape(strips, self.filters, self.rows, outputs, channels)
        return responses.transpose(1, 0, 2, 3, 4)


@dataclass(frozen=True, eq=False)
class Separable:
    """Every kernel as a sum of outer products; ``factors[f]`` lists pairs of band matrices."""

    rows: int
    group: int  # output pixels of one right-hand band
    factors: tuple[tuple[tuple[np.ndarray | None, np.ndarray | None], ...], ...]
    cost: float

    @property
    def filters(self) -> int:
        return len(self.factors)

    @property
    def elements_per_column(self) -> int:
        column_bands = self.factors[0][0][0]
        return self.rows if column_bands is None else column_bands.shape[1]

    def cut(self, rows: Axis, columns: Axis, channels: int) -> tuple[int, int]:
        bands = next(band for band in self.factors[0][0] if band is not None)
        return _cut(self, bands.itemsize, rows, columns, channels)

    def __call__(self, tile: np.ndarray, shape: tuple, axes: tuple, scratch: Scratch) -> np.ndarray:
        """Responses (F, 1, strips * rows, columns, C) of a tile (rows, columns, C) of pixels."""
        (strips, outputs, channels), (row_axis, column_axis) = shape, axes
        column_bands, row_bands = self.factors[0][0]
        dtype = (row_bands if column_bands is None else column_bands).dtype
        width = outputs if row_bands is None else tile.shape[1]
        pixels = im2col_strips(
            tile,
            scratch.array("columns", (strips, 1, self.elements_per_column, width, channels), dtype),
            strip_step=self.rows * row_axis.stride,
            row_step=row_axis.stride if column_bands is None else 1,
            tap_step=1,
            column_step=column_axis.stride if row_bands is None else 1,
        ).reshape(strips, -1, width * channels)
        lines = strips * self.rows
        responses = scratch.array("responses", (self.filters, lines, outputs * channels), dtype)
        for response, factors in zip(responses, self.factors, strict=True):
            for index, (column_bands, row_bands) in enumerate(factors):
                self._add_product(
                    pixels,
                    column_bands,
                    row_bands,
                    response,
                    index > 0,
                    column_axis.stride * channels,
                    channels,
                    scratch,
                )
        return responses.reshape(self.filters, 1, lines, outputs, channels)

    def _add_product(self, pixels, column_bands, row_bands, response, add, step, channels, scratch):
        strips, _, width = pixels.shape
        if row_bands is None:
            by_strip = response.reshape(strips, self.rows, -1)
            return _multiply_add(column_bands, pixels, by_strip, add, scratch)
        slid = pixels
        if column_bands is not None:
            slid = scratch.array("slid", (strips, self.rows, width), pixels.dtype)
            np.matmul(column_bands, pixels, out=slid)
        slid = slid.reshape(strips * self.rows, width)
        outputs = response.shape[1] // channels
        for first, count, group in _groups(outputs, self.group):
            length = (group - self.group) * step + row_bands.shape[0]
            source = _batches(slid[:, first * step :], count, group * step, length)
            target = _batches(
                response[:, first * channels :], count, group * channels, group * channels
            )
            _multiply_add(source, row_bands[:length, : group * channels], target, add, scratch)


def _cut(
    method: Direct | Separable, itemsize: int, rows: Axis, columns: Axis, channels: int
) -> tuple[int, int]:
    """Strips and columns of a block: as wide as one strip fits the cache, as many as fit at all."""
    column_bytes = method.elements_per_column * channels * columns.stride * itemsize
    widest = max(1, 512 // channels, STRIP_BYTES // column_bytes)
    width = even_cuts(columns.output_size, widest)
    outputs = max(1, BLOCK_ELEMENTS // channels)
    strips = min(
        MATRIX_BYTES // (column_bytes * width),
        outputs // (max(1, method.filters / 4) * method.rows * width),
        rows.output_size // method.rows,
    )
    return max(1, int(strips)), width


def _groups(outputs: int, group: int) -> list[tuple[int, int, int]]:
    """(First output, how many groups, outputs in each): whole groups, then what is left."""
    count, rest = divmod(outputs, group)
    groups = [(0, count, group), (count * group, 1, rest)]
    return [cut for cut in groups if cut[1] and cut[2]]


def _batches(matrix: np.ndarray, count: int, step: int, length: int) -> np.ndarray:
    """(count, N, length): the columns of a matrix (N, width) cut every ``step``, overlapping."""
    row, item = matrix.strides
    return as_strided(matrix, (count, matrix.shape[0], length), (step * item, row, item))


def _multiply_add(left, right, out: np.ndarray, add: bool, scratch: Scratch) -> None:
    """``out = left @ right``, or ``out += left @ right``."""
    if not add:
        np.matmul(left, right, out=out)
        return
    product = scratch.array("product", out.shape, out.dtype)
    np.matmul(left, right, out=product)
    np.add(out, product, out=out)


Method = Direct | Separable | Shifted | Spectral


def choose_method(
    bank: np.ndarray,
    rows: Axis,
    columns: Axis,
    channels: int,
    *,
    is_8_bit: bool = False,
    may_be_whole: bool = True,
) -> Method:
    """The cheapest way for a bank (F, kh, kw); all its kernels go the same way."""
    direct = _plan_direct(bank, rows)
    if is_textbook():
        return direct
    others = [
        _plan_separable(bank, rows, columns, channels, direct.cost),
        plan_spectral(bank, rows, columns),
    ]
    if is_8_bit:
        others.append(plan_shifted(bank, rows, columns, may_be_whole))
    return min([direct, *filter(None, others)], key=lambda method: method.cost)


def _plan_direct(bank: np.ndarray, rows: Axis) -> Direct:
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


def _rows_read(rows: Axis, count: int) -> tuple[int, int]:
    """How many input rows ``count`` outputs read, and the step between them."""
    if count == 1:
        return rows.kernel_size, rows.dilation
    step = gcd(rows.stride, rows.dilation)
    return (rows.span(count) - 1) // step + 1, step


def _plan_separable(
    bank: np.ndarray, rows: Axis, columns: Axis, channels: int, most_ns: float
) -> Separable | None:
    """Column and row bands for every kernel, or None where that costs more than ``most_ns``."""
    _, height, width = bank.shape
    count = min(_band_counts(rows), key=lambda n: column_band_ns(rows, n))
    group = min(_band_counts(columns), key=lambda n: row_band_ns(columns, n, channels))
    once = rows.span(count) / count * COPY_NS
    each = (
        PASS_NS
        + (height > 1) * column_band_ns(rows, count)
        + (width > 1) * row_band_ns(columns, group, channels)
    )
    most_factors = int(min(MOST_FACTORS, (most_ns - once) // each))
    if most_factors < 1:
        return None
    tolerance = 2 * float(np.finfo(bank.dtype).eps)
    expansions = [low_rank(kernel, most_factors, tolerance) for kernel in bank]
    if not all(expansions):
        return None
    factors = tuple(
        tuple(
            _bands_of(column, row, count, group, rows, columns, channels, bank.dtype)
            for column, row in expansion
        )
        for expansion in expansions
    )
    cost = once / len(bank) + max(map(len, factors)) * each
    return Separable(count, group, factors, cost)


def _bands_of(column, row, count, group, rows, columns, channels, dtype):
    """The band matrices of one outer product; None for a side of a single tap."""
    if len(row) == 1:
        column = column * row[0]
    elif len(column) == 1:
        row = row * column[0]
    column_bands = band_matrix(column[None, None], count, rows.stride, rows.dilation).astype(dtype)
    row_bands = right_band_matrix(row, group, columns.stride, columns.dilation, channels)
    return (
        None if len(column) == 1 and len(row) > 1 else column_bands,
        None if len(row) == 1 else row_bands.astype(dtype),
    )


def _band_counts(axis: Axis) -> list[int]:
    """How many outputs a band may give: few read much again, many multiply zeros."""
    return [n for n in (4, 8, 16, 24, 32, 48, 64) if n < axis.output_size] or [axis.output_size]


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


def right_band_matrix(
    row: np.ndarray, outputs: int, stride: int, dilation: int, channels: int
) -> np.ndarray:
    """A row kernel (kw,) for interleaved channels: (span * channels, outputs * channels).

    ``pixels (N, span*channels) @ matrix`` gives ``outputs`` neighbouring pixels of each channel.
    """
    bands = band_matrix(row[None, None], outputs, stride, dilation)  # (outputs, span)
    return np.kron(bands.T, np.eye(channels, dtype=row.dtype))


def low_rank(
    kernel: np.ndarray, max_rank: int, tolerance: float
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Write a kernel (kh, kw) as a sum of at most ``max_rank`` outer products (column, row).

    Cross approximation with full pivoting: each step takes off the cross through the largest
    remaining weight, ``R -= R[:, j] R[i, :] / R[i, j]``, which lowers the rank by one; done when
    ``sum |R| <= tolerance * sum |kernel|``. What the response to pixels of size p lacks is then at
    most ``tolerance * p * sum |kernel|``, however many faint weights were left. Returns None where
    it takes more than ``max_rank`` steps. Source: Bebendorf, Numerische Mathematik 86 (2000).
    """
    rest = kernel.astype(np.float64)
    limit = tolerance * _total_size(rest)
    factors = []
    for _ in range(max_rank + 1):
        largest, smallest = rest.argmax(), rest.argmin()
        place = largest if rest.flat[largest] >= -rest.flat[smallest] else smallest
        i, j = np.unravel_index(place, rest.shape)
        pivot = rest[i, j]
        if pivot == 0 or _total_size(rest) <= limit:
            return factors
        column, row = rest[:, j] / pivot, rest[i].copy()
        for weights, factor in zip(rest, column, strict=True):  # a row at a time: no second kernel
            weights -= factor * row
        factors.append((column, row))
    return None


def _total_size(weights: np.ndarray) -> float:
    """``sum |w|``, a row at a time."""
    return float(sum(np.abs(row).sum() for row in weights))
