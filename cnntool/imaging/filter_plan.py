"""Where the windows of filters lie on pictures of one size, one filter after the other."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cnntool.engine.filters.banks import Plan, plan_blocks
from cnntool.engine.windows import Axis, border_indices, plan_axes
from cnntool.errors import InputError, RequestError
from cnntool.imaging.kernels import Filter
from cnntool.wording import counted

LARGEST_EXTENT = 16384
"""Pixels that a dilated kernel may span; what a block reads grows with it."""


class Geometry(NamedTuple):
    """How kernels slide over the picture; the same for every filter of a chain."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str | int = "same"
    border: str = "reflect"
    constant: float = 0.0
    flip: bool = False


@dataclass(frozen=True, eq=False)
class FilterPlan:
    """Where the windows of a filter lie on pictures of one size; made by :func:`plan_filter`.

    ``count`` results of ``shape`` (oh, ow, C) come out: one, or one a kernel where the responses
    are not combined.
    """

    kernel: Filter
    geometry: Geometry
    rows: Axis
    columns: Axis
    channels: int  # of the pictures

    @property
    def count(self) -> int:
        return self.kernel.count if self.kernel.combine == "none" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        channels = 1 if self.kernel.is_colour else self.channels
        return self.rows.output_size, self.columns.output_size, channels

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """The input row and column at the centre of every output's window."""
        return self._centre(self.rows), self._centre(self.columns)

    def _centre(self, axis: Axis) -> np.ndarray:
        centre = axis.extent // 2
        if self.geometry.flip:
            centre = axis.extent - 1 - centre
        positions = np.arange(axis.output_size) * axis.stride - axis.before + centre
        border = self.geometry.border
        return border_indices(positions, axis.size, "edge" if border == "constant" else border)

    @functools.lru_cache(maxsize=64)  # noqa: B019 (few, and small)
    def blocks(
        self, channels: int, dtype: np.dtype | type = np.float32, may_be_whole: bool = False
    ) -> Plan:
        """How the engine goes through pixels of so many channels, alpha among them.

        Choosing the way takes a millisecond, as much as filtering a small picture.
        """
        return plan_blocks(
            (self.rows, self.columns),
            channels,
            self.kernel.bank,
            flip=self.geometry.flip,
            dtype=dtype,
            may_be_whole=may_be_whole,
        )


def plan_filter(shape: tuple[int, int, int], kernel: Filter, geometry: Geometry) -> FilterPlan:
    """Plan a filter over pictures of ``shape`` (H, W, C).

    Raises InputError where the kernel does not fit, or is for colour and the picture neither in
    colour nor grey; RequestError where it spans too much.
    """
    taps = zip(kernel.bank.shape[1:], geometry.dilation, strict=True)
    for kernel_size, dilation in taps:
        if (kernel_size - 1) * dilation >= LARGEST_EXTENT:
            raise RequestError(
                f"{kernel.label}: dilation {dilation} spreads {kernel_size} taps over more than "
                f"{LARGEST_EXTENT} pixels: use a smaller one"
            )
    try:
        rows, columns = plan_axes(
            shape[:2],
            kernel.bank.shape[1:],
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            flipped=geometry.flip,
        )
    except ValueError as error:
        message = f"{kernel.label}: {error}: use a smaller kernel or --padding same"
        raise InputError(message) from None
    if kernel.is_colour and shape[2] not in (1, 3):
        raise InputError(
            f"{kernel.label} is a filter for colour, and the picture has "
            f"{counted(shape[2], 'channel')}: use one in RGB or grey"
        )
    return FilterPlan(kernel, geometry, rows, columns, shape[2])


def plan_chain(
    shape: tuple[int, int, int], filters: Sequence[Filter], geometry: Geometry
) -> list[FilterPlan]:
    """Plan filters that run one after the other over pictures of ``shape`` (H, W, C).

    Raises InputError where a kernel does not fit into what comes before it.
    """
    plans = []
    for kernel in filters:
        plans.append(plan_filter(shape, kernel, geometry))
        height, width, channels = plans[-1].shape
        shape = height, width, channels * plans[-1].count
    return plans
