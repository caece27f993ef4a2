"""Convolution with long kernels: the fast Fourier transform, a block at a time (overlap-add).

Direct windows cost a multiplication for every tap of every output; a transform costs the logarithm
of its length. :func:`transform_is_faster` says where the lines cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

SHORTEST = 1 << 14
"""Of the transforms, in samples: enough that calls are few, little enough for the cache."""

LONG_KERNEL = 1 << 18
"""From here on a transform has two to four kernels' lengths, to save memory, not four to eight."""

NOISE = 16 * float(np.finfo(np.float64).eps)
"""Results below this share of a block's root mean square are rounding errors of its transform."""

TRANSFORM_NS = 28
"""A sample through a transform, there and back, with the passes beside it."""

DIRECT_NS, TAP_NS = 15, 0.2
"""An output of :func:`cnntool.engine.filter_bank` on float64 rows, and each of its taps."""


def overlap_add(blocks: Iterable[np.ndarray], kernels: np.ndarray) -> Iterator[np.ndarray]:
    """Convolve a signal that comes in blocks (C, n) with kernels (F, k), in float64.

    ``y[c, t] = sum over i of kernels[c, i] * x[c, t - i]``, x being 0 before the first block.

    One kernel serves all channels, one channel is given to all kernels, or there are as many of
    both. Each block is convolved alone, by ``irfft(rfft(x) * rfft(kernel))``, and its last k - 1
    results are added to those of the next. Yields (max(C, F), n) for every block; k - 1 zeros at
    the end bring out the rest of the full convolution. Source: Oppenheim, Schafer, Discrete-Time
    Signal Processing, "Implementing Linear Time-Invariant Systems Using the DFT".
    """
    overlap = kernels.shape[1] - 1
    carried = np.zeros((1, overlap))
    spectra, transformed = None, 0
    for block in blocks:
        count = block.shape[1]
        length = _power_of_two(count + overlap)
        if length != transformed:
            spectra, transformed = np.fft.rfft(kernels, length), length
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float64 is infinite
            results = np.fft.irfft(np.fft.rfft(block, length) * spectra, length)
            results = results[:, : count + overlap]
            _silence_noise(results)
        results[:, :overlap] += carried
        carried = results[:, count:]
        yield results[:, :count]


def block_length(kernel_size: int) -> int:
    """How many samples a block should have, so that its transform is a power of two and cheap."""
    lengths = 4 if kernel_size < LONG_KERNEL else 2
    return max(SHORTEST, _power_of_two(lengths * kernel_size)) - kernel_size + 1


def transform_is_faster(taps: int, kernel_size: int, stride: int = 1) -> bool:
    """Whether the transform beats direct windows of ``taps`` taps that span ``kernel_size``.

    Direct windows make only every ``stride``-th output and skip what dilation leaves out; the
    transform makes all outputs, whatever lies in the span. The costs are measured as those in
    :mod:`cnntool.engine.costs`: without stride and dilation the lines cross at 66 taps.
    """
    count = block_length(kernel_size)
    transform_ns = TRANSFORM_NS * (count + kernel_size - 1) / count
    return stride * transform_ns < DIRECT_NS + TAP_NS * taps


def _silence_noise(results: np.ndarray) -> None:
    """Zero what is no more than rounding error beside the rest of its block, in place."""
    level = np.sqrt(np.einsum("ct,ct->c", results, results) / results.shape[1])
    level[~np.isfinite(level)] = 0
    results[np.abs(results) < NOISE * level[:, None]] = 0


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
