"""Max pooling, and back: every gradient goes to the one element that won its window."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from math import prod

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype
from cnntool.engine.polyphase import AxisPhases, phases_of, split
from cnntool.engine.pool_reductions import extreme, limits
from cnntool.engine.pool_windows import (
    RowBlock,
    Size,
    as_planes,
    plan_maps,
    pool_planes,
    run,
    share_blocks,
)
from cnntool.engine.scratch import Scratch
from cnntool.engine.threads import available_cores
from cnntool.engine.windows import Axis, AxisPaddings

BACKWARD_ELEMENTS = 1 << 15
"""Gradients that one thread takes back at a time."""


@dataclass(frozen=True, eq=False)
class MaxPoolCache:
    """Where each window's winner lies in the flattened x: ``y = x.reshape(-1)[winners]``.

    8 bytes an output, as PyTorch keeps; x and y are not needed.
    """

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    winners: np.ndarray | None  # (N, C, oh, ow) intp
    are_distinct: bool  # no two windows share an element


def max_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    keep_winners: bool = True,
) -> tuple[np.ndarray, MaxPoolCache]:
    """The largest element of every window of x (N, C, H, W): (N, C, oh, ow) in x's own dtype.

    ``y[n, c, i, j] = max over k, l of x[n, c, i*s - p + k*d, j*s - p + l*d]``

    ``kernel_size``, ``stride`` (by default the kernel size) and ``dilation`` are a number or
    (vertical, horizontal), ``padding`` too, or ((top, bottom), (left, right)). What is padded
    counts as minus infinity: it never wins. With ``ceil_mode`` a last window may reach beyond the
    padding. A window with a NaN is NaN. Integers are pooled as they are.

    :func:`max_pool2d_indices` gives the positions of the winners, as PyTorch's ``return_indices``.
    Where neither those nor the gradient are wanted, ``keep_winners=False`` is twice as fast.
    Raises ValueError where no window fits, or the padding is more than half a window.
    """
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    planes, winners = as_planes(x), None
    if keep_winners:
        y, winners = _pool_with_winners(planes[..., 0], rows, columns)
    else:
        y = pool_planes(planes, rows, columns, extreme(np.maximum, x.dtype))
    shape = *x.shape[:2], rows.output_size, columns.output_size
    are_distinct = rows.stride >= rows.extent and columns.stride >= columns.extent
    winners = winners if winners is None else winners.reshape(shape)
    return y.reshape(shape), MaxPoolCache(x.shape, float_dtype(x), winners, are_distinct)


def max_pool2d_backward(dy: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """The gradient by x: ``dx[winner of window] += dy[window]``.

    Of equal elements the first won, in reading order; of several NaN the last (both as PyTorch).
    """
    planes, winners = cache.shape[0] * cache.shape[1], _kept_winners(cache)
    each = planes, prod(winners.shape[2:])
    dy = as_gradient(dy, winners.shape, cache.dtype).reshape(each)
    winners = winners.reshape(each)
    dx = np.empty((planes, prod(cache.shape[2:])), cache.dtype)
    together = max(1, BACKWARD_ELEMENTS // max(1, winners.shape[1]))
    flat = dx.reshape(-1)

    def work(which: slice, scratch: Scratch) -> None:
        dx[which] = 0
        positions, gradients = winners[which].reshape(-1), dy[which].reshape(-1)
        for start in range(0, len(gradients), BACKWARD_ELEMENTS):
            part = slice(start, start + BACKWARD_ELEMENTS)
            if cache.are_distinct:
                flat[positions[part]] = gradients[part]
            else:
                first = positions[part].min()
                sums = np.bincount(positions[part] - first, gradients[part]).astype(dx.dtype)
                flat[first : first + len(sums)] += sums

    blocks = [(slice(a, min(a + together, planes)),) for a in range(0, planes, together)]
    run(blocks, work, dx.size, available_cores())
    return dx.reshape(cache.shape)


def max_pool2d_indices(cache: MaxPoolCache) -> np.ndarray:
    """Where in its plane each window's winner lies, ``row*W + column``: (N, C, oh, ow) int64."""
    return _kept_winners(cache).astype(np.int64) % (cache.shape[2] * cache.shape[3])


def _kept_winners(cache: MaxPoolCache) -> np.ndarray:
    if cache.winners is None:
        raise ValueError("the pool ran with keep_winners=False: run it with True to go back")
    return cache.winners


def _pool_with_winners(
    planes: np.ndarray, rows: Axis, columns: Axis
) -> tuple[np.ndarray, np.ndarray]:
    """The largest of every window of planes (A, H, W), and where in the flattened planes it is."""
    y = np.empty((len(planes), rows.output_size, columns.output_size), planes.dtype)
    winners = np.empty(y.shape, np.intp)
    code = np.min_scalar_type(rows.kernel_size * columns.kernel_size - 1)
    lowest = limits(planes.dtype)[0]
    plane = rows.size * columns.size
    down, across = np.arange(rows.kernel_size), np.arange(columns.kernel_size)
    steps = np.add.outer(down * rows.dilation * columns.size, across * columns.dilation).reshape(-1)
    across = phases_of(columns)

    def work(which: slice, part: RowBlock, scratch: Scratch) -> None:
        largest, won = y[which, part.outputs], winners[which, part.outputs]
        codes = scratch.array("codes", won.shape, code)
        phases = split(planes[which, part.inputs], part.phases, across, lowest, scratch)
        _largest(phases, part.phases, across, largest, codes, scratch)
        if rows.before or columns.before:
            _let_no_padding_win(largest, codes, part.axis, columns)
        if largest.dtype.kind == "f" and np.isnan(largest.max()):
            _let_the_last_nan_win(phases, part.phases, across, codes)
        first = which.start * plane + part.outputs.start * rows.stride * columns.size
        np.take(steps + first, codes, out=won, mode="wrap")  # of the modes the fastest
        won += _starts(*won.shape, rows, columns)

    share_blocks(planes.shape, rows, work, weight=1 / 2)
    return y, winners


@functools.lru_cache(maxsize=8)
def _starts(count: int, height: int, width: int, rows: Axis, columns: Axis) -> np.ndarray:
    """Where the windows (count, height, width) of some planes start in them, the first ones."""
    planes = np.arange(count) * rows.size * columns.size
    down = (np.arange(height) * rows.stride - rows.before) * columns.size
    across = np.arange(width) * columns.stride - columns.before
    return np.add.outer(planes, np.add.outer(down, across))


def _largest(
    phases: np.ndarray,
    down: AxisPhases,
    across: AxisPhases,
    largest: np.ndarray,
    codes: np.ndarray,
    scratch: Scratch,
) -> None:
    """The largest of every window and its tap, ``k*kw + l``.

    First across, then down: in reading order the first of equal elements is the first within the
    first of the rows that hold one. A later tap wins where it is larger, and its code is larger
    than all before, so codes fold by maximum as the values do.
    """
    rows, planes, _, width = phases.shape[1:]
    lines = phases.reshape(len(phases), -1)  # all row phases in one
    margin = max(offset for _, offset in across.places)
    length = lines.shape[1] - margin
    taps = [lines[b, offset : offset + length] for b, offset in across.places]
    values, won = _fold("across", taps, None, 1, codes.dtype, scratch)

    size = lines.shape[1] // rows
    length = size - margin - max(offset for _, offset in down.places) * width
    starts = [a * size + offset * width for a, offset in down.places]
    taps = [values[start : start + length] for start in starts]
    tap_codes = [won[start : start + length] for start in starts]
    values, won = _fold("down", taps, tap_codes, len(across.places), codes.dtype, scratch)
    for source, target in ((values, largest), (won, codes)):
        steps = size // planes, width, 1
        steps = tuple(step * source.itemsize for step in steps)
        np.copyto(target, np.ndarray(target.shape, source.dtype, source, 0, steps))


def _fold(
    name: str,
    taps: list[np.ndarray],
    codes: list[np.ndarray] | None,
    step: int,
    code: np.dtype,
    scratch: Scratch,
) -> tuple[np.ndarray, np.ndarray]:
    """The largest of some taps, and the code of the first that is: its own and ``index*step``."""
    shape = taps[0].shape
    won = scratch.array(f"won {name}", shape, code)
    if codes is None:
        won[...] = 0
    best = scratch.array(f"best {name}", shape, taps[0].dtype)
    larger = scratch.array("larger", shape, np.dtype(bool))
    challenger = scratch.array("challenger", shape, code)
    held, held_code = taps[0], won if codes is None else codes[0]
    for index, tap in enumerate(taps[1:], 1):
        np.greater(tap, held, out=larger)
        held = np.maximum(tap, held, out=best)
        if codes is None:
            np.multiply(larger.view(np.uint8), code.type(index * step), out=challenger)
        else:
            np.add(codes[index], code.type(index * step), out=challenger)
            np.multiply(challenger, larger.view(np.uint8), out=challenger)
        held_code = np.maximum(challenger, held_code, out=won)
    return held, held_code


def _let_no_padding_win(largest: np.ndarray, codes: np.ndarray, rows: Axis, columns: Axis) -> None:
    """Where nothing is larger than the padding, all elements inside are equal: the first wins."""
    is_lowest = largest == limits(largest.dtype)[0]
    if is_lowest.any():
        first = np.add.outer(_first_inside(rows) * columns.kernel_size, _first_inside(columns))
        np.copyto(codes, first.astype(codes.dtype), where=is_lowest)


def _first_inside(axis: Axis) -> np.ndarray:
    """The first tap of every window that is not in the padding before the axis."""
    start = np.arange(axis.output_size) * axis.stride - axis.before
    return np.maximum(0, -(start // axis.dilation))


def _let_the_last_nan_win(
    phases: np.ndarray, down: AxisPhases, across: AxisPhases, codes: np.ndarray
) -> None:
    """Windows with a NaN were won by none, as no comparison with it is true."""
    is_nan = np.isnan(phases)
    _, height, width = codes.shape
    code = 0
    for a, top in down.places:
        for b, left in across.places:
            where = is_nan[b, a, :, top : top + height, left : left + width]
            np.copyto(codes, codes.dtype.type(code), where=where)
            code += 1
