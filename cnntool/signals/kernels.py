"""Kernels for signals: the named ones, and what else a person may type for one.

Weights are written as true convolution takes them, ``y[t] = sum over i of w[i] x[t - i]``: weight i
is the answer i samples after an impulse, counted from the anchor.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil

import numpy as np

from cnntool.choices import LARGEST_SIGNAL_KERNEL as LARGEST_KERNEL
from cnntool.errors import RequestError
from cnntool.imaging.kernel_catalogue import Entry
from cnntool.imaging.kernel_weights import brightness, gaussian_row
from cnntool.imaging.kernels import parse_kernel
from cnntool.specs import Parameter

LARGEST_LENGTH = 1e6
"""Of sigma and tau, in samples."""

NAMES = ("box", "gaussian", "exponential", "derivative", "identity")


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weights (F, k) of a kernel, F being 1 or one row a channel.

    ``anchor`` is the weight at time 0, counted from 0; None is the middle, k // 2.
    """

    label: str  # short and safe in a file name: 'gaussian-sigma2', 'kernel3'
    weights: np.ndarray = field(repr=False)
    anchor: int | None = None


def catalogue(dt: float = 1.0) -> dict[str, Entry]:
    """The named kernels for samples ``dt`` apart, in the order of NAMES; weights are (1, k).

    Each sums to 1, and derivatives are per unit of t, so that no result depends on ``dt`` but for
    its sampling error. Lengths (sigma, tau) are in units of t, sizes in samples.
    """
    unit = "in samples, or in the units of --dt"
    size = partial(Parameter, "size", minimum=1, maximum=LARGEST_KERNEL, kind=int)
    length = partial(Parameter, minimum=0, maximum=1e12, exclusive_minimum=True)
    entries = [
        Entry(
            "box",
            "blur",
            "moving mean",
            "1 / size",
            "the rectangular window",
            lambda size: np.full((1, size), 1 / size),
            (size(default=3, help="samples"),),
        ),
        Entry(
            "gaussian",
            "blur",
            "smooth mean; as a density, the normal distribution",
            "exp(-t² / 2σ²) / sum",
            "size as scipy.ndimage.gaussian_filter1d (truncate=4)",
            partial(_gaussian, dt),
            (
                length(name="sigma", default=1.0, help=f"standard deviation, {unit}"),
                size(default=None, help="samples; by default 2 int(4 sigma + 0.5) + 1"),
            ),
        ),
        Entry(
            "exponential",
            "blur",
            "mean of the past that fades: decay after an impulse, the RC low-pass filter",
            "exp(-t / τ) / sum, t >= 0",
            "exponential smoothing with 1 - alpha = exp(-dt / τ)",
            partial(_exponential, dt),
            (
                length(name="tau", default=5.0, help=f"until 1/e is left, {unit}"),
                size(default=None, help="samples; by default ceil(10 tau) + 1"),
            ),
        ),
        Entry(
            "derivative",
            "edge",
            "the derivative f' by central differences, or f''",
            "1: [1/2 0 -1/2] / dt; 2: [1 -2 1] / dt²",
            "M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, 25.3.21, 25.3.23",
            partial(_derivative, dt),
            (Parameter("order", 1, "how many times", kind=int, choices=(1, 2)),),
        ),
        Entry(
            "identity",
            "other",
            "changes nothing",
            "δ: [1]",
            "the unit impulse",
            lambda: np.ones((1, 1)),
        ),
    ]
    return {entry.name: entry for entry in entries}


def parse_signal_kernel(spec: str, dt: float | None = None) -> Kernel:
    """Read one kernel as a person types it: a name with parameters, numbers, or a file.

    Numbers stand in one row ('1 0 -1', '1/3, 1/3, 1/3'); a file (.txt, .csv, .json, .npy) holds one
    row or one column. With ``dt`` the results approximate the integral (f*g)(t) = ∫ f(s) g(t-s) ds:
    numbers are samples of g and are multiplied by dt; named kernels are densities that integrate
    to 1. Raises RequestError with one line for every mistake.
    """
    kernel = parse_kernel(spec, catalogue=catalogue(dt or 1.0), largest=LARGEST_KERNEL)
    if kernel.bias:
        raise RequestError(
            f"'{spec}' adds an offset of {kernel.bias:g}, and a signal takes none: leave it out"
        )
    count, height, width = kernel.bank.shape
    if kernel.bank.size != max(count, height, width):
        raise RequestError(
            f"the kernel '{spec}' has {height} rows of {width} numbers: a signal takes one row, "
            "such as '1 0 -1'"
        )
    row = kernel.bank.reshape(1, -1)
    if (name := spec.partition(":")[0].strip()) in NAMES:
        return Kernel(kernel.label, row, 0 if name == "exponential" else None)
    is_typed = kernel.label == f"kernel{height}x{width}"
    return Kernel(f"kernel{row.size}" if is_typed else kernel.label, row * (dt or 1.0))


def scaled(kernel: Kernel, normalize: bool = False, scale: float = 1.0) -> Kernel:
    """The kernel times ``scale``, before that divided by its brightness if asked for."""
    weights = kernel.weights / brightness(kernel.weights) if normalize else kernel.weights
    return replace(kernel, weights=weights * scale)


def _in_samples(kernel: str, name: str, value: float, dt: float) -> float:
    """A length in samples, once it is one that samples can show."""
    samples = value / dt
    if not 0.01 <= samples <= LARGEST_LENGTH:
        raise RequestError(
            f"{kernel}: {name} is {value:g}, which is {samples:g} samples: expected 0.01 to "
            f"{LARGEST_LENGTH:g} samples, so use another {name} or --dt"
        )
    return samples


def _gaussian(dt: float, sigma: float, size: int | None) -> np.ndarray:
    samples = _in_samples("gaussian", "sigma", sigma, dt)
    return gaussian_row(samples, size or 2 * int(4 * samples + 0.5) + 1)[None]


def _exponential(dt: float, tau: float, size: int | None) -> np.ndarray:
    samples = _in_samples("exponential", "tau", tau, dt)
    weights = np.exp(-np.arange(size or ceil(10 * samples) + 1) / samples)
    return weights[None] / weights.sum()


def _derivative(dt: float, order: int) -> np.ndarray:
    weights = [[0.5, 0.0, -0.5]] if order == 1 else [[1.0, -2.0, 1.0]]
    return np.array(weights) / dt**order
