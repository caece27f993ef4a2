"""Filters over an image: bank -> combination -> scale -> pixels, block by block.

Only the finished picture is ever held whole: responses live in blocks. Between filters that run
one after the other the picture is float32, unrounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from cnntool.engine.filter_bank import Plan, plan_filter_bank, run_plan
from cnntool.engine.windows import border_indices
from cnntool.errors import InputError, RequestError
from cnntool.imaging.combining import combine_responses
from cnntool.imaging.image import Frame, Image
from cnntool.imaging.kernels import Filter
from cnntool.imaging.tone import Losses, Tone, automatic_range


@dataclass(frozen=True)
class Geometry:
    """How kernels slide over the picture; the same for every filter of a chain."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str | int = "same"
    border: str = "reflect"
    constant: float = 0.0
    flip: bool = False


@dataclass(frozen=True)
class Rendering:
    """What becomes of the values: ``scale * v + bias``, then the range (see Tone), as ``dtype``.

    Values are in the units of the picture, and brought to those of ``white`` at the end. Angles
    are not scaled.
    """

    range: str = "auto"
    scale: float = 1.0
    bias: float = 0.0
    dtype: np.dtype | None = None  # None: the picture's own
    white: float | None = None  # None: the picture's own


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """One result: a picture, the kernel it came from, and what it could not show."""

    name: str
    image: Image
    losses: Losses
    range: str


def normalized(kernel: Filter) -> Filter:
    """The filter with every kernel's weights divided so that brightness is kept.

    By their sum; where that is zero, by the sum of the positive ones, so that the response to
    pixels in [0, white] stays within [-white, white].
    """
    sums = kernel.bank.sum(axis=(1, 2))
    positive = np.maximum(kernel.bank, 0).sum(axis=(1, 2))
    divisors = np.where(np.abs(sums) > 1e-9 * np.maximum(positive, 1e-300), sums, positive)
    divisors = np.where(divisors == 0, 1, divisors)
    return replace(kernel, bank=kernel.bank / divisors[:, None, None])


def filter_image(
    image: Image,
    filters: Sequence[Filter],
    geometry: Geometry = Geometry(),
    rendering: Rendering = Rendering(),
    *,
    threads: int | None = None,
) -> list[FeatureMap]:
    """Run filters one after the other over every frame of an image; as many results as the last gives.

    Colours are filtered channel by channel. Alpha is not filtered: it says how much each pixel
    counts, and is kept. Raises InputError where a kernel does not fit into the picture.
    """
    last = filters[-1]
    shown = rendering.range
    if shown == "auto":
        dtype = rendering.dtype or image.frames[0].pixels.dtype
        shown = "raw" if dtype.kind == "f" else automatic_range(last.bank, last.combine)
    names = last.names if last.combine == "none" else (last.label,)
    maps: list[list[Frame]] = [[] for _ in names]
    losses = [Losses() for _ in names]
    for frame in image.frames:
        for kernel in filters[:-1]:
            frame = _intermediate(frame, kernel, geometry, threads)
        tones = _tones(frame, image, last, geometry, rendering, shown, len(names), threads)
        results = _run(frame, last, geometry, _affine(rendering, image.white), tones, threads)
        for kept, lost, (result, loss) in zip(maps, losses, results, strict=True):
            kept.append(result)
            lost += loss
    white = rendering.white or image.white
    return [
        FeatureMap(name, replace(image, frames=tuple(frames), white=white), loss, shown)
        for name, frames, loss in zip(names, maps, losses, strict=True)
    ]


LARGEST_EXTENT = 16384
"""Pixels that a dilated kernel may span; what a block reads grows with it."""


def plan_chain(
    shape: tuple[int, int, int], filters: Sequence[Filter], geometry: Geometry
) -> list[Plan]:
    """The plans of a chain over an image of ``shape`` (H, W, C), float32 between the filters.

    Raises InputError where a kernel does not fit into what comes before it.
    """
    plans = []
    for kernel in filters:
        plans.append(_plan(shape, np.dtype(np.float32), kernel, geometry))
        filters_out, height, width, channels = plans[-1].shape
        shape = height, width, channels * (filters_out if kernel.combine == "none" else 1)
    return plans


def _plan(shape, dtype, kernel: Filter, geometry: Geometry) -> Plan:
    for size, dilation in zip(kernel.bank.shape[1:], geometry.dilation, strict=True):
        if (size - 1) * dilation >= LARGEST_EXTENT:
            raise RequestError(
                f"{kernel.label}: dilation {dilation} spreads {size} taps over more than "
                f"{LARGEST_EXTENT} pixels: use a smaller one"
            )
    try:
        return plan_filter_bank(
            shape,
            kernel.bank,
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            flip=geometry.flip,
            dtype=dtype,
        )
    except ValueError as error:
        raise InputError(f"{kernel.label}: {error}: use a smaller kernel or --padding same") from None


def _intermediate(frame: Frame, kernel: Filter, geometry: Geometry, threads) -> Frame:
    """The unrounded picture after one filter; its feature maps become channels."""
    tone = Tone("raw", np.dtype(np.float32), 0.0)
    count = len(kernel.bank) if kernel.combine == "none" else 1
    results = _run(frame, kernel, geometry, (1.0, 0.0), [tone] * count, threads)
    frames = [result for result, _ in results]
    if count == 1:
        return frames[0]
    return replace(frames[0], pixels=np.concatenate([f.pixels for f in frames], axis=2))


def _tones(frame, image, kernel, geometry, rendering, shown, count, threads) -> list[Tone]:
    """One tone a result; for stretch, a first run over the picture finds its extremes."""
    dtype = np.dtype(rendering.dtype or image.frames[0].pixels.dtype)
    affine = _affine(rendering, image.white)
    bounds = _bounds(frame, kernel, geometry, affine)
    tone = Tone(shown, dtype, float(rendering.white or image.white), bounds=bounds)
    if shown != "stretch":
        return [tone] * count
    extremes = [[np.inf, -np.inf] for _ in range(count)]
    lock = Lock()

    def measure(index: int, values: np.ndarray) -> None:
        low, high = float(values.min()), float(values.max())
        with lock:
            extremes[index][0] = min(extremes[index][0], low)
            extremes[index][1] = max(extremes[index][1], high)

    _run_blocks(
        frame,
        kernel,
        geometry,
        affine,
        threads,
        lambda shape: lambda index, values, rows, columns: measure(index, values),
    )
    return [replace(tone, low=low, high=high) for low, high in extremes]


def _bounds(frame, kernel, geometry, affine) -> tuple[float, float]:
    """What the values cannot go beyond, by white and black under the weights that do most."""
    if frame.pixels.dtype.kind != "u" or frame.alpha is not None:
        return -np.inf, np.inf
    white = float(np.iinfo(frame.pixels.dtype).max)
    black = 0.0
    if geometry.border == "constant":
        black, white = min(black, geometry.constant), max(white, geometry.constant)
    positive = np.maximum(kernel.bank, 0).sum(axis=(1, 2))
    negative = np.minimum(kernel.bank, 0).sum(axis=(1, 2))
    low = float((black * positive + white * negative).min())
    high = float((white * positive + black * negative).max())
    if kernel.combine == "magnitude":
        low, high = 0.0, max(-low, high) * len(kernel.bank) ** 0.5
    scale, bias = affine
    ends = sorted(scale * end + bias for end in (low, high))
    return ends[0], ends[1]


def _affine(rendering: Rendering, white: float) -> tuple[float, float]:
    """Scale and bias from values of a picture with this white to those of the output."""
    depth = (rendering.white or white) / white
    return rendering.scale * depth, rendering.bias * depth


def _run(frame, kernel, geometry, affine, tones, threads) -> list[tuple[Frame, Losses]]:
    """The frame's results, as many as there are tones, each with what it lost."""
    outputs: list[np.ndarray] = []
    losses: list[list[Losses]] = [[] for _ in tones]

    def start(shape: tuple[int, int, int]):
        outputs.extend(np.empty(shape, tone.dtype) for tone in tones)

        def write(index: int, values: np.ndarray, rows: slice, columns: slice) -> None:
            loss = Losses(total=values.size)
            pixels = tones[index].apply(values, loss)
            losses[index].append(loss)
            target = outputs[index][rows, columns].reshape(values.shape)
            np.copyto(target, pixels, casting="unsafe")

        return write

    alpha = _run_blocks(frame, kernel, geometry, affine, threads, start)
    results = []
    for pixels, blocks in zip(outputs, losses, strict=True):
        loss = Losses()
        for block in blocks:
            loss += block
        results.append((replace(frame, pixels=pixels, alpha=alpha), loss))
    return results


def _run_blocks(frame, kernel, geometry, affine, threads, start) -> np.ndarray | None:
    """Hand every block of every result to ``start(shape)(index, values, rows, columns)``.

    Returns the alpha of the result, sampled at the windows' centres.
    """
    scale, bias = affine if kernel.combine != "orientation" else (1.0, 0.0)
    weights = _weights(frame)
    pixels = frame.pixels
    constant: float | np.ndarray = geometry.constant
    if weights is not None:
        pixels = np.concatenate([pixels * weights[..., None], weights[..., None]], axis=2)
        constant = np.append(np.full(frame.pixels.shape[2], geometry.constant), 1)
    plan = _plan(pixels.shape, pixels.dtype, kernel, geometry)
    _, height, width, _ = plan.shape
    write = start((height, width, frame.pixels.shape[2]))
    unweight = None
    if weights is not None:
        unweight = _Unweighting(frame.pixels, kernel.bank, *_centres(plan, geometry))

    def emit(block: np.ndarray, rows: slice, columns: slice) -> None:
        if unweight is not None:
            block = unweight(block, rows, columns)
        combined = combine_responses(block, kernel.combine, kernel.directions)
        for index, values in enumerate(combined):
            if scale != 1:
                values *= scale
            if bias != 0:
                values += bias
            write(index, values, rows, columns)

    run_plan(plan, pixels, emit, border=geometry.border, constant=constant, threads=threads)
    if frame.alpha is None:
        return None
    rows, columns = _centres(plan, geometry)
    return np.ascontiguousarray(frame.alpha[rows[:, None], columns])


def _weights(frame: Frame) -> np.ndarray | None:
    """Alpha in [0, 1] as float32, or None where every pixel is opaque."""
    if frame.alpha is None:
        return None
    top = 1.0 if frame.alpha.dtype.kind == "f" else float(np.iinfo(frame.alpha.dtype).max)
    if frame.alpha.min(initial=top) >= top:
        return None
    return frame.alpha.astype(np.float32) / np.float32(top)


def _centres(plan: Plan, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """The input row and column at the centre of every output's window."""
    border = "edge" if geometry.border == "constant" else geometry.border
    centres = []
    for axis in (plan.rows, plan.columns):
        centre = axis.extent // 2
        if geometry.flip:
            centre = axis.extent - 1 - centre
        positions = np.arange(axis.output_size) * axis.stride - axis.before + centre
        centres.append(border_indices(positions, axis.size, border))
    return centres[0], centres[1]


class _Unweighting:
    """From responses to alpha-weighted colours (and to alpha itself) to responses to colours.

    With weights w, alphas a and colours c, where the window's centre has the colour c_0:

    - a blur (all w >= 0) is the weighted mean ``sum(w) * sum(w a c) / sum(w a)``;
    - for a signed kernel a transparent pixel counts as if it had the centre's colour:
      ``sum(w a c) + c_0 (sum(w) - sum(w a))``, so that hidden colours make no edges.
    """

    def __init__(self, colours, bank, rows, columns):
        self.colours, self.bank, self.rows, self.columns = colours, bank, rows, columns

    def __call__(self, block: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        centre = self.colours[self.rows[rows][:, None], self.columns[columns]]
        centre = centre.reshape(*block.shape[1:-1], -1).astype(block.dtype)
        colours, alphas = block[..., :-1], block[..., -1:]
        for kernel, colour, alpha in zip(self.bank, colours, alphas, strict=True):
            total = kernel.sum()
            if kernel.min() >= 0 and total > 0:
                seen = alpha > 1e-6 * total
                np.divide(colour * total, alpha, out=colour, where=seen)
                np.copyto(colour, centre * total, where=~seen)
            else:
                colour += centre * (total - alpha)
        return colours
