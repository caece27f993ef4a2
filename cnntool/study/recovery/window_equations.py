"""What the windows of one picture say about the pixels of another: least squares, as sums.

With a row ``[x, 1, y]`` for every window, x being its taps and y the pixel that was made of it, all
that least squares needs is the matrix M = sum of the rows' outer products: the kernel k and the
bias b that leave the smallest sum of squares ``vᵀ M v``, ``v = [k, b, -1]``, solve the normal
equations, whose matrix is the upper left part of M. A smaller window is a part of M, too, so one
pass over the picture serves every size within it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from cnntool.engine.windows import im2col, plan_axis

SEGMENT = 256
"""Neighbouring windows of one row that are laid side by side at a time."""

ROUNDING = 12**-0.5
"""Of a level: the root of the mean square of what rounding leaves."""

FEWEST = 4
"""Windows for each of its taps that a size needs."""

RANK = 1e-12
"""Of the largest eigenvalue of the windows' covariances, that one which counts is above."""


VARIED = 12
"""Levels that the pixels of a window span, of those that are taken first."""

ENOUGH = 20
"""Windows for each tap, that do without the others."""


@dataclass(frozen=True)
class Placement:
    """Where windows lie: that of output o is centred on input ``o * stride + first``.

    padding: 'same', 'valid' or 'full', which says so. size: of the windows that it goes with, (kh,
    kw), None for any.
    """

    padding: str = "same"
    stride: int = 1
    first: tuple[int, int] = (0, 0)
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures as numbers, one made of the other.

    before: (H, W, C). after: (oh, ow, C) float64 in the units of ``before``. used: bool, of the
    same shape, what is not clipped. step: between neighbouring levels of ``after``, 0 for floats.
    """

    before: np.ndarray
    after: np.ndarray
    used: np.ndarray
    step: float
    white: float = 255.0

    @property
    def channels(self) -> int:
        return self.before.shape[2]


def interior(pair: Pair, placement: Placement, size: tuple[int, int]) -> tuple[range, range]:
    """The rows and columns of outputs whose windows, centred at half their taps, lie within the
    picture."""
    stride, found = placement.stride, []
    for axis, (taps, first) in enumerate(zip(size, placement.first, strict=True)):
        back = taps // 2
        start = max(0, -((first - back) // stride))
        stop = (pair.before.shape[axis] - (taps - back) - first) // stride + 1
        found.append(range(start, max(start, min(pair.after.shape[axis], stop))))
    return found[0], found[1]


def blocks(
    pair: Pair, placement: Placement, size: tuple[int, int], most: int, least_range: float = 0.0
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """At most about so many windows of each channel, spread evenly over the picture, whose pixels
    span no less than a range: some of a channel, x (n, kh * kw) and y (n,) in float64."""
    rows, columns = interior(pair, placement, size)
    stride, length = placement.stride, min(len(columns), SEGMENT)
    if not rows or not columns:
        return
    if len(rows) * len(columns) <= most:
        places = [(r, c) for r in rows for c in range(columns.start, columns.stop, length)]
    else:
        count = max(1, min(most // length, len(rows) * (len(columns) // length)))
        turns = np.arange(count)
        down = rows.start + ((turns + 0.5) * len(rows) / count).astype(int)
        slack = len(columns) - length
        across = columns.start + np.rint(turns * 0.6180339887498949 % 1 * slack).astype(int)
        places = list(zip(down.tolist(), across.tolist(), strict=True))
    for row, left in places:
        right = min(left + length, columns.stop)
        top = row * stride + placement.first[0] - size[0] // 2
        start = left * stride + placement.first[1] - size[1] // 2
        width = (right - left - 1) * stride + size[1]
        part = pair.before[top : top + size[0], start : start + width]
        axes = plan_axis(size[0], size[0], stride), plan_axis(width, size[1], stride)
        laid = im2col(np.moveaxis(part, -1, 0).astype(np.float64), *axes)  # (C, kh, kw, 1, n)
        for channel in range(pair.channels):
            used = pair.used[row, left:right, channel]
            taps = laid[channel].reshape(prod(size), -1)
            if least_range:
                used = used & (taps.max(axis=0) - taps.min(axis=0) >= least_range)
            yield channel, taps[:, used].T, pair.after[row, left:right, channel][used]


@dataclass(frozen=True, eq=False)
class Fit:
    """A kernel (kh, kw) as wide as the windows, what is added, and what is left of the pixels: the
    root of the mean square."""

    kernel: np.ndarray
    bias: float
    residual: float


@dataclass(frozen=True, eq=False)
class Equations:
    """The sums over windows of ``size``: matrix (t + 2, t + 2), the last two rows those of the 1
    and of y; ``middle`` was taken away from every tap before. count: of windows."""

    size: tuple[int, int]
    matrix: np.ndarray
    middle: float
    count: int

    def _part(self, region: Sequence[slice]) -> np.ndarray:
        """Which of the taps lie in a region."""
        return np.arange(prod(self.size)).reshape(self.size)[tuple(region)].ravel()

    @cached_property
    def _centred(self) -> np.ndarray:
        """The covariances of all taps and y, (t + 1, t + 1), once the bias takes the means."""
        n, one = self.count, len(self.matrix) - 2
        rest = np.delete(np.arange(len(self.matrix)), one)
        sums = self.matrix[rest, one]
        return self.matrix[np.ix_(rest, rest)] / n - np.outer(sums, sums) / n**2

    @property
    def deviation(self) -> float:
        """The standard deviation of y."""
        return float(np.sqrt(max(0.0, self._centred[-1, -1])))

    def solve(self, region: Sequence[slice] = (slice(None), slice(None))) -> Fit:
        """The kernel of least squares that is 0 outside a region of the window.

        What the windows do not tell, such as the slope along which nothing changes, is 0.
        """
        part = self._part(region)
        kernel = np.zeros(self.size)
        covariance, moment = self._centred[np.ix_(part, part)], self._centred[part, -1]
        kernel.ravel()[part] = _solved(covariance, moment)
        return self.judge(kernel)

    def judge(self, kernel: np.ndarray) -> Fit:
        """What a kernel of the window's size leaves with the bias that suits it best."""
        weights = kernel.ravel()
        with_y = np.append(weights, -1.0)
        one = len(self.matrix) - 2
        bias = (self.matrix[one, -1] - weights @ self.matrix[:one, one]) / self.count
        bias -= self.middle * weights.sum()
        return Fit(kernel, float(bias), float(np.sqrt(max(0.0, with_y @ self._centred @ with_y))))

    def judge_scaled(self, kernel: np.ndarray) -> tuple[Fit, float]:
        """The same for the multiple of a kernel that suits best, and how many times it is."""
        seen = self._centred[:-1].T @ kernel.ravel()
        energy = seen[:-1] @ kernel.ravel()
        times = float(seen[-1] / energy) if energy > 0 else 0.0
        return self.judge(times * kernel), times

    def products(self, j: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of directions j (t, k) in the space of kernels: their covariances (k, k), and (k,) those
        with what a kernel leaves."""
        covariance, with_y = self._centred[:-1, :-1], self._centred[:-1, -1]
        return j.T @ covariance @ j, j.T @ (with_y - covariance @ kernel.ravel())

    def standard_error(self, region: Sequence[slice], residual: float) -> float:
        """Of a weight of a region, at the median, where so much is left of every pixel."""
        part = self._part(region)
        inverse = np.linalg.pinv(self._centred[np.ix_(part, part)], hermitian=True)
        variances = np.maximum(np.diag(inverse), 0) / self.count
        return residual * float(np.median(np.sqrt(variances)))

    def negated(self) -> Equations:
        """The same with -y."""
        signs = np.ones(len(self.matrix))
        signs[-1] = -1
        return replace(self, matrix=self.matrix * np.outer(signs, signs))

    def allowance(self, taps: int) -> float:
        """By what factor the residual of the true kernel may be above that of one with so many free
        weights, which fit what is left by chance as well."""
        return (self.count / max(1, self.count - taps - 1)) ** 0.5 * (1.003 + 2 * self.count**-0.5)

    def condition(self, region: Sequence[slice]) -> tuple[float, int]:
        """How well the picture tells the weights of a region: the root of the ratio of the largest
        and the smallest variance along any direction; and how many directions it does not tell."""
        part = self._part(region)
        values = np.linalg.eigvalsh(self._centred[np.ix_(part, part)])
        kept = values > RANK * max(values[-1], 1e-300) * len(values)
        if not values[-1] > 0:
            return np.inf, len(values)
        return float(np.sqrt(values[-1] / values[kept][0])), int((~kept).sum())


def _solved(covariance: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Of normal equations: by Cholesky's factors where they are far from singular, else without the
    directions that are not told."""
    try:
        pivots = np.diag(np.linalg.cholesky(covariance)) ** 2
        if pivots.min() > 1e-9 * pivots.max():
            return np.linalg.solve(covariance, moment)
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK * max(values[-1], 1e-300) * len(values)
    return vectors[:, kept] @ (vectors[:, kept].T @ moment / values[kept])


def equations(
    pair: Pair,
    placement: Placement,
    size: tuple[int, int],
    most: int,
    signs: np.ndarray | None = None,
) -> Equations:
    """The sums over at most about ``most`` windows of each channel.

    signs: a kernel of this size whose responses give every pixel its sign.

    Where pixels hardly differ, rounding is no noise: it makes of each what it was. So flat windows
    are left out of pictures of whole levels, if enough others are there.
    """
    found, fewest = _summed(pair, placement, size, most, signs, VARIED * pair.step)
    if pair.step and fewest < ENOUGH * prod(size):
        found, _ = _summed(pair, placement, size, most, signs, 0.0)
    return found


def _summed(
    pair: Pair,
    placement: Placement,
    size: tuple[int, int],
    most: int,
    signs: np.ndarray | None,
    least_range: float,
) -> tuple[Equations, int]:
    """The sums, and the fewest windows of a channel."""
    taps = prod(size)
    middle = float(pair.before[::7, ::7].mean())
    sums = np.zeros((pair.channels, taps + 2, taps + 2))
    counts = [0] * pair.channels
    held: dict[int, list[np.ndarray]] = {channel: [] for channel in range(pair.channels)}
    rows_held = max(1024, 4 * taps)

    def add(channel: int) -> None:
        if held[channel]:
            rows = np.concatenate(held[channel])
            sums[channel] += rows.T @ rows
            held[channel].clear()

    for channel, x, y in blocks(pair, placement, size, most, least_range):
        rows = np.empty((len(y), taps + 2))
        rows[:, :taps] = x
        rows[:, taps + 1] = y
        if signs is not None:
            rows[:, taps + 1] *= np.sign(x @ signs.ravel())
        rows[:, :taps] -= middle
        rows[:, taps] = 1
        counts[channel] += len(rows)
        held[channel].append(rows)
        if sum(map(len, held[channel])) >= rows_held:
            add(channel)
    for channel in range(pair.channels):
        add(channel)
    return Equations(size, sums.sum(axis=0), middle, sum(counts)), min(counts)
