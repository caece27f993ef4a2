"""Where training leaves the real numbers: how that is seen, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cnntool.datasets.feeds import Batch
from cnntool.errors import InputError
from cnntool.networks.objective import Lesson
from cnntool.specs import number_text
from cnntool.training.task import Task


class Diverged(InputError):
    """The loss or a gradient is NaN or infinite; the message says where, and what usually helps."""


def is_finite(lesson: Lesson, gradient: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        squares = np.dot(gradient, gradient)
    return math.isfinite(lesson.loss) and bool(np.isfinite(squares) or np.isfinite(gradient).all())


def first_not_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """The name of the first array that holds what is no number."""
    return next((path for path, array in arrays.items() if not np.isfinite(array).all()), None)


def diverged(
    lesson: Lesson, task: Task, batch: Batch, epoch: str, kept: str | None = None
) -> Diverged:
    """What to raise for a batch whose loss or flat gradient is not finite, or what layers keep of
    it, by the path ``kept``."""
    settings, what = task.settings, _first_broken(lesson, task, batch, kept)
    rate, decay = settings.smaller_rate(task.name), settings.gentler_decay(task.name)
    cure = f"a smaller step usually helps, --learning-rate {number_text(rate)}, or --clip 1"
    if decay is not None:
        cure = (
            f"--weight-decay {number_text(settings.weight_decay)} times the learning rate of "
            f"{number_text(settings.learning_rate)} is 1 or more, which leaves nothing of a "
            f"parameter: try --weight-decay {number_text(decay)}"
        )
    return Diverged(f"{epoch}, step {batch.number}: {what}: {cure}")


def _first_broken(lesson: Lesson, task: Task, batch: Batch, kept: str | None) -> str:
    """Which values broke first: parameters, a layer's output, what it keeps, the loss, or the way
    back."""
    broken = first_not_finite(task.network.params) or task.first_broken(batch) or kept
    if broken is not None:
        return f"{broken} is not finite"
    if not math.isfinite(lesson.loss):
        return f"the loss is {lesson.loss}"
    return "the gradient is not finite though the loss is"
