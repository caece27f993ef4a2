"""Gradients proved by differences: what backward says against what forward does.

The loss is ``L(x) = <dy, f(x)>`` for a random dy, so that ``backward(dy)`` is its gradient. A step
along u, which is one element or a random direction, must change it by ``<gradient, u>``:

    numeric = (L(x + h u) - L(x - h u)) / 2h
    error = |analytic - numeric| / max(|analytic|, |numeric|, floor)

The floor is a thousandth of the gradient's largest element (for directions of its norm), as far
smaller ones are no more than rounding; it is raised where rounding alone could make the error 1e-6,
as where all of a gradient is 0: a bias before batch normalization changes nothing.

The step is ``h = eps^(1/3) * max(|x|, rms of the input)``, 6e-6 for inputs around 1: truncation
grows as h^2 and rounding as eps / h, and their sum is least there, about 1e-10 (Nocedal and Wright,
Numerical Optimization, section 8.1). The tolerance is 1e-6: what is right stays well below it, and
a wrong formula, sign, index or factor well above. Where an input moves the outputs by little for
its size, as small biases of a network do, rounding would be larger than that; the step is then made
larger, at most a thousand times, until rounding is 1e-8 of the gradient.

A step may go over kinks, as of relu at 0, and of a deep network with thousands of units it often
does. Forward and backward difference disagree by ``h f''`` where f is smooth, and by far more over
a kink. So where they disagree, or the gradient seems wrong, ever finer steps are taken, down to a
hundredth. The first step that confirms the gradient decides; else the largest one that the next
finer one confirms, as there is no kink within it, or that finer one if it is nearer. Where the
one-sided differences disagree however fine the step, and the gradient lies between them, x is at a
kink.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
STEP = EPSILON ** (1 / 3)
FINER = 10**-0.5
FINEST = 0.0099
"""Steps become finer by the one factor, down to the other times ``STEP``."""

LARGEST_GROWTH, NEGLIGIBLE = 1e3, 1e-8
"""Steps become larger, at most so many times, until rounding is that share of the gradient."""

TOLERANCE = 1e-6

FLOOR = 1e-3
"""Share of a gradient's largest element, or norm, below which errors are no longer relative."""

SURE = 0.01
"""Share of the tolerance to which two steps, or a step and the gradient, must agree to decide."""

CURVED = 1e-3
"""One-sided differences that disagree by more may have a truncation error above the tolerance."""

ROUNDING = 16 * EPSILON
"""What a forward pass may lose of each output."""


@dataclass(frozen=True)
class GradientCheck:
    """What the check of one input found."""

    input: str
    by: Literal["elements", "directions"]
    checked: int
    kinks: int
    """How many of the checked are at a kink; they are left out of the error."""
    passed: int
    """How many have a kink nearby, within the first step, and were checked with a finer one."""
    error: float
    """The largest relative error."""
    where: tuple[int, ...] | None
    """The element with that error; of directions, one that is to blame where they are wrong."""
    analytic: float | None
    """What backward gives there."""
    numeric: float | None
    """What differences give there."""
    verdict: Literal["ok", "wrong", "kink"]
    """kink: right wherever there is a derivative, but somewhere there is none."""


def gradcheck(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[[Any, Any], Any],
    inputs: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    *,
    tolerance: float = TOLERANCE,
    most_elements: int = 50,
    directions: int = 8,
) -> tuple[GradientCheck, ...]:
    """Compare ``backward`` with central differences of ``forward``, in float64, input by input.

    ``y, cache = forward(**inputs)`` with y an array or a number; ``backward(dy, cache)`` gives the
    gradients of the inputs in their order, as a tuple unless there is only one; None, as of a bias
    that is not there, is left out. An input of at most ``most_elements`` is checked element by
    element, a larger one along random ``directions``. One wrong element among thousands does not
    escape those; it is then searched for by halving.

    Returns one result an input. Raises ValueError where the gradients do not have the number or the
    shapes of the inputs, or where float64 is not kept.
    """
    inputs = {name: np.array(value, np.float64) for name, value in inputs.items()}
    y, cache = forward(**inputs)
    dy = rng.standard_normal(np.shape(y))
    gradients = backward(dy, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    gradients = tuple(gradient for gradient in gradients if gradient is not None)
    _check_arrays(inputs, y, gradients)

    results = []
    for (name, x), gradient in zip(inputs.items(), gradients, strict=True):

        def y_of(x: np.ndarray, name: str = name) -> Any:
            return forward(**{**inputs, name: x})[0]

        us = None
        if x.size > most_elements:
            us = [rng.standard_normal(x.shape) for _ in range(directions)]
        results.append(_check(name, _Probe(y_of, x, y, dy, gradient), us, tolerance))
    return tuple(results)


def _check_arrays(inputs: Mapping[str, np.ndarray], y: Any, gradients: tuple) -> None:
    if len(gradients) != len(inputs):
        raise ValueError(
            f"backward gives {len(gradients)} gradients: expected one for each of "
            f"{', '.join(inputs)}"
        )
    arrays = {"y": (y, np.shape(y))}
    arrays |= {
        f"d{name}": (gradient, x.shape)
        for (name, x), gradient in zip(inputs.items(), gradients, strict=True)
    }
    for name, (array, shape) in arrays.items():
        if np.shape(array) != shape:
            raise ValueError(f"{name} has shape {np.shape(array)}: expected {shape}")
        if np.asarray(array).dtype != np.float64:
            raise ValueError(f"{name} is {np.asarray(array).dtype}: expected float64 from float64")


@dataclass(frozen=True, eq=False)
class _Probe:
    """One input of a function, and all that is known at the point where it is checked."""

    function: Callable[[np.ndarray], Any]
    x: np.ndarray
    y: np.ndarray
    dy: np.ndarray
    gradient: np.ndarray

    def differences(self, u: np.ndarray, step: float) -> tuple[float, float, float]:
        """Along u: the central difference, how far one-sided ones disagree, and the rounding.

        They disagree by ``sum |dy| |f(x + hu) - 2 f(x) + f(x - hu)| / h``, in which outputs cannot
        cancel each other; what may be rounding is taken off.
        """
        ahead = np.asarray(self.function(self.x + step * u))
        behind = np.asarray(self.function(self.x - step * u))
        central = np.sum(self.dy * (ahead - behind)) / (2 * step)
        moved = (ahead != self.y) | (behind != self.y)
        lost = ROUNDING / step * np.abs(self.dy * self.y) * moved
        gap = np.sum(np.abs(self.dy * (ahead - 2 * self.y + behind))) / step
        return float(central), max(0.0, float(gap - lost.sum())), float(np.linalg.norm(lost))

    def mismatch(self, u: np.ndarray, step: float) -> float:
        """How far the gradient along u is from the central difference; infinite for NaN."""
        difference = abs(np.vdot(self.gradient, u) - self.differences(u, step)[0])
        return float(difference) if np.isfinite(difference) else np.inf


@dataclass(frozen=True)
class _Finding:
    """The gradient along one u, by one step."""

    analytic: float
    numeric: float
    error: float
    step: float
    gap: float
    rounding: float
    is_kink: bool = False
    passed: bool = False


def _compare(probe: _Probe, u: np.ndarray, step: float, floor: float, tolerance: float) -> _Finding:
    """The gradient along u against differences; see the top of the file."""
    analytic = float(np.vdot(probe.gradient, u))
    least = max(abs(analytic), floor)

    def finding(step: float) -> _Finding:
        numeric, gap, rounding = probe.differences(u, step)
        scale = max(least, abs(numeric), rounding / TOLERANCE)
        error = abs(analytic - numeric) / scale if scale else 0.0
        error = error if np.isfinite(error) else np.inf
        return _Finding(analytic, numeric, error, step, gap, rounding)

    found = [finding(step)]
    excess = found[0].rounding / (NEGLIGIBLE * least) if least else 0.0
    if analytic and not found[0].numeric:  # nothing moved: it was rounded away on the way
        excess = LARGEST_GROWTH
    if excess > 1:
        found = [finding(step * min(excess, LARGEST_GROWTH))]
    while True:
        last = found[-1]
        if last.error <= SURE * tolerance and last.gap <= CURVED * least:
            return _after(found, last)
        if len(found) > 1 and _confirms(found[-1], found[-2], tolerance * least):
            return _after(found, min(found[-2:], key=lambda one: one.error))
        if last.step * FINER < step * FINEST:
            break
        found.append(finding(last.step * FINER))
    if abs(analytic - last.numeric) <= 0.51 * last.gap + last.rounding:
        return replace(last, is_kink=True)
    return last


def _confirms(finer: _Finding, coarse: _Finding, tolerated: float) -> bool:
    """Whether there is no kink within the coarse step: both give the same, and one-sided
    differences come closer as they do where f is smooth."""
    allowed = SURE * tolerated + coarse.rounding + finer.rounding
    is_smooth = finer.gap <= 0.6 * coarse.gap or coarse.gap <= allowed
    return is_smooth and abs(coarse.numeric - finer.numeric) <= allowed


def _after(found: Sequence[_Finding], last: _Finding) -> _Finding:
    """The finding that decides, with whether larger steps went over a kink.

    One-sided differences of a smooth function disagree in proportion to the step.
    """
    bend = 2 * last.gap / last.step
    passed = any(
        one.gap > bend * one.step + TOLERANCE * abs(one.numeric) + one.rounding for one in found
    )
    return replace(last, passed=passed)


def _check(
    name: str, probe: _Probe, us: Sequence[np.ndarray] | None, tolerance: float
) -> GradientCheck:
    """The gradient along every one of the directions ``us``; of every element without them."""
    x, size = probe.x, _size(probe.x)
    lost = ROUNDING / TOLERANCE * float(np.linalg.norm(probe.dy * probe.y)) / size
    if us is None:
        floor = max(lost, FLOOR * float(np.abs(probe.gradient).max(initial=0)))
        findings = [
            _compare(probe, _unit(x.shape, index), STEP * max(abs(value), size), floor, tolerance)
            for index, value in enumerate(x.flat)
        ]
    else:
        floor = max(lost, FLOOR * float(np.linalg.norm(probe.gradient)))
        findings = [_compare(probe, u, STEP * size, floor, tolerance) for u in us]
    right = [index for index, finding in enumerate(findings) if not finding.is_kink]
    worst = max(right, key=lambda index: findings[index].error, default=-1)
    at, where = findings[worst] if right else None, None
    error = at.error if at else 0.0
    if at and us is None:
        where = _place(worst, x.shape)
    elif at and us and error > tolerance:
        index = _blame(probe, us[worst], at.step)
        where = _place(index, x.shape)
        at = _compare(probe, _unit(x.shape, index), STEP * size, 0.0, tolerance)
    kinks = len(findings) - len(right)
    return GradientCheck(
        input=name,
        by="elements" if us is None else "directions",
        checked=len(findings),
        kinks=kinks,
        passed=sum(finding.passed for finding in findings),
        error=error,
        where=where,
        analytic=at.analytic if at else None,
        numeric=at.numeric if at else None,
        verdict="wrong" if error > tolerance else "kink" if kinks else "ok",
    )


def _blame(probe: _Probe, u: np.ndarray, step: float) -> int:
    """One wrong element of the gradient: of each half of u, the one with the larger mismatch."""

    def mismatch(part: np.ndarray) -> float:
        half = np.zeros(u.size)
        half[part] = u.flat[part]
        return probe.mismatch(half.reshape(u.shape), step)

    part = np.arange(u.size)
    while len(part) > 1:
        part = max(np.array_split(part, 2), key=mismatch)
    return int(part[0])


def _size(x: np.ndarray) -> float:
    """The root mean square of an input, or 1 where that is 0: what a step is measured in."""
    return float(np.linalg.norm(x)) / max(1, x.size) ** 0.5 or 1.0


def _unit(shape: tuple[int, ...], index: int) -> np.ndarray:
    u = np.zeros(shape)
    u.flat[index] = 1
    return u


def _place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(index, shape)))
