"""What a person calls a matrix of weights: whole numbers over one denominator, a spec of the
catalogue with the parameters that suit it best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil

import numpy as np

from cnntool.imaging.kernel_catalogue import CATALOGUE, Entry
from cnntool.imaging.kernels import build
from cnntool.specs import Parameter
from cnntool.study.recovery.window_equations import Equations, Fit

LARGEST_DENOMINATOR = 1024

MOST_STEPS = 40
"""Of the search for the parameters of a kernel."""

WHOLE = 0.12
"""Of a unit, that a weight times the denominator is at most from a whole number: by chance nine are
once in 400,000 tries."""


@dataclass(frozen=True, eq=False)
class Fractions:
    """The weights ``numerators / denominator``."""

    numerators: np.ndarray
    denominator: int

    @property
    def kernel(self) -> np.ndarray:
        return self.numerators / self.denominator


def fractions_of(
    kernel: np.ndarray, suits: Callable[[np.ndarray], bool], error: float = 0.0
) -> Fractions | None:
    """The smallest denominator that makes all weights whole numbers; None where there is none.

    suits: whether a kernel explains the pixels as well. error: of a weight, that it may have at
    least.
    """
    for denominator in range(1, LARGEST_DENOMINATOR + 1):
        scaled = kernel * denominator
        whole = np.rint(scaled)
        off = np.abs(scaled - whole).max()
        if 4 * error * denominator > 1:
            return None  # any number would do
        if (
            off <= max(WHOLE if error else 1e-3, 1e-9)
            and whole.any()
            and suits(whole / denominator)
        ):
            return Fractions(whole.astype(int), denominator)
    return None


@dataclass(frozen=True, eq=False)
class Named:
    """A kernel of the catalogue, and how many times it is.

    kernel: (kh, kw), that times. residual: what it leaves. likeness: the cosine of the angle
    between its weights and those that were found.
    """

    spec: str
    times: float
    kernel: np.ndarray
    residual: float
    likeness: float


def nearest_of_catalogue(
    kernel: np.ndarray, sums: Equations, enough: float, margin: float
) -> tuple[Named | None, list[Named]]:
    """The spec of the catalogue that explains the pixels best, of those that are enough for them
    the one of fewest parameters, in as few digits as that takes; and plainer ones nearby.

    kernel: (kh, kw) as it was found, which the windows of ``sums`` hold. enough: what it may leave.
    margin: what it may leave more with fewer digits. None for weights of 0.
    """
    if not np.abs(kernel).max() > 0:
        return None, []
    candidates = [
        _best_of(entry, variant, kernel)
        for entry in CATALOGUE.values()
        if entry.combine == "none"
        for variant in range(len(_starts(entry, kernel.shape)))
    ]
    likely = sorted((each for each in candidates if each), key=lambda each: -each[1])[:8]
    likely = [each for each in likely if each[1] > likely[0][1] - 0.1]
    found: list[tuple[Fit, float, str, np.ndarray]] = []
    plainer: dict[str, Named] = {}
    for entry, (values, _) in ((e[2], e[:2]) for e in likely):
        values = _refined(entry, values, sums)
        for plain in _plainer(entry, values, kernel, sums):
            plainer.setdefault(f"{plain.times:g} {plain.spec}", plain)
        found.append(_shortest(entry, values, sums, margin))
    suitable = [each for each in found if each[0].residual <= enough]
    rank = lambda each: (each[2].count("="), abs(each[1] - 1) > 1e-3, each[0].residual)
    if not suitable:
        least = min(each[0].residual for each in found)
        suitable = [each for each in found if each[0].residual <= 1.05 * least]
    best = min(suitable, key=rank)
    fit, times, spec, weights = best
    limit = fit.residual * 1.002 + margin
    left = lambda short: sums.judge(fitted(short * weights, sums.size)).residual
    times = _shortened(times, lambda short: left(short) <= limit)
    named = Named(spec, times, times * weights, fit.residual, _likeness(kernel, weights))
    return named, sorted(plainer.values(), key=lambda each: each.residual)


def _plainer(entry: Entry, values: Values, kernel: np.ndarray, sums: Equations) -> Iterator[Named]:
    """The same with numbers that a person would type, of one digit to four, once; and as it is
    without any."""
    free = _free(entry, values)
    usual = {p.name: p.default for p in entry.parameters if p.default is not None}
    tries: list[Values] = [
        {**values, **{p.name: float(f"{values[p.name]:.{digits}g}") for p in free}}
        for digits in (1, 2, 3, 4)
    ]
    for short in [*tries, usual]:
        if _built(entry, short) is None:
            continue
        filter = build(entry.name, **short)
        weights = filter.bank[0]
        sign = 1.0 if sums.judge_scaled(fitted(weights, sums.size))[1] > 0 else -1.0
        left = sums.judge(fitted(sign * weights, sums.size)).residual
        yield Named(filter.spec, sign, sign * weights, left, _likeness(kernel, weights))


def _shortened(value: float, does: Callable[[float], bool]) -> float:
    """A number in as few digits as do."""
    tries = (float(f"{value:.{digits}g}") for digits in range(1, 7))
    return next(filter(does, tries), value)


def fitted(kernel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A kernel on a window of ``size``, anchor on anchor, what lies beyond it cut off."""
    placed = np.zeros(size)
    rows, columns = (_overlap(kernel.shape[i], size[i]) for i in range(2))
    placed[rows[1], columns[1]] = kernel[rows[0], columns[0]]
    return placed


def _overlap(taps: int, size: int) -> tuple[slice, slice]:
    """The taps that lie on a window, and where."""
    shift = size // 2 - taps // 2
    first, last = max(0, -shift), min(taps, size - shift)
    return slice(first, last), slice(first + shift, last + shift)


def _likeness(a: np.ndarray, b: np.ndarray) -> float:
    size = max(a.shape[0], b.shape[0]) | 1, max(a.shape[1], b.shape[1]) | 1
    size = size[0] + 2, size[1] + 2
    a, b = fitted(a, size).ravel(), fitted(b, size).ravel()
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return abs(float(a @ b)) / norms if norms else 0.0


Values = Mapping[str, float]


def _best_of(entry: Entry, variant: int, kernel: np.ndarray) -> tuple[Values, float, Entry] | None:
    """The start among the likely ones whose weights are most like a kernel."""
    tries, weights, size = _known(entry.name, variant, kernel.shape)
    if not tries:
        return None
    flat = fitted(kernel, size).ravel()
    likeness = np.abs(weights @ flat) / np.linalg.norm(flat)
    best = int(likeness.argmax())
    return tries[best], float(likeness[best]), entry


@lru_cache(128)
def _known(
    name: str, variant: int, shape: tuple[int, int]
) -> tuple[list[Values], np.ndarray, tuple[int, int]]:
    """What may be built for a kernel of a shape, and its weights on one window, of norm 1."""
    size = (2 * shape[0]) | 1, (2 * shape[1]) | 1
    tries, rows = [], []
    for values in _starts(CATALOGUE[name], shape)[variant]:
        if (weights := _built(CATALOGUE[name], values)) is not None and weights.any():
            tries.append(values)
            rows.append(fitted(weights, size).ravel() / np.linalg.norm(weights))
    return tries, np.array(rows), size


def _built(entry: Entry, values: Values) -> np.ndarray | None:
    """The weights; None where a value is out of range."""
    try:
        return build(entry.name, **values).bank[0]
    except ValueError:
        return None


def _starts(entry: Entry, shape: tuple[int, ...]) -> list[list[Values]]:
    """Values of the parameters that a kernel of this shape may have; apart from them those that say
    a size which follows from another parameter otherwise."""
    side = max(shape)
    sigmas = [round(0.4 * 1.25**i, 3) for i in range(20) if 0.4 * 1.25**i <= max(1, side / 2)]
    some: dict[str, list[float]] = {
        "sigma": sigmas,
        "ratio": [1.2, 1.6, 2.5],
        "amount": [0.25, 1, 4],
        "wavelength": [round(3 * 1.3**i, 2) for i in range(10) if 3 * 1.3**i <= 2 * side + 3],
        "phase": [0, 90, 180, -90],
        "length": [*range(2, ceil(1.5 * side) + 1)],
        "size": [*range(max(1, side - 2), side + 1)],
        "angle": [*range(0, 180, 15)] if entry.name == "gabor" else [*range(-165, 181, 15)],
    }
    if entry.name == "gabor":
        some["sigma"] = sigmas[2::4]
    usual = {p.name: p.default for p in entry.parameters if p.default is not None}
    free = [p for p in entry.parameters if p.name != "size" or len(entry.parameters) == 1]
    found = [[usual, *_products(free, some)]]
    if len(free) < len(entry.parameters):
        found.append(list(_products(entry.parameters, some)))
    if entry.name == "gabor":
        found.append(list(_products([p for p in free if p.name != "sigma"], some)))
    return found


def _products(parameters: Sequence[Parameter], some: Mapping[str, list[float]]) -> Iterator[Values]:
    names = [parameter.name for parameter in parameters]
    for values in product(*([*p.choices] or some[p.name] for p in parameters)):
        yield dict(zip(names, values, strict=True))


def _loss(entry: Entry, values: Values, sums: Equations) -> float:
    """What a kernel leaves, any number of times; infinite for one that no window can tell."""
    is_near_size = values.get("sigma", 0) * values.get("ratio", 1) <= max(sums.size)
    weights = _built(entry, values) if is_near_size else None
    if weights is None:
        return np.inf
    return sums.judge_scaled(fitted(weights, sums.size))[0].residual


def _free(entry: Entry, values: Values) -> list[Parameter]:
    """The parameters that may have any value between."""
    return [p for p in entry.parameters if p.name in values and p.kind is float and not p.choices]


def _refined(entry: Entry, values: Values, sums: Equations) -> Values:
    """The values nearby that explain the pixels best, by the Levenberg-Marquardt method, with
    derivatives from differences.

    Source: D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters",
    SIAM J. 11, 1963.
    """
    names = [parameter.name for parameter in _free(entry, values)]
    best, loss, damping = dict(values), _loss(entry, values, sums), 1e-3
    for _ in range(MOST_STEPS if names else 0):
        steps = _newton_steps(entry, best, names, sums, damping)
        if steps is None:
            break
        other = best | {n: best[n] + float(s) for n, s in zip(names, steps, strict=True)}
        if (new := _loss(entry, other, sums)) < loss:
            is_done = loss - new < 1e-9 * loss
            best, loss, damping = other, new, damping / 5
            if is_done:
                break
        elif (damping := damping * 5) > 1e8:
            break
    return best


def _newton_steps(
    entry: Entry, values: Values, names: list[str], sums: Equations, damping: float
) -> np.ndarray | None:
    """The step along each parameter, the number of times the kernel is taken being one of them."""
    weights = _built(entry, values)
    if weights is None:
        return None
    slopes = []
    for name in names:
        width = 1e-4 * max(0.1, abs(values[name]))
        sides = [_built(entry, {**values, name: values[name] + sign * width}) for sign in (1, -1)]
        if sides[0] is None or sides[1] is None:
            return None
        slope = fitted(sides[0], sums.size) - fitted(sides[1], sums.size)
        slopes.append(slope.ravel() / (2 * width))
    kernel = fitted(weights, sums.size)
    fit, times = sums.judge_scaled(kernel)
    j = np.stack([kernel.ravel(), *(times * slope for slope in slopes)], axis=1)
    normal, moment = sums.products(j, fit.kernel)
    normal += damping * np.diag(np.diag(normal)) + 1e-300 * np.eye(len(normal))
    try:
        return np.linalg.solve(normal, moment)[1:]
    except np.linalg.LinAlgError:
        return None


def _shortest(
    entry: Entry, values: Values, sums: Equations, margin: float
) -> tuple[Fit, float, str, np.ndarray]:
    """The values in as few digits as do, and what usual values need not say."""
    limit = _loss(entry, values, sums) * 1.002 + margin
    short = dict(values)
    for name in (parameter.name for parameter in _free(entry, values)):

        def does(value: float, name: str = name) -> bool:
            return _loss(entry, short | {name: value}, sums) <= limit

        short[name] = _shortened(short[name], does)
    for name in list(short):
        fewer = {key: value for key, value in short.items() if key != name}
        if _built(entry, fewer) is not None and _loss(entry, fewer, sums) <= limit:
            short = fewer
    filter = build(entry.name, **short)
    fit, times = sums.judge_scaled(fitted(filter.bank[0], sums.size))
    return fit, times, filter.spec, filter.bank[0]
