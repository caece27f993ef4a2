"""The order in which a recurrent layer goes through time: either way, sequences of any length.

Sequences of one batch end at different steps. Sorted from the longest to the shortest, those that
still go on are the first rows at every step, and no step computes what nobody needs. Run backward,
a sequence begins at its own last step.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, eq=False)
class TimeOrder:
    """The steps of a batch in the order they are run.

    steps: T. rows: (T,) of how many sequences, the first ones, each step is for; None where all
    are of one length. order: (B,) the sequences from the longest to the shortest, None where they
    stay as they are.
    """

    steps: int
    batch: int
    is_reversed: bool
    rows: np.ndarray | None = None
    order: np.ndarray | None = None

    @classmethod
    def of(cls, steps: int, batch: int, lengths: np.ndarray | None, is_reversed: bool) -> TimeOrder:
        """ValueError unless lengths are (B,) whole numbers from 0 to T."""
        if lengths is None:
            return cls(steps, batch, is_reversed)
        lengths = np.asarray(lengths)
        if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
            raise ValueError(
                f"lengths are {lengths.dtype} {lengths.shape}: expected one whole number a "
                f"sequence, ({batch},)"
            )
        if batch and not 0 <= lengths.min() <= lengths.max() <= steps:
            raise ValueError(
                f"lengths are {lengths.min()} to {lengths.max()}: expected 0 to {steps}, the steps "
                "of x"
            )
        rows = np.count_nonzero(lengths[:, None] > np.arange(steps), axis=0)
        rows = rows[::-1] if is_reversed else rows
        return cls(steps, batch, is_reversed, rows, np.argsort(-lengths, kind="stable"))

    def arranged(self, x: np.ndarray) -> np.ndarray:
        """(T, B, ...) in the order it is run: a view where all have one length, else a copy."""
        x = x[::-1] if self.is_reversed else x
        return x if self.order is None else x[:, self.order]

    def restored(self, y: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`arranged`."""
        if self.order is not None:
            y = y[:, np.argsort(self.order)]
        return y[::-1] if self.is_reversed else y

    def arranged_rows(self, state: np.ndarray) -> np.ndarray:
        """A state (B, H) in the order of the sequences."""
        return state if self.order is None else state[self.order]

    def restored_rows(self, state: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`arranged_rows`."""
        return state if self.order is None else state[np.argsort(self.order)]

    def active(self, step: int) -> int:
        """The rows that a step is for."""
        return self.batch if self.rows is None else int(self.rows[step])

    def spans(self, most: int | None = None) -> list[tuple[slice, int]]:
        """The steps cut where the rows change, each piece with its rows; pieces of at most so many
        steps."""
        cuts = {0, self.steps}
        if self.rows is not None:
            cuts.update((np.flatnonzero(np.diff(self.rows)) + 1).tolist())
        edges = sorted(cuts)
        return [
            (slice(first, min(first + (most or stop - start), stop)), self.active(first))
            for start, stop in pairwise(edges)
            for first in range(start, stop, most or stop - start)
        ]

    def clear(self, y: np.ndarray) -> np.ndarray:
        """(T, B, ...) in the order it is run, with 0 where a sequence is not; written into y."""
        if self.rows is not None:
            for step, rows in enumerate(self.rows):
                y[step, rows:] = 0
        return y
