"""Kernels that are sums of few outer products.

A Gaussian of 15 x 15 is 5 times as fast by it, one of sigma 10 more than 40 times.

One band matrix from the left slides down the columns, one from the right along the rows; im2col
copies the pixels once, not once a column of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.small_products import SMALL_PRODUCT
from cnntool.engine.filters.direct import (
    COPY_NS,
    WIDEST,
    band_matrix,
    cut_blocks,
    im2col_strips,
    multiply_add,
    product_ns,
)
from cnntool.engine.windows import Axis

MOST_FACTORS = 8

FEWEST = 384
"""Elements of a block's rows, however many its products take."""


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
    def mixes(self) -> bool:
        """Two products may be large where their sum, a weight of the kernel, is faint."""
        return max(map(len, self.factors)) > 1

    @property
    def elements_per_column(self) -> int:
        column_bands = self.factors[0][0][0]
        return self.rows if column_bands is None else column_bands.shape[1]

    @property
    def _dtype(self) -> np.dtype:
        return next(bands.dtype for bands in self.factors[0][0] if bands is not None)

    def cut(self, rows: Axis, columns: Axis, channels: int) -> tuple[int, int]:
        """How many strips and how many columns of the output make a block."""
        products = self.rows * self.elements_per_column
        return cut_blocks(
            rows,
            columns,
            channels,
            filters=self.filters,
            strip_rows=self.rows,
            widest=max(_narrowest(columns, channels), min(WIDEST, SMALL_PRODUCT // products)),
            column_bytes=channels * columns.stride * self._dtype.itemsize,
        )

    def __call__(self, tile: np.ndarray, shape: tuple, axes: tuple, scratch: Scratch) -> np.ndarray:
        """Responses (F, 1, strips * rows, columns, C) of a tile (rows, columns, C) of pixels."""
        (strips, outputs, channels), (row_axis, column_axis) = shape, axes
        column_bands, row_bands = self.factors[0][0]
        dtype = self._dtype
        width = outputs if row_bands is None else tile.shape[1]
        pixels = im2col_strips(
            tile,
            (strips, self.elements_per_column, 1, width),
            dtype,
            scratch,
            strip_step=self.rows * row_axis.stride,
            row_step=row_axis.stride if column_bands is None else 1,
            tap_step=1,
            column_step=column_axis.stride if row_bands is None else 1,
        )
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
            return multiply_add(column_bands, pixels, by_strip, add, scratch)
        slid = pixels
        if column_bands is not None:
            slid = scratch.array("slid", (strips, self.rows, width), pixels.dtype)
            np.matmul(column_bands, pixels, out=slid)
        slid = slid.reshape(strips * self.rows, width)  # where no band slides, strips share no row
        outputs = response.shape[1] // channels
        for first, count, group in _groups(outputs, self.group):
            length = (group - self.group) * step + row_bands.shape[0]
            source = _batches(slid[:, first * step :], count, group * step, length)
            target = _batches(
                response[:, first * channels :], count, group * channels, group * channels
            )
            multiply_add(source, row_bands[:length, : group * channels], target, add, scratch)


def _groups(outputs: int, group: int) -> list[tuple[int, int, int]]:
    """(First output, how many groups, outputs in each): whole groups, then what is left."""
    count, rest = divmod(outputs, group)
    groups = [(0, count, group), (count * group, 1, rest)]
    return [cut for cut in groups if cut[1] and cut[2]]


def _batches(matrix: np.ndarray, count: int, step: int, length: int) -> np.ndarray:
    """(count, N, length): the columns of a matrix (N, width) cut every ``step``, overlapping."""
    row, item = matrix.strides
    return as_strided(matrix, (count, matrix.shape[0], length), (step * item, row, item))


def plan_separable(
    bank: np.ndarray, rows: Axis, columns: Axis, channels: int, most_ns: float
) -> Separable | None:
    """Column and row bands for a bank (F, kh, kw), or None where that costs over ``most_ns``."""
    _, height, width = bank.shape
    read = _narrowest(columns, channels) + (columns.extent - 1) * channels
    count = min(_band_counts(rows), key=lambda n: _column_band_ns(rows, n, read))
    group = min(_band_counts(columns), key=lambda n: _row_band_ns(columns, n, channels))
    once = rows.stride * COPY_NS
    each = (height > 1) * _column_band_ns(rows, count, read)
    each += (width > 1) * _row_band_ns(columns, group, channels)
    most_factors = int(min(MOST_FACTORS, (most_ns - once) // each)) if each else 0
    if most_factors < 1:
        return None
    tolerance, is_double = 2 * float(np.finfo(bank.dtype).eps), bank.dtype == np.float64
    if is_double:  # where products cancel to a faint weight, the sum has the error of the large
        most_factors = 1
    expansions = [low_rank(kernel, most_factors, tolerance, is_double) or () for kernel in bank]
    if not all(expansions):
        return None
    if max(map(len, expansions)) == 1:
        expansions = [[in_whole_numbers(*pair) for pair in pairs] for pairs in expansions]
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
    column_bands = band_matrix(column[None, :, None], count, rows.stride, rows.dilation).astype(
        dtype
    )
    row_bands = right_band_matrix(row, group, columns.stride, columns.dilation, channels)
    return (
        None if len(column) == 1 and len(row) > 1 else column_bands,
        None if len(row) == 1 else row_bands.astype(dtype),
    )


def _band_counts(axis: Axis) -> list[int]:
    """How many outputs a band may give: few read much again, many multiply zeros."""
    return [n for n in (4, 8, 16, 24, 32, 48, 64) if n < axis.output_size] or [axis.output_size]


def _narrowest(columns: Axis, channels: int) -> int:
    """Elements of a block's rows at least: twice a long kernel's reach, as what it reaches over at
    the sides goes down the columns twice."""
    return max(FEWEST, 2 * columns.extent * channels)


def _column_band_ns(rows: Axis, outputs: int, width: int) -> float:
    """An output of a band matrix from the left that gives ``outputs`` rows."""
    return product_ns(rows.span(outputs), outputs, width)


def _row_band_ns(columns: Axis, outputs: int, channels: int) -> float:
    """An output of a band matrix from the right; fastest in multiples of 16 elements."""
    elements = outputs * channels
    element_ns = 0.0105 + 0.12 / elements if elements % 16 == 0 else 0.026 + 0.1 / elements
    return columns.span(outputs) * channels * element_ns


def right_band_matrix(
    row: np.ndarray, outputs: int, stride: int, dilation: int, channels: int
) -> np.ndarray:
    """A row kernel (kw,) for interleaved channels: (span * channels, outputs * channels).

    ``pixels (N, span*channels) @ matrix`` gives ``outputs`` neighbouring pixels of each channel.
    """
    bands = band_matrix(row[None, :, None], outputs, stride, dilation)  # (outputs, span)
    matrix = np.kron(bands.T, np.eye(channels, dtype=row.dtype))
    return np.ascontiguousarray(matrix)  # transposed, products take twice as long


def low_rank(
    kernel: np.ndarray, max_rank: int, tolerance: float, by_weight: bool = False
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Write a kernel (kh, kw) as a sum of at most ``max_rank`` outer products (column, row).

    Cross approximation with full pivoting: each step takes off the cross through the largest
    remaining weight, ``R -= R[:, j] R[i, :] / R[i, j]``, which lowers the rank by one; done when
    ``sum |R| <= tolerance * sum |kernel|``. What the response to pixels of size p lacks is then at
    most ``tolerance * p * sum |kernel|``, however many faint weights were left; ``by_weight``, when
    no weight lacks more than 2 ``tolerance`` of itself. Returns None where it takes more than
    ``max_rank`` steps. Source: Bebendorf, Numerische Mathematik 86 (2000).
    """
    rest = kernel.astype(np.float64)
    limit = tolerance * _total_size(rest)
    factors: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(max_rank + 1):
        largest, smallest = rest.argmax(), rest.argmin()
        place = largest if rest.flat[largest] >= -rest.flat[smallest] else smallest
        i, j = np.unravel_index(place, rest.shape)
        pivot = rest[i, j]
        is_done = _total_size(rest) <= limit
        if by_weight:
            is_done = bool((np.abs(rest) <= 2 * tolerance * np.abs(kernel)).all())
        if pivot == 0 or is_done:
            return factors
        column, row = rest[:, j] / pivot, rest[i].copy()
        for weights, factor in zip(rest, column, strict=True):  # a row at a time: no second kernel
            weights -= factor * row
        factors.append((column, row))
    return None


def in_whole_numbers(column: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same outer product by factors of whole numbers, where it is one of whole numbers: sums of
    whole pixels are exact then."""
    if not np.array_equal(row, np.rint(row)) or np.abs(row).max(initial=0) > 1 << 24:
        return column, row
    divisor = gcd(*map(int, row))
    whole = np.rint(column * divisor)
    is_same = np.allclose(whole, column * divisor, rtol=1e-9, atol=0)  # faint weights are not 0
    return (whole, row / divisor) if is_same else (column, row)


def _total_size(weights: np.ndarray) -> float:
    """``sum |w|``, a row at a time."""
    return float(sum(np.abs(row).sum() for row in weights))
