"""Filters over an image: a chain of filters over every frame, and the last one's values as pixels.

Only the finished picture is ever held whole: responses live in blocks. Between filters that run
one after the other the picture is floats, unrounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from cnntool.errors import InputError
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_pass import FilterPass, FilterPlan, Geometry, plan_filter
from cnntool.imaging.kernel_weights import brightness
from cnntool.imaging.kernels import Filter
from cnntool.imaging.tone import Losses, Tone, automatic_range, check_range
from cnntool.imaging.transparency import alpha_in_depth


@dataclass(frozen=True)
class Rendering:
    """What becomes of the values: ``scale * v + bias``, then the range (see Tone), as ``dtype``.

    Values are in the units of the picture, and brought to those of ``white`` at the end.
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
    """The filter with the weights of every response divided so that brightness is kept."""
    weights = kernel.weights / brightness(kernel.weights)
    return replace(kernel, bank=weights.reshape(kernel.bank.shape))


def plan_chain(
    shape: tuple[int, int, int], filters: Sequence[Filter], geometry: Geometry
) -> list[FilterPlan]:
    """Plan filters that run one after the other over pictures of ``shape`` (H, W, C).

    Raises InputError where a kernel does not fit into what comes before it.
    """
    plans = []
    for kernel in filters:
        plans.append(plan_filter(shape, kernel, geometry))
        height, width, channels = plans[-1].shape
        shape = height, width, channels * plans[-1].count
    return plans


def filter_image(
    image: Image,
    filters: Sequence[Filter],
    geometry: Geometry | None = None,
    rendering: Rendering | None = None,
    *,
    threads: int | None = None,
) -> list[FeatureMap]:
    """Run filters one after the other over every frame; as many results as the last one gives.

    Colours are filtered channel by channel, and colour filters sum them. Alpha is not filtered: it
    says how much each pixel counts, and is kept. Raises InputError where a kernel does not fit into
    the picture.
    """
    geometry = geometry or Geometry()
    chains = [plan_chain(frame.pixels.shape, filters, geometry) for frame in image.frames]
    return run_chains(image, chains, rendering or Rendering(), threads=threads)


def run_chains(
    image: Image,
    chains: Sequence[Sequence[FilterPlan]],
    rendering: Rendering,
    *,
    threads: int | None = None,
) -> list[FeatureMap]:
    """What :func:`filter_image` does, once there is a chain of plans for every frame."""
    last = chains[0][-1].kernel
    names = last.names if last.combine == "none" else (last.label,)
    results: list[list[tuple[Frame, Losses]]] = [[] for _ in names]
    for frame, chain in zip(image.frames, chains, strict=True):
        final, tones = prepare(frame, image.white, chain, rendering, threads)
        for kept, result in zip(results, _render(final, tones, image.white, threads), strict=True):
            kept.append(result)
    white, shown = float(rendering.white or image.white), tones[0].range
    return [
        FeatureMap(
            name,
            replace(image, frames=tuple(frame for frame, _ in kept), white=white),
            sum((losses for _, losses in kept), Losses()),
            shown,
        )
        for name, kept in zip(names, results, strict=True)
    ]


def prepare(
    frame: Frame,
    white: float,
    chain: Sequence[FilterPlan],
    rendering: Rendering,
    threads: int | None = None,
) -> tuple[FilterPass, list[Tone]]:
    """Run all filters but the last one; that one's pass, and the tone of each of its results.

    ``white`` is the frame's. To stretch, the last pass runs once to find the extremes.
    """
    *before, last = chain
    dtype = np.dtype(rendering.dtype or frame.pixels.dtype)
    new_white = float(rendering.white or white)
    shown = rendering.range
    if shown == "auto":
        filters = [plan.kernel for plan in chain]
        shown = "raw" if dtype.kind == "f" else automatic_range(filters, rendering.bias)
    check_range(frame.pixels)
    for plan in before:
        frame = _intermediate(FilterPass(frame, white, plan), threads)
    depth = new_white / white
    final = FilterPass(frame, white, last, rendering.scale * depth, rendering.bias * depth)
    return final, _tones(final, Tone(shown, dtype, new_white, bounds=final.bounds()), threads)


def _intermediate(step: FilterPass, threads: int | None) -> Frame:
    """The unrounded picture after one filter; its feature maps become channels."""
    height, width, channels = step.plan.shape
    pixels = np.empty((height, width, step.plan.count, channels), step.blocks.dtype)

    def write(index: int, values: np.ndarray, rows: slice, columns: slice) -> None:
        pixels[rows, columns, index].reshape(values.shape)[...] = values

    step.run(write, threads)
    _check_finite(pixels, step.kernel.label)
    maps = pixels.reshape(height, width, step.plan.count * channels)
    return replace(step.frame, pixels=maps, alpha=step.alpha())


def _check_finite(pixels: np.ndarray, label: str) -> None:
    """Raise InputError where a float result has overflowed."""
    if not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        kind = pixels.dtype
        raise InputError(f"{label}: values beyond {kind}: make the kernel's weights smaller")


def _tones(step: FilterPass, tone: Tone, threads: int | None) -> list[Tone]:
    """One tone a result; to stretch, a first run over the picture finds the extremes."""
    if tone.range != "stretch":
        return [tone] * step.plan.count
    extremes = [(np.inf, -np.inf)] * step.plan.count
    lock = Lock()

    def measure(index: int, values: np.ndarray, rows: slice, columns: slice) -> None:
        low, high = float(values.min()), float(values.max())
        with lock:
            extremes[index] = min(extremes[index][0], low), max(extremes[index][1], high)

    step.run(measure, threads)
    return [replace(tone, low=low, high=high) for low, high in extremes]


def _render(
    step: FilterPass, tones: Sequence[Tone], white: float, threads: int | None
) -> list[tuple[Frame, Losses]]:
    """Every result as pixels of its tone, with what it lost."""
    outputs = [np.empty(step.plan.shape, tone.dtype) for tone in tones]
    losses: list[list[Losses]] = [[] for _ in tones]

    def write(index: int, values: np.ndarray, rows: slice, columns: slice) -> None:
        lost = Losses(total=values.size)
        pixels = tones[index].apply(values, lost)
        losses[index].append(lost)
        target = outputs[index][rows, columns].reshape(values.shape)
        np.copyto(target, pixels, casting="unsafe")

    step.run(write, threads)
    alpha = step.alpha()
    results = []
    for pixels, tone, lost in zip(outputs, tones, losses, strict=True):
        if tone.dtype.kind == "f":
            _check_finite(pixels, step.kernel.label)
        kept = alpha
        if alpha is not None:
            kept = alpha_in_depth(alpha, white, tone.dtype, tone.white)
        results.append((replace(step.frame, pixels=pixels, alpha=kept), sum(lost, Losses())))
    return results
