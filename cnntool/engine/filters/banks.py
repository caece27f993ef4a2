"""A bank of kernels over an image of any size: blocks that fit the cache, shared among cores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from cnntool.engine.arrays import check_numbers, float_dtype
from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.scratch import Scratch, return_scratch, take_scratch
from cnntool.engine.fast.threads import available_cores, parallel_for
from cnntool.engine.filters.direct import MATRIX_BYTES, Direct, plan_direct
from cnntool.engine.filters.separable import Separable, plan_separable
from cnntool.engine.filters.shifting import Shifted, plan_shifted
from cnntool.engine.filters.spectral import Spectral, is_wide, plan_spectral
from cnntool.engine.windows import (
    BORDERS,
    Axis,
    AxisPaddings,
    SomeRows,
    padded_tile,
    plan_axes,
)

Method = Direct | Separable | Shifted | Spectral

Emit = Callable[[np.ndarray, slice, slice], None]

Block = tuple[slice, slice]
"""Rows and columns of what comes out."""

SHORT_RUN = 1 << 25
"""Responses up to which scratch memory is kept for the next run; to a longer one it is nothing."""


class Plan(NamedTuple):
    """How a bank runs over images of one size: geometry, method and blocks."""

    rows: Axis
    columns: Axis
    channels: int
    bank: np.ndarray  # (F, kh, kw) as it was given, but turned where it is flipped
    dtype: np.dtype
    method: Method
    strips: int  # of method.rows each, in a block
    block_columns: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the responses: (F, oh, ow, C)."""
        return self.method.filters, self.rows.output_size, self.columns.output_size, self.channels

    @property
    def is_narrow(self) -> bool:
        """Whether pixels may span more than it keeps: :func:`widened` does."""
        return self.dtype == np.float32 and self.method.mixes

    @property
    def blocks(self) -> list[Block]:
        """Output rows and columns of each block, in reading order."""
        _, height, width, _ = self.shape
        whole = height - height % self.method.rows
        block_rows = self.strips * self.method.rows
        tops = [*range(0, whole, block_rows), *([whole] if whole < height else [])]
        bottoms = [*tops[1:], height]
        return [
            (slice(top, bottom), slice(left, min(left + self.block_columns, width)))
            for top, bottom in zip(tops, bottoms, strict=True)
            for left in range(0, width, self.block_columns)
        ]

    @property
    def scratch_bytes(self) -> int:
        """About what one thread takes beside the image and the output."""
        filters, _, _, channels = self.shape
        rows, columns = self.strips * self.method.rows, self.block_columns
        responses = filters * rows * columns * channels
        read_rows, read_columns = self.reads(slice(0, rows), slice(0, columns))
        tile = sum(map(len, read_rows)) * sum(map(len, read_columns)) * channels
        if isinstance(self.method, Direct):
            unfolded = min(MATRIX_BYTES, self.method.taps * tile * self.dtype.itemsize)
        elif isinstance(self.method, Spectral):
            unfolded = 2 * MATRIX_BYTES
        else:
            unfolded = 2 * tile * self.dtype.itemsize
        return unfolded + (2 * responses + tile) * self.dtype.itemsize

    def in_whole_strips(self, rows: slice) -> slice:
        """Output rows and what is computed besides to fill up the last strip."""
        count = -(-(rows.stop - rows.start) // self.method.rows) * self.method.rows
        return slice(rows.start, rows.start + count)

    def reads(self, rows: slice, columns: slice) -> tuple[list[range], list[range]]:
        """The input rows and columns that a block of outputs reads, in runs."""
        is_direct = isinstance(self.method, Direct)
        return (
            _runs(self.rows, rows.start, rows.stop, is_direct and self.method.rows == 1),
            _runs(self.columns, columns.start, columns.stop, is_direct),
        )


def filter_bank(
    image: np.ndarray,
    bank: np.ndarray,
    *,
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    padding: AxisPaddings = "same",
    border: str = "reflect",
    constant: float | np.ndarray = 0,
    flip: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Cross-correlate an image (H, W, C) with every kernel of a bank (F, kh, kw), by channel.

    ``y[f, i, j, c] = sum over k, l of bank[f, k, l] * x[i*s - p + k*d, j*s - p + l*d, c]``

    ``flip`` rotates the kernels by 180 degrees: true convolution. ``stride`` s and ``dilation`` d
    are one number or (vertical, horizontal), ``padding`` too, or a pair a side; its words are in
    :func:`~cnntool.engine.windows.plan_axis`, ``border`` as in
    :func:`~cnntool.engine.windows.border_indices`, with ``constant`` one value or one a channel.
    Returns (F, oh, ow, C), float64 for float64 images, else float32. Pixels must be finite.
    Raises ValueError where the shapes do not fit.
    """
    check_numbers(image, bank)
    plan = plan_filter_bank(
        image.shape, bank, stride, dilation, padding, flip=flip, dtype=image.dtype
    )
    responses = np.empty(plan.shape, plan.dtype)

    def keep(block: np.ndarray, rows: slice, columns: slice) -> None:
        responses[:, rows, columns].reshape(block.shape)[...] = block

    run_plan(plan, image, keep, border=border, constant=constant, threads=threads)
    return responses


def plan_filter_bank(
    shape: tuple[int, int, int],
    bank: np.ndarray,
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    padding: AxisPaddings = "same",
    *,
    flip: bool = False,
    dtype: np.dtype | type = np.float32,
) -> Plan:
    """Plan a bank (F, kh, kw) over images of ``shape`` (H, W, C); see :func:`filter_bank`."""
    if bank.ndim != 3 or 0 in bank.shape:
        raise ValueError(f"a bank has shape (F, kh, kw), not {bank.shape}")
    if len(shape) != 3 or 0 in shape:
        raise ValueError(f"an image has shape (H, W, C), not {tuple(shape)}")
    axes = plan_axes(shape[:2], bank.shape[1:], stride, dilation, padding, flipped=flip)
    return plan_blocks(axes, shape[2], bank, flip=flip, dtype=dtype)


def plan_blocks(
    axes: Sequence[Axis],
    channels: int,
    bank: np.ndarray,
    *,
    flip: bool = False,
    dtype: np.dtype | type = np.float32,
    may_be_whole: bool = False,
) -> Plan:
    """The plan of a bank whose windows lie along these axes, rows and columns, already.

    With ``may_be_whole`` the responses to 8-bit pixels may come as int16, where they fit.
    """
    whole, bank = bank, np.asarray(bank, float_dtype(np.empty(0, dtype)))
    if flip:
        whole, bank = whole[:, ::-1, ::-1], bank[:, ::-1, ::-1]
    rows, columns = axes
    is_8_bit = np.dtype(dtype) == np.uint8
    method = _choose_method(
        bank, rows, columns, channels, is_8_bit=is_8_bit, may_be_whole=may_be_whole
    )
    cut = method.cut(rows, columns, channels)
    return Plan(rows, columns, channels, whole, bank.dtype, method, *cut)


def _choose_method(
    bank: np.ndarray,
    rows: Axis,
    columns: Axis,
    channels: int,
    *,
    is_8_bit: bool = False,
    may_be_whole: bool = True,
) -> Method:
    """The cheapest way for a bank (F, kh, kw); all its kernels go the same way.

    Each method tells its cost in nanoseconds an output, by a model fitted to NumPy 2.4 with its
    OpenBLAS on one core of an Intel Xeon of 2024 with AVX-512. On another machine numbers differ,
    their order hardly does; a wrong guess costs time, never a result.
    """
    direct = plan_direct(bank, rows)
    if is_textbook():
        return direct
    methods: list[Method | None] = [
        direct,
        plan_separable(bank, rows, columns, channels, direct.cost),
        plan_spectral(bank, rows, columns) if bank.dtype == np.float32 else None,
        plan_shifted(bank, rows, columns, may_be_whole) if is_8_bit else None,
    ]
    found = [method for method in methods if method is not None]
    return min(found, key=lambda method: method.cost)


def widened(plan: Plan) -> Plan:
    """The plan in float64, for pixels that span too much for a transform's float32."""
    return plan_blocks((plan.rows, plan.columns), plan.channels, plan.bank, dtype=np.float64)


def run_plan(
    plan: Plan,
    image: np.ndarray | SomeRows,
    emit: Emit,
    *,
    border: str = "reflect",
    constant: float | np.ndarray = 0,
    threads: int | None = None,
    blocks: Sequence[Block] | None = None,
) -> None:
    """Compute every block and hand it to ``emit(block, rows, columns)``, from several threads.

    ``blocks`` are some of the plan's, which read none but rows that are at hand.

    ``block`` is (F, strips, rows of a strip, columns, C), of the plan's dtype, int16 where it may
    be whole, or float64 where pixels span too much for float32; it is scratch that ``emit`` may
    overwrite but not keep, and belongs at ``output[rows, columns].reshape(block.shape[1:])``.
    """
    if border not in BORDERS:
        raise ValueError(f"border is '{border}': expected one of {', '.join(BORDERS)}")
    if plan.is_narrow and isinstance(image, np.ndarray) and is_wide(image):
        plan = widened(plan)
    dtype = image.dtype
    if border == "constant" and np.any(np.asarray(constant).astype(dtype) != constant):
        dtype = plan.dtype  # a constant such as 7.5 or -1 between 8-bit pixels
    elif isinstance(plan.method, Shifted):
        dtype = np.dtype(np.int16)  # in which it adds

    used: list[Scratch] = []

    def make_worker() -> Callable[[Block], None]:
        scratch = take_scratch()
        used.append(scratch)

        def work(block: Block) -> None:
            rows, columns = block
            height, width = rows.stop - rows.start, columns.stop - columns.start
            strips = -(-height // plan.method.rows)
            runs = plan.reads(plan.in_whole_strips(rows), columns)
            tile = _read_tile(image, dtype, runs, (border, constant), scratch)
            axes = _packed(plan.rows, runs[0]), _packed(plan.columns, runs[1])
            with np.errstate(over="ignore", invalid="ignore"):  # beyond the dtype is infinite
                responses = plan.method(tile, (strips, width, plan.channels), axes, scratch)
            if height < strips * plan.method.rows:  # the last strip is a block of its own
                responses = responses[:, :, :height]
            emit(responses, rows, columns)

        return work

    blocks = plan.blocks if blocks is None else blocks
    threads = available_cores() if threads is None else threads
    parallel_for(blocks, make_worker, max(1, min(threads, len(blocks))))
    if prod(plan.shape) <= SHORT_RUN:
        return_scratch(used)


def _read_tile(image, dtype, runs, padding, scratch: Scratch) -> np.ndarray:
    """The pixels (rows, columns, C) of the runs of a block, side by side: a view where they are."""
    row_runs, column_runs = runs
    if isinstance(image, np.ndarray) and dtype == image.dtype and len(row_runs + column_runs) == 2:
        (rows,), (columns,) = runs
        is_inside = min(rows.start, columns.start) >= 0
        if is_inside and rows.stop <= image.shape[0] and columns.stop <= image.shape[1]:
            return image[rows.start : rows.stop, columns.start : columns.stop]
    shape = sum(map(len, row_runs)), sum(map(len, column_runs)), image.shape[2]
    tile = scratch.array("tile", shape, dtype)
    top = 0
    for rows in row_runs:
        left = 0
        for run in column_runs:
            part = tile[top : top + len(rows), left : left + len(run)]
            padded_tile(image, rows, run, *padding, out=part)
            left += len(run)
        top += len(rows)
    return tile


@functools.lru_cache(maxsize=512)
def _runs(axis: Axis, start: int, stop: int, may_split: bool) -> list[range]:
    """The inputs that some neighbouring outputs read: one run, or one a tap.

    Taps far apart, by a large dilation, leave out what lies between them.
    """
    whole = axis.input_positions(start, stop - start)
    reach = len(whole) - axis.extent + 1
    if not may_split or reach >= axis.dilation:
        return [whole]
    taps = range(whole.start, whole.start + axis.extent, axis.dilation)
    return [range(tap, tap + reach) for tap in taps]


def _packed(axis: Axis, runs: list[range]) -> Axis:
    """The axis as its runs lie side by side: neighbouring taps are one run apart."""
    return axis if len(runs) == 1 else replace(axis, dilation=len(runs[0]))
