"""A run whose numbers have left the real line: which step, and which layer first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnntool.networks.network import Network
from cnntool.training.learner import Lesson


class Diverged(ArithmeticError):
    """The loss or a gradient is NaN or infinite; the message says where, and what usually helps."""


def check_finite(
    lesson: Lesson,
    gradient: np.ndarray,
    network: Network,
    batch: Callable[[], np.ndarray],
    place: str,
) -> None:
    """Raise :class:`Diverged` where the loss or the flat gradient of a batch is not finite."""
    with np.errstate(all="ignore"):
        squares = np.dot(gradient, gradient)
    if lesson.is_finite and (np.isfinite(squares) or np.isfinite(gradient).all()):
        return
    raise Diverged(
        f"{place}: {_first_broken(lesson, network, batch())}; the last good state is kept. A "
        "smaller --learning-rate usually helps, or --clip 1"
    )


def _first_broken(lesson: Lesson, network: Network, x: np.ndarray) -> str:
    """Which values broke first: parameters, a layer's output, the loss, or the way back."""
    for path, array in network.params.items():
        if not np.isfinite(array).all():
            return f"{path} is not finite"
    with np.errstate(all="ignore"):
        outputs = network.outputs(x)
    for name, layer, output in zip(network.names, network.layers, outputs, strict=True):
        if not np.isfinite(output).all():
            return f"the output of {name} ({layer}) is not finite"
    if not lesson.is_finite:
        return f"the loss is {lesson.loss}"
    return "the gradient is not finite though the loss is"
