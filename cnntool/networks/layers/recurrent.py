"""Layers of sequences: tokens as vectors, and cells that carry a state from step to step.

    e_t = table[w_t],  h_t = cell(e_t, h_(t-1))

Time comes first: ids (T, B), B texts side by side, T tokens of each; steps (T, B, D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.cells.stack import CELLS
from cnntool.engine.linear import embedding, embedding_backward
from cnntool.networks.initialisation import Constant, Fans, Orthogonal, Uniform
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

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Products of each cell, side by side in its weights."""

WEIGHTS = "w_input", "w_hidden", "bias", "hidden_bias"
"""In the order of a cell's arguments; the last is of a gru alone."""

EMBEDDING_RANGE = 0.1
"""Embeddings start between minus this and this."""

FORGET_BIAS = 1.0
"""At the start the cell is kept: Jozefowicz, Zaremba, Sutskever, ICML 2015."""


@dataclass(frozen=True)
class Embedding(Layer):
    """:func:`~cnntool.engine.linear.embedding`: a row of a table for each of ``words`` tokens."""

    words: int
    width: int

    kind = "embedding"
    gives = "embed"
    is_numbered = False
    writes_out = True

    @classmethod
    def read(cls, name: str, words: Words) -> Embedding:
        """``embedding 65 x 64``."""
        count = words.count("number of tokens")
        words.sign("x")
        return cls(count, words.count("width"))

    def __str__(self) -> str:
        return f"embedding {self.words} x {self.width}"

    def output_shape(self, shape: Shape) -> Shape:
        if shape != (None,):
            raise ValueError(f"it takes tokens, not {shape_text(shape)}: it comes first")
        return None, self.width

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        return {"weight": Parameter((self.words, self.width), Uniform(EMBEDDING_RANGE))}

    def lecture(self, source: str) -> dict[str, tuple[str, str]]:
        return {"weight": ("embed", "input x embed")}

    def sees(self, shape: Shape) -> None:
        return None

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        if not way.keeps_caches:  # token by token what embedding() checks is most of its time
            return params["weight"][x], None
        return embedding(x, params["weight"])

    def backward(
        self, dy: np.ndarray, cache: Any, *, need_dx: bool = True, out: Arrays | None = None
    ) -> Gradients:
        """Tokens have no gradient."""
        return None, {"weight": embedding_backward(dy, cache, out=(out or {}).get("weight"))}


@dataclass(frozen=True)
class Recurrent(Layer):
    """One of ``GATES`` with ``units`` units: steps in, the hidden state of each step out."""

    cell: str
    units: int

    gives = "hidden"
    writes_out = True

    @classmethod
    def read(cls, name: str, words: Words) -> Recurrent:
        return cls(name, words.count("number of units"))

    @property
    def kind(self) -> str:
        return self.cell

    def __str__(self) -> str:
        return f"{self.cell} {self.units}"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 2 or shape[0] is not None:
            raise ValueError(f"it takes steps, not {shape_text(shape)}: begin with an embedding")
        return None, self.units

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        """Gates side by side, in PyTorch's order."""
        inputs, gates = shape[-1], GATES[self.cell]
        wide = gates * self.units
        forget = Constant(0.0, FORGET_BIAS, gates) if self.cell == "lstm" else Constant()
        found = {
            "w_input": Parameter((inputs, wide), Fans(inputs, self.units, "glorot")),
            "w_hidden": Parameter((self.units, wide), Orthogonal()),
            "bias": Parameter((wide,), forget),
        }
        return found | ({"hidden_bias": Parameter((wide,))} if self.cell == "gru" else {})

    def lecture(self, source: str) -> dict[str, tuple[str, str]]:
        gates = GATES[self.cell]
        wide = f"{gates} hidden" if gates > 1 else "hidden"
        return {
            "w_input": ("ih", f"{source} x {wide}"),
            "w_hidden": ("hh", f"hidden x {wide}"),
            "bias": ("bias", wide),
            "hidden_bias": ("hidden bias", wide),
        }

    def state(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("h", "c") if self.cell == "lstm" else ("h",), (self.units,))

    def multiply_adds(self, shape: Shape) -> int:
        return (shape[-1] + self.units) * GATES[self.cell] * self.units

    def connections(self, shape: Shape) -> int:
        biases = 2 if self.cell == "gru" else 1
        return self.multiply_adds(shape) + biases * GATES[self.cell] * self.units

    def sees(self, shape: Shape) -> None:
        return None

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        cell, state = CELLS[self.cell], self._packed(buffers)
        if len(x) == 1 and not way.keeps_caches:  # a third of the time for one sequence
            y, state = cell.step(x[0], state, *params.values())
            y, cache = y[None], None
        else:
            (y, state), cache = cell.forward(x, state, *params.values())
        buffers.update(self._by_name(state))
        return y, cache

    def backward(
        self,
        dy: np.ndarray | None,
        cache: Any,
        *,
        need_dx: bool = True,
        out: Arrays | None = None,
        dstate: Arrays | None = None,
    ) -> Gradients:
        """Also by the state it began with, for ``dstate`` by the one it ended with, None for 0; dy
        may be None, for 0, where there is a dstate."""
        last = None if dstate is None else self._packed(dstate)
        places = tuple(out.values()) if out else None
        dx, first, *grads = CELLS[self.cell].backward(dy, last, cache, need_dx=need_dx, out=places)
        return dx, {**dict(zip(WEIGHTS, grads, strict=False)), **self._by_name(first)}

    def trace(self, y: np.ndarray, cache: Any) -> Arrays:
        """What its units did over time, each (T, B, H): the gates, the cell state ``c`` where there
        is one, and ``h``, from what :meth:`forward` gave."""
        gates = cache.gate_values() if hasattr(cache, "gate_values") else {}
        return gates | ({"c": cache.cells()} if self.cell == "lstm" else {}) | {"h": y}

    def _packed(self, arrays: Arrays) -> Any:
        """A state as the cell takes it: (h, c) of an lstm, else h."""
        return (arrays["h"], arrays["c"]) if self.cell == "lstm" else arrays["h"]

    def _by_name(self, state: Any) -> Arrays:
        return dict(zip("hc", state, strict=True)) if self.cell == "lstm" else {"h": state}
