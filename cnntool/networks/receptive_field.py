"""How far back an output sees: sizes, jumps and receptive fields along a chain of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnntool.engine.pool_windows import plan_pool
from cnntool.engine.windows import Axis, Padding, plan_axis


@dataclass(frozen=True)
class WindowLayer:
    """A layer whose outputs each see a window of the layer before; ``kernel_size`` None is all."""

    kernel_size: int | None
    stride: int = 1
    padding: Padding = 0
    dilation: int = 1
    ceil_mode: bool = False
    is_pool: bool = False  # whose padding is at most half its window


@dataclass(frozen=True)
class ReceptiveField:
    """What the outputs of a layer see of the chain's input.

    Neighbouring outputs lie ``jump`` inputs apart, each sees ``size`` inputs in a row, and those
    of output 0 begin at ``start``, which is negative where padding is among them.
    """

    axis: Axis
    jump: int
    size: int
    start: int

    @property
    def centre(self) -> float:
        """Of what output 0 sees: ``start + (size - 1) / 2``."""
        return self.start + (self.size - 1) / 2

    def seen(self, output: int) -> range:
        """The inputs that an output sees; some may be padding."""
        first = self.start + output * self.jump
        return range(first, first + self.size)


def receptive_fields(size: int, layers: Sequence[WindowLayer]) -> tuple[ReceptiveField, ...]:
    """Follow a chain of layers over an input of ``size`` elements; one result a layer.

    With kernel k, stride s, dilation d and p elements of padding before, from
    ``jump = size = 1, start = 0`` of the input itself:

        output = floor((n + before + after - (k-1)*d - 1) / s) + 1
        start  = start - p * jump
        size   = size + (k-1) * d * jump
        jump   = jump * s

    each with the jump of the layer before. Raises ValueError, naming the layer by its number from
    1, where a kernel does not fit. Sources: V. Dumoulin, F. Visin, A guide to convolution
    arithmetic for deep learning, 2016 (output sizes); A. Araujo, W. Norris, J. Sim, Computing
    receptive fields of convolutional neural networks, Distill, 2019.
    """
    fields: list[ReceptiveField] = []
    jump, field, start = 1, 1, 0
    for number, layer in enumerate(layers, 1):
        try:
            axis = plan_layer(size, layer)
        except ValueError as error:
            raise ValueError(f"layer {number}: {error}") from None
        start -= axis.before * jump
        field += (axis.extent - 1) * jump
        jump *= axis.stride
        size = axis.output_size
        fields.append(ReceptiveField(axis, jump, field, start))
    return tuple(fields)


def plan_layer(size: int, layer: WindowLayer) -> Axis:
    """The windows of one layer over ``size`` elements; ValueError where they do not fit."""
    kernel_size = size if layer.kernel_size is None else layer.kernel_size
    settings = layer.stride, layer.dilation, layer.padding
    axis = plan_axis(size, kernel_size, *settings, ceil_mode=layer.ceil_mode)
    if layer.is_pool:
        stride, dilation, _ = settings
        padding = ((axis.before, axis.after),) * 2
        plan_pool((size, size), kernel_size, stride, padding, dilation, layer.ceil_mode)
    return axis
