"""Which kernel made one picture of another: found by least squares, and proved by filtering again.

The taps of every window are as many unknowns, and each pixel that is not clipped is one equation;
what integer pixels leave is their rounding, ``1 / sqrt(12)`` of a level. Windows grow from 1x1
until no more is left than that. Where only absolute values were kept, signs are guessed from
kernels of the catalogue and from the windows that answer most, and improved in turn with the
weights. What lies beyond the edges is tried rule by rule; at last the whole picture is filtered by
`cnntool convolve`'s own engine and compared.
Sources: for the signs R. W. Gerchberg, W. O. Saxton, "A practical algorithm for the determination
of phase from image and diffraction plane pictures", Optik 35, 1972, and P. Netrapalli, P. Jain,
S. Sanghavi, "Phase retrieval using alternating minimization", NIPS 2013.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from cnntool.choices import BORDERS
from cnntool.engine.convolution import conv2d
from cnntool.engine.windows import padded_tile
from cnntool.files.image import STRIP_ROWS, Frame, Image
from cnntool.imaging.filter_pass import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernel_catalogue import CATALOGUE
from cnntool.imaging.kernels import Filter, build
from cnntool.imaging.tone import Losses, Tone
from cnntool.study.kernel_names import (
    Fractions,
    Named,
    fitted,
    fractions_of,
    nearest_of_catalogue,
)
from cnntool.study.window_equations import (
    Block,
    Equations,
    Fit,
    Pair,
    Placement,
    blocks,
    equations,
    interior,
)

ROUNDED = 0.36
"""The most that it leaves, where all values lie at a half: 0.354."""

EXACT = 2e-5
"""Of the deviation of floats: what sums in 32 bits leave."""

STAGES = (7, 15, 31)
"""Sides of the windows whose sums are taken; smaller ones are parts of them."""

BUDGET = 24_000_000
"""Taps that are laid side by side in one stage, in all: some tenths of a second."""

FEWEST = 4
"""Windows for each of its taps that a size needs."""

LARGEST_VALID = 45
"""Of a kernel that is told by how much smaller or larger AFTER is."""

BETTER = 0.99
"""Of the residual, that a larger window must leave at most to be worth it."""

SURE = 0.999
"""The share of exact pixels, above which no other form of the kernel is tried."""

MOST_PLAIN = 8
"""Plainer specs that are tried."""

SIGNED = 0.9
"""The share of the variance that a plain kernel explains, above which no signs are missing."""


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


@dataclass(frozen=True, eq=False)
class _Search:
    """The best fit of one stage: sums over its windows, and the region that is needed of them."""

    placement: Placement
    sums: Equations
    each: list[Equations]
    region: tuple[slice, slice]
    fit: Fit
    shown: str
    enough: float

    @property
    def is_explained(self) -> bool:
        return self.fit.residual <= self.enough

    @property
    def fills_window(self) -> bool:
        """Whether a larger window may explain more."""
        sides = zip(self.region, self.sums.size, strict=True)
        return any(cut.stop - cut.start > side - 2 for cut, side in sides)


def limit_of(pair: Pair, deviation: float) -> float:
    """The most that may be left where a kernel explains all."""
    if pair.step:
        return ROUNDED * pair.step
    return max(EXACT * deviation, 4e-7 * float(np.abs(pair.after).max(initial=0)))


def recover(pair: Pair, placements: list[Placement], size: tuple[int, int] | None) -> Found:
    """The kernel that explains all channels of a pair best, at one of some placements.

    size: of the kernel; None searches from 1x1 up.
    """
    best: _Search | None = None
    searched = 1, 1
    for placement in placements:
        for found in _searches(pair, placement, size):
            searched = max(searched, found.sums.size)
            if best is None or found.fit.residual < BETTER * best.fit.residual:
                best = found
            elif best.is_explained and best.shown == found.shown:
                if found.is_explained:  # as small, and judged by windows that reach beyond it
                    best = found
                break
            if best.is_explained and not best.fills_window:
                break
        if best is not None and best.is_explained:
            break
    if best is None:
        raise ValueError("no window fits into the picture")
    return replace(_settled(pair, best), searched=searched)


def _searches(pair: Pair, placement: Placement, size: tuple[int, int] | None) -> Iterator[_Search]:
    """The best fit of every stage, signed and not."""
    size = size or placement.size
    stages = [size] if size else [(side, side) for side in STAGES]
    for number, stage in enumerate(stages):
        rows, columns = interior(pair, placement, stage)
        if len(rows) * len(columns) < FEWEST * prod(stage) and (number or placement.size):
            return
        if not rows or not columns:
            raise ValueError(f"a window of {stage[0]}x{stage[1]} does not fit into the picture")
        most = _most(pair, stage)
        each = equations(pair, placement, stage, most)
        found = _smallest(pair, placement, each, "clip", bool(size and not placement.size))
        if found is None:
            continue
        yield found
        explained = 1 - (found.fit.residual / (found.sums.deviation or 1.0)) ** 2
        if explained > SIGNED or pair.after.min() < 0:
            continue
        signs = _kernel_of_signs(pair, placement, stage, most)
        if signs is not None:
            each = equations(pair, placement, stage, most, signs)
            found = _smallest(pair, placement, each, "abs", bool(size and not placement.size))
            if found is not None:
                yield found


def _most(pair: Pair, size: tuple[int, int]) -> int:
    """Windows of a size that are taken of each channel at most."""
    return max(BUDGET // (prod(size) + 2) // pair.channels, FEWEST * prod(size))


def _smallest(
    pair: Pair, placement: Placement, each: list[Equations], shown: str, is_given: bool
) -> _Search | None:
    """The smallest part of the windows that explains as much as all of it does."""
    sums = each[0]
    for other in each[1:]:
        sums += other
    if sums.count < FEWEST:
        return None
    limit, whole = limit_of(pair, sums.deviation), sums.solve()
    enough = _enough(pair, sums, whole.residual, prod(sums.size), limit)
    region = slice(0, sums.size[0]), slice(0, sums.size[1])
    fit = whole
    if not is_given:
        if not placement.size:
            for side in range(1, max(sums.size), 2):
                middle = tuple(slice(n // 2 - side // 2, n // 2 + side // 2 + 1) for n in sums.size)
                smaller = sums.solve(middle)
                if smaller.residual <= enough:
                    region, fit = (middle[0], middle[1]), smaller
                    break
        region, fit = _trimmed(sums, region, fit, enough)
    limit = limit if fit.residual <= limit else min(limit, enough)
    return _Search(placement, sums, each, region, fit, shown, limit)


def _enough(pair: Pair, sums: Equations, residual: float, taps: int, limit: float) -> float:
    """What a kernel may leave that explains as much as one with so many free weights."""
    if not pair.step:
        return max(1.01 * residual, limit)
    return residual * sums.allowance(taps) + 0.002 * pair.step


def _trimmed(
    sums: Equations, region: tuple[slice, slice], fit: Fit, enough: float
) -> tuple[tuple[slice, slice], Fit]:
    """The region without outer rows and columns that explain nothing."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for axis in range(2):
            for front, back in ((1, 0), (0, 1)):
                side = region[axis]
                cut = slice(side.start + front, side.stop - back)
                if cut.start >= cut.stop:
                    continue
                other = (cut, region[1]) if axis == 0 else (region[0], cut)
                smaller = sums.solve(other)
                if smaller.residual <= enough:
                    region, fit, is_smaller = other, smaller, True
                    break
    return region, fit


def _kernel_of_signs(
    pair: Pair, placement: Placement, size: tuple[int, int], most: int
) -> np.ndarray | None:
    """A kernel whose absolute responses are the pixels, as nearly as can be found."""
    most = min(most, max(20_000, 6 * prod(size)))
    taken: list[Block] = list(blocks(pair, placement, size, most))
    if sum(len(block.y) for block in taken) < FEWEST * prod(size):
        return None
    x = np.concatenate([block.x for block in taken])
    y = np.concatenate([block.y for block in taken])
    gram = x.T @ x / len(x)
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-11 * values[-1]
    whitening = vectors[:, kept] / np.sqrt(values[kept])  # (t, r), of the windows
    white = x @ whitening
    weighted = np.minimum(y, np.quantile(y, 0.99)) ** 2
    _, main = np.linalg.eigh((white * weighted[:, None]).T @ white)
    starts = [whitening @ main[:, -1], *(kernel.ravel() for kernel in _signed_kernels(size))]
    fits = []
    for start in starts:
        response = np.abs(x @ start)
        scale = (response @ y) / max(response @ response, 1e-300)
        fits.append((float(np.mean((scale * response - y) ** 2)), start))
    best, least = None, np.inf
    for _, start in sorted(fits, key=lambda each: each[0])[:4]:
        weights, signs = start, np.zeros(len(y))
        for _ in range(40):
            now = np.sign(x @ weights)
            if np.array_equal(now, signs):
                break
            signs = now
            weights = whitening @ (white.T @ (signs * y) / len(y))
        left = float(np.mean((np.abs(x @ weights) - y) ** 2))
        if left < least:
            best, least = weights.reshape(size), left
    return best


def _signed_kernels(size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Kernels of the catalogue that sum to about 0, so that their responses have signs."""
    for name, entry in CATALOGUE.items():
        weights = build(name).bank
        if entry.combine == "none" and abs(weights.sum()) < 0.1 * np.abs(weights).sum():
            yield fitted(weights[0], size)
    for angle in range(0, 180, 30):
        yield fitted(build("gabor", angle=angle).bank[0], size)


def _settled(pair: Pair, found: _Search) -> Found:
    """The kernel in the best of its forms, the border, and how much of AFTER comes out."""
    sums, region, placement = found.sums, found.region, found.placement
    taps = prod(cut.stop - cut.start for cut in region)
    enough = _enough(pair, sums, found.fit.residual, taps, found.enough)
    kernel, bias = _anchored(found.fit.kernel, region), found.fit.bias
    is_explained = found.is_explained
    if pair.step and is_explained:  # that of whole patterns does not add up like chance
        enough = max(enough, min(1.15 * enough + 0.01 * pair.step, ROUNDED * pair.step))
    margin = 0.0005 * pair.step if pair.step else enough
    nearest, plainer = nearest_of_catalogue(kernel, sums, enough, margin)
    if nearest is not None and nearest.times < 0 and found.shown == "abs":
        nearest = replace(nearest, times=-nearest.times, kernel=-nearest.kernel)
        kernel, bias, sums = -kernel, -bias, sums.negated()
    judge = lambda weights: sums.judge(fitted(weights, sums.size)).residual <= enough
    error = sums.standard_error(region, found.fit.residual) if pair.step else 0.0
    fractions = fractions_of(kernel, judge, error) if is_explained else None
    forms: list[tuple[np.ndarray, float]] = [(kernel, 1.0)]
    if fractions is not None:
        fractions = replace(fractions, numerators=_without_zeros(fractions.numerators))
        forms.insert(0, (fractions.kernel, 1.0))
    is_near = nearest is not None and is_explained and nearest.residual <= enough
    if nearest is not None and is_near:
        forms.insert(0, (nearest.kernel / nearest.times, nearest.times))
    condition, unknown = sums.condition(region)
    rows, columns = interior(pair, placement, kernel.shape)
    base = Found(
        kernel=kernel,
        bias=bias,
        scale=1.0,
        shown=found.shown,
        residual=found.fit.residual,
        step=pair.step,
        is_explained=is_explained,
        placement=placement,
        border=Border(None),
        exact=0.0,
        largest=np.inf,
        condition=condition,
        unknown=unknown,
        windows=sums.count,
        is_sampled=_most(pair, sums.size) < prod(map(len, interior(pair, placement, sums.size))),
        of=len(rows) * len(columns) * pair.channels,
        clipped=1 - float(pair.used.mean()),
        searched=sums.size,
        deviation=sums.deviation,
        fractions=fractions,
        nearest=nearest,
    )
    if not is_explained:
        return base
    best = base
    for weights, scale in forms:
        tried = _proved(pair, base, weights, scale, sums)
        tried = replace(tried, is_nearest=is_near and weights is forms[0][0])
        is_near_enough = best is not base and best.largest < 1.5 * pair.step
        if best is base or tried.exact > best.exact + (0.05 if is_near_enough else 0.002):
            best = tried
        if best.exact > SURE:
            return best if best.is_nearest else _by_name(best, plainer)
    for named in plainer[:MOST_PLAIN] if pair.step else ():
        if named.residual <= 2 * ROUNDED * pair.step:
            times = abs(named.times) if found.shown == "abs" else named.times
            tried = _proved(pair, base, named.kernel / named.times, times, sums)
            if tried.exact > best.exact:
                best = replace(tried, nearest=named, is_nearest=True)
            if best.exact > SURE:
                break
    return best


def _by_name(found: Found, names: list[Named]) -> Found:
    """The same, and what the catalogue calls just these weights, where it has them."""
    for named in names:
        shapes = found.kernel.shape, named.kernel.shape
        size = (max(s[0] for s in shapes) + 2) | 1, (max(s[1] for s in shapes) + 2) | 1
        weights = fitted(found.scale * found.kernel, size)
        difference = np.abs(fitted(named.kernel, size) - weights).max()
        if difference <= 1e-9 * np.abs(weights).max():
            kernel = named.kernel / named.times
            return replace(found, kernel=kernel, scale=named.times, nearest=named, is_nearest=True)
    return found


def _anchored(kernel: np.ndarray, region: tuple[slice, slice]) -> np.ndarray:
    """The smallest kernel around the anchor that holds a region of a window."""
    parts = []
    for side, cut in zip(kernel.shape, region, strict=True):
        middle = side // 2
        back, forth = max(0, middle - cut.start), max(0, cut.stop - 1 - middle)
        taps = 2 * back if back > forth else 2 * forth + 1
        parts.append(slice(middle - taps // 2, middle - taps // 2 + taps))
    return kernel[parts[0], parts[1]].copy()


def _without_zeros(kernel: np.ndarray) -> np.ndarray:
    """Without outer rows and columns of zeros, as far as the anchor stays the anchor."""
    rows, columns = (np.flatnonzero(kernel.any(axis=axis)) for axis in (1, 0))
    region = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return _anchored(kernel, region)


def _proved(pair: Pair, found: Found, kernel: np.ndarray, scale: float, sums: Equations) -> Found:
    """A kernel with the bias and the border that suit it, over the whole picture."""
    fit = sums.judge(fitted(scale * kernel, sums.size))
    if found.shown == "abs":
        other = sums.negated().judge(fitted(scale * kernel, sums.size))
        fit = min(fit, other, key=lambda each: each.residual)
    made = replace(found, kernel=kernel, scale=scale, bias=fit.bias, residual=fit.residual)
    if any(side > window for side, window in zip(kernel.shape, sums.size, strict=True)):
        made = _over_rows(pair, made)
    made = replace(made, bias=_plain_bias(made.bias, found, pair.step))
    made = replace(made, border=border_of(pair, made))
    exact, largest = agreement(pair, made)
    return replace(made, exact=exact, largest=largest)


def _over_rows(pair: Pair, found: Found) -> Found:
    """The bias and the residual of a kernel larger than the windows that were taken, over some
    rows."""
    rows, columns = interior(pair, found.placement, found.kernel.shape)
    if not rows or not columns:
        return found
    left = []
    for row in rows[:: max(1, len(rows) // 64)]:
        made = responses(pair, replace(found, bias=0.0), range(row, row + 1), columns, "edge")[0]
        wanted = pair.after[row, columns.start : columns.stop]
        if found.shown == "abs":
            wanted = wanted * np.sign(made)
        left.append((wanted - made)[pair.used[row, columns.start : columns.stop]])
    errors = np.concatenate(left)
    if not len(errors):
        return found
    return replace(found, bias=float(errors.mean()), residual=float(errors.std()))


def _plain_bias(bias: float, found: Found, step: float) -> float:
    """A whole number, or a half, where it is that but for what the fit leaves open."""
    if not step:
        near = round(bias, 3)
        return near + 0.0 if abs(bias - near) < 1e-3 * (found.deviation or 1) * 0.1 else bias
    error = step * (0.1 + 0.5 * found.condition * 1e-3)
    for unit in (1.0, 0.5):
        if abs(bias - unit * round(bias / unit)) < error:
            return unit * round(bias / unit) + 0.0
    return bias


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


def geometry_of(found: Found) -> Geometry:
    """As `cnntool convolve` has it."""
    border = found.border.rule
    is_rule = border in BORDERS
    return Geometry(
        stride=(found.placement.stride,) * 2,
        padding=found.placement.padding,
        border=border if border is not None and is_rule else "reflect",
        constant=found.border.constant,
    )


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
    (made,) = filter_image(image, [kernel], geometry_of(found), rendering)
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


def placements_of(before: tuple[int, ...], after: tuple[int, ...]) -> list[Placement]:
    """Where the windows may lie that make a picture of the size ``after`` of one of ``before``."""
    (height, width), (rows, columns) = before[:2], after[:2]
    if (height, width) == (rows, columns):
        return [Placement()]
    found = []
    larger = rows - height, columns - width
    if min(larger) >= 0 and max(larger) < LARGEST_VALID:
        size = larger[0] + 1, larger[1] + 1
        first = size[0] // 2 - larger[0], size[1] // 2 - larger[1]
        found.append(Placement("full", 1, first, size))
    for stride in (1, 2, 3, 4):
        most = [
            side - stride * (outputs - 1) for side, outputs in ((height, rows), (width, columns))
        ]
        if all(1 <= side <= LARGEST_VALID for side in most) and (stride > 1 or min(larger) < 0):
            size = most[0], most[1]
            found.append(Placement("valid", stride, (size[0] // 2, size[1] // 2), size))
        if stride > 1 and (-(-height // stride), -(-width // stride)) == (rows, columns):
            found.append(Placement("same", stride))
    return sorted(found, key=lambda each: prod(each.size) if each.size else STAGES[0] ** 2)
