"""Planes sorted by phase: all that is a stride apart lies side by side, so that taps have no gaps.

A window's tap (k, l) reads every stride-th row and column, which costs NumPy a jump an element or
a loop a row. Sorted once, ``phases[b, a]`` holds the rows a, a + stride, ... and the columns b,
b + stride, ...; tap (k, l) of all windows of a block is then one run of consecutive elements.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis


@dataclass(frozen=True)
class AxisPhases:
    """The phases of one axis, and where each tap of its windows starts: (phase, offset)."""

    length: int  # of a phase: the windows, and a margin that their later taps read
    copies: tuple[tuple[slice, slice], ...]  # of each phase: elements, and the inputs that they are
    places: tuple[tuple[int, int], ...]
    is_padded: bool


@functools.lru_cache(maxsize=256)
def phases_of(axis: Axis) -> AxisPhases:
    """Plan the phases of an axis: the taps of windows that lie side by side, a stride wide."""
    length = axis.output_size + (axis.extent - 1) // axis.stride
    width = min(axis.stride, axis.extent)
    after = (length - 1) * axis.stride + width - axis.size - axis.before
    side_by_side = Axis(axis.size, width, axis.stride, 1, axis.before, after)
    copies = tuple(map(side_by_side.tap, range(width)))
    places = tuple(divmod(k * axis.dilation, axis.stride)[::-1] for k in range(axis.kernel_size))
    is_padded = any(to.stop - to.start < length for to, _ in copies)
    return AxisPhases(length, copies, places, is_padded)


def split(
    block: np.ndarray, rows: AxisPhases, columns: AxisPhases, fill: float, scratch: Scratch
) -> np.ndarray:
    """Sort a block (A, H, W, ...) into (column phases, row phases, A, R, Q, ...).

    The padding is ``fill``.
    """
    shape = len(block), rows.length, columns.length, *block.shape[3:]
    counts = len(columns.copies), len(rows.copies)
    if counts == (1, 1) and shape == block.shape and block.flags.c_contiguous:
        return block[None, None]
    phases = scratch.array("phases", (*counts, *shape), block.dtype)
    if rows.is_padded or columns.is_padded:
        phases[...] = fill
    for b, (to_columns, from_columns) in enumerate(columns.copies):
        for a, (to_rows, from_rows) in enumerate(rows.copies):
            phases[b, a, :, to_rows, to_columns] = block[:, from_rows, from_columns]
    return phases
