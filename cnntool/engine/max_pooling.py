"""Max pooling, and back: every gradient goes to the one element that won its window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, as_numbers, float_dtype
from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.layout import as_maps, as_planes, in_layout_of, is_batch_last
from cnntool.engine.fast.polyphase import largest_with_places
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.threads import available_cores
from cnntool.engine.pool_reductions import extreme, pool_planes
from cnntool.engine.pool_windows import Size, blocks_of, plan_maps, run
from cnntool.engine.windows import Axis, AxisPaddings


@dataclass(frozen=True, eq=False)
class MaxPoolCache:
    """Where each window's winner lies in the memory of x. x and y are not needed."""

    shape: tuple[int, ...]  # of x
    dtype: np.dtype
    is_batch_last: bool
    are_apart: bool  # whether no two windows see the same element
    places: np.ndarray | None  # (N, C, oh, ow) in the layout of x

    def indices(self) -> np.ndarray:
        """Where in its plane each window's winner lies, ``row*W + column``."""
        count, _, height, width = self.shape
        interleaved = count if self.is_batch_last else 1
        return _kept(self.places).astype(np.int64) // interleaved % (height * width)


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
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    planes, places = as_planes(x), None
    if keep_winners:
        winners = _winners if is_textbook() else largest_with_places
        y, places = winners(planes, rows, columns)
        places = as_maps(places, *x.shape[:2])
    else:
        y = pool_planes(planes, rows, columns, extreme(np.maximum, x.dtype))
    are_apart = rows.stride >= rows.extent and columns.stride >= columns.extent
    cache = MaxPoolCache(x.shape, float_dtype(x), is_batch_last(x), are_apart, places)
    return as_maps(y, *x.shape[:2]), cache


def _winners(planes: np.ndarray, rows: Axis, columns: Axis) -> tuple[np.ndarray, np.ndarray]:
    """The largest of every window of planes (A, H, W, B), and its place in their memory.

    Tap after tap, in reading order, for all windows at once: one that is larger takes over.
    """
    shape = len(planes), rows.output_size, columns.output_size, planes.shape[3]
    y, places = np.empty(shape, planes.dtype), np.full(shape, -1)
    every_place = np.arange(planes.size).reshape(planes.shape)
    for row_outputs, row_inputs in rows.taps:
        for column_outputs, column_inputs in columns.taps:
            seen = slice(None), row_outputs, column_outputs
            read = slice(None), row_inputs, column_inputs
            wins = (planes[read] > y[seen]) | (planes[read] != planes[read]) | (places[seen] < 0)
            y[seen] = np.where(wins, planes[read], y[seen])
            places[seen] = np.where(wins, every_place[read], places[seen])
    return y, places


def max_pool2d_backward(dy: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """The gradient by x: ``dx[winner of window] += dy[window]``.

    Of equal elements the first won, in reading order; of several NaN the last (both as PyTorch).
    """
    maps = _kept(cache.places)
    dy = in_layout_of(maps, as_gradient(dy, maps.shape, cache.dtype))
    count, channels, *size = cache.shape
    shape = (channels, *size, count) if cache.is_batch_last else (count * channels, *size, 1)
    dx = np.zeros(shape, cache.dtype)
    line, bits = dx.reshape(-1), np.dtype(f"u{dx.itemsize}")
    by_plane = len(dx), maps.size // max(1, len(dx))
    places, dy = as_planes(maps).reshape(by_plane), as_planes(dy).reshape(by_plane)

    def work(which: slice, scratch: Scratch) -> None:
        winners, gradients = places[which].reshape(-1), dy[which].reshape(-1)
        if cache.are_apart:
            line.view(bits)[winners] = gradients.view(bits)  # moved faster than as numbers
        else:
            np.add.at(line, winners, gradients)  # as fast since NumPy 1.25, over one axis

    run([(which,) for which in blocks_of(dx.shape)], work, dx.size, available_cores())
    return as_maps(dx, count, channels)


def max_pool2d_indices(cache: MaxPoolCache) -> np.ndarray:
    """Where in its plane each window's winner lies, ``row*W + column``: (N, C, oh, ow) int64.

    Of an adaptive pool by the maximum too.
    """
    return cache.indices()


def _kept(places: np.ndarray | None) -> np.ndarray:
    if places is None:
        raise ValueError("the pool ran with keep_winners=False: run it with True to go back")
    return places
