"""What a sliding pool makes of its windows: the largest, a weighted mean, or a norm.

The largest of a window is the largest of its columns' largest; sums, weighted sums and norms fold
the same way. So a window of kh x kw costs kh + kw steps: down the rows, then across. Both work on
whole contiguous rows, with the channels of an image left interleaved: the fold across runs at every
position, one long vector operation a tap, and only then is every ``stride``-th position kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.layout import as_maps, as_planes
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.pool_windows import RowBlock, crop, limits, share_blocks
from cnntool.engine.windows import Axis

Tap = tuple[tuple[slice, ...] | EllipsisType, np.ndarray]
"""The outputs that see a tap inside, and what they see there."""

Vectors = tuple[np.ndarray, ...]
"""One vector for the rows and one for the columns."""


@dataclass(frozen=True)
class Reduction:
    """What a pool makes of a window, one axis after the other.

    ``fold(axis, taps, out, scratch)`` makes ``out`` of all the taps along an axis: 0 is down the
    rows, 1 across. A tap in the padding counts as ``identity``. ``divisors``, a vector for the
    output rows and one for the columns, are what the folded windows are divided by.
    """

    dtype: np.dtype
    identity: float
    fold: Callable[[int, Sequence[Tap], np.ndarray, Scratch], None]
    divisors: Vectors | None = None


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
    if is_textbook():
        return _down_then_across(planes, rows, columns, reduction)
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


def _down_then_across(
    planes: np.ndarray, rows: Axis, columns: Axis, reduction: Reduction
) -> np.ndarray:
    """:func:`pool_planes` without blocks: a tap is what all windows see there, in and out."""
    every, scratch = slice(None), Scratch()
    count, _, width, channels = planes.shape
    down = np.empty((count, rows.output_size, width, channels), reduction.dtype)
    y = np.empty((count, rows.output_size, columns.output_size, channels), reduction.dtype)
    with np.errstate(all="ignore"):
        taps: list[Tap] = [((every, seen), planes[:, read]) for seen, read in rows.taps]
        reduction.fold(0, taps, down, scratch)
        taps = [((every, every, seen), down[:, :, read]) for seen, read in columns.taps]
        reduction.fold(1, taps, y, scratch)
        if reduction.divisors is not None:
            y /= np.multiply.outer(*reduction.divisors)[..., None].astype(y.dtype)
    return y


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
    every = slice(None)
    down_taps = [((every, seen), block[:, read]) for seen, read in rows.axis.taps]
    reduction.fold(0, down_taps, inside, scratch)
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


MOST_DECAY = 40.0
"""No weight is less than exp(-40) of the largest: below it none is seen, nor ever becomes 0."""


def extreme(combine: np.ufunc, dtype: np.dtype) -> Reduction:
    """The largest (``np.maximum``) or the smallest (``np.minimum``), in the inputs' own dtype."""
    lowest, highest = limits(dtype)
    identity = lowest if combine is np.maximum else highest

    def fold(_: int, taps: Sequence[Tap], out: np.ndarray, scratch: Scratch) -> None:
        _fold_with(combine, identity, taps, out)

    return Reduction(dtype, identity, fold)


def weighted_mean(dtype: np.dtype, weights: Vectors, divisors: Vectors) -> Reduction:
    """The sum weighted by the outer product of two vectors of taps, over what it is divided by."""
    are_ones = [bool((taps == 1).all()) for taps in weights]

    def fold(axis: int, taps: Sequence[Tap], out: np.ndarray, scratch: Scratch) -> None:
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

    def fold(axis: int, taps: Sequence[Tap], out: np.ndarray, scratch: Scratch) -> None:
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
        for (seen, _), weight in zip(axis.taps, taps, strict=True):
            inside[seen] += weight
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


def _fold_with(combine: np.ufunc, identity: float, taps: Sequence[Tap], out: np.ndarray) -> None:
    """Fold by a ufunc that does not care about order; the first two taps need no copy."""
    if len(taps) > 1 and taps[0][1].shape == taps[1][1].shape == out.shape:
        combine(taps[0][1], taps[1][1], out=out, dtype=out.dtype)
        taps = taps[2:]
    else:
        out[...] = identity
    for seen, values in taps:
        part = out[seen]
        combine(part, values, out=part, dtype=out.dtype)
