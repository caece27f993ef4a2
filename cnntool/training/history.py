"""What a run was like, an epoch at a time, from a model file or a log."""

from __future__ import annotations

import io
import json
import math
import os
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from cnntool.errors import InputError
from cnntool.files.streams import open_path
from cnntool.networks.array_archive import not_there
from cnntool.networks.model_file import load_header
from cnntool.networks.model_header import is_count
from cnntool.training.progress import is_finite

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
                    else _number(row.get(prefix + measure))
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


def _number(value: Any) -> float:
    return float(value) if is_finite(value) else math.nan
