"""Filters over an image: a chain of filters over every frame, and the last one's values as pixels.

Only the finished picture is ever held whole: responses live in blocks. Between filters that run
one after the other the picture is floats, unrounded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
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
    brightest: float  # value of its pixels


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
    white = float(rendering.white or image.white)
    found: list[list[FeatureMap]] = []
    for frame, plans in zip(image.frames, chains, strict=True):
        chain = chain_over(rows_of(frame), image.white, plans, rendering, threads=threads)
        (frames,) = chain.strips()
        shown = (replace(each, duration=frame.duration) for each in frames)
        found.append(chain.maps([replace(image, frames=(each,), white=white) for each in shown]))
    return [_one_of_frames(maps) for maps in zip(*found, strict=True)]


def _one_of_frames(maps: Sequence[FeatureMap]) -> FeatureMap:
    """One result of a picture whose frames these are."""
    frames = tuple(each.image.frames[0] for each in maps)
    return replace(
        maps[0],
        image=replace(maps[0].image, frames=frames),
        losses=sum((each.losses for each in maps), Losses()),
        brightest=max(each.brightest for each in maps),
    )


def prepare(
    frame: Frame, white: float, plans: Sequence[FilterPlan], rendering: Rendering
) -> tuple[FilterPass, list[Tone]]:
    """The last filter's pass over what those before it made of a frame, and the tone of each of its
    results."""
    chain = chain_over(rows_of(frame), white, plans, rendering)
    ((step, _, _),) = chain.last.steps()
    return step, list(chain.tones)


def chain_over(
    rows: Rows,
    white: float,
    plans: Sequence[FilterPlan],
    rendering: Rendering,
    *,
    height: int | None = None,
    threads: int | None = None,
    known: Known | None = None,
) -> Chain:
    """Filters one after the other over a picture that goes by, in strips of about ``height`` rows;
    None takes it whole, in one.

    known: of the same chain over the same picture, so that it need not go by to find that out.
    """
    *before, last = plans
    dtype = np.dtype(rendering.dtype or rows.dtype)
    new_white = float(rendering.white or white)
    shown = rendering.range
    if shown == "auto":
        filters = [plan.kernel for plan in plans]
        shown = "raw" if dtype.kind == "f" else automatic_range(filters, rendering.bias)
    source = _Checked(rows)
    rows = replace(rows, strips=source.strips)
    wholes: list[WholeFacts | None] = [None] * len(plans)
    if height is not None:
        wholes = [*known.wholes] if known else [*facts_of_whole(rows, white, plans)]
    for plan, whole in zip(before, wholes, strict=False):
        rows = Pass(rows, white, plan, whole, height, threads).result
    depth = new_white / white
    scale, bias = rendering.scale * depth, rendering.bias * depth
    final = Pass(rows, white, last, wholes[-1], height, threads, scale, bias)
    tone = Tone(shown, dtype, new_white, bounds=final.any_step.bounds())
    tones = [tone] * last.count
    if known:
        tones = list(known.tones)
    elif shown == "stretch":
        tones = [replace(tone, low=low, high=high) for low, high in final.extremes()]
    return Chain(final, tones, source, Known(tuple(wholes), tuple(tones)))


@dataclass(frozen=True)
class Known:
    """What a chain has to know of a whole picture, for each of its filters, and the tones that its
    results are shown in."""

    wholes: tuple[WholeFacts | None, ...]
    tones: tuple[Tone, ...]

    @property
    def hides(self) -> bool:
        """Whether some pixel of a picture that goes by in strips is transparent."""
        return self.wholes[0] is not None and self.wholes[0].is_weighted


@dataclass
class Seen:
    """Of what has gone by: what each result lost, its brightest value, and the largest value of a
    picture of floats."""

    losses: list[Losses]
    brightest: list[float]
    source: float = -np.inf

    def add(self, other: Seen) -> None:
        """And of other rows of the same."""
        self.losses = [a + b for a, b in zip(self.losses, other.losses, strict=True)]
        self.brightest = [*map(max, self.brightest, other.brightest)]
        self.source = max(self.source, other.source)


class _Checked:
    """A picture that goes by, with values that sums can take, and the largest of its floats."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self.brightest = rows, -np.inf

    def strips(self, start: int) -> Iterator[Frame]:
        for strip in self._rows.strips(start):
            check_range(strip.pixels)
            if strip.pixels.dtype.kind == "f":
                self.brightest = max(self.brightest, float(strip.pixels.max()))
            yield strip


class Chain:
    """Filters over a picture that goes by, and how the results of the last one are shown.

    seen: of the results that were shown so far.
    """

    def __init__(self, last: Pass, tones: Sequence[Tone], source: _Checked, known: Known) -> None:
        self.last, self.tones, self.known, self._source = last, tones, known, source
        self.seen = Seen([Losses() for _ in tones], [-np.inf for _ in tones])

    def maps(self, images: Sequence[Image]) -> list[FeatureMap]:
        """The results, of which these are images, once they have been shown."""
        last = self.last.plan.kernel
        names = last.names if last.combine == "none" else (last.label,)
        kept = zip(names, images, self.seen.losses, self.seen.brightest, strict=True)
        shown = self.tones[0].range
        return [
            FeatureMap(name, image, losses, shown, brightest)
            for name, image, losses, brightest in kept
        ]

    def strips(self, start: int = 0, stop: int | None = None) -> Generator[list[Frame]]:
        """Every result as pixels of its tone, some rows after the other, of which some begin with
        row ``start`` and some end before row ``stop``."""
        _, width, channels = self.last.plan.shape
        for step, rows, blocks in self.last.steps(start):
            if stop is not None and rows.start >= stop:
                return
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
            for pixels in outputs if outputs[0].dtype.kind == "f" else ():
                check_finite(pixels, step.kernel.label)
            brightest = [float(pixels.max()) for pixels in outputs]
            losses = [sum(each, Losses()) for each in lost]
            self.seen.add(Seen(losses, brightest, self._source.brightest))
            yield self._frames(outputs, step.alpha(rows))

    def _frames(self, outputs: Sequence[np.ndarray], alpha: np.ndarray | None) -> list[Frame]:
        """The results with alpha in their depth."""
        if alpha is None:
            return [Frame(pixels) for pixels in outputs]
        return [
            Frame(pixels, alpha_in_depth(alpha, self.last.white, tone.dtype, tone.white))
            for pixels, tone in zip(outputs, self.tones, strict=True)
        ]
