"""Where a run stands and whether it stops early, as plain values that a file takes and gives back
checked."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnntool.errors import InputError
from cnntool.networks.model_header import is_count

JUDGED = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")
"""What every row of a history says."""


def check_history(rows: Sequence[Any], name: str) -> None:
    """InputError where a file says of epochs, or of parts of them, what no run does."""
    for row in rows:
        parts = row.get("within", []) if isinstance(row, dict) else None
        if not (_is_row(row) and isinstance(parts, list) and all(map(_is_row, parts))):
            raise InputError(f"{name} is damaged: of an epoch it says {str(row)[:60]}")


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    return all(key in row and (row[key] is None or is_finite(row[key])) for key in JUDGED)


@dataclass
class Place:
    """Where a run stands: epochs and steps done, and the sums of the epoch under way.

    within: what was found where that was judged on its way.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    order: Mapping[str, Any] = field(default_factory=dict)  # what the epoch's is drawn from
    rate: float = 0.0
    within: list[dict[str, Any]] = field(default_factory=list)

    def check(self, name: str) -> None:
        """InputError where a file says what can be no place."""
        sums, counts = (self.loss, self.rate, self.seconds), (self.epoch, self.step, self.correct)
        is_sound = isinstance(self.within, list) and all(map(_is_row, self.within))
        if not (is_sound and all(map(is_finite, sums)) and all(map(is_count, counts))):
            raise InputError(
                f"{name} is damaged: its training stands at epoch {self.epoch!r}, step "
                f"{self.step!r}, with {self.correct!r} right, loss {self.loss!r} and rate "
                f"{self.rate!r}"
            )


@dataclass
class EarlyStopping:
    """Watches a loss, an epoch or less at a time (Prechelt 1998, Early stopping - but when?, "UP").

    patience: epochs without a better loss after which training stops; None never stops, and the
        best is kept all the same.
    best_loss, best_epoch: of the best epoch so far; None before there is one. best_step: within
        that epoch, where it was best on its way; 0 at its end.
    waited: epochs since then.
    """

    patience: int | None = None
    best_loss: float | None = None
    best_epoch: int | None = None
    best_step: int = 0
    waited: int = 0

    def update(self, epoch: int, loss: float, step: int = 0) -> bool:
        """Take in the loss after an epoch, or after a step of it: True where it is the best, so
        that it is to be kept.

        A loss that is not finite is never the best. Patience is lost at the ends of epochs alone.
        """
        best = math.inf if self.best_loss is None else self.best_loss
        if math.isfinite(loss) and loss < best:
            self.best_loss, self.best_epoch, self.best_step = float(loss), int(epoch), int(step)
            self.waited = 0
            return True
        self.waited += not step
        return False

    @property
    def best_place(self) -> tuple[int, int] | None:
        """Of the best so far: epochs done, and steps of the epoch after them."""
        if self.best_epoch is None:
            return None
        return self.best_epoch - bool(self.best_step), self.best_step

    @property
    def should_stop(self) -> bool:
        """Whether the patience is at its end."""
        return self.patience is not None and self.waited >= self.patience

    def to_json(self) -> dict[str, Any]:
        """What has been seen, as plain numbers. The patience is a setting and not among them."""
        return {key: value for key, value in vars(self).items() if key != "patience"}

    def restore(self, plain: Mapping[str, Any], name: str = "the model file") -> None:
        """Go on from what ``to_json`` gave. InputError where it is no sense."""
        loss, epoch = plain.get("best_loss"), plain.get("best_epoch")
        waited, step = plain.get("waited"), plain.get("best_step", 0)
        none_yet = loss is None and epoch is None
        some = is_finite(loss) and is_count(epoch)
        are_counts = is_count(waited) and is_count(step)
        if waited is None or not ((none_yet or some) and are_counts):
            raise InputError(
                f"{name}: its early stopping has loss {loss!r}, epoch {epoch!r} and {waited!r} "
                "epochs waited: expected a number and two counts"
            )
        self.best_loss, self.best_epoch, self.best_step, self.waited = loss, epoch, step, waited


def is_finite(value: Any) -> bool:
    """Whether it is a number, and no boolean."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max
