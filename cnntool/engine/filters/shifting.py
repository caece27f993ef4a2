"""Kernels of small whole numbers over 8-bit pixels: shifted copies, added up in 16-bit integers.

Sobel filters, a Laplacian and sharpening are 1.6 times as fast by it.

Most kernels with a name are of this kind: Sobel, Prewitt, Scharr, Laplace, emboss, sharpen, small
boxes and binomials (whole numbers times one unit, such as 1/9). A sum of shifts moves 2 bytes a
pixel and tap where a product in floats moves 4 and multiplies zeros; it is exact besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis, even_cuts

LARGEST_TOTAL = 127
"""Of the sizes of a kernel's weights: 127 * 255 and half a range more stay within 16 bits."""

LARGEST_EXTENT = 64

SHIFT_NS = 0.065
"""To add or to multiply one 16-bit element that lies in the second-level cache."""

BLOCK_ELEMENTS = 1 << 20
"""Pixels of a block: threads that make short calls wait for the interpreter longer than for memory
beyond the second-level cache."""

Group = tuple[int, tuple[tuple[int, int, bool], ...]]
"""Taps (row, column, whether it is subtracted) that are multiplied by one weight together."""


@dataclass(frozen=True, eq=False)
class Shifted:
    """Each filter as sums of taps, one after the other: a whole kernel, or its row and then
    its column.

    ``units[f]`` turns the whole numbers into responses, which
    are left as whole numbers where ``may_be_whole`` and every unit is 1.
    """

    sums: tuple[tuple[tuple[Group, ...], ...], ...]
    units: tuple[float, ...]
    cost: float  # nanoseconds an output
    may_be_whole: bool = True

    rows = 1  # of a strip
    mixes = False

    @property
    def filters(self) -> int:
        return len(self.sums)

    def cut(self, rows: Axis, columns: Axis, channels: int) -> tuple[int, int]:
        """How many strips and how many columns of the output make a block."""
        elements = BLOCK_ELEMENTS if self._stays_whole else BLOCK_ELEMENTS // 2
        width = even_cuts(columns.output_size, max(1, elements // 32 // channels))
        return max(1, min(rows.output_size, elements // (width * channels))), width

    @property
    def _stays_whole(self) -> bool:
        return self.may_be_whole and set(self.units) == {1.0}

    def __call__(self, tile: np.ndarray, shape: tuple, axes: tuple, scratch: Scratch) -> np.ndarray:
        """Responses (F, 1, rows, columns, C) of a tile (rows, columns, C) of pixels at stride 1.

        The tile is int16, or float32 where the border takes pixels out of their 8 bits. Responses
        are int16 where they may be whole numbers, else float32.
        """
        lines, outputs, channels = shape
        dtype = tile.dtype
        steps = tile[0].size * axes[0].dilation, channels * axes[1].dilation
        pixels = tile.reshape(-1)
        keeps_whole = self._stays_whole and dtype.kind == "i"
        out_dtype = dtype if keeps_whole else np.dtype(np.float32)
        size = lines, outputs * channels
        responses = scratch.array("responses", (self.filters, *size), out_dtype)
        for response, sums, unit in zip(responses, self.sums, self.units, strict=True):
            slid = pixels
            for index, groups in enumerate(sums[:-1]):
                count = slid.size - _reach(groups, steps)
                target = scratch.array(f"sum {index % 2}", (count,), dtype)
                _add_shifts(slid, groups, steps, (1,), target, scratch)
                slid = target
            # Rows side by side: what follows is faster by half without the gaps between them.
            total = response if dtype == out_dtype else scratch.array("total", size, dtype)
            _add_shifts(slid, sums[-1], steps, (tile[0].size, 1), total, scratch)
            if total is not response:
                np.copyto(response, total)
            if unit != 1:
                response *= out_dtype.type(unit)
        return responses.reshape(self.filters, 1, lines, outputs, channels)


def _reach(groups: tuple[Group, ...], steps: tuple[int, int]) -> int:
    return max(i * steps[0] + j * steps[1] for _, taps in groups for i, j, _ in taps)


def _add_shifts(
    pixels: np.ndarray,
    groups: tuple[Group, ...],
    steps: tuple[int, int],
    strides: tuple[int, ...],
    out: np.ndarray,
    scratch: Scratch,
) -> None:
    """``out[p] = sum over groups of weight * (sum over taps of +-pixels[p + shift])``.

    ``strides`` are those of p: how far apart the neighbours in ``out`` are among the pixels (N,).
    """
    item = pixels.itemsize
    strides = tuple(item * stride for stride in strides)

    def shifted(row: int, column: int) -> np.ndarray:
        offset = item * (row * steps[0] + column * steps[1])
        return np.ndarray(out.shape, pixels.dtype, pixels, offset, strides)

    for index, (weight, taps) in enumerate(groups):
        target = out if index == 0 else scratch.array("group", out.shape, out.dtype)
        total = shifted(*taps[0][:2])
        for row, column, is_subtracted in taps[1:]:
            add = np.subtract if is_subtracted else np.add
            total = add(total, shifted(row, column), out=target)
        if abs(weight) != 1 or (index == 0 and weight != 1):
            factor = weight if index == 0 else abs(weight)
            total = np.multiply(total, out.dtype.type(factor), out=target)
        if index > 0:
            (np.subtract if weight < 0 else np.add)(out, total, out=out)
        elif total is not out:
            np.copyto(out, total)


def plan_shifted(
    bank: np.ndarray, rows: Axis, columns: Axis, may_be_whole: bool = True
) -> Shifted | None:
    """Shifts for a bank (F, kh, kw) over 8-bit pixels, or None where its weights are not small."""
    if rows.stride != 1 or columns.stride != 1:
        return None
    if max(rows.extent, columns.extent) > LARGEST_EXTENT:
        return None
    found = [_whole_numbers(kernel.astype(np.float64)) for kernel in bank]
    whole = [numbers for numbers in found if numbers is not None]
    if len(whole) < len(bank):
        return None
    sums = tuple(_sums_of(kernel) for kernel, _ in whole)
    cost = SHIFT_NS * (1 / len(bank) + max(sum(map(_passes, parts)) for parts in sums))
    units = tuple(unit for _, unit in whole)
    return Shifted(sums, units, cost, may_be_whole)


def _whole_numbers(kernel: np.ndarray) -> tuple[np.ndarray, float] | None:
    """A kernel as small whole numbers times a unit, exact to float32; None if it is not that."""
    used = np.abs(kernel[kernel != 0])
    if not used.size:
        return kernel.astype(int), 1.0
    for parts in range(1, 13):
        unit = used.min() / parts
        if unit * LARGEST_TOTAL < used.sum() * (1 - 1e-6):
            return None
        whole = np.rint(kernel / unit)
        if np.all(np.abs(whole * unit - kernel) <= np.finfo(np.float32).eps * np.abs(kernel)):
            if np.all(kernel == np.rint(kernel)) and np.abs(kernel).sum() <= LARGEST_TOTAL:
                return kernel.astype(int), 1.0
            return whole.astype(int), float(unit)
    return None


def _sums_of(kernel: np.ndarray) -> tuple[tuple[Group, ...], ...]:
    """The sums of a kernel of whole numbers: over its row, then its column, where it has rank 1."""
    whole = (_grouped(kernel),)
    rows, columns = np.nonzero(kernel)
    if not rows.size:
        return whole
    row = kernel[rows[0]] // gcd(*map(int, kernel[rows[0]]))
    column = kernel[:, columns[0]] // row[columns[0]]
    if not np.array_equal(np.outer(column, row), kernel):
        return whole
    if max(row.min(), column.min()) < 0 and min(row.max(), column.max()) <= 0:
        row, column = -row, -column  # so that one of them adds, if it can
    split = [_grouped(row[None]), _grouped(column[:, None])]
    split = [sums for sums in split if sums != UNCHANGED] or [UNCHANGED]
    return tuple(split) if sum(map(_passes, split)) < _passes(whole[0]) else whole


UNCHANGED: tuple[Group, ...] = ((1, ((0, 0, False),)),)


def _grouped(kernel: np.ndarray) -> tuple[Group, ...]:
    """Taps of one size together, each group from a positive tap on if there is one."""
    groups = []
    for size in sorted({abs(int(weight)) for weight in kernel[kernel != 0]}):
        places = np.argwhere(np.abs(kernel) == size).tolist()
        places.sort(key=lambda place: kernel[tuple(place)] < 0)
        first = int(kernel[tuple(places[0])])
        taps = tuple((i, j, bool(kernel[i, j] * first < 0)) for i, j in places)
        groups.append((first, taps))
    groups.sort(key=lambda group: group[0] < 0)
    return tuple(groups) or ((0, ((0, 0, False),)),)


def _passes(groups: tuple[Group, ...]) -> int:
    """Passes over the pixels: one a tap but the first, one a size of weight to multiply by."""
    taps = sum(len(taps) for _, taps in groups)
    return max(1, taps - 1 + sum(abs(weight) != 1 for weight, _ in groups))
