"""Filters over an image: a chain of filters over every frame, and the last one's values as pixels.

Only the finished picture is ever held whole: responses live in blocks. Between filters that run
one after the other the picture is floats, unrounded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_pass import FilterPass, Step, check_finite
from cnntool.imaging.filter_plan import FilterPlan, Geometry, plan_chain
from cnntool.imaging.kernel_weights import brightness
from cnntool.imaging.kernels import Filter
from cnntool.imaging.rows import Rows, rows_of
from cnntool.imaging.strips import survey
from cnntool.imaging.tone import Losses, Tone, automatic_range, check_range
from cnntool.imaging.transparency import alpha_in_depth, hides


class Rendering(NamedTuple):
    """What becomes of the values: ``scale * v + bias``, then the range (see Tone), as ``dtype``.

    Values are in the units of the picture, and brought to those of ``white`` at the end.
    """

    range: str = "auto"
    scale: float = 1.0
    bias: float = 0.0
    dtype: np.dtype | None = None  # None: the picture's own
    white: float | None = None  # None: the picture's own


class FeatureMap(NamedTuple):
    """One result: a picture, the kernel it came from, and what it could not show.

    Of the picture that it was made of, ``largest`` is the value of its floats (minus infinity of
    whole numbers), ``is_weighted`` whether some pixel is transparent.
    """

    name: str
    image: Image
    losses: Losses
    range: str
    brightest: float  # value of its pixels
    largest: float
    is_weighted: bool


def normalized(kernel: Filter) -> Filter:
    """The filter with the weights of every response divided so that brightness is kept."""
    weights = kernel.weights / brightness(kernel.weights)
    return replace(kernel, bank=weights.reshape(kernel.bank.shape))


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
        ((frames, tally),) = chain.strips()
        shown = (replace(each, duration=frame.duration) for each in frames)
        images = [replace(image, frames=(each,), white=white) for each in shown]
        found.append(chain.maps(images, tally))
    return [_one_of_frames(maps) for maps in zip(*found, strict=True)]


def _one_of_frames(maps: Sequence[FeatureMap]) -> FeatureMap:
    """One result of a picture whose frames these are."""
    frames = tuple(each.image.frames[0] for each in maps)
    return maps[0]._replace(
        image=replace(maps[0].image, frames=frames),
        losses=sum((each.losses for each in maps), Losses()),
        brightest=max(each.brightest for each in maps),
        largest=max(each.largest for each in maps),
        is_weighted=any(each.is_weighted for each in maps),
    )


@dataclass(frozen=True)
class Tally:
    """What some rows of the results lost, their brightest values, and the largest value so far of a
    picture of floats; sums are those of all rows."""

    losses: tuple[Losses, ...]
    brightest: tuple[float, ...]
    largest: float

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            tuple(a + b for a, b in zip(self.losses, other.losses, strict=True)),
            tuple(map(max, self.brightest, other.brightest)),
            max(self.largest, other.largest),
        )


class Survey(NamedTuple):
    """What a chain has to know before its first rows are shown: for each of its filters whether
    FilterPass is to be ``is_weighted`` and ``is_wide``, and the tones of its results."""

    facts: tuple[tuple[bool, bool], ...]
    tones: tuple[Tone, ...]


class _Checked:
    """A picture that goes by, with values that sums can take, and the largest of its floats."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self.largest = rows, -np.inf

    def strips(self, start: int) -> Iterator[Frame]:
        for strip in self._rows.strips(start):
            check_range(strip.pixels)
            if strip.pixels.dtype.kind == "f":
                self.largest = max(self.largest, float(strip.pixels.max()))
            yield strip


def chain_over(
    rows: Rows,
    white: float,
    plans: Sequence[FilterPlan],
    rendering: Rendering,
    *,
    height: int | None = None,
    threads: int | None = None,
    known: Survey | None = None,
) -> Chain:
    """Filters one after the other over a picture that goes by, in strips of about ``height`` rows;
    None takes it whole, in one.

    known: of the same chain over the same picture, so that it need not go by to find that out.
    """
    dtype = np.dtype(rendering.dtype or rows.dtype)
    new_white = float(rendering.white or white)
    shown = rendering.range
    if shown == "auto":
        filters = [plan.kernel for plan in plans]
        shown = "raw" if dtype.kind == "f" else automatic_range(filters, rendering.bias)
    checked = _Checked(rows)
    rows = rows._replace(strips=checked.strips)
    facts: list[tuple[bool, bool]] = []
    if height is not None:
        facts = [*(known.facts if known else survey(rows, white, plans))]
    depth = new_white / white
    for place, plan in enumerate(plans):
        if height is None:
            (frame,) = rows.strips(0)
            rows = rows_of(frame)
            facts.append((hides(frame.alpha, white), False))
        is_last = place == len(plans) - 1
        affine = (rendering.scale * depth, rendering.bias * depth) if is_last else (1.0, 0.0)
        last = FilterPass(rows, white, plan, *affine, height, threads, *facts[place])
        rows = last.result
    tones = (Tone(shown, dtype, new_white, bounds=last.bounds()),) * last.plan.count
    if known:
        tones = known.tones
    elif shown == "stretch":
        ends = zip(tones, last.extremes(), strict=True)
        tones = tuple(tone._replace(low=low, high=high) for tone, (low, high) in ends)
    return Chain(last, Survey(tuple(facts), tones), checked)


class Chain(NamedTuple):
    """Filters over a picture that goes by, of which the results of the last one are shown."""

    last: FilterPass
    survey: Survey
    checked: _Checked

    def maps(self, images: Sequence[Image], tally: Tally) -> list[FeatureMap]:
        """The results, of which these are images, with what there is to say of all their rows."""
        last, shown = self.last.plan.kernel, self.survey.tones[0].range
        names = last.names if last.combine == "none" else (last.label,)
        of_picture = tally.largest, self.survey.facts[0][0]
        return [
            FeatureMap(name, image, losses, shown, brightest, *of_picture)
            for name, image, losses, brightest in zip(
                names, images, tally.losses, tally.brightest, strict=True
            )
        ]

    def strips(
        self, start: int = 0, stop: int | None = None
    ) -> Generator[tuple[list[Frame], Tally]]:
        """Every result as pixels of its tone, some rows after the other with what there is to say
        of them, of which some begin with row ``start`` and some end before row ``stop``."""
        last, tones = self.last, self.survey.tones
        _, width, channels = last.plan.shape
        for step in last.steps(start):
            _, made, _ = step
            if stop is not None and made.start >= stop:
                return
            shape = made.stop - made.start, width, channels
            outputs = [np.empty(shape, tone.dtype) for tone in tones]
            lost: list[list[Losses]] = [[] for _ in outputs]

            def write(index, values, rows, columns, outputs=outputs, lost=lost) -> None:
                counted = Losses(total=values.size)
                pixels = tones[index].apply(values, counted)
                lost[index].append(counted)
                target = outputs[index][rows, columns].reshape(values.shape)
                np.copyto(target, pixels, casting="unsafe")

            last.run(step, write)
            for pixels in outputs if outputs[0].dtype.kind == "f" else ():
                check_finite(pixels, last.plan.kernel.label)
            brightest = tuple(float(pixels.max()) for pixels in outputs)
            losses = tuple(sum(each, Losses()) for each in lost)
            yield self._frames(outputs, step), Tally(losses, brightest, self.checked.largest)

    def _frames(self, outputs: Sequence[np.ndarray], step: Step) -> list[Frame]:
        """The results with alpha in their depth."""
        alpha = self.last.alpha(step)
        if alpha is None:
            return [Frame(pixels) for pixels in outputs]
        return [
            Frame(pixels, alpha_in_depth(alpha, self.last.white, tone.dtype, tone.white))
            for pixels, tone in zip(outputs, self.survey.tones, strict=True)
        ]
