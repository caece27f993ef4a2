"""All the numbers of one pooled pixel: its window, who wins or weighs what, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cnntool.engine.bin_pooling import (
    adaptive_pool2d,
    adaptive_pool2d_backward,
    bin_sigma,
    plan_bins,
)
from cnntool.engine.max_pooling import max_pool2d, max_pool2d_backward
from cnntool.engine.pooling import (
    average_pool2d,
    average_pool2d_backward,
    gaussian_pool2d,
    gaussian_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
)
from cnntool.engine.windows import Axis
from cnntool.explain.windows import place_of
from cnntool.files.image import Image
from cnntool.imaging.pooling import (
    Pooling,
    filled_up,
    pool_axes,
    pool_frame,
    pool_picture,
    pooled_sides,
    window_positions,
)

WIDEST = 256
"""Taps on a side up to which a window is kept with what it has outside the picture."""


@dataclass(frozen=True, eq=False)
class PoolFacts:
    """How one output pixel of a pool came about: a window of kh x kw over C channels.

    What lies outside the picture does not count, and is NaN in ``pixels``. ``gradient`` is dy/dx,
    what goes back to each element for a gradient of 1; for average and gaussian it is the weights
    as well. It is None where pixels under the window are transparent, which the engine's pools do
    not know.
    """

    x: int
    y: int
    output_size: tuple[int, int]  # height, width
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    pixels: np.ndarray  # (kh, kw, C)
    is_filled: np.ndarray  # (kh, kw) black that fills up the last window, by edge 'pad'
    alphas: np.ndarray | None  # (kh, kw) from 0 to 1, where some are below
    gradient: np.ndarray | None  # (kh, kw, C)
    values: np.ndarray  # (C,) in the picture's own units, unrounded
    result: np.ndarray  # (C,) as it is written
    alpha: float | None  # of the result, from 0 to 1

    @property
    def counts(self) -> np.ndarray:
        """(kh, kw): whether an element counts, as it is not outside the picture."""
        return ~np.isnan(self.pixels[..., 0])


def pool_facts(
    image: Image,
    pooling: Pooling,
    dtype: np.dtype,
    white: float,
    at: tuple[int, int] | None = None,
) -> PoolFacts:
    """Explain pixel ``at`` (x, y; None is the middle) of what pool_picture makes of an image.

    Of an animation, the first frame. Values come from pooling the whole picture, the gradient from
    the engine's way back of this one window. Raises InputError where no window fits, or ``at`` is
    outside the result.
    """
    frame = image.frames[0]
    rows_in, columns_in, _ = frame.pixels.shape
    height, width = pooled_sides(rows_in, columns_in, pooling)
    x, y = place_of(at, height, width)
    values, alpha = pool_frame(frame, image.white, pooling, keep_halves=True)
    pooled, _ = pool_picture(replace(image, frames=(frame,)), pooling, dtype, white)
    filled, laid = filled_up(frame, image.white, pooling)
    size = filled.pixels.shape[:2]
    taps = (windows[i] for windows, i in zip(window_positions(size, laid), (y, x), strict=True))
    rows, columns = map(_trimmed, taps, size)
    alphas = None
    if filled.alpha is not None:
        alphas = np.clip(_read(filled.alpha[..., None], rows, columns)[..., 0] / image.white, 0, 1)
        alphas = None if np.nanmin(alphas) >= 1 else alphas
    sides = zip((rows, columns), frame.pixels.shape[:2], strict=True)
    is_filled = np.logical_or.outer(*(np.array(taps) >= size for taps, size in sides))
    pixels = _read(filled.pixels, rows, columns)
    return PoolFacts(
        x=x,
        y=y,
        output_size=(height, width),
        rows=tuple(rows),
        columns=tuple(columns),
        pixels=pixels,
        is_filled=is_filled & ~np.isnan(pixels[..., 0]),
        alphas=alphas,
        gradient=None
        if alphas is not None
        else _gradient(filled.pixels, laid, rows, columns, (y, x)),
        values=values[y, x],
        result=pooled.frames[0].pixels[y, x],
        alpha=None if alpha is None else float(alpha[y, x]),
    )


def _trimmed(taps: range, size: int) -> range:
    """The positions of a window on an axis of this size; of a very large one only those inside."""
    if len(taps) <= WIDEST:
        return taps
    inside = [tap for tap in taps if 0 <= tap < size]
    return range(inside[0], inside[-1] + 1, taps.step)


def _read(pixels: np.ndarray, rows: range, columns: range) -> np.ndarray:
    """The pixels (H, W, C) at some positions, (rows, columns, C) float64, NaN outside."""
    places = np.array(rows)[:, None], np.array(columns)
    inside = [(p >= 0) & (p < n) for p, n in zip(places, pixels.shape[:2], strict=True)]
    clipped = (np.clip(p, 0, n - 1) for p, n in zip(places, pixels.shape[:2], strict=True))
    values = pixels[tuple(clipped)].astype(np.float64)
    values[~(inside[0] & inside[1])] = np.nan
    return values


def _gradient(
    pixels: np.ndarray, pooling: Pooling, rows: range, columns: range, output: tuple[int, int]
) -> np.ndarray:
    """dy/dx of one window (kh, kw, C): forward and backward over the part of the picture it is in.

    NaN outside the picture.
    """
    if pooling.mode == "median":
        return _median_gradient(_read(pixels, rows, columns))
    is_huge = max(pooling.kernel_size) > WIDEST and pooling.mode != "gaussian"
    if pooling.output_size or is_huge:
        window = _read(pixels, rows, columns)
        if pooling.output_size and pooling.mode == "gaussian":
            (height, width), (rows_out, columns_out) = pixels.shape[:2], pooling.output_size
            bins = plan_bins(height, rows_out), plan_bins(width, columns_out)
            sigma = bin_sigma(*bins, pooling.sigma)  # that of all bins
            pooling = replace(pooling, sigma=sigma)
        return _gradient_alone(window, pooling)
    axes = pool_axes(pixels.shape[0], pixels.shape[1], pooling)
    cuts = [_cut(axis, i) for axis, i in zip(axes, output, strict=True)]
    part = pixels[tuple(cut.inputs for cut in cuts)].astype(np.float64)
    part = np.ascontiguousarray(part.transpose(2, 0, 1))[None]
    y, back = _pool_part(part, pooling, tuple(cut.padding for cut in cuts))
    dy = np.zeros_like(y)
    dy[:, :, cuts[0].output, cuts[1].output] = 1
    gradient = back(dy)[0].transpose(1, 2, 0)
    down, across = (
        range(taps.start - cut.inputs.start, taps.stop - cut.inputs.start, taps.step)
        for taps, cut in zip((rows, columns), cuts, strict=True)
    )
    return _read(gradient, down, across)


def _gradient_alone(window: np.ndarray, pooling: Pooling) -> np.ndarray:
    """As _gradient, of a window (kh, kw, C) that is taken out of its picture.

    So what of it lies outside costs nothing. Of gaussian only for bins, which lie inside; others
    are pooled along rows and then down, as a window may be a whole picture.
    """
    inside = ~np.isnan(window[..., 0])
    there = np.ix_(inside.any(axis=1), inside.any(axis=0))
    x = np.ascontiguousarray(window[there].transpose(2, 0, 1))[None]
    if pooling.mode == "gaussian":
        y, cache = adaptive_pool2d(x, 1, "gaussian", sigma=pooling.sigma)
        dx = adaptive_pool2d_backward(np.ones_like(y), cache)
    else:
        whole = replace(pooling, stride=None, dilation=(1, 1), output_size=None)
        y, back_across = _pool_part(x, replace(whole, kernel_size=(1, x.shape[3])), 0)
        y, back_down = _pool_part(y, replace(whole, kernel_size=(x.shape[2], 1)), 0)
        dx = back_across(back_down(np.ones_like(y)))
    gradient = np.full(window.shape, np.nan)
    gradient[there] = dx[0].transpose(1, 2, 0)
    return gradient


@dataclass(frozen=True)
class _Cut:
    """The inputs that hold the window of an output, with the padding it reads: its own plan."""

    inputs: slice
    padding: tuple[int, int]
    output: int


def _cut(axis: Axis, output: int) -> _Cut:
    window = axis.input_positions(output, 1)
    start, before, output = (0, axis.before, output) if window.start < 0 else (window.start, 0, 0)
    stop, after = (axis.size, axis.after) if window.stop > axis.size else (window.stop, 0)
    return _Cut(slice(start, stop), (before, after), output)


def _pool_part(x: np.ndarray, pooling: Pooling, padding):
    """The pool of x (1, C, h, w), and the function that takes its gradient back."""
    sizes = pooling.stride, padding, pooling.dilation, pooling.edge == "partial"
    mode, kernel_size, mean = pooling.mode, pooling.kernel_size, not pooling.is_sum
    sign = -1 if mode == "min" else 1
    ways: dict[str, tuple[Callable, Callable]] = {
        "max": (lambda: max_pool2d(x, kernel_size, *sizes), max_pool2d_backward),
        "min": (lambda: max_pool2d(-x, kernel_size, *sizes), max_pool2d_backward),
        "average": (lambda: average_pool2d(x, kernel_size, *sizes), average_pool2d_backward),
        "gaussian": (
            lambda: gaussian_pool2d(x, kernel_size, pooling.sigma, *sizes),
            gaussian_pool2d_backward,
        ),
        "lp": (
            lambda: lp_pool2d(x, kernel_size, pooling.p, *sizes, mean=mean),
            lp_pool2d_backward,
        ),
    }
    forward, backward = ways[mode]
    y, cache = forward()
    return sign * y, lambda dy: backward(dy, cache)


def _median_gradient(window: np.ndarray) -> np.ndarray:
    """dy/dx of the median (kh, kw, C): 1 at the middle element, 1/2 at each of the middle two.

    The engine's median is an operation on images and has no way back. Of equal elements the first.
    """
    flat = window.reshape(-1, window.shape[2])
    count = int((~np.isnan(flat[:, 0])).sum())
    order = np.argsort(flat, axis=0, kind="stable")  # NaN last
    gradient = np.where(np.isnan(flat), np.nan, 0.0)
    for rank in {(count - 1) // 2, count // 2}:
        share = 1.0 if count % 2 else 0.5
        np.put_along_axis(gradient, order[rank : rank + 1], share, axis=0)
    return gradient.reshape(window.shape)
