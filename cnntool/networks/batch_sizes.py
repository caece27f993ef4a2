"""How many samples, or steps of sequences, go through a network side by side where nothing says so:
so many that calls are few, so few that their maps fit into memory."""

from __future__ import annotations

from math import prod

from cnntool.networks.layers.layer import total
from cnntool.networks.network import Network

MOST_VALUES = 1 << 23
"""Of all that the layers give for a batch, in elements: 32 MB of float32."""

MOST_SAMPLES, MOST_STEPS = 256, 1 << 16


def batch_size_for(
    network: Network, shape: tuple[int, ...] | None = None, stop: int | None = None
) -> int:
    """Samples that go through side by side: what comes in and out of the first ``stop`` layers is
    no more than MOST_VALUES, or than the parameters, which are read once a batch.

    It is 1 where a single sample has more. What layers give for each step of a sequence, as long
    as it may be, is bounded by :func:`steps_at_once`. shape: of a sample, where the network takes
    any size.
    """
    if shape is not None and tuple(shape) != network.input_shape:
        network = Network(network.layers, shape)
    shapes = network.shapes[: None if stop is None else stop + 1]
    values = sum(prod(each) for each in shapes if None not in each)
    return max(1, min(MOST_SAMPLES, _most_values(network) // max(1, values)))


def steps_at_once(network: Network) -> int:
    """Steps of all sequences that go through side by side, by the same rule."""
    values = sum(prod(each[1:]) for each in network.shapes if each[0] is None)
    return max(1, min(MOST_STEPS, _most_values(network) // max(1, values)))


def _most_values(network: Network) -> int:
    return max(MOST_VALUES, total(network.parameters()))
