"""Tokens as vectors: a row of a table for each, and beside it what its letters come to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnntool.engine.linear import embedding, embedding_backward
from cnntool.networks.initialisation import Uniform
from cnntool.networks.layers.layer import (
    Arrays,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Words,
    shape_text,
)
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.layers.steps import TimePool

EMBEDDING_RANGE = 0.1
"""Embeddings start between minus this and this."""

LETTERS = "letters_"
"""What the names of the arrays begin with that read a word's letters."""


@dataclass(frozen=True)
class Embedding(Layer):
    """:func:`~cnntool.engine.linear.embedding`: a row of a table for each of ``words`` tokens.

    letters: how many there are, and the units of an lstm in each direction over those of each word,
    whose last states stand beside its row: what a word is like that was never seen (Ling et al.,
    Finding function in form, EMNLP 2015). Tokens then come with their spelling, each different
    word of a batch once (:class:`~cnntool.datasets.sequences.inputs.Spelled`).
    """

    words: int
    width: int
    letters: tuple[int, int] | None = None

    kind = "embedding"
    gives = "embed"
    sees_all = True
    is_numbered = False

    @classmethod
    def read(cls, name: str, words: Words) -> Embedding:
        """``embedding 65 x 64``, or ``embedding 5000 x 64 letters 80 x 24``."""
        count = words.count("number of tokens")
        words.sign("x")
        width, letters = words.count("width"), None
        if words.setting(("letters",)):
            kinds = words.count("number of letters")
            words.sign("x")
            letters = kinds, words.count("units")
        return cls(count, width, letters)

    @property
    def writes_out(self) -> bool:
        return self.letters is None

    def __str__(self) -> str:
        text = f"embedding {self.words} x {self.width}"
        return text if self.letters is None else f"{text} letters {self.letters[0]} x {self._units}"

    @property
    def _units(self) -> int:
        return self.letters[1] if self.letters else 0

    @cached_property
    def _reading(self) -> tuple[Layer, ...]:
        """The layers over the letters of words."""
        kinds, units = self.letters or (1, 1)
        return Embedding(kinds, units), Recurrent("lstm", units, both=True), TimePool("last", True)

    def output_shape(self, shape: Shape) -> Shape:
        if shape != (None,):
            raise ValueError(f"it takes tokens, not {shape_text(shape)}: it comes first")
        return None, self.width + 2 * self._units

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        found = {"weight": Parameter((self.words, self.width), Uniform(EMBEDDING_RANGE))}
        if self.letters is None:
            return found
        table, cell, _ = self._reading
        own = table.parameters((None,)) | cell.parameters((None, self._units))
        return found | {LETTERS + key: parameter for key, parameter in own.items()}

    def lecture(self, source: str) -> dict[str, tuple[str, str]]:
        found = {"weight": ("embed", "input x embed")}
        if self.letters is None:
            return found
        own = {"weight": ("table", "letter x hidden")} | self._reading[1].lecture("letter")
        return found | {
            LETTERS + key: (f"letters {name}", text) for key, (name, text) in own.items()
        }

    def forward(self, x: Any, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        if self.letters is None:
            if not way.keeps_caches:  # token by token what embedding() checks is most of its time
                return params["weight"][x], None
            return embedding(x, params["weight"])
        y, rows = embedding(x.ids, params["weight"])
        own = {k.removeprefix(LETTERS): a for k, a in params.items() if k.startswith(LETTERS)}
        spelled, caches, within = x.letters, [], replace(way, lengths=x.lengths)
        for layer in self._reading:
            spelled, cache = layer.forward(spelled, own, {}, within)
            caches.append(cache)
        beside, places = embedding(x.words, spelled)
        return np.concatenate([y, beside], axis=-1), (rows, places, caches)

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True, out: Arrays | None = None
    ) -> Gradients:
        """Tokens have no gradient."""
        if self.letters is None:
            return None, {"weight": embedding_backward(dy, cache, out=(out or {}).get("weight"))}
        rows, places, caches = cache
        found = {"weight": embedding_backward(dy[..., : self.width], rows)}
        dspelled: Any = embedding_backward(dy[..., self.width :], places)
        for layer, own in zip(reversed(self._reading), reversed(caches), strict=True):
            dspelled, grads = layer.backward(dspelled, own)
            found |= {LETTERS + key: grad for key, grad in grads.items()}
        return None, {key: grad for key, grad in found.items() if key in self.parameters((None,))}
