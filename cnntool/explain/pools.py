"""All the numbers of one pooled pixel: its window, who wins or weighs what, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cnntool.engine import bin_pooling
from cnntool.engine.pool_reductions import checked_sigma, decay
from cnntool.engine.pooling import lp_pool2d, lp_pool2d_backward
from cnntool.explain.windows import place_of
from cnntool.files.image import Image
from cnntool.imaging.pooling import (
    Pooling,
    filled_up,
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
    the engine's way back of this one window. Raises InputError where no window fits,
    RequestError where ``at`` is outside the result.
    """
    frame = image.frames[0]
    rows_in, columns_in, _ = frame.pixels.shape
    height, width = pooled_sides(rows_in, columns_in, pooling)
    x, y = place_of(at, height, width)
    values, alpha = pool_frame(frame, image.white, pooling, keep_halves=True)
    pooled, _ = pool_picture(replace(image, frames=(frame,)), pooling, dtype, white)
    filled, laid = filled_up(frame, image.white, pooling)
    size = filled.pixels.shape[:2]
    windows = [axis[i] for axis, i in zip(window_positions(size, laid), (y, x), strict=True)]
    rows, columns = map(_trimmed, windows, size)
    alphas = None
    if filled.alpha is not None:
        alphas = np.clip(_read(filled.alpha[..., None], rows, columns)[..., 0] / image.white, 0, 1)
        alphas = None if np.nanmin(alphas) >= 1 else alphas
    sides = zip((rows, columns), frame.pixels.shape[:2], strict=True)
    is_filled = np.logical_or.outer(*(np.array(taps) >= size for taps, size in sides))
    pixels = _read(filled.pixels, rows, columns)
    weigh = partial(_weights, size, laid, windows, (rows, columns))
    return PoolFacts(
        x=x,
        y=y,
        output_size=(height, width),
        rows=tuple(rows),
        columns=tuple(columns),
        pixels=pixels,
        is_filled=is_filled & ~np.isnan(pixels[..., 0]),
        alphas=alphas,
        gradient=_gradient(pixels, laid, weigh) if alphas is None else None,
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


def _gradient(window: np.ndarray, pooling: Pooling, weigh: Callable[[], np.ndarray]) -> np.ndarray:
    """dy/dx of one window (kh, kw, C), NaN outside the picture: the engine's way back over what is
    inside; for gaussian the weights (kh, kw) that ``weigh`` gives."""
    if pooling.mode == "median":
        return _median_gradient(window)
    inside = ~np.isnan(window[..., 0])
    gradient = np.full(window.shape, np.nan)
    if pooling.mode == "gaussian":
        weights = weigh()
        gradient[inside] = (weights[inside] / weights[inside].sum())[:, None]
        return gradient
    there = np.ix_(inside.any(axis=1), inside.any(axis=0))
    x = np.ascontiguousarray(window[there].transpose(2, 0, 1))[None]
    if pooling.mode == "lp":  # along rows and then down: a window may be a whole picture
        p, mean = pooling.p, not pooling.is_sum
        y, across = lp_pool2d(x, (1, x.shape[3]), p, mean=mean)
        y, down = lp_pool2d(y, (x.shape[2], 1), p, mean=mean)
        dx = lp_pool2d_backward(lp_pool2d_backward(np.ones_like(y), down), across)
    else:
        mode = "average" if pooling.mode == "average" else "max"
        y, cache = bin_pooling.adaptive_pool2d(-x if pooling.mode == "min" else x, 1, mode)
        dx = bin_pooling.adaptive_pool2d_backward(np.ones_like(y), cache)
    gradient[there] = dx[0].transpose(1, 2, 0)
    return gradient


def _weights(
    sides: tuple[int, int], pooling: Pooling, windows: Sequence[range], parts: Sequence[range]
) -> np.ndarray:
    """What a Gaussian over a window, its rows and columns, weighs each pixel of a part of it."""
    if pooling.output_size:
        rows, columns = map(bin_pooling.plan_bins, sides, pooling.output_size)
        sigma = bin_pooling.bin_sigma(rows, columns, pooling.sigma)
    else:
        sigma = checked_sigma(pooling.sigma, max(taps[-1] - taps[0] + 1 for taps in windows) / 4)
    weights = []
    for taps, part in zip(windows, parts, strict=True):
        start = taps.index(part[0])
        weights.append(decay(len(taps), sigma, taps.step)[start : start + len(part)])
    return np.multiply.outer(*weights)


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
