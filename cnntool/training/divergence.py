"""A run whose numbers have left the real line: which step, and which layer first."""

from __future__ import annotations

import numpy as np

from cnntool.training.task import Batch, Lesson, Task


class Diverged(ArithmeticError):
    """The loss or a gradient is NaN or infinite; the message says where, and what usually helps."""


def check_finite(
    lesson: Lesson, gradient: np.ndarray, task: Task, batch: Batch, place: str
) -> None:
    """Raise :class:`Diverged` where the loss or the flat gradient of a batch is not finite."""
    with np.errstate(all="ignore"):
        squares = np.dot(gradient, gradient)
    if lesson.is_finite and (np.isfinite(squares) or np.isfinite(gradient).all()):
        return
    raise Diverged(
        f"{place}: {_first_broken(lesson, task, batch)}; the last good state is kept. A smaller "
        "--learning-rate usually helps, or --clip 1"
    )


def _first_broken(lesson: Lesson, task: Task, batch: Batch) -> str:
    """Which values broke first: parameters, a layer's output, the loss, or the way back."""
    for path, array in task.network.params.items():
        if not np.isfinite(array).all():
            return f"{path} is not finite"
    output = task.first_broken(batch)
    if output is not None:
        return f"{output} is not finite"
    if not lesson.is_finite:
        return f"the loss is {lesson.loss}"
    return "the gradient is not finite though the loss is"
