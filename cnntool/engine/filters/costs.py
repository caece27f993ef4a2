"""What the ways to slide a kernel cost, in nanoseconds an output: enough to choose between them.

Fitted to NumPy 2.4 with its OpenBLAS on one core of an AMD EPYC of 2023 with AVX-512. On another
machine the numbers differ, their order hardly does; a wrong guess costs time, never a result.
"""

from __future__ import annotations

from cnntool.engine.windows import Axis

COPY_NS = 0.16
"""To copy one element to the im2col matrix, which the second-level cache does not hold whole."""

PASS_NS = 0.3
"""To write the slid columns of a separable kernel and read them again."""

PACKING_NS = 0.1
"""To fetch one element of a column band's operand beyond the first ``FREE_SPAN``."""
FREE_SPAN = 40

SHIFT_NS = 0.065
"""To add or to multiply one 16-bit element that lies in the second-level cache."""

FOURIER_NS = 0.6
"""To transform one element there and back in float64, times the logarithm of the block."""

FOURIER_CALLS_NS = 30_000
"""To start the transforms of one block."""

CALL_NS = 2.2
"""To start one product with a row band, shared by its outputs."""


def product_ns(length: int, rows: int) -> float:
    """An output of a product over ``length``, when ``rows`` rows share what is read."""
    return length * max(0.021, 0.014 + 0.05 / rows)


def column_band_ns(rows: Axis, outputs: int) -> float:
    """An output of a band matrix from the left that gives ``outputs`` rows."""
    span = rows.span(outputs)
    return product_ns(span, outputs) + PACKING_NS * max(0, span - FREE_SPAN) / outputs


def row_band_ns(columns: Axis, outputs: int, channels: int) -> float:
    """An output of a band matrix from the right; fastest in multiples of 16 elements."""
    elements = outputs * channels
    element_ns = 0.0185 if elements % 16 == 0 else 0.026
    return columns.span(outputs) * channels * element_ns + CALL_NS / elements
