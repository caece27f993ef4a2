"""Where a run stands, whether it stops early and what it was like, an epoch at a time: plain values
that a file takes and gives back checked."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.streams import open_path
from cnntool.networks.array_archive import not_there
from cnntool.networks.model_file import is_count, load_header

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


PARTS = ("training", "validation")
OF_TEXTS, OF_DECODERS = ("rnn", "translator", "captioner"), ("translator", "captioner")
LONGEST_LINE = 1 << 20
"""Characters of a log's line, which may have no end."""


@dataclass(frozen=True, eq=False)
class History:
    """One run.

    epochs: (E,) their numbers, from 1. values: (E,) float64 by measure and part, such as
        ``("loss", "validation")``; NaN where there is no number, all of it without a validation
        part.
    by_loss: whether it is known to be of what says texts, which a perplexity tells more of. Of a
        decoder there is no accuracy: that of single tokens, the right beginning being given, would
        pass for that of what it says.
    """

    name: str
    epochs: np.ndarray
    values: dict[tuple[str, str], np.ndarray]
    by_loss: bool = False


def read_history(path: str | os.PathLike) -> History:
    """The epochs of a model file, or of a log that ``--log`` wrote (JSON lines).

    Of an epoch that a log holds twice, as after going on from an earlier one, the later line
    counts. InputError, one line, for a file that is neither or holds no epoch that is done.
    """
    name = os.fspath(path)
    if not os.path.exists(path):
        raise not_there(name, "a model file or a log")
    with open_path(path, name, "a model file or a log: name one in it") as file:  # a pipe, once
        start = file.peek(2)[:2]
        if start == b"PK" or (not start and name.lower().endswith(".npz")):
            header = load_header(path)
            rows, by_loss = list(header.history), header.kind in OF_TEXTS
            rows = [{"task": header.kind, **row} for row in rows]
        else:
            with io.TextIOWrapper(file, "utf-8", "replace") as text:
                rows = _log_rows(text, name)
            by_loss = all(row.get("task") in OF_TEXTS for row in rows)
    by_epoch = {row["epoch"]: row for row in rows if _is_epoch(row.get("epoch"))}
    if not by_epoch:
        raise InputError(f"{name} holds no epoch that is done: train one at least")
    epochs = sorted(by_epoch)
    rows = [by_epoch[epoch] for epoch in epochs]
    values = {}
    for part, prefix in zip(PARTS, ("", "validation_"), strict=True):
        for measure in ("loss", "accuracy"):
            values[measure, part] = np.array(
                [
                    math.nan
                    if measure == "accuracy" and row.get("task") in OF_DECODERS
                    else number_of(row, prefix + measure)
                    for row in rows
                ]
            )
        with np.errstate(over="ignore"):
            values["perplexity", part] = np.exp(values["loss", part])
    finite = {key: np.where(np.isfinite(v), v, np.nan) for key, v in values.items()}
    return History(name, np.array(epochs), finite, by_loss)


def _log_rows(file: TextIO, name: str) -> list[dict[str, Any]]:
    """The lines of a log that are about epochs; one that a killed run left half is left out."""
    rows = []
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), 1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            is_cut = not line.endswith("\n") and len(line) < LONGEST_LINE
            if not line.strip() or (number > 1 and is_cut):
                continue
            raise InputError(
                f"{name} line {number} is no JSON object: expected a model file, or a log that "
                "--log wrote"
            ) from None
        if row.get("event") == "epoch":
            rows.append(row)
    return rows


def _is_epoch(value: Any) -> bool:
    return is_count(value, 1) and value < 1 << 40


def number_of(row: Mapping[str, Any], key: str) -> float:
    """What an epoch has by a key, nan where that is no number; and an accuracy of what has no
    finite loss, as the answers it is of are none."""
    loss = key.replace("accuracy", "loss")
    is_there = is_finite(row.get(key)) and (loss not in row or is_finite(row[loss]))
    return float(row[key]) if is_there else math.nan
