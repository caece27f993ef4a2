"""Pooling of pictures: smaller, each pixel summing up a window, at the picture's own depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.bin_pooling import plan_bins, pool_image_to_size
from cnntool.engine.image_pooling import pool_windows
from cnntool.engine.medians import counted_medians, is_counted, visible_median
from cnntool.engine.pool_windows import crop, plan_pool
from cnntool.engine.windows import Axis
from cnntool.errors import InputError
from cnntool.files.image import Frame, Image
from cnntool.imaging.rows import Rows, View, joined, rows_of
from cnntool.imaging.strips import IN_FLIGHT
from cnntool.imaging.tone import Losses, Tone, check_range
from cnntool.imaging.transparency import alpha_in_depth, hides, weighted

RANKS = ("max", "min", "median")
"""Modes whose results are pixels of the picture, so that alpha cannot weigh them."""

MOST_FILLED, MOST_TIMES = 1 << 22, 4
"""Pixels that ``pad`` fills a picture up to, or so many times its own where those are more."""


@dataclass(frozen=True)
class Pooling:
    """How windows are laid over a picture, and what becomes of each.

    ``edge`` says what a last window does that reaches beyond the picture: ``partial`` takes the
    pixels there are, ``drop`` leaves it out, ``pad`` fills it up with black. With ``output_size``
    the windows are adaptive: bins that share the picture evenly.
    """

    mode: str = "max"
    kernel_size: tuple[int, int] = (2, 2)
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    edge: str = "partial"
    p: float = 2.0
    sigma: float | None = None
    is_sum: bool = False  # the plain norm of lp, which grows with the window
    output_size: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        """Such as ``max-pool-2`` or ``lp-pool-3x2-p-3-stride-1``: for the names of files."""
        given = {
            "p": None if self.p == 2 else f"{self.p:g}",
            "sigma": None if self.sigma is None else f"{self.sigma:g}",
        }
        if self.output_size == (1, 1):
            size = "global"
        elif self.output_size:
            size = f"to-{_pair(self.output_size)}"
        else:
            size = _pair(self.kernel_size)
            given |= {
                "stride": None if self.stride in (None, self.kernel_size) else _pair(self.stride),
                "padding": _pair(self.padding) if any(self.padding) else None,
                "dilation": None if self.dilation == (1, 1) else _pair(self.dilation),
                "edge": None if self.edge == "partial" else self.edge,
            }
        named = [f"-{name}-{value}" for name, value in given.items() if value]
        norm = "-sum" if self.is_sum else ""
        return f"{self.mode}-pool-{size}{norm}{''.join(named)}"


def _pair(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def pooled_sides(height: int, width: int, pooling: Pooling) -> tuple[int, int]:
    """Height and width of the result. Raises InputError where no window fits into the picture."""
    if pooling.output_size:
        return pooling.output_size
    rows, columns = pool_axes(height, width, pooling)
    return rows.output_size, columns.output_size


def pool_axes(height: int, width: int, pooling: Pooling) -> tuple[Axis, Axis]:
    """The windows over a picture of this size; errors as :func:`pooled_sides`."""
    sizes = pooling.kernel_size, pooling.stride, pooling.padding, pooling.dilation
    try:
        axes = plan_pool((height, width), *sizes, pooling.edge != "drop")
    except ValueError as error:
        reason = str(error).replace("a kernel", "a window", 1)
        raise InputError(
            f"{reason}: the picture has {width} x {height} pixels, use another window or padding"
        ) from None
    if pooling.edge == "pad":
        filled_height, filled_width = (axis.size + axis.overhang for axis in axes)
        if filled_height * filled_width > max(MOST_FILLED, MOST_TIMES * height * width):
            raise InputError(
                f"the last windows would fill the picture's {width} x {height} pixels up to "
                f"{filled_width} x {filled_height}, nearly all black: use a smaller window, or "
                "--edge partial"
            )
    return axes


def window_positions(
    sides: tuple[int, int], pooling: Pooling, axes: tuple[Axis, Axis] | None = None
) -> tuple[list[range], list[range]]:
    """The rows and the columns that each output reads, by these windows if they are planned; some
    may lie outside.

    Errors as :func:`pooled_sides`.
    """
    if pooling.output_size:
        bins = map(plan_bins, sides, pooling.output_size)
        rows, columns = ([range(*pair) for pair in axis.pairs] for axis in bins)
    else:
        rows, columns = (
            [axis.input_positions(i, 1)[:: axis.dilation] for i in range(axis.output_size)]
            for axis in axes or pool_axes(*sides, pooling)
        )
    return rows, columns


def pool_picture(
    image: Image,
    pooling: Pooling,
    dtype: np.dtype | None = None,
    white: float | None = None,
    *,
    threads: int | None = None,
) -> tuple[Image, Losses]:
    """Pool every frame, to pixels of ``dtype`` with ``white`` at the top; by default its own.

    Where a picture has alpha, transparent pixels do not show: means weigh every pixel by its alpha,
    and pixels without any never win. The result's alpha is the mean over its window. Raises
    InputError where no window fits.
    """
    dtype, white = np.dtype(dtype or image.frames[0].pixels.dtype), float(white or image.white)
    frames, losses = [], Losses()
    for frame in image.frames:
        strips = pool_rows(rows_of(frame), image.white, pooling, dtype, white, threads=threads)
        ((pooled, lost),) = strips
        frames.append(replace(pooled, duration=frame.duration))
        losses += lost
    return replace(image, frames=tuple(frames), white=white), losses


def pool_rows(
    rows: Rows,
    white: float,
    pooling: Pooling,
    dtype: np.dtype,
    new_white: float,
    *,
    height: int | None = None,
    threads: int | None = None,
    start: int = 0,
    stop: int | None = None,
    is_weighted: bool | None = None,
) -> Iterator[tuple[Frame, Losses]]:
    """Pool a picture that goes by, ``height`` rows of the result at a time with what those lost,
    those from ``start`` up to ``stop``; None takes it whole. Bins, which have no windows, need the
    whole.

    is_weighted: what :func:`alpha_weighs` says of it, so that it need not go by to find that out.
    """
    converts = (dtype, new_white) != (rows.dtype, white)
    shown = Tone("raw" if dtype.kind == "f" else "clip", dtype, new_white)
    if is_weighted is None and height is not None:
        is_weighted = alpha_weighs(rows, white)
    for frame, axes, weighs in _parts(rows, white, pooling, height, start, stop, is_weighted):
        pixels, alpha = _pool_part(frame, white, pooling, axes, weighs, threads, converts)
        lost = Losses(total=pixels.size)
        if (dtype, new_white) != (pixels.dtype, white):
            wide = float_dtype(pixels)
            values = pixels.astype(wide) * wide.type(new_white / white)
            pixels = shown.apply(values, lost).astype(dtype)
        if alpha is not None:
            alpha = alpha_in_depth(alpha, 1.0, dtype, new_white)
        yield Frame(pixels, alpha), lost


def bytes_in_strips(rows: Rows, pooling: Pooling, height: int, result: int) -> int:
    """About the memory that pooling takes in strips of so many rows, ``result`` bytes each."""
    _, width, channels = rows.shape
    down, across = pool_axes(rows.shape[0], width, pooling)
    held = min(rows.shape[0], down.span(height)) * width
    item, wide = rows.dtype.itemsize, float_dtype(np.empty(0, rows.dtype)).itemsize
    weights = 2 * wide * (2 * channels + 2) + item if rows.has_alpha else 0
    values = height * across.output_size * channels
    return held * (2 * item * channels + weights) + 3 * wide * values + IN_FLIGHT * height * result


Part = tuple[Frame, tuple[Axis, Axis] | None, bool]
"""What some results are made of, the windows over that, and whether alpha weighs it."""


def alpha_weighs(rows: Rows, white: float) -> bool:
    """Whether some pixel of a picture that goes by is transparent, so that alpha weighs all."""
    return rows.has_alpha and any(hides(strip.alpha, white) for strip in rows.strips(0))


def _parts(
    rows: Rows,
    white: float,
    pooling: Pooling,
    height: int | None,
    start: int = 0,
    stop: int | None = None,
    is_weighted: bool | None = None,
) -> Iterator[Part]:
    """The picture, or what each strip of the result reads of it."""
    pooled_sides(*rows.shape[:2], pooling)
    if height is None:
        (frame,) = rows.strips(0)
        frame, pooling = filled_up(frame, white, pooling)
        height, width = frame.pixels.shape[:2]
        axes = None if pooling.output_size else pool_axes(height, width, pooling)
        yield frame, axes, hides(frame.alpha, white)
        return
    rows, pooling = filled_rows(rows, white, pooling)
    down, across = pool_axes(rows.shape[0], rows.shape[1], pooling)
    view = View(rows)
    for top in range(start, down.output_size if stop is None else stop, height):
        inputs, part = crop(down, slice(top, min(top + height, down.output_size)))
        yield view.run(range(inputs.start, inputs.stop)), (part, across), bool(is_weighted)


def pool_frame(
    frame: Frame,
    white: float,
    pooling: Pooling,
    threads: int | None = None,
    *,
    keep_halves: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The pooled pixels in the frame's own units, and alpha from 0 to 1, if it has any.

    The median of an even number of integers is rounded, unless its halves are to be kept. Raises
    InputError where no window fits, or a mean would be made of larger values than float32 adds up.
    """
    ((part, axes, is_weighted),) = _parts(rows_of(frame), white, pooling, None)
    return _pool_part(part, white, pooling, axes, is_weighted, threads, keep_halves)


def _pool_part(
    frame: Frame,
    white: float,
    pooling: Pooling,
    axes: tuple[Axis, Axis] | None,
    is_weighted: bool,
    threads: int | None,
    keep_halves: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    if pooling.mode not in RANKS:
        check_range(frame.pixels)
    if keep_halves and pooling.mode == "median" and frame.pixels.dtype.kind != "f":
        frame = replace(frame, pixels=frame.pixels.astype(np.float32))
    if not is_weighted or frame.alpha is None:
        pixels = _pool(frame.pixels, pooling, axes, threads)
        alpha = None if frame.alpha is None else np.ones(pixels.shape[:2], np.float32)
        return pixels, alpha
    weights = weighted(frame.pixels[..., :0], frame.alpha, white)  # (H, W, 1), alpha alone
    alpha = _pool(weights, replace(pooling, mode="average"), axes, threads)
    if pooling.mode in RANKS:
        return _pool_visible(frame.pixels, weights, white, pooling, axes, threads), alpha[..., 0]
    if pooling.mode == "lp" and np.isfinite(pooling.p):  # the weight belongs to |x|^p
        weights = weights ** (1 / pooling.p)
    values = np.concatenate([frame.pixels * weights, weights], axis=2)
    pooled = _pool(values, pooling, axes, threads)
    colours, seen = pooled[..., :-1], pooled[..., -1:]
    if not (pooling.mode == "lp" and pooling.is_sum):
        colours = np.divide(colours, seen, out=np.zeros_like(colours), where=seen > 1e-6)
    return colours, alpha[..., 0]


def filled_up(frame: Frame, white: float, pooling: Pooling) -> tuple[Frame, Pooling]:
    """For ``--edge pad``: the frame with black, opaque pixels up to the end of its last windows."""
    if pooling.output_size or pooling.edge != "pad":
        return frame, pooling
    rows, pooling = filled_rows(rows_of(frame), white, pooling)
    return joined([*rows.strips(0)]), pooling


def filled_rows(rows: Rows, white: float, pooling: Pooling) -> tuple[Rows, Pooling]:
    """:func:`filled_up` of a picture that goes by."""
    if pooling.edge != "pad":
        return rows, pooling
    height, width, channels = rows.shape
    below, right = (axis.overhang for axis in pool_axes(height, width, pooling))
    shape = height + below, width + right, channels

    def strips(start: int) -> Iterator[Frame]:
        opaque = rows.dtype.type(white)
        for strip in rows.strips(start) if start < height else ():
            pixels = np.pad(strip.pixels, ((0, 0), (0, right), (0, 0)))
            alpha = strip.alpha
            if alpha is not None:
                alpha = np.pad(alpha, ((0, 0), (0, right)), constant_values=opaque)
            yield Frame(pixels, alpha)
        black = np.zeros((shape[0] - max(start, height), *shape[1:]), rows.dtype)
        if len(black):
            yield Frame(black, np.full(black.shape[:2], opaque) if rows.has_alpha else None)

    return rows._replace(shape=shape, strips=strips), replace(pooling, edge="drop")


def _pool(
    pixels: np.ndarray, pooling: Pooling, axes: tuple[Axis, Axis] | None, threads: int | None
) -> np.ndarray:
    settings: dict[str, Any] = {
        "p": pooling.p,
        "sigma": pooling.sigma,
        "mean": not pooling.is_sum,
        "threads": threads,
    }
    if axes is None:
        assert pooling.output_size is not None
        return pool_image_to_size(pixels, pooling.output_size, pooling.mode, **settings)
    return pool_windows(pixels, pooling.mode, axes, **settings)


def _pool_visible(
    pixels: np.ndarray,
    weights: np.ndarray,
    white: float,
    pooling: Pooling,
    axes: tuple[Axis, Axis] | None,
    threads: int | None,
) -> np.ndarray:
    """The largest, smallest or median pixel of those that are not wholly transparent."""
    hidden, is_float = weights == 0, pixels.dtype.kind == "f"
    if pooling.mode != "median":  # hidden ones become what never wins
        ends = {"max": (0, -np.inf), "min": (white, np.inf)}[pooling.mode]
        filled = np.where(hidden, pixels.dtype.type(ends[is_float]), pixels)
        return _zero_infinite(_pool(filled, pooling, axes, threads))
    values = np.where(hidden, float_dtype(pixels).type(np.nan), pixels)
    if axes and is_counted(values.dtype, *axes):
        medians = counted_medians(values[None], *axes, threads)[0]
    else:
        height, width = pixels.shape[:2]
        rows, columns = window_positions((height, width), pooling, axes)
        tables = _as_table(rows, height), _as_table(columns, width)
        medians = visible_median(values, *tables, threads)
    medians = _zero_infinite(medians)
    if is_float:
        return medians
    return np.floor(medians + np.float32(0.5)).astype(pixels.dtype)  # as of opaque pictures


def _as_table(runs: list[range], size: int) -> np.ndarray:
    """Positions (outputs, taps) on an axis of this size, -1 outside."""
    table = np.full((len(runs), max(map(len, runs))), -1)
    for row, run in zip(table, runs, strict=True):
        row[: len(run)] = run
    return np.where((table >= 0) & (table < size), table, -1)


def _zero_infinite(pixels: np.ndarray) -> np.ndarray:
    """Windows without a visible pixel become black; they are transparent anyway."""
    if pixels.dtype.kind == "f":
        pixels[~np.isfinite(pixels)] = 0
    return pixels


def pyramid_features(
    frame: Frame, white: float, levels: tuple[int, ...], pooling: Pooling
) -> np.ndarray:
    """A spatial pyramid of a frame, (values, C) floats: of one length whatever its size.

    For every level l, in order, the l x l bins in reading order. Hidden colours stay hidden.
    """
    parts = [
        pool_frame(frame, white, replace(pooling, output_size=(level, level)), keep_halves=True)[0]
        for level in levels
    ]
    channels = frame.pixels.shape[2]
    features = np.concatenate([part.reshape(-1, channels) for part in parts])
    return features.astype(float_dtype(features), copy=False)
