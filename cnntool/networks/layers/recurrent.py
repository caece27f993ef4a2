"""The layer whose cell carries a state from step to step, ``h_t = cell(x_t, h_(t-1))``.

Time comes first: steps (T, B, D), B sequences side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.cells.stack import CELLS
from cnntool.networks.initialisation import Constant, Fans, Orthogonal
from cnntool.networks.layers.layer import (
    Arrays,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Words,
    is_steps,
    shape_text,
)

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Products of each cell, side by side in its weights."""

GATE_NAMES = ("input", "forget", "output", "reset", "update")
"""From 0, closed, to 1, open; beside them a trace has the candidate and the states."""

WEIGHTS = "w_input", "w_hidden", "bias", "hidden_bias"
"""In the order of a cell's arguments; the last is of a gru alone."""

REVERSE = "_reverse"
"""What the names of the arrays end with of the cell that reads from the end."""

FORGET_BIAS = 1.0
"""At the start the cell is kept: Jozefowicz, Zaremba, Sutskever, ICML 2015."""


@dataclass(frozen=True)
class Recurrent(Layer):
    """One of ``GATES`` with ``units`` units: steps in, the hidden state of each step out.

    both: two of them, one from each end, their states side by side (Schuster, Paliwal,
    Bidirectional recurrent neural networks, IEEE Trans. Signal Processing 45, 1997).
    """

    cell: str
    units: int
    both: bool = False

    gives = "hidden"
    sees_all = True

    @classmethod
    def read(cls, name: str, words: Words) -> Recurrent:
        return cls(name, words.count("number of units"), words.setting(("both",)) is not None)

    @property
    def kind(self) -> str:
        return self.cell

    @property
    def writes_out(self) -> bool:
        return not self.both

    @property
    def _directions(self) -> tuple[str, ...]:
        """What the names of its arrays end with, direction by direction."""
        return ("", REVERSE) if self.both else ("",)

    def __str__(self) -> str:
        return f"{self.cell} {self.units}" + (" both" if self.both else "")

    def output_shape(self, shape: Shape) -> Shape:
        if not is_steps(shape):
            before = "columns before it" if len(shape) == 3 else "an embedding first"
            raise ValueError(f"it takes steps, not {shape_text(shape)}: put {before}")
        return shape[0], self.units * len(self._directions)

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
        found |= {"hidden_bias": Parameter((wide,))} if self.cell == "gru" else {}
        return {key + end: each for end in self._directions for key, each in found.items()}

    def lecture(self, source: str) -> dict[str, tuple[str, str]]:
        gates = GATES[self.cell]
        wide = f"{gates} hidden" if gates > 1 else "hidden"
        found = {
            "w_input": ("ih", f"{source} x {wide}"),
            "w_hidden": ("hh", f"hidden x {wide}"),
            "bias": ("bias", wide),
            "hidden_bias": ("hidden bias", wide),
        }
        return {
            key + end: (name + end.replace("_", " "), meaning)
            for end in self._directions
            for key, (name, meaning) in found.items()
        }

    def state(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        keys = ("h", "c") if self.cell == "lstm" else ("h",)
        return {key + end: (self.units,) for end in self._directions for key in keys}

    def multiply_adds(self, shape: Shape) -> int:
        one = (shape[-1] + self.units) * GATES[self.cell] * self.units
        return one * len(self._directions) * (shape[0] or 1)

    def connections(self, shape: Shape) -> int:
        biases = (2 if self.cell == "gru" else 1) * GATES[self.cell] * self.units
        return self.multiply_adds(shape) + biases * len(self._directions) * (shape[0] or 1)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        """States that are not in the buffers begin at 0."""
        cell, outputs, caches = CELLS[self.cell], [], []
        for end in self._directions:
            state, weights = self._begun(x, buffers, end), _ending(params, end)
            if len(x) == 1 and not way.keeps_caches:  # a third of the time for one sequence
                y, state = cell.step(x[0], state, *weights)
                y, cache = y[None], None
            else:
                (y, state), cache = cell.forward(
                    x, state, *weights, lengths=way.lengths, reverse=bool(end)
                )
            buffers.update(self._by_name(state, end))
            outputs.append(y)
            caches.append(cache)
        return outputs[0] if not self.both else np.concatenate(outputs, axis=-1), caches

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
        dx: np.ndarray | None = None
        found: Arrays = {}
        for index, end in enumerate(self._directions):
            part = dy
            if dy is not None and self.both:
                part = dy[..., index * self.units : (index + 1) * self.units]
            last = None if dstate is None else self._packed(dstate, end)
            places = tuple(out.values()) if out else None
            dx_part, first, *grads = CELLS[self.cell].backward(
                part, last, cache[index], need_dx=need_dx, out=places
            )
            found |= {key + end: grad for key, grad in zip(WEIGHTS, grads, strict=False)}
            found |= self._by_name(first, end)
            dx = dx_part if dx is None else dx + dx_part
        return dx, found

    def trace(self, y: np.ndarray, cache: Any) -> Arrays:
        """What its units did over time, each (T, B, H): the gates, the cell state ``c`` where there
        is one, and ``h``, from what :meth:`forward` gave."""
        found: Arrays = {}
        for index, end in enumerate(self._directions):
            own = cache[index]
            gates = own.gate_values() if hasattr(own, "gate_values") else {}
            gates |= {"c": own.cells()} if self.cell == "lstm" else {}
            gates |= {"h": y[..., index * self.units : (index + 1) * self.units]}
            found |= {key + end: values for key, values in gates.items()}
        return found

    def _begun(self, x: np.ndarray, arrays: Arrays, end: str) -> Any:
        if "h" + end not in arrays:
            zeros = np.zeros((x.shape[1], self.units), x.dtype)
            return (zeros, zeros) if self.cell == "lstm" else zeros
        return self._packed(arrays, end)

    def _packed(self, arrays: Arrays, end: str) -> Any:
        """A state as the cell takes it: (h, c) of an lstm, else h."""
        h = arrays["h" + end]
        return (h, arrays["c" + end]) if self.cell == "lstm" else h

    def _by_name(self, state: Any, end: str) -> Arrays:
        parts = state if self.cell == "lstm" else (state,)
        return {key + end: part for key, part in zip("hc", parts, strict=False)}


def _ending(params: Arrays, end: str) -> list[np.ndarray]:
    """The weights of one direction, in the order of a cell's arguments."""
    return [params[key + end] for key in WEIGHTS if key + end in params]
