"""What weight sharing saves: one layer as dense, as locally connected, as a convolution."""

from __future__ import annotations

from dataclasses import dataclass

from cnntool.engine.windows import Axis, AxisPaddings, plan_axes


@dataclass(frozen=True)
class LayerCost:
    """Free parameters, and connections: products and biases that are added up in one pass."""

    parameters: int
    connections: int


@dataclass(frozen=True)
class Sharing:
    """Layers from the same maps to as many outputs: dense, locally connected, convolution."""

    axes: tuple[Axis, Axis]
    channels: int
    maps: int
    layers: dict[str, LayerCost]

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(maps, height, width)."""
        return self.maps, self.axes[0].output_size, self.axes[1].output_size

    @property
    def has_padding(self) -> bool:
        """Whether some taps fall on the padding, which is no connection."""
        _, height, width = self.output_shape
        convolution = self.layers["convolution"]
        return convolution.connections != convolution.parameters * height * width


def layer_sharing(
    size: tuple[int, int],
    kernel_size: int | tuple[int, int],
    maps: int,
    channels: int = 1,
    stride: int | tuple[int, int] = 1,
    padding: AxisPaddings = 0,
    dilation: int | tuple[int, int] = 1,
) -> Sharing:
    """Count parameters and connections of a layer from ``channels`` maps of (H, W) to ``maps``.

    With O outputs in a map, F maps, C channels, kernels of kh x kw and a bias for every output (in
    a convolution for every map):

        dense              (C H W + 1) O F  parameters, as many connections
        locally connected  (C kh kw + 1) O F  parameters, as many connections
        convolution        (C kh kw + 1) F  parameters, (C kh kw + 1) O F  connections

    A tap that falls on the padding is no connection, and needs no weight where none is shared.
    LeNet-5's layer C1, 32 x 32 to 6 maps by 5 x 5, has 156 parameters and 122,304 connections.
    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document
    recognition, Proc. IEEE 86, 1998, section II.B. Raises ValueError where the kernel does not fit.
    """
    kernel_sizes = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
    rows, columns = axes = plan_axes(size, kernel_sizes, stride, dilation, padding)
    outputs = maps * axes[0].output_size * axes[1].output_size
    taps = int(axes[0].taps_inside().sum()) * int(axes[1].taps_inside().sum())
    windows = taps * channels * maps + outputs
    dense = (channels * size[0] * size[1] + 1) * outputs
    shared = (channels * kernel_sizes[0] * kernel_sizes[1] + 1) * maps
    layers = {
        "dense": LayerCost(dense, dense),
        "locally connected": LayerCost(windows, windows),
        "convolution": LayerCost(shared, windows),
    }
    return Sharing((rows, columns), channels, maps, layers)
