"""Filters over an image: a chain of filters over every frame, and the last one's values as pixels.

Only the finished picture is ever held whole: responses live in blocks. Between filters that run
one after the other the picture is floats, unrounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_pass import (
    FilterPass,
    FilterPlan,
    Geometry,
    WholeFacts,
    plan_filter,
)
from cnntool.imaging.kernel_weights import brightness
from cnntool.imaging.kernels import Filter
from cnntool.imaging.rows import Rows, rows_of
from cnntool.imaging.strips import Pass, Place, check_finite, facts_of_whole
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
    for frame, plans in zip(image.frames, chains, strict=True):
        chain = chain_over(rows_of(frame), image.white, plans, rendering, threads=threads)
        (rendered,) = chain.strips()
        for found, losses, result in zip(rendered, chain.losses, results, strict=True):
            result.append((replace(found, duration=frame.duration), losses))
    white, shown = float(rendering.white or image.white), chain.tones[0].range
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
    frame: Frame, white: float, plans: Sequence[FilterPlan], rendering: Rendering
) -> tuple[FilterPass, list[Tone]]:
    """The last filter's pass over what those before it made of a frame, and the tone of each of its
    results."""
    chain = chain_over(rows_of(frame), white, plans, rendering)
    ((step, _, _),) = chain.last.steps()
    return step, chain.tones


def chain_over(
    rows: Rows,
    white: float,
    plans: Sequence[FilterPlan],
    rendering: Rendering,
    *,
    height: int | None = None,
    threads: int | None = None,
) -> Chain:
    """Filters one after the other over a picture that goes by, in strips of about ``height`` rows;
    None takes it whole, in one."""
    *before, last = plans
    dtype = np.dtype(rendering.dtype or rows.dtype)
    new_white = float(rendering.white or white)
    shown = rendering.range
    if shown == "auto":
        filters = [plan.kernel for plan in plans]
        shown = "raw" if dtype.kind == "f" else automatic_range(filters, rendering.bias)
    rows = _within_range(rows)
    wholes: list[WholeFacts | None] = [None] * len(plans)
    if height is not None:
        wholes = [*facts_of_whole(rows, white, plans)]
    for plan, whole in zip(before, wholes, strict=False):
        rows = Pass(rows, white, plan, whole, height, threads).result
    depth = new_white / white
    scale, bias = rendering.scale * depth, rendering.bias * depth
    final = Pass(rows, white, last, wholes[-1], height, threads, scale, bias)
    return Chain(final, Tone(shown, dtype, new_white))


def _within_range(rows: Rows) -> Rows:
    """The same, with values that sums can take."""

    def strips(start: int) -> Iterator[Frame]:
        for strip in rows.strips(start):
            check_range(strip.pixels)
            yield strip

    return replace(rows, strips=strips)


class Chain:
    """Filters over a picture that goes by, and how the results of the last one are shown."""

    def __init__(self, last: Pass, tone: Tone) -> None:
        self.last = last
        tone = replace(tone, bounds=last.any_step.bounds())
        self.tones = [tone] * last.plan.count
        if tone.range == "stretch":
            self.tones = [replace(tone, low=low, high=high) for low, high in last.extremes()]
        self.losses = [Losses() for _ in self.tones]  # of what has been shown so far

    def strips(self) -> Iterator[list[Frame]]:
        """Every result as pixels of its tone, some rows after the other."""
        _, width, channels = self.last.plan.shape
        for step, rows, blocks in self.last.steps():
            shape = rows.stop - rows.start, width, channels
            outputs = [np.empty(shape, tone.dtype) for tone in self.tones]
            lost: list[list[Losses]] = [[] for _ in outputs]

            def write(
                index: int, values: np.ndarray, place: Place, outputs=outputs, lost=lost
            ) -> None:
                counted = Losses(total=values.size)
                pixels = self.tones[index].apply(values, counted)
                lost[index].append(counted)
                target = outputs[index][place].reshape(values.shape)
                np.copyto(target, pixels, casting="unsafe")

            self.last.run(step, write, rows, blocks)
            alpha, white = step.alpha(rows), self.last.white
            frames = []
            for index, (pixels, tone) in enumerate(zip(outputs, self.tones, strict=True)):
                if tone.dtype.kind == "f":
                    check_finite(pixels, step.kernel.label)
                kept = alpha
                if alpha is not None:
                    kept = alpha_in_depth(alpha, white, tone.dtype, tone.white)
                frames.append(Frame(pixels, kept))
                self.losses[index] = sum(lost[index], self.losses[index])
            yield frames
