"""Where the windows of pools lie, and how the work on them is cut into blocks for the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import SHARED_PRODUCTS, available_cores, parallel_blocks
from cnntool.engine.windows import Axis, AxisPaddings, even_slices, per_axis, plan_axes

BLOCK_ELEMENTS = 1 << 18
"""Inputs that one thread takes at a time: enough that calls are few, and little for the cache."""

COST = 16
"""Of an element, in multiplications of a matrix product: from 4 million on threads are faster."""

Size = int | tuple[int, int]


@dataclass(frozen=True)
class RowBlock:
    """Some neighbouring output rows, the inputs that they read, and their windows over those."""

    outputs: slice
    inputs: slice
    axis: Axis

    @property
    def height(self) -> int:
        return self.outputs.stop - self.outputs.start


def plan_pool(
    shape: tuple[int, int],
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Axis, Axis]:
    """The windows over planes of (H, W): one plan for the rows, one for the columns.

    Raises ValueError where no window fits, where the padding is more than half a window, or where
    a window would hold nothing but padding.
    """
    kernel_size = per_axis(kernel_size, 2, "kernel_size")
    stride = kernel_size if stride is None else per_axis(stride, 2, "stride")
    dilation, padding = per_axis(dilation, 2, "dilation"), per_axis(padding, 2, "padding")
    return _plan_pool(tuple(shape), kernel_size, stride, padding, dilation, bool(ceil_mode))


@functools.lru_cache(maxsize=256)
def _plan_pool(shape, kernel_size, stride, padding, dilation, ceil_mode) -> tuple[Axis, Axis]:
    rows, columns = plan_axes(shape, kernel_size, stride, dilation, padding, ceil_mode=ceil_mode)
    for axis in (rows, columns):
        before, after, half = axis.before, axis.after, axis.extent // 2
        if max(before, after) > half:
            raise ValueError(
                f"padding is {max(before, after)}: it must be at most half the window, {half}"
            )
        if axis.dilation > 1 and not axis.taps_inside().all():
            raise ValueError(
                f"a window with dilation {axis.dilation} over {axis.size} elements + padding "
                f"{before} + {after} reads nothing but padding: use less of both"
            )
    return rows, columns


def plan_maps(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None,
    padding: AxisPaddings,
    dilation: Size,
    ceil_mode: bool,
) -> tuple[Axis, Axis]:
    """:func:`plan_pool` for maps (N, C, H, W); ValueError where x is of another shape."""
    check_maps(x)
    return plan_pool(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)


def check_maps(x: np.ndarray) -> None:
    if x.ndim != 4:
        raise ValueError(f"x has shape {x.shape}: expected (N, C, H, W)")


def share_blocks(
    shape: tuple[int, ...],
    rows: Axis,
    work: Callable[[slice, RowBlock, Scratch], None],
    threads: int | None = None,
    *,
    weight: float = 1,
) -> None:
    """Run ``work(planes, rows, scratch)`` over planes (A, H, ...), cut into blocks that are alike.

    Whole planes go together where they are small, some output rows of one where it is large.
    ``weight`` is the memory that an input takes, against one that is read and reduced.
    """
    threads = available_cores() if threads is None else threads
    cuts, parts = _cut(shape, rows, weight, threads)
    run([(which, part) for part in parts for which in cuts], work, prod(shape), threads)


def _cut(
    shape: tuple[int, ...], rows: Axis, weight: float, threads: int
) -> tuple[list[slice], list[RowBlock]]:
    if not prod(shape):
        return [], []
    pieces = ceil(prod(shape) * weight / BLOCK_ELEMENTS)
    if prod(shape) * COST >= SHARED_PRODUCTS:
        pieces = -(-pieces // threads) * threads
    return _cut_into(pieces, shape[0], rows)


@functools.lru_cache(maxsize=16)
def _cut_into(pieces: int, count: int, rows: Axis) -> tuple[list[slice], list[RowBlock]]:
    together = -(-count // pieces)
    height = -(-rows.output_size * count // max(count, pieces))
    return even_slices(count, together), _row_blocks(rows, height)


def blocks_of(shape: tuple[int, ...]) -> list[slice]:
    """Planes (A, ...), as many together as stay in the cache."""
    return even_slices(shape[0], max(1, BLOCK_ELEMENTS // max(1, prod(shape[1:]))))


def run(blocks: list[tuple], work: Callable[..., None], elements: int, threads: int) -> None:
    """Run ``work(*block, scratch)`` for every block; over few elements without other threads."""
    with np.errstate(all="ignore"):  # infinities and NaN are values like any other
        parallel_blocks(
            blocks, lambda block, scratch: work(*block, scratch), elements * COST, threads
        )


def crop(axis: Axis, outputs: slice) -> tuple[slice, Axis]:
    """The inputs that some neighbouring outputs read, and the plan of these windows over them."""
    read = axis.input_positions(outputs.start, outputs.stop - outputs.start)
    start, stop = max(0, read.start), min(axis.size, read.stop)
    cropped = Axis(
        size=stop - start,
        kernel_size=axis.kernel_size,
        stride=axis.stride,
        dilation=axis.dilation,
        before=start - read.start,
        after=read.stop - stop,
    )
    return slice(start, stop), cropped


def _row_blocks(rows: Axis, height: int) -> list[RowBlock]:
    """All output rows in blocks of ``height``."""
    blocks = []
    for outputs in even_slices(rows.output_size, height):
        inputs, cropped = crop(rows, outputs)
        blocks.append(RowBlock(outputs, inputs, cropped))
    return blocks


def limits(dtype: np.dtype) -> tuple[float, float]:
    """The lowest and the highest value of a dtype, infinities included."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    if dtype.kind == "b":
        return False, True
    return np.iinfo(dtype).min, np.iinfo(dtype).max
