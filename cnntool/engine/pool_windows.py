"""How the sliding pools run: blocks of planes and rows, each reduced downwards, then across.

The largest of a window is the largest of its columns' largest; sums, weighted sums and norms fold
the same way. So a window of kh x kw costs kh + kw steps. Both work on whole contiguous rows, with
the channels of an image left interleaved: the fold across runs at every position, one long vector
operation a tap, and only then is every ``stride``-th position kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from types import EllipsisType

import numpy as np

from cnntool.engine.fast.layout import as_maps, as_planes
from cnntool.engine.fast.scratch import Scratch, return_scratch, take_scratch
from cnntool.engine.fast.threads import available_cores, share
from cnntool.engine.windows import Axis, AxisPaddings, per_axis, plan_axes

BLOCK_ELEMENTS = 1 << 18
"""Inputs that one thread takes at a time: enough that calls are few, and little for the cache."""

SHARED_ELEMENTS = 1 << 22
"""Fewer inputs than this are done before another thread wakes up."""

Size = int | tuple[int, int]

Index = tuple[slice, slice] | EllipsisType
"""Which output rows see a tap inside, of (A, rows, ...); ``...`` for all of them."""

Tap = tuple[Index, np.ndarray]
"""The outputs that see a tap inside, and what they see there."""


@dataclass(frozen=True)
class Reduction:
    """What a pool makes of a window, one axis after the other.

    ``fold(axis, taps, out, scratch)`` makes ``out`` of all the taps along an axis: 0 is down the
    rows, 1 across. A tap in the padding counts as ``identity``. ``divisors``, a vector for the
    output rows and one for the columns, are what the folded windows are divided by.
    """

    dtype: np.dtype
    identity: float
    fold: Callable[[int, list[Tap], np.ndarray, Scratch], None]
    divisors: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class RowBlock:
    """Some neighbouring output rows, the inputs that they read, and their windows over those."""

    outputs: slice
    inputs: slice
    axis: Axis

    @property
    def height(self) -> int:
        return self.outputs.stop - self.outputs.start

    @functools.cached_property
    def taps(self) -> tuple[tuple[Index, tuple[slice, slice]], ...]:
        """For every tap the output rows that see it inside, and the inputs that they see."""
        return _row_taps(self.axis)


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
    axes = plan_axes(shape, kernel_size, stride, dilation, padding, ceil_mode=ceil_mode)
    for axis in axes:
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
    return axes


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


def pool_maps(x: np.ndarray, rows: Axis, columns: Axis, reduction: Reduction) -> np.ndarray:
    """:func:`pool_planes` of maps (N, C, H, W), in their layout: (N, C, oh, ow)."""
    return as_maps(pool_planes(as_planes(x), rows, columns, reduction), *x.shape[:2])


def pool_planes(
    planes: np.ndarray,
    rows: Axis,
    columns: Axis,
    reduction: Reduction,
    threads: int | None = None,
) -> np.ndarray:
    """Reduce the windows of planes (A, H, W, B) to (A, oh, ow, B); B is interleaved channels."""
    count, _, _, channels = planes.shape
    shape = count, rows.output_size, columns.output_size, channels
    out = np.empty(shape, reduction.dtype)
    inputs, columns = crop(columns, slice(0, columns.output_size))
    if reduction.divisors is not None:
        by_row, by_column = (divisor.astype(out.dtype) for divisor in reduction.divisors)
        by_column = np.repeat(by_column, channels)

    def work(which: slice, rows: RowBlock, scratch: Scratch) -> None:
        block = planes[which, rows.inputs, inputs]
        block = block.reshape(*block.shape[:2], -1)
        pooled = _reduce_block(block, rows, columns, channels, reduction, scratch)
        target = out[which, rows.outputs]
        _copy_pixels(target, pooled.reshape(*pooled.shape[:2], -1, channels), columns)
        if reduction.divisors is not None:
            target = target.reshape(*target.shape[:2], -1)
            target /= by_row[rows.outputs, None] * by_column

    share_blocks(planes.shape, rows, work, threads)
    return out


def share_blocks(
    shape: tuple[int, ...],
    rows: Axis,
    work: Callable[[slice, RowBlock, Scratch], None],
    threads: int | None = None,
    *,
    weight: float = 1,
    overlaps: bool = False,
) -> None:
    """Run ``work(planes, rows, scratch)`` over planes (A, H, ...), cut into blocks that are alike.

    Whole planes go together where they are small, some output rows of one where it is large.
    ``weight`` is the memory that an input takes, against one that is read and reduced. Where what
    the rows write ``overlaps``, as on the way back, one thread does all rows of a plane.
    """
    threads = available_cores() if threads is None else threads
    cuts, parts = _cut(shape, rows, weight, threads)
    if not overlaps:
        run([(which, part) for part in parts for which in cuts], work, prod(shape), threads)
        return

    def work_on_all(which: slice, scratch: Scratch) -> None:
        for part in parts:
            work(which, part, scratch)

    run([(which,) for which in cuts], work_on_all, prod(shape), threads)


def _cut(
    shape: tuple[int, ...], rows: Axis, weight: float, threads: int
) -> tuple[list[slice], list[RowBlock]]:
    if not prod(shape):
        return [], []
    pieces = ceil(prod(shape) * weight / BLOCK_ELEMENTS)
    if prod(shape) >= SHARED_ELEMENTS:
        pieces = -(-pieces // threads) * threads
    return _cut_into(pieces, shape[0], rows)


@functools.lru_cache(maxsize=16)
def _cut_into(pieces: int, count: int, rows: Axis) -> tuple[list[slice], list[RowBlock]]:
    together = -(-count // pieces)
    height = -(-rows.output_size * count // max(count, pieces))
    return _slices(count, together), _row_blocks(rows, height)


def _slices(count: int, together: int) -> list[slice]:
    return [slice(first, min(first + together, count)) for first in range(0, count, together)]


def run(blocks: list[tuple], work: Callable[..., None], elements: int, threads: int) -> None:
    """Run ``work(*block, scratch)`` for every block; over few elements without other threads."""
    used: list[Scratch] = []

    def make_worker() -> Callable[[tuple], None]:
        scratch = take_scratch()
        used.append(scratch)

        def worker(block: tuple) -> None:
            with np.errstate(all="ignore"):  # infinities and NaN are values like any other
                work(*block, scratch)

        return worker

    share(blocks, make_worker, min(threads, len(blocks)) if elements >= SHARED_ELEMENTS else 1)
    return_scratch(used)


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
    for top in range(0, rows.output_size, height):
        outputs = slice(top, min(top + height, rows.output_size))
        inputs, cropped = crop(rows, outputs)
        blocks.append(RowBlock(outputs, inputs, cropped))
    return blocks


@functools.lru_cache(maxsize=64)
def _row_taps(axis: Axis) -> tuple[tuple[Index, tuple[slice, slice]], ...]:
    every = slice(None)
    taps = []
    for seen, read in map(axis.tap, range(axis.kernel_size)):
        is_all = seen.stop - seen.start == axis.output_size
        taps.append((... if is_all else (every, seen), (every, read)))
    return tuple(taps)


def _reduce_block(
    block: np.ndarray,
    rows: RowBlock,
    columns: Axis,
    channels: int,
    reduction: Reduction,
    scratch: Scratch,
) -> np.ndarray:
    """Reduce a block (A, H, W*B) at every column: (A, oh, (before + W + after) * B), in scratch.

    Element ``q*B + b`` of a row is the window that starts at column ``q`` of the padded block, of
    channel b; those that reach beyond the row mean nothing.
    """
    before, after = columns.before * channels, columns.after * channels
    shape = block.shape[0], rows.height, before + block.shape[2] + after
    down = scratch.array("down", shape, reduction.dtype)
    inside = down
    if before or after:
        inside = down[:, :, before : before + block.shape[2]]
        down[:, :, :before] = reduction.identity
        down[:, :, shape[2] - after :] = reduction.identity
    reduction.fold(0, [(seen, block[read]) for seen, read in rows.taps], inside, scratch)
    if columns.kernel_size == 1:
        return down
    across = scratch.array("across", shape, reduction.dtype)
    step = columns.dilation * channels
    length = down.size - (columns.kernel_size - 1) * step
    line = down.reshape(-1)  # all rows as one vector
    taps = [(..., line[k * step : k * step + length]) for k in range(columns.kernel_size)]
    reduction.fold(1, taps, across.reshape(-1)[:length], scratch)
    return across


def _copy_pixels(target: np.ndarray, dense: np.ndarray, columns: Axis) -> None:
    """Keep every stride-th column of (A, oh, W, B)."""
    kept = slice(0, (target.shape[2] - 1) * columns.stride + 1, columns.stride)
    channels = target.shape[3]
    if channels > 8:
        np.copyto(target, dense[:, :, kept])
        return
    for channel in range(channels):  # NumPy's innermost loop would be as short as a pixel
        np.copyto(target[..., channel], dense[:, :, kept, channel])


Vectors = tuple[np.ndarray, np.ndarray]
"""One vector for the rows and one for the columns."""

MOST_DECAY = 40.0
"""No weight is less than exp(-40) of the largest: below it none is seen, nor ever becomes 0."""


def extreme(combine: np.ufunc, dtype: np.dtype) -> Reduction:
    """The largest (``np.maximum``) or the smallest (``np.minimum``), in the inputs' own dtype."""
    lowest, highest = limits(dtype)
    identity = lowest if combine is np.maximum else highest

    def fold(_: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        _fold_with(combine, identity, taps, out)

    return Reduction(dtype, identity, fold)


def weighted_mean(dtype: np.dtype, weights: Vectors, divisors: Vectors) -> Reduction:
    """The sum weighted by the outer product of two vectors of taps, over what it is divided by."""
    are_ones = [bool((taps == 1).all()) for taps in weights]

    def fold(axis: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        if are_ones[axis]:
            _fold_with(np.add, 0, taps, out)
            return
        product = scratch.array("product", out.shape, out.dtype)
        out[...] = 0
        for (seen, values), weight in zip(taps, weights[axis], strict=True):
            np.multiply(values, out.dtype.type(weight), out=product[seen], dtype=out.dtype)
            out[seen] += product[seen]

    return Reduction(dtype, 0, fold, divisors)


def norm(rows: Axis, columns: Axis, dtype: np.dtype, p: float, is_mean: bool = False) -> Reduction:
    """``(sum |x|^p)^(1/p)``, or with the mean instead of the sum; for p = inf the largest ``|x|``.

    The norm of a window is the norm of its columns' norms. Each is scaled by its largest element,
    so that no power overflows, and none that the sum would show underflows.
    """
    tiniest, largest = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max

    def fold(axis: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        if p == 1 and axis == 1:
            _fold_with(np.add, 0, taps, out)
            return
        buffer = scratch.array("magnitudes", out.shape, dtype)
        scale = out if p == np.inf else scratch.array("scale", out.shape, dtype)
        scale[...] = 0 if p == np.inf else tiniest
        for seen, values in taps:
            magnitudes = np.abs(values, out=buffer[seen], dtype=dtype)
            np.maximum(scale[seen], magnitudes, out=scale[seen])
        if p == np.inf:
            return
        np.minimum(scale, largest, out=scale)  # so that infinity is infinity, not NaN
        out[...] = 0
        for seen, values in taps:
            magnitudes = np.abs(values, out=buffer[seen], dtype=dtype)
            magnitudes /= scale[seen]
            out[seen] += power(magnitudes, p)
        power(out, 1 / p)
        out *= scale

    divisors = None
    if is_mean and p != np.inf:
        divisors = tuple(count ** (1 / p) for count in counts(rows, columns))
    return Reduction(dtype, 0, fold, divisors)


def gaussian_weights(rows: Axis, columns: Axis, sigma: float | None = None) -> Vectors:
    """``exp(-d^2 / (2 sigma^2))`` by a tap's distance d from the window's centre, along each axis.

    Sigma is by default a quarter of the window's longer side. The weights are relative to the
    largest: what a weighted mean makes of them depends on no common factor. Raises ValueError where
    sigma is not above 0.
    """
    sigma = checked_sigma(sigma, max(rows.extent, columns.extent) / 4)
    return tuple(decay(axis.kernel_size, sigma, axis.dilation) for axis in (rows, columns))


def decay(count: int, sigma: float, step: int = 1) -> np.ndarray:
    """``exp(-d^2 / (2 sigma^2))`` of ``count`` taps, by the distance d from their middle.

    Relative to the largest, which is 1.
    """
    distance = (np.arange(count) - (count - 1) / 2) * step
    with np.errstate(over="ignore"):  # the rest of a tiny sigma's window counts for nothing
        squared = (distance**2 - np.min(distance**2)) / sigma / sigma / 2
    return np.exp(-np.minimum(squared, MOST_DECAY))


def checked_sigma(sigma: float | None, default: float) -> float:
    """Raise ValueError where sigma makes no bell."""
    sigma = default if sigma is None else sigma
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: it must be above 0")
    return sigma


def checked_p(p: float) -> float:
    """Raise ValueError where p makes no norm."""
    if not p >= 1:
        raise ValueError(f"p is {p}: it must be at least 1, or inf")
    return float(p)


def ones(rows: Axis, columns: Axis) -> Vectors:
    """The weights of taps that count alike."""
    return np.ones(rows.kernel_size), np.ones(columns.kernel_size)


@functools.lru_cache(maxsize=256)
def counts(rows: Axis, columns: Axis, count_include_pad: bool = False) -> Vectors:
    """How many taps of each window count; what lies beyond the padding never does."""
    if count_include_pad:
        rows, columns = (
            Axis(a.size + a.before + a.after, a.kernel_size, a.stride, a.dilation, 0, 0, a.overhang)
            for a in (rows, columns)
        )
    return rows.taps_inside(), columns.taps_inside()


def weight_sums(rows: Axis, columns: Axis, weights: Vectors) -> Vectors:
    """For every output the sum of the weights that lie inside."""
    sums = []
    for axis, taps in zip((rows, columns), weights, strict=True):
        inside = np.zeros(axis.output_size)
        for index, weight in enumerate(taps):
            inside[axis.tap(index)[0]] += weight
        sums.append(inside)
    return tuple(sums)


def power(values: np.ndarray, exponent: float) -> np.ndarray:
    """``values ** exponent`` in place; by multiplication where that is few, ten times faster."""
    if exponent == 1:
        return values
    if exponent == 2:
        return np.multiply(values, values, out=values)
    if exponent == 3:
        return np.multiply(values, values * values, out=values)
    if exponent == 0.5:
        return np.sqrt(values, out=values)
    return np.power(values, values.dtype.type(exponent), out=values)


def limits(dtype: np.dtype) -> tuple[float, float]:
    """The lowest and the highest value of a dtype, infinities included."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    if dtype.kind == "b":
        return False, True
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _fold_with(combine: np.ufunc, identity: float, taps: list[Tap], out: np.ndarray) -> None:
    """Fold by a ufunc that does not care about order; the first two taps need no copy."""
    if len(taps) > 1 and taps[0][0] is ... and taps[1][0] is ...:
        combine(taps[0][1], taps[1][1], out=out, dtype=out.dtype)
        taps = taps[2:]
    else:
        out[...] = identity
    for seen, values in taps:
        part = out[seen]
        combine(part, values, out=part, dtype=out.dtype)
