"""What a pool makes of its windows: the extreme, the weighted mean or the norm."""

from __future__ import annotations

import numpy as np

from cnntool.engine.pool_windows import Reduction, Tap
from cnntool.engine.scratch import Scratch
from cnntool.engine.windows import Axis

Vectors = tuple[np.ndarray, np.ndarray]
"""One vector for the rows and one for the columns."""

MOST_DECAY = 40.0
"""No weight is less than exp(-40) of the largest: below it none is seen, nor ever becomes 0."""


def extreme(combine: np.ufunc, dtype: np.dtype) -> Reduction:
    """The largest (``np.maximum``) or the smallest (``np.minimum``), in the inputs' own dtype."""
    lowest, highest = limits(dtype)
    identity = lowest if combine is np.maximum else highest

    def fold(_: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        _fold_with(combine, identity, taps, out)

    return Reduction(dtype, identity, fold)


def average(
    rows: Axis, columns: Axis, dtype: np.dtype, count_include_pad: bool = False
) -> Reduction:
    """The mean of the elements inside, or of those and the padding."""

    def fold(_: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        _fold_with(np.add, 0, taps, out)

    return Reduction(dtype, 0, fold, counts(rows, columns, count_include_pad))


def weighted_average(rows: Axis, columns: Axis, dtype: np.dtype, weights: Vectors) -> Reduction:
    """The mean of the elements inside, weighted by the outer product of two vectors of taps."""

    def fold(axis: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        product = scratch.array("product", out.shape, out.dtype)
        out[...] = 0
        for (seen, values), weight in zip(taps, weights[axis], strict=True):
            np.multiply(values, out.dtype.type(weight), out=product[seen], dtype=out.dtype)
            out[seen] += product[seen]

    return Reduction(dtype, 0, fold, weight_sums(rows, columns, weights))


def norm(rows: Axis, columns: Axis, dtype: np.dtype, p: float, is_mean: bool = False) -> Reduction:
    """``(sum |x|^p)^(1/p)``, or with the mean instead of the sum; for p = inf the largest ``|x|``.

    The norm of a window is the norm of its columns' norms. Each is scaled by its largest element,
    so that no power overflows, and none that the sum would show underflows.
    """
    tiniest, largest = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max

    def fold(axis: int, taps: list[Tap], out: np.ndarray, scratch: Scratch) -> None:
        if p == 1 and axis == 1:
            _fold_with(np.add, 0, taps, out)
            return
        buffer = scratch.array("magnitudes", out.shape, dtype)
        scale = out if p == np.inf else scratch.array("scale", out.shape, dtype)
        scale[...] = 0 if p == np.inf else tiniest
        for seen, values in taps:
            magnitudes = np.abs(values, out=buffer[seen], dtype=dtype)
            np.maximum(scale[seen], magnitudes, out=scale[seen])
        if p == np.inf:
            return
        np.minimum(scale, largest, out=scale)  # so that infinity is infinity, not NaN
        out[...] = 0
        for seen, values in taps:
            magnitudes = np.abs(values, out=buffer[seen], dtype=dtype)
            magnitudes /= scale[seen]
            out[seen] += power(magnitudes, p)
        power(out, 1 / p)
        out *= scale

    divisors = None
    if is_mean and p != np.inf:
        divisors = tuple(count ** (1 / p) for count in counts(rows, columns))
    return Reduction(dtype, 0, fold, divisors)


def gaussian_weights(rows: Axis, columns: Axis, sigma: float | None = None) -> Vectors:
    """``exp(-d^2 / (2 sigma^2))`` by a tap's distance d from the window's centre, along each axis.

    Sigma is by default a quarter of the window's longer side. The weights are relative to the
    largest: what a weighted mean makes of them depends on no common factor. Raises ValueError where
    sigma is not above 0.
    """
    sigma = checked_sigma(sigma, max(rows.extent, columns.extent) / 4)
    return tuple(decay(axis.kernel_size, sigma, axis.dilation) for axis in (rows, columns))


def decay(count: int, sigma: float, step: int = 1) -> np.ndarray:
    """``exp(-d^2 / (2 sigma^2))`` of ``count`` taps, by the distance d from their middle.

    Relative to the largest, which is 1.
    """
    distance = (np.arange(count) - (count - 1) / 2) * step
    with np.errstate(over="ignore"):  # the rest of a tiny sigma's window counts for nothing
        squared = (distance**2 - np.min(distance**2)) / sigma / sigma / 2
    return np.exp(-np.minimum(squared, MOST_DECAY))


def checked_sigma(sigma: float | None, default: float) -> float:
    """Raise ValueError where sigma makes no bell."""
    sigma = default if sigma is None else sigma
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: it must be above 0")
    return sigma


def checked_p(p: float) -> float:
    """Raise ValueError where p makes no norm."""
    if not p >= 1:
        raise ValueError(f"p is {p}: it must be at least 1, or inf")
    return float(p)


def counts(rows: Axis, columns: Axis, count_include_pad: bool = False) -> Vectors:
    """How many taps of each window count; what lies beyond the padding never does."""
    if count_include_pad:
        rows, columns = (
            Axis(a.size + a.before + a.after, a.kernel_size, a.stride, a.dilation, 0, 0, a.overhang)
            for a in (rows, columns)
        )
    return rows.taps_inside(), columns.taps_inside()


def weight_sums(rows: Axis, columns: Axis, weights: Vectors) -> Vectors:
    """For every output the sum of the weights that lie inside."""
    sums = []
    for axis, taps in zip((rows, columns), weights, strict=True):
        inside = np.zeros(axis.output_size)
        for index, weight in enumerate(taps):
            inside[axis.tap(index)[0]] += weight
        sums.append(inside)
    return tuple(sums)


def power(values: np.ndarray, exponent: float) -> np.ndarray:
    """``values ** exponent`` in place; by multiplication where that is few, ten times faster."""
    if exponent == 1:
        return values
    if exponent == 2:
        return np.multiply(values, values, out=values)
    if exponent == 3:
        return np.multiply(values, values * values, out=values)
    if exponent == 0.5:
        return np.sqrt(values, out=values)
    return np.power(values, values.dtype.type(exponent), out=values)


def limits(dtype: np.dtype) -> tuple[float, float]:
    """The lowest and the highest value of a dtype, infinities included."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    if dtype.kind == "b":
        return False, True
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _fold_with(combine: np.ufunc, identity: float, taps: list[Tap], out: np.ndarray) -> None:
    """Fold by a ufunc that does not care about order; the first two taps need no copy."""
    if len(taps) > 1 and taps[0][0] is ... and taps[1][0] is ...:
        combine(taps[0][1], taps[1][1], out=out, dtype=out.dtype)
        taps = taps[2:]
    else:
        out[...] = identity
    for seen, values in taps:
        part = out[seen]
        combine(part, values, out=part, dtype=out.dtype)
