"""Weights of recurrent layers from elsewhere: other gate orders, other layouts, two biases.

======= ======================== ================ =======================
        gates of lstm            gates of gru     weights of the input
======= ======================== ================ =======================
here    input forget new output  reset update new (inputs, gates x hidden)
PyTorch the same                 the same         (gates x hidden, inputs)
ONNX    input output forget new  update reset new (gates x hidden, inputs)
======= ======================== ================ =======================

Where two biases are added, here is their sum; only gru has two, as its reset gate parts them.
"""

from __future__ import annotations

import numpy as np

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
