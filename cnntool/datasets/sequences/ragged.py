"""Sequences of different lengths in one array, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnntool.engine.arrays import within


@dataclass(frozen=True, eq=False)
class Ragged:
    """N sequences: values (total, ...) of all of them, and the lengths (N,) of each."""

    values: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, sequences: Sequence[np.ndarray], dtype: np.dtype | type | None = None) -> Ragged:
        """
        >>> Ragged.of([np.array([1, 2, 3]), np.array([4])]).padded([1, 0])[0].tolist()
        [[4, 1], [0, 2], [0, 3]]
        """
        lengths = np.array([len(each) for each in sequences], np.int64)
        values = np.concatenate(sequences) if len(sequences) else np.zeros(0)
        return cls(values if dtype is None else values.astype(dtype, copy=False), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        start = self.starts[index]
        return self.values[start : start + self.lengths[index]]

    @cached_property
    def starts(self) -> np.ndarray:
        """(N,) where each begins among the values."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    def at(self, indices: np.ndarray) -> Ragged:
        """Some of them, in the order of their indices."""
        lengths = self.lengths[indices]
        moved = self.starts[indices] - np.cumsum(lengths) + lengths
        places = np.arange(lengths.sum()) + np.repeat(moved, lengths)
        return Ragged(self.values[places], lengths)

    def padded(self, indices: np.ndarray | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Some of them side by side, time first: (T, B, ...), 0 behind the ends, and their lengths
        (B,); T is that of the longest of them."""
        indices = np.asarray(indices)
        lengths = self.lengths[indices]
        steps = np.arange(lengths.max(initial=0))[:, None]
        places, is_there = self.starts[indices] + steps, within(lengths, len(steps), len(lengths))
        found = self.values[np.where(is_there, places, 0)] if len(self.values) else self.values
        found = found.reshape(*is_there.shape, *self.values.shape[1:])
        found[~is_there] = 0
        return found, lengths
