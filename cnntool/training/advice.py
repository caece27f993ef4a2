"""What to try where a network is no better than what needs none: what its history tells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cnntool.choices import LEARNING, LEAST_STEPS, MOST_TIMES, rates_of
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
            f"the network's loss is {best:.4g} nats where guessing has {guessing:.4g}, so "
            f"steps are too large: try --learning-rate {rate}"
        )
    if by_chance and settings.learning_rate > FAR * usual:
        rate = number_text(settings.smaller_rate(task))
        return f"the network learned nothing, as steps are too large: try --learning-rate {rate}"
    if by_chance and settings.learning_rate < usual / FAR:
        rate = number_text(usual)
        return (
            f"the network learned next to nothing, as steps are small: try --learning-rate {rate}"
        )
    best_row = history[losses.index(best)] if best in losses else history[-1]
    has_risen = is_validated and losses[-1] is not None and losses[-1] > RISE * best
    if has_risen and history[-1]["loss"] < best_row["loss"]:
        return (
            "the network learns by heart what does not help: it needs more data, or fewer "
            "parameters"
        )
    epochs = _more_epochs(task, history, losses, by_chance, steps)
    if epochs:
        return f"the network needs more training: try --epochs {epochs}"
    return "the network has learned what it can: make it larger"


def _more_epochs(
    task: str,
    history: Sequence[dict[str, Any]],
    losses: Sequence[float | None],
    by_chance: bool,
    steps: int,
) -> int:
    """How many epochs to try where it has had too few; else 0."""
    done, least, usual = len(history), LEAST_STEPS.get(task, 0), LEARNING[task]["epochs"]
    if 0 < steps * done < least and done < MOST_TIMES:
        return min(MOST_TIMES, -(-least // steps))
    *before, last = [math.inf if loss is None else loss for loss in losses]
    middle = history[(done - 1) // 2]
    still_falls = done == 1 or history[-1]["loss"] < FALL * middle["loss"]
    if by_chance or (still_falls and last <= min(before, default=last)):
        return 3 * done
    return usual if done < usual and last < min(before) else 0
