"""A kernel that was found, and its proof: the rule of the border, and all pixels made again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.choices import BORDERS
from cnntool.engine.convolution import conv2d
from cnntool.engine.windows import padded_tile
from cnntool.files.image import STRIP_ROWS, Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernels import Filter
from cnntool.imaging.tone import Losses, Tone
from cnntool.study.recovery.kernel_names import Fractions, Named
from cnntool.study.recovery.window_equations import Pair, Placement, interior

ROUNDED = 0.36
"""The most that it leaves, where all values lie at a half: 0.354."""

EXACT = 2e-5
"""Of the deviation of floats: what sums in 32 bits leave."""


@dataclass(frozen=True, eq=False)
class Border:
    """What lies beyond the edges. rule: of `cnntool convolve`; 'copied', where the outer pixels are
    those of BEFORE; None where no rule fits. alike: other rules that do as well."""

    rule: str | None
    constant: float = 0.0
    alike: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """A kernel, and how well it explains one channel, or all of them.

    kernel: (kh, kw), as it was chosen of the fit, the fractions and the spec. bias: what is then
    added. shown: the range, as of `cnntool convolve`. residual: of the windows inside, in units of
    BEFORE. is_explained: whether that is rounding, or for floats nothing. exact, largest: the share
    of all pixels that are reproduced, and the largest difference. condition, unknown: see
    :meth:`Equations.condition`. windows, of: how many were taken of how many; is_sampled: whether a
    part of them was enough. clipped: the share of pixels left out.
    """

    kernel: np.ndarray
    bias: float
    scale: float
    shown: str
    residual: float
    step: float
    is_explained: bool
    placement: Placement
    border: Border
    exact: float
    largest: float
    condition: float
    unknown: int
    windows: int
    of: int
    is_sampled: bool
    clipped: float
    searched: tuple[int, int]
    deviation: float
    fractions: Fractions | None = None
    nearest: Named | None = None
    is_nearest: bool = False  # whether the spec is the kernel

    @property
    def explained(self) -> float:
        """The share of the variance."""
        return 1 - (self.residual / self.deviation) ** 2 if self.deviation else 1.0

    @property
    def spec(self) -> str | None:
        """What `cnntool convolve` calls the kernel, where the catalogue has it."""
        return self.nearest.spec if self.nearest is not None and self.is_nearest else None


def limit_of(pair: Pair, deviation: float) -> float:
    """The most that may be left where a kernel explains all."""
    if pair.step:
        return ROUNDED * pair.step
    return max(EXACT * deviation, 4e-7 * float(np.abs(pair.after).max(initial=0)))


def responses(
    pair: Pair, found: Found, rows: range, columns: range, border: str, constant: float = 0.0
) -> np.ndarray:
    """What the kernel and the bias make at some outputs, (rows, columns, C) float64."""
    kernel, placement = found.kernel, found.placement
    (kh, kw), stride = kernel.shape, placement.stride
    top = rows.start * stride + placement.first[0] - kh // 2
    left = columns.start * stride + placement.first[1] - kw // 2
    down = range(top, top + (len(rows) - 1) * stride + kh)
    across = range(left, left + (len(columns) - 1) * stride + kw)
    tile = np.empty((len(down), len(across), pair.channels))
    padded_tile(pair.before, down, across, border, constant, out=tile)
    x = np.moveaxis(tile, -1, 0)[:, None]
    y, _ = conv2d(x, found.scale * kernel[None, None], stride=stride)
    return np.moveaxis(y[:, 0], 0, -1) + found.bias


def _frame(pair: Pair, found: Found) -> list[tuple[range, range]]:
    """The outputs whose windows reach beyond the picture, in four strips."""
    rows, columns = interior(pair, found.placement, found.kernel.shape)
    height, width = pair.after.shape[:2]
    everywhere = range(width)
    if not rows or not columns:
        return [(range(height), everywhere)]
    strips = [
        (range(0, rows.start), everywhere),
        (range(rows.stop, height), everywhere),
        (rows, range(0, columns.start)),
        (rows, range(columns.stop, width)),
    ]
    return [(down, across) for down, across in strips if down and across]


def border_of(pair: Pair, found: Found) -> Border:
    """The rule under which the outer pixels come out best."""
    strips = _frame(pair, found)
    if not strips:
        return Border("reflect", alike=tuple(rule for rule in BORDERS if rule != "reflect"))
    wanted = [pair.after[down.start : down.stop, a.start : a.stop] for down, a in strips]
    wanted_all = np.concatenate([each.ravel() for each in wanted])

    def left(rule: str, constant: float = 0.0) -> float:
        made = [responses(pair, found, *strip, rule, constant).ravel() for strip in strips]
        shown = toned(np.concatenate(made), pair, found.shown)
        return float(np.sqrt(np.mean((shown - wanted_all) ** 2)))

    constant = _constant(pair, found, strips, wanted_all)
    errors = {rule: left(rule, constant if rule == "constant" else 0.0) for rule in BORDERS}
    rule = min(errors, key=lambda each: errors[each])
    limit = 0.6 * pair.step if pair.step else 20 * limit_of(pair, found.deviation)
    if errors[rule] > max(limit, 2 * found.residual):
        same = pair.before.shape == pair.after.shape and all(
            np.array_equal(pair.before[d.start : d.stop, a.start : a.stop], w)
            for (d, a), w in zip(strips, wanted, strict=True)
        )
        return Border("copied" if same else None)
    enough = 1.05 * errors[rule] + 1e-3 * limit
    alike = [each for each in BORDERS if errors[each] <= enough]
    return Border(alike[0], constant if alike[0] == "constant" else 0.0, tuple(alike[1:]))


def _constant(
    pair: Pair, found: Found, strips: list[tuple[range, range]], wanted: np.ndarray
) -> float:
    """What stands beyond the edges if it is the same everywhere: by least squares."""
    dark = np.concatenate([responses(pair, found, *s, "constant").ravel() for s in strips])
    lit = np.concatenate([responses(pair, found, *s, "constant", 1.0).ravel() for s in strips])
    share = lit - dark
    top = float(pair.after.max())
    usable = (wanted > 0) & (wanted < top) if found.shown == "clip" else wanted > 0
    if found.shown == "abs" or not (share[usable] ** 2).sum() > 0:
        return 0.0
    value = float(share[usable] @ (wanted - dark)[usable] / (share[usable] @ share[usable]))
    if pair.step:
        return float(np.clip(round(value), 0, pair.white))
    return round(value) + 0.0 if abs(value - round(value)) < 1e-3 else value


def toned(values: np.ndarray, pair: Pair, shown: str) -> np.ndarray:
    """Responses as pixels, in the units of BEFORE."""
    if not pair.step:
        return np.abs(values) if shown == "abs" else values
    tone = Tone(shown, np.dtype(np.uint16), pair.white / pair.step)
    return tone.apply(values / pair.step, Losses()) * pair.step


def agreement(pair: Pair, found: Found) -> tuple[float, float]:
    """The share of pixels that `cnntool convolve` makes as they are in AFTER, and the largest
    difference, in units of BEFORE; of floats up to what 32 bits leave."""
    image = Image((Frame(pair.before),), pair.white, "PNG")
    name = "float32"
    if pair.step:
        name = "uint8" if pair.white / pair.step <= 255 else "uint16"
    white = pair.white / (pair.step or 1.0)
    shown = found.shown if pair.step or found.shown == "abs" else "raw"
    rendering = Rendering(shown, found.scale, found.bias, np.dtype(name), white)
    kernel = Filter("kernel", "kernel", found.kernel[None])
    placement, border = found.placement, found.border
    geometry = Geometry(
        stride=(placement.stride, placement.stride),
        padding=placement.padding,
        border=border.rule if border.rule in BORDERS else "reflect",
        constant=border.constant,
    )
    (made,) = filter_image(image, [kernel], geometry, rendering)
    pixels = made.image.frames[0].pixels
    rows, columns = interior(pair, found.placement, found.kernel.shape)
    close = 0.01 * pair.step if pair.step else 20 * limit_of(pair, found.deviation)
    count, largest = 0, 0.0
    for top in range(0, len(pixels), STRIP_ROWS):
        strip = slice(top, top + STRIP_ROWS)
        values = pixels[strip].astype(np.float64) * (pair.step or 1.0)
        if found.border.rule == "copied":
            inner = np.zeros(values.shape, bool)
            inner[
                max(0, rows.start - top) : max(0, rows.stop - top), columns.start : columns.stop
            ] = 1
            values = np.where(inner, values, pair.before[strip])
        difference = np.abs(values - pair.after[strip])
        count += int(np.count_nonzero(difference <= close))
        largest = max(largest, float(difference.max(initial=0)))
    return count / pixels.size, largest
