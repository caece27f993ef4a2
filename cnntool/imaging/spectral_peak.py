"""The grating that a kernel answers most: its direction and its frequency.

Angles are as in cnntool.imaging.filter_statistics.
"""

from __future__ import annotations

import numpy as np

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
    peaks = _refined(patterns, _coarse_peaks(patterns))
    gratings, shares = _nearest_gratings(patterns, peaks)
    cycles = np.hypot(*gratings.T) * max(patterns.shape[1:])
    is_grating = (shares > IS_GRATING) & (cycles >= 1)  # fewer explain any even slope
    peaks = np.where(is_grating[:, None], gratings, peaks)
    peaks -= np.rint(peaks)  # beyond Nyquist's frequency stands the same grating again
    angles = np.degrees(np.arctan2(peaks[:, 1], peaks[:, 0])) % 180
    return np.where(angles > 180 - 1e-3, 0.0, angles), np.hypot(peaks[:, 0], peaks[:, 1])


def _coarse_peaks(patterns: np.ndarray) -> np.ndarray:
    """(F, 2): u to the right and v upward, of the greatest sample of each spectrum."""
    height, width = patterns.shape[1:]
    across, up = np.arange(width), -np.arange(height)
    samples = _samples(patterns)
    u = np.arange(samples // 2 + 1) / samples if width > 1 else np.zeros(1)
    v = np.arange(-(samples // 2), samples // 2) / samples if height > 1 else np.zeros(1)
    peaks = np.empty((len(patterns), 2))
    for index, pattern in enumerate(patterns):
        power = np.abs(_waves(v, up) @ pattern @ _waves(u, across).T)
        row, column = np.unravel_index(power.argmax(), power.shape)
        peaks[index] = u[column], v[row]
    return peaks


def _samples(patterns: np.ndarray) -> int:
    """A power of two: four samples or more for each of a longer side's bins."""
    return max(SPECTRUM, 1 << (4 * max(patterns.shape[1:]) - 1).bit_length())


def _waves(frequencies: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(..., frequencies, places): exp(-2πi f x)."""
    return np.exp(-2j * np.pi * frequencies[..., None] * places)


def _refined(patterns: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """(F, 2): where each spectrum is greatest, near a peak of its samples."""
    count, height, width = patterns.shape
    across, up = np.arange(width), -np.arange(height)
    for us, vs in _grids(patterns, peaks):
        spectra = np.abs(_waves(vs, up) @ patterns @ _waves(us, across).swapaxes(1, 2))
        peaks[:] = _best_of_grids(spectra.reshape(count, -1), us, vs)
    return peaks


def _grids(patterns: np.ndarray, peaks: np.ndarray):
    """Frequencies us and vs, (F, 5) each, about peaks (F, 2), which the caller moves; the first
    ones a sample of the spectrum to either side, and each time half as far."""
    height, width = patterns.shape[1:]
    step = 1 / _samples(patterns)
    for _ in range(ZOOMS):
        offsets = step * np.arange(-2, 3) / 2
        yield (
            peaks[:, :1] + (offsets if width > 1 else 0 * offsets),
            peaks[:, 1:] + (offsets if height > 1 else 0 * offsets),
        )
        step /= 2


def _best_of_grids(values: np.ndarray, us: np.ndarray, vs: np.ndarray) -> np.ndarray:
    """(F, 2): where values (F, 25), a row of u for each v, are greatest; the middle, unless another
    is clearly greater."""
    best = values.argmax(axis=1)
    each = np.arange(len(values))
    is_clear = values[each, best] > values[:, 12] * (1 + 1e-12)
    row, column = np.divmod(np.where(is_clear, best, 12), 5)
    return np.stack([us[each, column], vs[each, row]], axis=1)


def _nearest_gratings(patterns: np.ndarray, peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 2) frequencies, and the shares (F,) of the patterns, whose mean is 0, that a grating and
    a constant explain; near the peaks (F, 2) that are given."""
    count = len(patterns)
    peaks, shares = peaks.copy(), np.zeros(count)
    energy = np.square(patterns).sum(axis=(1, 2))
    for us, vs in _grids(patterns, peaks):
        explained = _explained(patterns, us, vs)
        peaks[:] = _best_of_grids(explained, us, vs)
        shares = explained.max(axis=1) / np.where(energy > 0, energy, 1)
    return peaks, shares


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
    return np.divide(power, determinant, out=np.zeros_like(power), where=determinant > 0)
