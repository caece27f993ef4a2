"""What can be said of a filter before it meets an image: rank, symmetry, gain, worst case."""

import math
from typing import NamedTuple

import numpy as np

from cnntool.engine.filters.separable import low_rank
from cnntool.imaging.kernels import Filter

_EPSILON = float(np.finfo(np.float32).eps)  # images are filtered in float32
_WHITE = 255.0
_FEW = 8  # outer products that are sought before all singular values are computed


class KernelFacts(NamedTuple):
    """The facts of a filter; a tuple has one value for each of its F kernels.

    - `size`: (kh, kw). `anchor`: (row, column) of the weight that lies on the output's pixel.
    - `sum`: of the weights, the response to a constant image of ones.
    - `rank`: the singular values above eps32 * max(kh, kw) * the largest. `separable`: rank 1, so
      that a column and a row in turn do the same (a kernel of zeros counts as separable).
    - `symmetric`: 'symmetric' if the kernel turned by 180 degrees is itself, 'antisymmetric' if it
      is its negative, else 'no'.
    - `gain`: of the combined filter on a constant image; None where F kernels stay F feature maps
      or become an orientation.
    - `worst_case`: (lowest, highest) value of the combined filter for pixels from 0 to 255, or of
      any of the feature maps; for an orientation, degrees. Both are reached, except that the lowest
      of a maximum and the highest magnitude of three or more kernels are bounds.
    """

    size: tuple[int, int]
    anchor: tuple[int, int]
    sum: tuple[float, ...]
    rank: tuple[int, ...]
    separable: tuple[bool, ...]
    symmetric: tuple[str, ...]
    gain: float | None
    worst_case: tuple[float, float]


def facts(filter: Filter) -> KernelFacts:
    """Measure a filter."""
    bank = filter.bank
    _, height, width = bank.shape
    sums = _without_rounding(bank.sum(axis=(1, 2)), bank)
    rank = [_rank(kernel) for kernel in bank]
    whole = bank.reshape(filter.count, -1, width)  # the planes of a colour filter as one kernel
    low, high = -180.0, 180.0
    if filter.combine != "orientation":
        low, high = (end + filter.bias for end in _worst_case(whole, filter.combine))
    return KernelFacts(
        size=(height, width),
        anchor=(height // 2, width // 2),
        sum=tuple(sums.tolist()),
        rank=tuple(rank),
        separable=tuple(each <= 1 for each in rank),
        symmetric=tuple(_symmetry(kernel) for kernel in bank),
        gain=_gain(_without_rounding(whole.sum(axis=(1, 2)), whole), filter.combine),
        worst_case=(low, high),
    )


def flip_matters(filter: Filter, *, ignores_sign: bool) -> bool:
    """Whether true convolution would give another combined result than cross-correlation.

    Convolution turns every kernel by 180 degrees. That changes nothing where each kernel is
    symmetric; nor where each is symmetric or antisymmetric and the sign is lost, by the magnitude
    or by the absolute value that `ignores_sign` announces; nor under a maximum over a bank that
    turns into itself, as the compass kernels do. An even size always matters: its anchor moves.
    """
    bank = filter.bank
    if not bank.any():
        return False
    if bank.shape[1] % 2 == 0 or bank.shape[2] % 2 == 0:
        return True
    if filter.combine == "maximum":
        return not all(any(_same(_turned(kernel), other) for other in bank) for kernel in bank)
    harmless = {"symmetric"}
    if ignores_sign or filter.combine == "magnitude":
        harmless.add("antisymmetric")
    return not all(_symmetry(kernel) in harmless for kernel in bank)


def _rank(kernel: np.ndarray) -> int:
    """How many singular values are above eps32 * max(kh, kw) * the largest.

    A kernel of few outer products has those of a core as small as their number: C Rᵀ with C = Q S
    and R = P T those of S Tᵀ. The products leave a thousandth of the limit at most.
    """
    limit = _EPSILON * max(kernel.shape)
    factors = low_rank(kernel, _FEW, 1e-13)
    if factors == []:
        return 0
    if factors is not None:
        columns, rows = (np.stack(each, axis=1) for each in zip(*factors, strict=True))
        kernel = np.linalg.qr(columns)[1] @ np.linalg.qr(rows)[1].T
    singular = np.linalg.svd(kernel, compute_uv=False)
    return int((singular > limit * singular[0]).sum())


def _turned(kernel: np.ndarray) -> np.ndarray:
    return kernel[::-1, ::-1]


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max() <= _EPSILON * np.abs(a).max())


def _symmetry(kernel: np.ndarray) -> str:
    if _same(kernel, _turned(kernel)):
        return "symmetric"
    return "antisymmetric" if _same(kernel, -_turned(kernel)) else "no"


def _without_rounding(sums: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Sums that are 0 but for the rounding of float64, as exactly 0."""
    noise = np.finfo(np.float64).eps * bank[0].size * np.abs(bank).max(axis=(1, 2))
    return np.where(np.abs(sums) <= noise, 0.0, sums)


def _gain(sums: np.ndarray, combine: str) -> float | None:
    if combine == "magnitude":
        return math.hypot(*sums)
    if combine == "maximum":
        return float(sums.max())
    return float(sums[0]) if len(sums) == 1 else None  # none, orientation


def _worst_case(bank: np.ndarray, combine: str) -> tuple[float, float]:
    """(lowest, highest): white under every positive weight and black elsewhere, or the reverse."""
    lows = _WHITE * np.minimum(bank, 0).sum(axis=(1, 2))
    highs = _WHITE * np.maximum(bank, 0).sum(axis=(1, 2))
    if combine == "magnitude":
        if len(bank) == 2:
            return 0.0, _WHITE * _largest_magnitude(*bank)
        return 0.0, math.hypot(*np.maximum(-lows, highs))
    if combine == "maximum":  # no less than any kernel, and no less than the mean of all
        of_mean = _WHITE * np.minimum(bank.mean(axis=0), 0).sum()
        return float(max(of_mean, lows.max())), float(highs.max())
    return float(lows.min()), float(highs.max())


def _largest_magnitude(a: np.ndarray, b: np.ndarray) -> float:
    """The largest sqrt((Σ a p)² + (Σ b p)²) over all pixels p from 0 to 1, exactly.

    The reachable points (Σ a p, Σ b p) fill a zonotope, the sum of the segments from 0 to each
    (a, b). The farthest is a corner. Walking round it from the lowest corner adds the segments in
    the order of their angles; the way down the other side is the same walk seen from the end. It
    equals the maximum over θ of Σ max(0, a cos θ + b sin θ).
    Source: G. M. Ziegler, Lectures on Polytopes, lecture 7 (zonotopes).
    """
    segments = np.stack([a.ravel(), b.ravel()], axis=1)  # (kh kw, 2)
    below = (segments[:, 1] < 0) | ((segments[:, 1] == 0) & (segments[:, 0] < 0))
    lowest = segments[below].sum(axis=0)
    upward = np.where(below[:, None], -segments, segments)
    order = np.argsort(np.arctan2(upward[:, 1], upward[:, 0]))
    walk = np.vstack([np.zeros(2), np.cumsum(upward[order], axis=0)])
    corners = np.vstack([lowest + walk, lowest + walk[-1] - walk])
    return float(np.hypot(corners[:, 0], corners[:, 1]).max())
