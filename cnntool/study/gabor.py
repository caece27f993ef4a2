"""The Gabor function that is nearest to a kernel, by least squares.

    g(x, y) = (a cos(2π f x') + b sin(2π f x')) exp(-x'² / 2σ² - y'² / 2τ²)

with x' along the wave, at the angle θ, and y' across it, both from the centre (x0, y0). Angles are
as in cnntool.study.filter_statistics.
Sources: J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and
orientation", JOSA A 2, 1985; J. P. Jones, L. A. Palmer, "An evaluation of the two-dimensional Gabor
filter model", J. Neurophysiology 58, 1987; for the method D. W. Marquardt, "An algorithm for
least-squares estimation of nonlinear parameters", SIAM J. 11, 1963.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import quotients

STARTS = 8
"""Candidates that each kernel is fitted from."""

STEPS = 60
ENOUGH = 1e-8
"""Of the energy of a kernel, that a last step gains."""

BLOCK_VALUES = 1 << 21
"""Of the Jacobians that are held at once."""

NARROWEST = 0.3
"""Of a Gaussian's standard deviation, in pixels: less is one weight and nothing beside it."""

PARAMETERS = 8  # a, b, x0, y0, log σ, log τ, θ, f


@dataclass(frozen=True)
class Gabor:
    """A Gabor function as it was fitted.

    amplitude: ``hypot(a, b)``, in the unit of the weights.
    centre: (x, y) in pixels from the kernel's middle, y upward.
    sigma, tau: standard deviations in pixels, along the wave and across it.
    orientation: of the wave in degrees, from 0 to 180. frequency: in cycles a pixel.
    phase: in degrees: 0 is a bright line in the centre, 180 a dark one, 90 and -90 an edge.
    r_squared: ``1 - sum of squared residuals / sum of (weight - mean)²``.
    """

    amplitude: float
    centre: tuple[float, float]
    sigma: float
    tau: float
    orientation: float
    frequency: float
    phase: float
    r_squared: float


def fit_gabor(patterns: np.ndarray) -> tuple[Gabor, ...]:
    """The nearest Gabor function to each of the patterns (F, kh, kw), none of them constant.

    Candidates of many angles, frequencies, widths and centres are compared with each pattern, a
    and b following by projection; from the best the Levenberg-Marquardt method goes on, for all
    patterns at once.
    """
    patterns = np.asarray(patterns, np.float64)
    filters, height, width = patterns.shape
    flat = patterns.reshape(filters, height * width)
    scales = np.sqrt(np.square(flat).sum(axis=1))
    x, y = _places(height, width)
    candidates = _candidates(height, width)
    step = max(1, BLOCK_VALUES // (STARTS * PARAMETERS * height * width))
    found: list[Gabor] = []
    for first in range(0, filters, step):
        block = slice(first, first + step)
        found += _fit_block(flat[block] / scales[block, None], scales[block], x, y, candidates)
    return tuple(found)


def _places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x to the right and y upward (n,) of all weights, from the kernel's middle."""
    up = (height - 1) / 2 - np.arange(height)
    across = np.arange(width) - (width - 1) / 2
    return np.tile(across, height), np.repeat(up, width)


def _quadrature(
    shapes: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of functions with shapes (P, 6), which are x0, y0, log σ, log τ, θ and f, at n places: x' and
    y', the cosine and the sine under the Gaussian; each (P, n)."""
    x0, y0, log_sigma, log_tau, theta, f = (shapes[:, index, None] for index in range(6))
    cosine, sine = np.cos(theta), np.sin(theta)
    dx, dy = x - x0, y - y0
    along, across = cosine * dx + sine * dy, cosine * dy - sine * dx
    exponent = along**2 * np.exp(-2 * log_sigma) + across**2 * np.exp(-2 * log_tau)
    envelope, wave = np.exp(-0.5 * exponent), 2 * np.pi * f * along
    return along, across, envelope * np.cos(wave), envelope * np.sin(wave)


def _model(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gabor functions of parameters (P, 8) at n places x, y (n,): their values (P, n), and their
    derivatives by each parameter (P, n, 8)."""
    along, across, even, odd = _quadrature(p[:, 2:], x, y)
    a, b, _, _, log_sigma, log_tau, theta, f = (p[:, index, None] for index in range(PARAMETERS))
    cosine, sine = np.cos(theta), np.sin(theta)
    per_sigma, per_tau = np.exp(-2 * log_sigma), np.exp(-2 * log_tau)
    value = a * even + b * odd
    slope = b * even - a * odd  # by the phase of the wave
    by_along = 2 * np.pi * f * slope - along * per_sigma * value
    by_across = -across * per_tau * value
    derivatives = (
        even,
        odd,
        -cosine * by_along + sine * by_across,
        -sine * by_along - cosine * by_across,
        along**2 * per_sigma * value,
        across**2 * per_tau * value,
        across * by_along - along * by_across,
        2 * np.pi * along * slope,
    )
    return value, np.stack(derivatives, axis=2)


def _candidates(height: int, width: int) -> np.ndarray:
    """(K, 6): x0, y0, log σ, log τ, θ, f of where a fit may start."""
    size = max(height, width)
    thirds = (-0.5, 0.0, 0.5)
    centres = [(i * (width - 1) / 2, j * (height - 1) / 2) for i in thirds for j in thirds]
    widths = [(s * size, t * size) for s in (0.12, 0.25, 0.5) for t in (0.1, 0.25, 0.5)]
    angles = np.arange(12) * np.pi / 12
    frequencies = np.unique([*np.minimum([0.4, 1, 1.7], 0.45 * size) / size, 0.25, 0.35, 0.45, 0.6])
    candidates = np.array(
        [
            (*centre, np.log(max(s, 0.5)), np.log(max(t, 0.5)), angle, f)
            for centre in centres
            for s, t in widths
            for angle in angles
            for f in frequencies
        ]
    )
    angles, f = candidates[:, 4], candidates[:, 5]
    return candidates[f * np.maximum(np.abs(np.cos(angles)), np.abs(np.sin(angles))) <= 0.5]


def _fit_block(
    flat: np.ndarray, scales: np.ndarray, x: np.ndarray, y: np.ndarray, candidates: np.ndarray
) -> list[Gabor]:
    """Fits of patterns (F, n) of norm 1."""
    filters = len(flat)
    starts = _starts(flat, x, y, candidates)  # (F, S, 8)
    targets = np.repeat(flat, STARTS, axis=0)
    p, squares = _levenberg_marquardt(starts.reshape(-1, PARAMETERS), targets, x, y)
    best = squares.reshape(filters, STARTS).argmin(axis=1) + np.arange(filters) * STARTS
    spread = np.square(flat - flat.mean(axis=1, keepdims=True)).sum(axis=1)
    r_squared = 1 - squares[best] / np.where(spread > 0, spread, 1)
    return [
        _described(row, scale, share)
        for row, scale, share in zip(p[best], scales, r_squared, strict=True)
    ]


def _starts(flat: np.ndarray, x: np.ndarray, y: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(F, STARTS, 8): the candidates nearest to each pattern, of different angles."""
    step = max(1, BLOCK_VALUES // len(x))
    blocks = [
        _projected(flat, x, y, candidates[first : first + step])
        for first in range(0, len(candidates), step)
    ]
    a, b, explained = (np.concatenate(each, axis=1) for each in zip(*blocks, strict=True))
    angles = np.unique(candidates[:, 4])
    groups = [np.flatnonzero(candidates[:, 4] == angle) for angle in angles]
    leaders = np.stack([group[explained[:, group].argmax(axis=1)] for group in groups], axis=1)
    rows = np.arange(len(flat))[:, None]
    order = np.argsort(-explained[rows, leaders], axis=1, kind="stable")[:, :STARTS]
    chosen = leaders[rows, order]  # (F, STARTS)
    weights = np.stack([a[rows, chosen], b[rows, chosen]], axis=2)
    return np.concatenate([weights, candidates[chosen]], axis=2)


def _projected(
    flat: np.ndarray, x: np.ndarray, y: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best a and b of each candidate for each pattern, and the energy that it then explains;
    each (F, K)."""
    _, _, even, odd = _quadrature(candidates, x, y)
    ee, oo, eo = (np.sum(u * v, axis=1) for u, v in ((even, even), (odd, odd), (even, odd)))
    determinant = ee * oo - eo**2
    is_sound = determinant > 1e-9 * ee * oo
    inverse = np.where(is_sound, 1 / np.where(is_sound, determinant, 1), 0)
    with_even, with_odd = flat @ even.T, flat @ odd.T
    a = (oo * with_even - eo * with_odd) * inverse
    b = (ee * with_odd - eo * with_even) * inverse
    return a, b, a * with_even + b * with_odd


def _levenberg_marquardt(
    p: np.ndarray, targets: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (P, 8) of least squares near those given, and the sums of squares (P,).

    Each step solves ``(JᵀJ + λ diag(JᵀJ)) d = Jᵀr`` and is kept where it lowers the sum; then λ
    shrinks, else it grows. Parameters stay within the bounds of ``_bounded``.
    """
    damping = np.full(len(p), 1e-2)
    value, jacobian = _model(p, x, y)
    residual = targets - value
    squares = np.square(residual).sum(axis=1)
    identity = np.eye(PARAMETERS)
    active = np.arange(len(p))  # those that still move
    for _ in range(STEPS):
        rows = jacobian[active]
        normal = rows.swapaxes(1, 2) @ rows
        gradient = (residual[active, None] @ rows)[:, 0]
        diagonal = np.einsum("pii->pi", normal)
        normal = normal + identity * (damping[active, None] * diagonal + 1e-12)[:, None]
        moved = np.linalg.solve(normal, gradient[..., None])[..., 0]
        tried = _bounded(p[active] + moved, x, y)
        value, slopes = _model(tried, x, y)
        left = targets[active] - value
        sums = np.square(left).sum(axis=1)
        is_better = sums < squares[active]
        better = active[is_better]
        gain = squares[better] - sums[is_better]
        p[better], residual[better] = tried[is_better], left[is_better]
        jacobian[better], squares[better] = slopes[is_better], sums[is_better]
        damping[active] = np.clip(damping[active] * np.where(is_better, 0.2, 5.0), 1e-12, 1e8)
        is_done = damping[active] >= 1e7
        is_done[is_better] |= gain < ENOUGH
        active = active[~is_done]
        if not len(active):
            break
    return p, squares


def _bounded(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Centres on the kernel, widths from a third of a pixel to four kernels, and waves of half a
    cycle a pixel at most along either axis, as finer ones give the same weights as coarser ones."""
    p, size = p.copy(), max(np.ptp(x), np.ptp(y)) + 1
    p[:, 2] = np.clip(p[:, 2], x.min() - 0.5, x.max() + 0.5)
    p[:, 3] = np.clip(p[:, 3], y.min() - 0.5, y.max() + 0.5)
    p[:, 4:6] = np.clip(p[:, 4:6], np.log(NARROWEST), np.log(4 * size))
    theta = p[:, 6]
    highest = 0.5 / np.maximum(np.abs(np.cos(theta)), np.abs(np.sin(theta)))
    # A wave held at 0 would never become odd, so it may run either way.
    p[:, 7] = np.clip(p[:, 7], -highest, highest)
    return p


def _described(p: np.ndarray, scale: float, r_squared: float) -> Gabor:
    a, b, x0, y0, log_sigma, log_tau, theta, f = p.tolist()
    turns, orientation = divmod(float(np.degrees(theta)), 180)
    if (turns % 2 == 1) != (f < 0):  # half a turn: the wave runs the other way
        b = -b
    return Gabor(
        amplitude=float(scale * np.hypot(a, b)),
        centre=(x0, y0),
        sigma=float(np.exp(log_sigma)),
        tau=float(np.exp(log_tau)),
        orientation=orientation,
        frequency=abs(f),
        phase=float(np.degrees(np.arctan2(-b, a))),
        r_squared=float(r_squared),
    )


SPECTRUM = 64
"""Samples along each axis of the zero-padded spectrum, before its peak is refined."""

ZOOMS = 16
"""Times that the grid about a peak becomes half as wide."""

IS_GRATING = 0.95
"""Share of a kernel that one grating explains, from which on the kernel is taken for a piece of
it."""


def spectral_peaks(patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orientation in degrees and frequency in cycles a pixel, (F,) each, of patterns (F, kh, kw).

    They are where ``|sum of k(x, y) exp(-2πi (u x + v y))|`` is greatest: the grating that the
    filter answers most. The mean is taken away first, as a constant is no grating. The peak of the
    zero-padded spectrum is refined by ever finer grids about it.

    The spectrum of a piece of few cycles has its peak beside the frequency of the whole grating, as
    the lobe at the negative frequency reaches it. So where a grating and a constant explain nearly
    all of a pattern by least squares, and a cycle of it fits in, the pattern is taken for a piece
    of that grating, which gives its exact angle and frequency.
    """
    patterns = patterns - patterns.mean(axis=(1, 2), keepdims=True)
    peaks, _ = _climbed(patterns, _coarse_peaks(patterns), _answers)
    gratings, explained = _climbed(patterns, peaks, _explained)
    energy = np.square(patterns).sum(axis=(1, 2))
    cycles = np.hypot(*gratings.T) * max(patterns.shape[1:])
    is_grating = explained > IS_GRATING * energy
    is_grating &= cycles >= 1  # fewer explain any even slope
    peaks = np.where(is_grating[:, None], gratings, peaks)
    peaks -= np.rint(peaks)  # beyond Nyquist's frequency stands the same grating again
    angles = np.degrees(np.arctan2(peaks[:, 1], peaks[:, 0])) % 180
    return np.where(angles > 180 - 1e-3, 0.0, angles), np.hypot(peaks[:, 0], peaks[:, 1])


def _coarse_peaks(patterns: np.ndarray) -> np.ndarray:
    """(F, 2): u to the right and v upward, of the greatest sample of each spectrum."""
    samples = _samples(patterns)
    down, across = (samples if size > 1 else 1 for size in patterns.shape[1:])
    u, v = np.fft.rfftfreq(across), -np.fft.fftfreq(down)
    peaks = np.empty((len(patterns), 2))
    for peak, pattern in zip(peaks, patterns, strict=True):
        power = np.abs(np.fft.rfft2(pattern, (down, across)))
        row, column = np.unravel_index(power.argmax(), power.shape)
        peak[:] = u[column], v[row]
    return peaks


def _samples(patterns: np.ndarray) -> int:
    """A power of two: four samples or more for each of a longer side's bins."""
    return max(SPECTRUM, 1 << (4 * max(patterns.shape[1:]) - 1).bit_length())


def _climbed(
    patterns: np.ndarray, peaks: np.ndarray, height_at: Callable[..., np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (F, 2) near ``peaks`` where ``height_at(patterns, us, vs)`` is greatest, and how
    great (F,).

    us and vs are (F, 5) each, the heights (F, 25): first as far as a sample of the spectrum to
    either side, and each time half as far.
    """
    height, width = patterns.shape[1:]
    step = 1 / _samples(patterns)
    for _ in range(ZOOMS):
        offsets = step * np.arange(-2, 3) / 2
        us = peaks[:, :1] + offsets * (width > 1)
        vs = peaks[:, 1:] + offsets * (height > 1)
        heights = height_at(patterns, us, vs)
        peaks = _best_of_grids(heights, us, vs)
        step /= 2
    return peaks, heights.max(axis=1)


def _best_of_grids(values: np.ndarray, us: np.ndarray, vs: np.ndarray) -> np.ndarray:
    """(F, 2): where values (F, 25), a row of u for each v, are greatest; the middle, unless another
    is clearly greater."""
    best = values.argmax(axis=1)
    each = np.arange(len(values))
    is_clear = values[each, best] > values[:, 12] * (1 + 1e-12)
    row, column = np.divmod(np.where(is_clear, best, 12), 5)
    return np.stack([us[each, column], vs[each, row]], axis=1)


def _answers(patterns: np.ndarray, us: np.ndarray, vs: np.ndarray) -> np.ndarray:
    """(F, 25): the size of each spectrum at each frequency."""
    height, width = patterns.shape[1:]
    rows = np.exp(2j * np.pi * vs[..., None] * np.arange(height))  # y is upward
    columns = np.exp(-2j * np.pi * us[..., None] * np.arange(width))
    spectra = rows @ patterns @ columns.swapaxes(1, 2)
    return np.abs(spectra).reshape(len(patterns), -1)


def _explained(patterns: np.ndarray, us: np.ndarray, vs: np.ndarray) -> np.ndarray:
    """(F, 25): the energy of the projection of each pattern onto the cosine and the sine of each
    frequency, less their means."""
    count, height, width = patterns.shape
    across, up = np.arange(width) - (width - 1) / 2, (height - 1) / 2 - np.arange(height)
    # (F, 5, 5, kh, kw), v before u and y before x
    phase = vs[:, :, None, None, None] * up[:, None] + us[:, None, :, None, None] * across
    phase = 2 * np.pi * phase.reshape(count, 25, height * width)
    even, odd = np.cos(phase), np.sin(phase)
    even, odd = (wave - wave.mean(axis=2, keepdims=True) for wave in (even, odd))
    flat = patterns.reshape(count, 1, -1)
    with_even, with_odd = (np.sum(wave * flat, axis=2) for wave in (even, odd))
    ee, oo, eo = (np.sum(a * b, axis=2) for a, b in ((even, even), (odd, odd), (even, odd)))
    # A sine of Nyquist's frequency is 0 at every weight, and a cosine nearly constant of a low one.
    ridge = 1e-9 * (ee + oo)
    ee, oo = ee + ridge, oo + ridge
    determinant = ee * oo - eo**2
    power = oo * with_even**2 - 2 * eo * with_even * with_odd + ee * with_odd**2
    return quotients(power, np.maximum(determinant, 0))
