"""Large kernels of full rank by the Fourier transform: products of spectra instead of sums.

A kernel of 25 x 25 is 1.4 times as fast by it, of 31 x 31 1.9 times, of 41 x 41 5 times.

A circular correlation equals the plain one wherever the window does not wrap around, so that every
block keeps its ``n - extent + 1`` outputs of n: the overlap-save method (Oppenheim and Schafer,
Discrete-Time Signal Processing, section 8.7.3). Its work hardly grows with the kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import log2

import numpy as np

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis, even_cuts

SIZES = (32, 64, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024)
"""Of the transforms: products of small primes. The largest takes 8 MB a spectrum."""


FOURIER_NS = 0.6
"""To transform one element there and back in float64, times the logarithm of the block."""

FOURIER_CALLS_NS = 30_000
"""To start the transforms of one block."""


@dataclass(frozen=True, eq=False)
class Spectral:
    """Every kernel as a spectrum, in float64 whatever the pixels are."""

    bank: np.ndarray  # (F, kh, kw)
    dtype: np.dtype
    sizes: tuple[int, int]  # of the transforms
    extents: tuple[int, int]
    cost: float  # nanoseconds an output

    rows = 1  # of a strip
    mixes = True

    @property
    def filters(self) -> int:
        return len(self.bank)

    @functools.cached_property
    def _spectra(self) -> np.ndarray:
        """(F, n, m // 2 + 1), conjugate, which makes the product a correlation."""
        spread = np.zeros((self.filters, *self.extents))
        steps = [
            (extent - 1) // max(1, size - 1)
            for extent, size in zip(self.extents, self.bank.shape[1:], strict=True)
        ]
        spread[:, :: steps[0] or 1, :: steps[1] or 1] = self.bank
        return np.conj(np.fft.rfft2(spread, self.sizes))

    def cut(self, rows: Axis, columns: Axis, channels: int) -> tuple[int, int]:
        """How many strips and how many columns of the output make a block."""
        return _outputs(rows, self.sizes[0]), _outputs(columns, self.sizes[1])

    def __call__(self, tile: np.ndarray, shape: tuple, axes: tuple, scratch: Scratch) -> np.ndarray:
        """Responses (F, 1, rows, columns, C) of a tile (rows, columns, C) of pixels."""
        (lines, outputs, channels), (row_axis, column_axis) = shape, axes
        responses = scratch.array("responses", (self.filters, channels, lines, outputs), self.dtype)
        for channel in range(channels):
            pixels = tile[:, :, channel].astype(np.float64)  # of float32 NumPy's would be float32
            spectrum = np.fft.rfft2(pixels, self.sizes)
            for response, kernel in zip(responses, self._spectra, strict=True):
                sums = np.fft.irfft2(spectrum * kernel, self.sizes)
                kept = sums[:: row_axis.stride, :: column_axis.stride]
                np.copyto(response[channel], kept[:lines, :outputs], casting="same_kind")
        return responses.transpose(0, 2, 3, 1)[:, None]


def plan_spectral(bank: np.ndarray, rows: Axis, columns: Axis) -> Spectral | None:
    """Transforms for a bank (F, kh, kw), or None where the kernels are too large for them."""
    choices = []
    for height, width in product(SIZES, SIZES):
        if height >= rows.extent and width >= columns.extent:
            outputs = _outputs(rows, height) * _outputs(columns, width)
            work = FOURIER_NS * height * width * log2(height * width) + FOURIER_CALLS_NS
            choices.append((work / outputs, (height, width)))
    if not choices:
        return None
    cost, sizes = min(choices)
    cost *= (1 + len(bank)) / 2 / len(bank)  # there and back; the way there is shared
    extents = rows.extent, columns.extent
    return Spectral(bank.astype(np.float64), bank.dtype, sizes, extents, cost)


WIDEST = 1 << 20
"""How many times as large as the faint pixels the largest may be: a transform rounds everywhere by
a share of the largest, about 2^-50, which beside the faint is then below float32's own, 2^-24."""

FAINT = 0.01
"""Which share of the pixels that are not 0 is as faint, or more so."""

MOST_LOOKED_AT = 1 << 10


class Spread:
    """How far values span that come piece by piece; ``size`` of them in all."""

    def __init__(self, size: int, widest: float = WIDEST) -> None:
        self._step, self._widest = max(1, size // MOST_LOOKED_AT), widest
        self._done, self._largest, self._sizes = 0, 0.0, [np.empty(0)]

    def add(self, values: np.ndarray) -> None:
        """The next ones."""
        flat = values.reshape(-1)
        self._sizes.append(np.abs(flat[-self._done % self._step :: self._step]))
        self._done += flat.size
        self._largest = max(self._largest, float(values.max()), -float(values.min()))

    @property
    def is_wide(self) -> bool:
        """Whether they span more than a transform keeps."""
        sizes = np.concatenate(self._sizes)
        sizes = sizes[sizes > 0]
        if not sizes.size:
            return False
        rank = int(FAINT * len(sizes))
        return self._largest > self._widest * float(np.partition(sizes, rank)[rank])


def is_wide(values: np.ndarray, widest: float = WIDEST) -> bool:
    """Whether pixels, or samples, span more than a transform keeps: never those of 8 and 16
    bits."""
    if values.dtype.kind != "f":
        return False
    spread = Spread(values.size, widest)
    spread.add(values)
    return spread.is_wide


def _outputs(axis: Axis, size: int) -> int:
    """How many outputs a transform of this size gives, when the axis is cut evenly."""
    return even_cuts(axis.output_size, (size - axis.extent) // axis.stride + 1)


WIDEST_SIGNAL = 1 << 26
"""The same of samples, more than 24 bits have: beside a larger one the faint are summed plainly."""

MOST_PRODUCTS = 1 << 30
"""Of a block that is: about a second."""

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
    spectra, transformed = kernels, 0
    for block in blocks:
        count = block.shape[1]
        length = _power_of_two(count + overlap)
        if length != transformed:
            spectra, transformed = np.fft.rfft(kernels, length), length
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float64 is infinite
            if count * kernels.shape[1] <= MOST_PRODUCTS and is_wide(block, WIDEST_SIGNAL):
                results = _products(block, kernels)
            else:
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
    transform makes all outputs, whatever lies in the span. The costs are measured as those
    of filter banks: without stride and dilation the lines cross at 66 taps.
    """
    count = block_length(kernel_size)
    transform_ns = TRANSFORM_NS * (count + kernel_size - 1) / count
    return stride * transform_ns < DIRECT_NS + TAP_NS * taps


def _products(block: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """The full convolution of a block (C, n) as plain sums of products: (max(C, F), n + k - 1)."""
    count = max(len(block), len(kernels))
    pairs = zip(
        *(np.resize(rows, (count, rows.shape[1])) for rows in (block, kernels)), strict=True
    )
    return np.stack([np.convolve(*pair) for pair in pairs])


def _silence_noise(results: np.ndarray) -> None:
    """Zero what is no more than rounding error beside the rest of its block, in place."""
    level = np.sqrt(np.einsum("ct,ct->c", results, results) / results.shape[1])
    level[~np.isfinite(level)] = 0
    results[np.abs(results) < NOISE * level[:, None]] = 0


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
