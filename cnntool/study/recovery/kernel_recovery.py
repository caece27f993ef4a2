"""Which kernel made one picture of another: found by least squares, and proved by filtering again.

The taps of every window are as many unknowns, and each pixel that is not clipped is one equation;
what integer pixels leave is their rounding, ``1 / sqrt(12)`` of a level. Windows grow from 1x1
until no more is left than that. Where only absolute values were kept, their signs are
sought as well. What lies beyond the edges is tried rule by rule; at last the whole picture is
filtered by `cnntool convolve`'s own engine and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from cnntool.study.recovery.found_kernel import (
    ROUNDED,
    Border,
    Found,
    agreement,
    border_of,
    limit_of,
    responses,
)
from cnntool.study.recovery.kernel_names import Named, fitted, fractions_of, nearest_of_catalogue
from cnntool.study.recovery.missing_signs import kernel_of_signs
from cnntool.study.recovery.window_equations import (
    FEWEST,
    Equations,
    Fit,
    Pair,
    Placement,
    equations,
    interior,
)

STAGES = (7, 15, 31)
"""Sides of the windows whose sums are taken; smaller ones are parts of them."""

BUDGET = 24_000_000
"""Taps that are laid side by side in one stage, in all: some tenths of a second."""

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
class _Search:
    """The best fit of one stage: sums over its windows, and the region that is needed of them."""

    placement: Placement
    sums: Equations
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


def recover(
    pair: Pair,
    placements: list[Placement],
    size: tuple[int, int] | None,
    tell: Callable[[str], None] = lambda stage: None,
) -> Found:
    """The kernel that explains all channels of a pair best, at one of some placements.

    size: of the kernel; None searches from 1x1 up. tell: is told which windows are looked at.
    """
    best: _Search | None = None
    searched = 1, 1
    for placement in placements:
        for found in _searches(pair, placement, size, tell):
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


def _searches(
    pair: Pair,
    placement: Placement,
    size: tuple[int, int] | None,
    tell: Callable[[str], None],
) -> Iterator[_Search]:
    """The best fit of every stage, signed and not."""
    is_given = size is not None and placement.size is None
    size = size or placement.size
    stages = [size] if size else [(side, side) for side in STAGES]
    for number, stage in enumerate(stages):
        rows, columns = interior(pair, placement, stage)
        if len(rows) * len(columns) < FEWEST * prod(stage) and (number or placement.size):
            return
        if not rows or not columns:
            raise ValueError(f"a window of {stage[0]}x{stage[1]} does not fit into the picture")
        tell(f"windows of {stage[0]}x{stage[1]}")
        most = _most(pair, stage)
        sums = equations(pair, placement, stage, most)
        found = _smallest(pair, placement, sums, "clip", is_given)
        if found is None:
            continue
        yield found
        explained = 1 - (found.fit.residual / (found.sums.deviation or 1.0)) ** 2
        if explained > SIGNED or pair.after.min() < 0:
            continue
        signs = kernel_of_signs(pair, placement, stage, most)
        if signs is not None:
            sums = equations(pair, placement, stage, most, signs)
            found = _smallest(pair, placement, sums, "abs", is_given)
            if found is not None:
                yield found


def _most(pair: Pair, size: tuple[int, int]) -> int:
    """Windows of a size that are taken of each channel at most."""
    return max(BUDGET // (prod(size) + 2) // pair.channels, FEWEST * prod(size))


def _smallest(
    pair: Pair, placement: Placement, sums: Equations, shown: str, is_given: bool
) -> _Search | None:
    """The smallest part of the windows that explains as much as all of it does."""
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
    return _Search(placement, sums, region, fit, shown, limit)


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
