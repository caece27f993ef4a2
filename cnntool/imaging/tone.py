"""From signed numbers of any size to pixels: how they are shown, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnntool.errors import InputError

if TYPE_CHECKING:
    from cnntool.imaging.kernels import Filter


class Tone(NamedTuple):
    """How values become pixels of ``dtype`` with the brightness ``white`` at the top.

    ======= ===========================================================================
    clip    v, below 0 black, above white white
    abs     ``|v|``, above white white
    offset  ``v + (white + 1) / 2``, of floats ``v + white / 2``: 0 is mid grey
    stretch the smallest value of the picture becomes black, the largest white
    angle   degrees: -180 is black, 0 mid grey, 180 white
    raw     v as it is; integer pixels are rounded, and clipped at the ends of their type
    ======= ===========================================================================
    """

    range: str
    dtype: np.dtype
    white: float
    low: float = 0.0  # of the picture, for stretch
    high: float = 1.0
    bounds: tuple[float, float] = (-np.inf, np.inf)  # that the values are known to stay within

    def apply(self, values: np.ndarray, losses: Losses) -> np.ndarray:
        """Turn a block of values into pixels, within the block's own memory where that can be.

        Values are floats, or whole numbers with room for half a range more.
        """
        is_float = self.dtype.kind == "f"
        if values.dtype.kind == "i" and (is_float or self.range in ("stretch", "angle")):
            values = values.astype(np.float32)
        is_whole = values.dtype.kind == "i"
        if self.range == "abs":
            if not is_float and not is_whole:
                np.rint(values, out=values)  # before counting: rounding noise has no sign
            losses.negative += int(np.count_nonzero(values < 0))
            np.abs(values, out=values)
        elif self.range == "offset":
            middle = self.white / 2 if is_float else (self.white + 1) / 2
            values += values.dtype.type(middle)
        elif self.range == "stretch":
            values -= self.low
            values *= self.white / ((self.high - self.low) or 1.0)
        elif self.range == "angle":
            values += 180
            values *= self.white / 360
        if not is_float and not is_whole and self.range != "abs":
            np.rint(values, out=values)
        if self.range != "raw" or not is_float:
            self._clip(values, losses)
        return values

    def _clip(self, values: np.ndarray, losses: Losses) -> None:
        """Count what lies outside black and white, and clip it; skip what the bounds rule out."""
        low, high = self.bounds
        if self.range == "abs":
            low, high = 0.0, max(-low, high)
        elif self.range in ("offset", "stretch", "angle"):
            low, high = -np.inf, np.inf
        below = above = 0
        if low <= -0.5:
            below = int(np.count_nonzero(values < 0))
        if high >= self.white + 0.5:
            above = int(np.count_nonzero(values > values.dtype.type(self.white)))
        if below or above:
            np.clip(values, 0, values.dtype.type(self.white), out=values)
        losses.below += below
        losses.above += above


@dataclass
class Losses:
    """How many values a picture could not show as they were."""

    total: int = 0
    negative: int = 0  # shown as their absolute value
    below: int = 0  # clipped to black
    above: int = 0  # clipped to white

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            self.total + other.total,
            self.negative + other.negative,
            self.below + other.below,
            self.above + other.above,
        )

    def __bool__(self) -> bool:
        return bool(self.negative or self.below or self.above)

    def describe(self) -> str:
        """One sentence with shares: ``31% of the values were negative and are shown as ...``."""
        fates = {
            "were negative and are shown as their absolute value": self.negative,
            "were negative and clipped to black": self.below,
            "were above white and clipped": self.above,
        }
        shares = [(_percent(n, self.total), fate) for fate, n in fates.items() if n]
        text = "; ".join(f"{share} {fate}" for share, fate in shares)
        return text.replace(" were", " of the values were", 1)


def _percent(count: int, total: int) -> str:
    """Two significant digits: 31%, 2.1%, 0.043%."""
    share = 100 * count / total
    if share < 0.001:
        return "under 0.001%"
    return f"{share:.0f}%" if share >= 9.95 else f"{share:.2g}%"


def automatic_range(filters: Sequence[Filter], bias: float = 0.0) -> str:
    """What ``auto`` stands for: a signed response is shown as its absolute value, others clipped.

    A response is signed where the weights of a kernel sum to zero, since it answers 0 to a flat
    picture and half of what it finds is negative; filters that follow do not change that, unless a
    magnitude or a maximum has taken the sign away. A bias means that zero has found its place.
    Filters that say how they are shown are shown so, of 'abs' as if their weights summed to zero.
    """
    last = filters[-1]
    if last.combine == "orientation":
        return "angle"
    if last.shown not in ("", "abs"):
        return last.shown
    for kernel in reversed(filters):
        bias += kernel.bias
        if kernel.combine != "none" or bias:
            break
        sums, sizes = kernel.weights.sum(axis=1), np.abs(kernel.weights).sum(axis=1)
        if kernel.shown == "abs" or np.any((np.abs(sums) <= 1e-6 * sizes) & (sizes > 0)):
            return "abs"
    return "clip"


LARGEST_VALUE = 1e15
"""What the largest weights of a filter make of it still fits float32."""


def check_range(pixels: np.ndarray) -> None:
    """Raise InputError for float pixels that are more than sums can take."""
    if pixels.dtype.kind == "f" and not np.abs(pixels).max(initial=0) <= LARGEST_VALUE:
        raise InputError(
            f"values beyond {LARGEST_VALUE:g} are more than sums of pixels can take: divide them "
            "first"
        )
