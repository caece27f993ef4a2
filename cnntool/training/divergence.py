"""A run whose numbers have left the real line: which step, and which layer first."""

from __future__ import annotations

import numpy as np

from cnntool.networks.network import Network


class Diverged(ArithmeticError):
    """The loss or a gradient is NaN or infinite; the message says where, and what usually helps."""


def check_finite(
    loss: float, gradient: np.ndarray, network: Network, x: np.ndarray, epoch: int, step: int
) -> None:
    """Raise :class:`Diverged` where the loss or the flat gradient of a batch is not finite."""
    with np.errstate(all="ignore"):
        is_finite = np.isfinite(loss) and np.isfinite(np.dot(gradient, gradient))
    if is_finite or (np.isfinite(loss) and np.isfinite(gradient).all()):
        return
    raise Diverged(
        f"epoch {epoch}, step {step}: {_first_broken(loss, network, x)}; the last good state is "
        "kept. A smaller --learning-rate usually helps, or --clip 1"
    )


def _first_broken(loss: float, network: Network, x: np.ndarray) -> str:
    """Which values broke first: parameters, a layer's output, the loss, or the way back."""
    for path, array in network.params.items():
        if not np.isfinite(array).all():
            return f"{path} is not finite"
    with np.errstate(all="ignore"):
        outputs = network.outputs(x)
    for name, layer, output in zip(network.names, network.layers, outputs, strict=True):
        if not np.isfinite(output).all():
            return f"the output of {name} ({layer}) is not finite"
    if not np.isfinite(loss):
        return f"the loss is {loss}"
    return "the gradient is not finite though the loss is"
