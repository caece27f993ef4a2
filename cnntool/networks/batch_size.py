"""How many samples go through a network at once, where memory is bounded."""

from __future__ import annotations

from math import prod

from cnntool.networks.network import Network

MOST_VALUES = 1 << 24
"""Of all that the layers give for a batch, in elements: 64 MB of float32."""

MOST_SAMPLES = 256


def batch_size_for(
    network: Network, shape: tuple[int, ...] | None = None, stop: int | None = None
) -> int:
    """Samples of which what comes in and out of the first ``stop`` layers is at most MOST_VALUES.

    It is 1 where a single sample has more. shape: of a sample, where the network takes any size.
    """
    if shape is not None and tuple(shape) != network.input_shape:
        network = Network(network.layers, shape)
    values = sum(prod(each) for each in network.shapes[: None if stop is None else stop + 1])
    return max(1, min(MOST_SAMPLES, MOST_VALUES // values))
