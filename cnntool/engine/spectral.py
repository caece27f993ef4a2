"""Large kernels of full rank by the Fourier transform: products of spectra instead of sums.

A circular correlation equals the plain one wherever the window does not wrap around, so that every
block keeps its ``n - extent + 1`` outputs of n: the overlap-save method (Oppenheim and Schafer,
Discrete-Time Signal Processing, section 8.7.3). Its work hardly grows with the kernel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import product
from math import log2

import numpy as np

from cnntool.engine.costs import FOURIER_CALLS_NS, FOURIER_NS
from cnntool.engine.scratch import Scratch
from cnntool.engine.windows import Axis, even_cuts

SIZES = (32, 64, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024)
"""Of the transforms: products of small primes. The largest takes 8 MB a spectrum."""


@dataclass(frozen=True, eq=False)
class Spectral:
    """Every kernel as a spectrum, in float64 whatever the pixels are."""

    bank: np.ndarray  # (F, kh, kw)
    dtype: np.dtype
    sizes: tuple[int, int]  # of the transforms
    extents: tuple[int, int]
    cost: float  # nanoseconds an output

    rows = 1  # of a strip

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
            spectrum = np.fft.rfft2(tile[:, :, channel], self.sizes)
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


def _outputs(axis: Axis, size: int) -> int:
    """How many outputs a transform of this size gives, when the axis is cut evenly."""
    return even_cuts(axis.output_size, (size - axis.extent) // axis.stride + 1)
