"""What to try where a network is no better than what needs none: what its history tells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cnntool.choices import LEAST_STEPS, MOST_TIMES, rates_of
from cnntool.specs import number_text
from cnntool.training.settings import Settings

FAR = 2
"""Times the loss of guessing, or the usual learning rate, that are far off."""

RISE, FALL = 1.05, 0.8
"""Times the best validation loss, from which on the last one has risen; and times the loss of the
middle of the run, below which it still falls."""


def advice(
    task: str,
    settings: Settings,
    history: Sequence[dict[str, Any]],
    answers: int,
    by_chance: bool,
    steps: int = 0,
) -> str:
    """What went wrong, and what to try, in the words that end a sentence.

    history: the rows of the epochs, of whose losses those on the validation part count where there
    is one. answers: among how many the network chooses. by_chance: whether it is no better than
    knowing how frequent each is. steps: of an epoch, where it is known.
    """
    usual, guessing = rates_of(task, settings.optimizer).learning_rate, math.log(answers)
    is_validated = any(row["validation_loss"] is not None for row in history)
    losses = [row["validation_loss" if is_validated else "loss"] for row in history]
    best = min((loss for loss in losses if loss is not None), default=math.inf)
    if best > FAR * guessing:
        rate = number_text(settings.smaller_rate(task))
        return (
            f"its loss is {best:.4g} nats where guessing has {guessing:.4g}, so steps are too "
            f"large: try --learning-rate {rate}"
        )
    if by_chance and settings.learning_rate > FAR * usual:
        rate = number_text(settings.smaller_rate(task))
        return f"it learned nothing, as steps are too large: try --learning-rate {rate}"
    if by_chance and settings.learning_rate < usual / FAR:
        rate = number_text(usual)
        return f"it learned next to nothing, as steps are small: try --learning-rate {rate}"
    least = LEAST_STEPS.get(task, 0)
    if 0 < steps * len(history) < least and len(history) < MOST_TIMES:
        return f"it needs more training: try --epochs {min(MOST_TIMES, -(-least // steps))}"
    middle, last = history[(len(history) - 1) // 2], history[-1]
    still_falls = len(history) == 1 or last["loss"] < FALL * middle["loss"]
    if by_chance or (still_falls and losses[-1] == best):
        return f"it needs more training: try --epochs {3 * len(history)}"
    if is_validated and losses[-1] is not None and losses[-1] > RISE * best:
        return "it learns by heart what does not help: it needs more data, or a smaller network"
    return "it has learned what it can: make it larger"
