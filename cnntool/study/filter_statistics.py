"""What can be measured of learned filters: direction, frequency, colour, and whether they live.

Angles are in degrees, counterclockwise as seen on the screen, as in cnntool.imaging.kernels. An
orientation is that of the grating's normal, the line along which brightness changes: 0 is a filter
for vertical edges, 45 one whose stripes run like a backslash, 90 one for horizontal edges. It is
from 0 to 180, as a line has no sign. ``gabor:angle=A`` of the catalogue has the orientation A.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cnntool.engine.arrays import quotients
from cnntool.imaging.kernels import CATALOGUE, build
from cnntool.study.gabor import Gabor, fit_gabor, spectral_peaks
from cnntool.study.interpolation import resized

LEAST_SHARE = 0.1
"""Of the bank's median norm that a filter needs to count as alive."""

GOOD_FIT, CLEAR = 0.8, 0.5
"""What an oriented edge needs: R² of the Gabor fit, and strength of its orientation."""

DIRECTIONS = 16
"""Sectors of 180 degrees, the first of them about 0."""

LARGEST_SIDE = 64
"""Of kernels that are measured: fits take time as their area."""

RANDOM_FILTERS = 100
"""That are measured to say how many pass by chance."""


@dataclass(frozen=True)
class FilterFacts:
    """The facts of one filter (C, kh, kw); None for what a dead one, or a single weight, has not.

    state: 'alive', or why it is dead: 'faint' (its norm is under a tenth of the bank's median),
        'constant' (all weights of a channel are equal) or 'not finite'.
    norm: the root of the sum of its squared weights.
    orientation, frequency: of the grating that it answers most, in degrees and cycles a pixel.
    strength: of its orientation, from 0, none, to 1, all change along one line.
    gabor: the Gabor function that is nearest to it.
    pattern_share: how much of its energy lies in the one pattern that these are measured on.
    colour: the share of its energy that grey images never meet; None without three channels.
    nearest: the kernel of the catalogue that is most like it.
    """

    state: str
    norm: float
    pattern_share: float | None = None
    orientation: float | None = None
    frequency: float | None = None
    strength: float | None = None
    gabor: Gabor | None = None
    colour: float | None = None
    nearest: Likeness | None = None

    @property
    def is_dead(self) -> bool:
        return self.state != "alive"

    @property
    def is_oriented(self) -> bool:
        """Whether it is an oriented edge or line: a good Gabor fit, and a clear orientation."""
        if self.gabor is None or self.strength is None:
            return False
        return self.gabor.r_squared > GOOD_FIT and self.strength > CLEAR

    @property
    def direction(self) -> int:
        """The sector of DIRECTIONS that its orientation lies in, of a filter that is alive."""
        assert self.orientation is not None
        return direction_of(self.orientation)


def direction_of(orientation: float) -> int:
    """The sector of 180 degrees, from 0, whose middle is nearest to an orientation.

    >>> direction_of(0), direction_of(177), direction_of(90)
    (0, 0, 8)
    """
    return round(orientation * DIRECTIONS / 180) % DIRECTIONS


def filter_facts(bank: np.ndarray) -> tuple[FilterFacts, ...]:
    """Measure every filter of a bank (F, C, kh, kw)."""
    bank = np.asarray(bank, np.float64)
    states, norms = states_of(bank)
    facts = [FilterFacts(state, float(norm)) for state, norm in zip(states, norms, strict=True)]
    alive = [index for index, state in enumerate(states) if state == "alive"]
    if not alive or bank[0, 0].size == 1:  # a single weight has no pattern
        return tuple(facts)
    living = bank[alive] / norms[alive, None, None, None]
    patterns, shares = principal_patterns(living)
    orientations, frequencies = spectral_peaks(patterns)
    strengths = orientation_strengths(patterns)
    fits = fit_gabor(patterns * norms[alive, None, None])
    colours = colour_shares(living).tolist() if bank.shape[1] == 3 else [None] * len(alive)
    likest = nearest_kernels(patterns)
    for place, index in enumerate(alive):
        facts[index] = FilterFacts(
            "alive",
            float(norms[index]),
            float(shares[place]),
            float(orientations[place]),
            float(frequencies[place]),
            float(strengths[place]),
            fits[place],
            colours[place],
            likest[place],
        )
    return tuple(facts)


@dataclass(frozen=True)
class Summary:
    """How many filters of a bank pass as oriented edges, and what to hold that against.

    directions: how many oriented edges lie in each sector of 180 degrees. before: how many passed
    in the random start; None where that is not known. by_chance: the share of random kernels of the
    same size that pass.
    """

    filters: int
    oriented: int
    dead: int
    directions: tuple[int, ...]
    before: int | None
    by_chance: float


def summary_of(
    bank: np.ndarray, facts: Sequence[FilterFacts], start: np.ndarray | None = None
) -> Summary:
    """What the facts of a bank (F, C, kh, kw) come to; ``start`` is the bank before training."""
    directions = [0] * DIRECTIONS
    oriented = [each for each in facts if each.is_oriented]
    for each in oriented:
        directions[each.direction] += 1
    return Summary(
        len(facts),
        len(oriented),
        sum(each.is_dead for each in facts),
        tuple(directions),
        None if start is None else sum(each.is_oriented for each in filter_facts(start)),
        share_by_chance(bank.shape),
    )


def share_by_chance(shape: tuple[int, int, int, int]) -> float:
    """The share of filters of independent normal weights that pass as oriented edges.

    A Gabor function has eight numbers, so small kernels are fitted well whatever they are.
    """
    random = np.random.default_rng(0).standard_normal((RANDOM_FILTERS, *shape[1:]))
    patterns, _ = principal_patterns(random)
    clear = patterns[orientation_strengths(patterns) > CLEAR]  # few of large kernels, so few fits
    passed = sum(fit.r_squared > GOOD_FIT for fit in fit_gabor(clear))
    return passed / RANDOM_FILTERS


def states_of(bank: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The state of every filter, as FilterFacts has it, and its norm (F,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        norms = np.sqrt(np.square(bank).sum(axis=(1, 2, 3)))
    is_finite = np.isfinite(norms)
    spread = np.where(is_finite[:, None, None, None], bank, 0).reshape(*bank.shape[:2], -1)
    is_constant = np.ptp(spread, axis=2).max(axis=1) <= 1e-6 * norms
    is_constant &= bank[0, 0].size > 1
    median = float(np.median(norms[is_finite])) if is_finite.any() else 0.0
    is_faint = (norms < LEAST_SHARE * median) | (norms == 0)
    states = np.select(
        [~is_finite, is_faint, is_constant], ["not finite", "faint", "constant"], "alive"
    )
    return states.tolist(), norms


def principal_patterns(bank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The one pattern (F, kh, kw) that is most of each filter (F, C, kh, kw), and its share (F,).

    A filter sums what each channel's kernel finds; the nearest filter that has the same kernel in
    all channels, times a weight for each, is the first term of its singular value decomposition.
    Of one channel that is the kernel itself, of a filter for grey edges the mean of its channels,
    and of one for the border of red and green the pattern of that border, which the mean would
    lose. The share is of energy, the sum of squares. Signs are those of the sum over channels.
    """
    filters, channels, height, width = bank.shape
    if channels == 1:
        return bank[:, 0].copy(), np.ones(filters)
    mixtures, singular, patterns = np.linalg.svd(
        bank.reshape(filters, channels, -1), full_matrices=False
    )
    signs = np.where(mixtures[:, :, 0].sum(axis=1) < 0, -1.0, 1.0) * singular[:, 0]
    shares = singular[:, 0] ** 2 / np.square(singular).sum(axis=1)
    return (patterns[:, 0] * signs[:, None]).reshape(filters, height, width), shares


def colour_shares(bank: np.ndarray) -> np.ndarray:
    """(F,): the share of energy of each filter (F, 3, kh, kw) that no grey image meets.

    A grey image has the same in all channels, so it meets their mean alone:
    ``1 - 3 |mean|² / |filter|²``, from 0, blind to colour, to 1, blind to grey.
    """
    grey = 3 * np.square(bank.mean(axis=1)).sum(axis=(1, 2))
    return 1 - grey / np.square(bank).sum(axis=(1, 2, 3))


def orientation_strengths(patterns: np.ndarray) -> np.ndarray:
    """(F,): the coherence of the structure tensor of patterns (F, kh, kw), from 0 to 1.

    With the tensor J = sum of g gᵀ over all gradients g, and its eigenvalues a >= b, it is
    ``(a - b) / (a + b)``: 1 where all gradients lie along one line, 0 where none is preferred.
    Gradients are taken in the middle of each four weights, where both of their parts are known; a
    row or column of weights has them along itself alone. Source: B. Jähne, Digital Image
    Processing, 'Local orientation: the structure tensor'.
    """
    if min(patterns.shape[1:]) == 1:
        return np.ones(len(patterns))
    along_x, along_y = np.diff(patterns, axis=2), np.diff(patterns, axis=1)
    gx = (along_x[:, 1:] + along_x[:, :-1]) / 2
    gy = (along_y[:, :, 1:] + along_y[:, :, :-1]) / 2
    xx, yy, xy = (np.sum(a * b, axis=(1, 2)) for a, b in ((gx, gx), (gy, gy), (gx, gy)))
    total, energy = xx + yy, np.square(patterns).sum(axis=(1, 2))
    difference = np.hypot(xx - yy, 2 * xy)
    # A chequerboard has no gradient there at all but for rounding.
    return quotients(difference, np.where(total > 1e-12 * energy, total, 0))


WAVE_ANGLES = tuple(range(0, 180, 30))
WAVE_PHASES = 0.0, 90.0
"""The waves of the catalogue's Gabor function that are compared, besides its own."""

ALIKE = 1e-9


@dataclass(frozen=True)
class Likeness:
    """A kernel of the catalogue, and how like it is: the cosine of the angle between the two as
    vectors of weights, without its sign, from 0 to 1."""

    name: str
    similarity: float


def nearest_kernels(patterns: np.ndarray) -> tuple[Likeness | None, ...]:
    """The most similar kernel to each of the patterns (F, kh, kw); None for a single weight.

    All kernels of the catalogue are compared, those of a bank one by one. They are resized to the
    size of the patterns: linearly, and where that is smaller by averages over what it covers. Of
    kernels that are equally like, such as those of opposite sign, the first is named.
    """
    count, height, width = patterns.shape
    if height * width == 1:
        return (None,) * count
    names, known = _resized_catalogue(height, width)
    flat = patterns.reshape(count, -1)
    flat = flat / np.sqrt(np.square(flat).sum(axis=1, keepdims=True))
    cosines = np.abs(flat @ known.T)
    best = (cosines >= cosines.max(axis=1, keepdims=True) - ALIKE).argmax(axis=1)
    return tuple(
        Likeness(names[index], min(1.0, float(row[index])))
        for index, row in zip(best, cosines, strict=True)
    )


@lru_cache(8)
def _resized_catalogue(height: int, width: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, and kernels (K, height * width) of norm 1."""
    names, rows = [], []
    for name, kernel in _kernels():
        weights = resized(kernel, (height, width)).ravel()
        norm = np.sqrt(np.square(weights).sum())
        if norm > 1e-9 * np.abs(kernel).max():  # a checked pattern may average out
            names.append(name)
            rows.append(weights / norm)
    return tuple(names), np.stack(rows)


def _kernels() -> Iterator[tuple[str, np.ndarray]]:
    for name in CATALOGUE:
        filter = build(name)
        yield from zip(filter.names, filter.bank, strict=True)
    for angle in WAVE_ANGLES:
        for phase in WAVE_PHASES:
            filter = build("gabor", angle=angle, phase=phase)
            yield filter.spec, filter.bank[0]
