"""Recurrent layers one upon the other, in one direction or both, with dropout between them.

A layer of both directions gives the states of the first and of the second side by side (Schuster,
Paliwal, Bidirectional recurrent neural networks, IEEE Trans. Signal Processing 45, 1997).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from cnntool.engine.activations import dropout as drop
from cnntool.engine.activations import dropout_backward
from cnntool.engine.arrays import check_numbers
from cnntool.engine.cells.gru import gru, gru_backward, gru_step
from cnntool.engine.cells.lstm import lstm, lstm_backward, lstm_step
from cnntool.engine.cells.rnn import rnn, rnn_backward, rnn_step

Weights = tuple[np.ndarray, ...]
State = tuple[np.ndarray, ...]
"""(h, c) of an lstm, else (h,), each (B, H)."""

Layers = Sequence[Sequence[Weights]]
"""Layer by layer, the weights of each direction."""

States = list[tuple[State, ...]]
"""Layer by layer, the state of each direction."""


class Cell(NamedTuple):
    """A recurrent layer, the way back through it, and one step of it."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    step: Callable[..., Any]
    weights: int  # arrays that it takes
    has_cell_state: bool = False


CELLS = {
    "rnn": Cell(rnn, rnn_backward, rnn_step, 3),
    "rnn-relu": Cell(
        partial(rnn, activation="relu"), rnn_backward, partial(rnn_step, activation="relu"), 3
    ),
    "gru": Cell(gru, gru_backward, gru_step, 4),
    "lstm": Cell(lstm, lstm_backward, lstm_step, 3, has_cell_state=True),
}


@dataclass(frozen=True, eq=False)
class StackCache:
    """What the way back needs."""

    cell: Cell
    layers: list[tuple[Any, ...]]  # layer by layer, the cache of each direction
    dropped: list[Any]  # before each layer, None where nothing was


@np.errstate(over="ignore", invalid="ignore")
def recurrent(
    x: np.ndarray,
    states: Sequence[Sequence[State]],
    layers: Layers,
    *,
    cell: str,
    lengths: np.ndarray | None = None,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[tuple[np.ndarray, States], StackCache]:
    """Layers of one ``cell`` (rnn, rnn-relu, gru, lstm) over x (T, B, E).

    layers: for each layer a tuple of one or two directions, each the weights that the cell takes
        behind its state. states: alike, each (h,), of an lstm (h, c).
    lengths: (B,) of the sequences, None where all have T steps.
    dropout: the part of the units that is dropped between layers, drawn from ``rng``.

    Returns the outputs of the last layer (T, B, H), or (T, B, 2H) of both directions, and all last
    states; and the cache for :func:`recurrent_backward`. What grows beyond all numbers is infinite
    or NaN, without a warning. ValueError where shapes do not fit, or there is dropout and no
    ``rng``.
    """
    _check_cell(cell)
    if dropout and rng is None:
        raise ValueError(f"dropout is {dropout}: it needs an rng to draw from")
    if len(states) != len(layers):
        raise ValueError(f"{len(states)} states for {len(layers)} layers: expected one each")
    kind, caches, dropped, last = CELLS[cell], [], [], []
    for index, (layer, layer_states) in enumerate(zip(layers, states, strict=True)):
        mask = None
        if index and rng is not None and dropout:
            x, mask = drop(x, dropout, rng)
        dropped.append(mask)
        runs = [
            kind.forward(x, _given(kind, state), *weights, lengths=lengths, reverse=bool(direction))
            for direction, (weights, state) in enumerate(zip(layer, layer_states, strict=True))
        ]
        outputs = [output for (output, _), _ in runs]
        x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
        last.append(tuple(_taken(kind, state) for (_, state), _ in runs))
        caches.append(tuple(cache for _, cache in runs))
    return (x, last), StackCache(kind, caches, dropped)


@np.errstate(over="ignore", invalid="ignore")
def recurrent_backward(
    dh_all: np.ndarray | None,
    dstates: Sequence[Sequence[State]] | None,
    cache: StackCache,
    *,
    need_dx: bool = True,
    out: Layers | None = None,
) -> tuple[np.ndarray | None, States, list[tuple[Weights, ...]]]:
    """Gradients (dx, dstates_0, dlayers) of :func:`recurrent` for the gradients by its outputs and
    by its last states, None for 0; states and layers are laid out as they were given.

    Without ``need_dx`` dx is None. ``out``: arrays for the gradients of the weights, laid out as
    the layers.
    """
    found_states: States = []
    found_layers: list[tuple[Weights, ...]] = []
    d = dh_all
    for index in range(len(cache.layers) - 1, -1, -1):
        directions = cache.layers[index]
        parts: list[np.ndarray | None] = [None] * len(directions)
        if d is not None:
            width = d.shape[-1] // len(directions)
            parts = [d[..., k * width : (k + 1) * width] for k in range(len(directions))]
        results = [
            cache.cell.backward(
                part,
                None if dstates is None else _given(cache.cell, dstates[index][k]),
                each,
                need_dx=need_dx or index > 0,
                out=out and out[index][k],
            )
            for k, (part, each) in enumerate(zip(parts, directions, strict=True))
        ]
        found_states.append(tuple(_taken(cache.cell, result[1]) for result in results))
        found_layers.append(tuple(result[2:] for result in results))
        d = results[0][0]
        for result in results[1:]:
            d = None if d is None else d + result[0]
        if d is not None and cache.dropped[index] is not None:
            d = dropout_backward(d, cache.dropped[index])
    return d, found_states[::-1], found_layers[::-1]


def recurrent_step(
    x: np.ndarray, states: Sequence[Sequence[State]], layers: Layers, *, cell: str
) -> tuple[np.ndarray, States]:
    """One step of layers of one direction over x (B, E): the outputs (B, H) and the states.

    The same as :func:`recurrent` over one step, in a third of its time for one sequence: nothing
    is kept for a way back. ValueError where a layer has two directions: the other one begins at
    the end of the sequence.
    """
    _check_cell(cell)
    kind, last = CELLS[cell], list[tuple[State, ...]]()
    for layer, layer_states in zip(layers, states, strict=True):
        if len(layer) != 1:
            raise ValueError(f"a layer has {len(layer)} directions: expected 1 to go step by step")
        check_numbers(x, *layer_states[0], *layer[0])
        x, state = kind.step(x, _given(kind, layer_states[0]), *layer[0])
        last.append((_taken(kind, state),))
    return x, last


def _check_cell(cell: str) -> None:
    """ValueError where there is no such cell."""
    if cell not in CELLS:
        raise ValueError(f"cell is {cell!r}: expected {', '.join(CELLS)}")


def _given(cell: Cell, state: State) -> Any:
    """A state as the cell takes it."""
    return state if cell.has_cell_state else state[0]


def _taken(cell: Cell, state: Any) -> State:
    """A state as the cell gives it, as a tuple."""
    return state if cell.has_cell_state else (state,)


ONNX_ORDER = {
    "rnn": (0,),
    "gru": (1, 0, 2),
    "reset_first_gru": (1, 0, 2),
    "lstm": (0, 2, 3, 1),
}
"""At which of ONNX's places each of our gates stands."""


def from_torch(
    cell: str,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """The weights that rnn, gru or lstm take, from those of one layer and direction of torch.nn:
    weight_ih (gates H, E), weight_hh (gates H, H), biases (gates H,), None for none."""
    zeros = np.zeros(len(weight_ih), weight_ih.dtype)
    biases = tuple(zeros if bias is None else bias for bias in (bias_ih, bias_hh))
    return _joined(cell, weight_ih, weight_hh, *biases)


def from_onnx(
    cell: str, w: np.ndarray, r: np.ndarray, b: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """The weights that rnn, gru or lstm take, from one direction of ONNX's operator: W (gates H,
    E), R (gates H, H), B (2 gates H,), None for none.

    A gru's are those of ``linear_before_reset=1``; cell ``reset_first_gru`` is for 0.
    """
    width = len(w)
    b = np.zeros(2 * width, w.dtype) if b is None else b
    arrays = (_reordered(cell, array) for array in (w, r, b[:width], b[width:]))
    return _joined(cell, *arrays)


def _joined(
    cell: str, w: np.ndarray, r: np.ndarray, bias: np.ndarray, hidden_bias: np.ndarray
) -> tuple[np.ndarray, ...]:
    if cell not in ONNX_ORDER:
        raise ValueError(f"cell is {cell!r}: expected {', '.join(ONNX_ORDER)}")
    biases = (bias, hidden_bias) if cell == "gru" else (bias + hidden_bias,)
    return (np.ascontiguousarray(w.T), np.ascontiguousarray(r.T), *biases)


def _reordered(cell: str, array: np.ndarray) -> np.ndarray:
    """The gates, blocks of the first axis, in our order."""
    order = ONNX_ORDER[cell]
    gates = array.reshape(len(order), -1, *array.shape[1:])
    return np.concatenate([gates[place] for place in order])
