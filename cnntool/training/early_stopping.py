"""Stopping when the validation loss has not become better for some epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnntool.errors import InputError, RequestError
from cnntool.imaging.kernels import number_text


@dataclass
class EarlyStopping:
    """Watches a loss, an epoch at a time (Prechelt 1998, Early stopping - but when?, "UP").

    patience: epochs without a better loss after which training stops; None never stops, and the
        best is kept all the same.
    least_gain: by how much a loss must be below the best to be better.
    best_loss, best_epoch: of the best epoch so far; None before there is one.
    waited: epochs since then.
    """

    patience: int | None = None
    least_gain: float = 0.0
    best_loss: float | None = None
    best_epoch: int | None = None
    waited: int = 0

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise RequestError(
                f"the patience is {self.patience}, expected epochs from 1: leave it out to never "
                "stop early"
            )
        if not 0 <= self.least_gain < math.inf:
            raise RequestError(
                f"the least gain is {number_text(self.least_gain)}, expected a number from 0"
            )

    def update(self, epoch: int, loss: float) -> bool:
        """Take in the loss after an epoch: True where it is the best, so that it is to be kept.

        A loss that is not finite is never the best.
        """
        best = math.inf if self.best_loss is None else self.best_loss
        if math.isfinite(loss) and loss < best - self.least_gain:
            self.best_loss, self.best_epoch, self.waited = float(loss), int(epoch), 0
            return True
        self.waited += 1
        return False

    @property
    def should_stop(self) -> bool:
        """Whether the patience is at its end."""
        return self.patience is not None and self.waited >= self.patience

    def to_json(self) -> dict[str, Any]:
        """What has been seen, as plain numbers. The patience is a setting and not among them."""
        return {
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
        }

    def restore(self, plain: Mapping[str, Any], name: str = "the model file") -> None:
        """Go on from what ``to_json`` gave. InputError where it is no sense."""
        loss, epoch, waited = (plain.get(key) for key in ("best_loss", "best_epoch", "waited"))
        none_yet = loss is None and epoch is None
        some = _is_number(loss) and math.isfinite(loss) and _is_count(epoch)
        if not ((none_yet or some) and _is_count(waited)):
            raise InputError(
                f"{name}: its early stopping has loss {loss!r}, epoch {epoch!r} and {waited!r} "
                "epochs waited: expected a number and two counts"
            )
        self.best_loss, self.best_epoch, self.waited = loss, epoch, waited


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
