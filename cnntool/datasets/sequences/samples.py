"""What a sequence task learns from, as it was read: inputs, and an answer to each.

======== ============================ =================== =========================================
form     an input                     as                  of a
======== ============================ =================== =========================================
text     a text                       str                 classifier, translator
words    the words of a sentence      tuple of str        tagger
steps    a series of measurements     (T, D) float32      classifier, tagger
frames   a video                      (T, C, H, W) uint8  tagger
picture  a picture, all of one size   (C, H, W) uint8     captioner
======== ============================ =================== =========================================

The answer of a classifier is a label, of a tagger a tuple of tags, one a word or step, of the
others a tuple of one text or more that are all right, the first being the usual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs of one ``form`` with their answers.

    name: of the data, as messages have it. format: how it was written, such as "CoNLL columns".
    places: where each stands, such as ``tags.txt:17`` or the path of a picture; None where there is
        no such place. groups: what each belongs to, where that matters; those of one group are
        never split between what is learned from and what is held out.
    notes: what there is to say of how it was read.
    """

    name: str
    form: str
    inputs: Sequence[Any]
    answers: Sequence[Any]
    format: str = ""
    places: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, indices: Sequence[int] | np.ndarray) -> Samples:
        """Some of them, in the order of their indices, without the notes."""

        def those(values: Sequence[Any]) -> list[Any]:
            return [values[i] for i in indices]

        return replace(
            self,
            inputs=those(self.inputs),
            answers=those(self.answers),
            places=None if self.places is None else those(self.places),
            groups=None if self.groups is None else those(self.groups),
            notes=(),
        )
