"""Long short-term memory over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.recurrence import (
    Gradients,
    backward_blocks,
    gradients_in,
    histories,
    input_products,
    prepared,
    shown,
    weight_gradients,
)
from cnntool.engine.sequences import TimeOrder

GATES = ("input", "forget", "new", "output")


@dataclass(frozen=True, eq=False)
class LstmCache:
    """What the way back needs, in the order of the run."""

    x: np.ndarray  # (T, B, E)
    gates: np.ndarray  # (T, B, 4H), their values
    h: np.ndarray  # (T + 1, B, H), first the initial state
    c: np.ndarray  # (T + 1, B, H)
    tanh_c: np.ndarray  # (T, B, H)
    w_input: np.ndarray
    w_hidden: np.ndarray
    order: TimeOrder

    def gate_values(self) -> dict[str, np.ndarray]:
        """(T, B, H) of each gate: ``input``, ``forget``, ``new`` (the candidate) and ``output``."""
        gates = self.order.restored(self.gates)
        hidden = self.h.shape[-1]
        return {name: gates[..., k * hidden : (k + 1) * hidden] for k, name in enumerate(GATES)}

    def cells(self) -> np.ndarray:
        """(T, B, H): c of each step."""
        return self.order.restored(self.c[1:])


def lstm(
    x: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    *,
    lengths: np.ndarray | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]], LstmCache]:
    """LSTM over x (T, B, E) from a state (h, c), each (B, H); w_input W (E, 4H), w_hidden U (H, 4H)
    and bias (4H,) hold the gates side by side, in PyTorch's order: input, forget, new, output.

        z_t = x_t W + h_(t-1) U + b
        i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g)
        c_t = f c_(t-1) + i g
        h_t = o tanh(c_t)

    lengths: (B,) of each sequence, None where all have T steps; behind its end h_t is 0 and the
    state stays. reverse: from each sequence's last step to the first.

    Returns h of all steps (T, B, H) and the last state (h, c), and the cache for
    :func:`lstm_backward`; float64 where x or a weight is, else float32. Raises ValueError where
    shapes do not fit. Source: Hochreiter, Schmidhuber, Neural Computation 9, 1997, with the forget
    gate of Gers, Schmidhuber, Cummins, Neural Computation 12, 2000.
    """
    x, (h0, c0), weights, order = prepared(x, state, (w_input, w_hidden, bias), 4, lengths, reverse)
    w_input, w_hidden, bias = weights
    hidden = len(w_hidden)
    scale, shift = _as_tanh(hidden, x.dtype)
    gates = input_products(x, w_input * scale, bias * scale)
    h, c = histories(order, h0), histories(order, c0)
    tanh_c = np.empty_like(c[1:])
    scaled = w_hidden * scale
    product, kept = np.empty_like(gates[0]) if order.steps else None, np.empty_like(h0)
    for step in range(order.steps):
        rows = order.active(step)
        z, after = gates[step, :rows], slice(None, rows)
        z += np.matmul(h[step, after], scaled, out=product[after])
        np.tanh(z, out=z)
        z *= scale
        z += shift
        new_c = np.multiply(z[:, hidden : 2 * hidden], c[step, after], out=c[step + 1, after])
        new_c += np.multiply(z[:, :hidden], z[:, 2 * hidden : 3 * hidden], out=kept[after])
        np.tanh(new_c, out=tanh_c[step, after])
        np.multiply(z[:, 3 * hidden :], tanh_c[step, after], out=h[step + 1, after])
        if rows < order.batch:
            for history in (h, c):
                history[step + 1, rows:] = history[step, rows:]
    outputs = order.restored(shown(order, h[1:]))
    cache = LstmCache(x, gates, h, c, tanh_c, w_input, w_hidden, order)
    return (outputs, (order.restored_rows(h[-1]), order.restored_rows(c[-1]))), cache


def _as_tanh(hidden: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """``sigmoid(z) = tanh(z / 2) / 2 + 1 / 2``: what all gates are scaled and shifted by, so that
    one tanh does for the four of them."""
    is_candidate = np.repeat([False, False, True, False], hidden)
    return np.where(is_candidate, 1, 0.5).astype(dtype), np.where(is_candidate, 0, 0.5).astype(
        dtype
    )


def lstm_backward(
    dh_all: np.ndarray | None,
    dstate: tuple[np.ndarray | None, np.ndarray | None] | None,
    cache: LstmCache,
    *,
    need_dx: bool = True,
    out: Gradients | None = None,
) -> tuple[np.ndarray | None, tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dstate_0, dw_input, dw_hidden, dbias) of :func:`lstm` for dh_all (T, B, H) and
    dstate (dh, dc), those by the last state; None for 0.

    From the last step to the first, with dh the sum of what comes from above and from behind:

        dc += dh o (1 - tanh(c)^2)
        dz_i = dc g i (1 - i);  dz_f = dc c_(t-1) f (1 - f);  dz_g = dc i (1 - g^2)
        dz_o = dh tanh(c) o (1 - o)
        dh = dz U^T;  dc = dc f

    Without ``need_dx`` dx is None. ``out``: arrays for the three gradients of weights.
    """
    order, h, hidden = cache.order, cache.h, cache.h.shape[-1]
    dh_all, (dh, dc) = gradients_in(dh_all, dstate or (None, None), order, h)
    dz = np.empty_like(cache.gates)
    product = np.empty_like(dh)
    transposed = np.ascontiguousarray(cache.w_hidden.T)
    for block in backward_blocks(order.steps, dz[0].nbytes if len(dz) else 1):
        by_cell, by_output, through = _slopes(cache, block)
        for step in range(block.stop - 1, block.start - 1, -1):
            rows, at = order.active(step), step - block.start
            here, cell, d = dh[:rows], dc[:rows], dz[step, :rows]
            if dh_all is not None:
                here += dh_all[step, :rows]
            cell += np.multiply(here, through[at, :rows], out=product[:rows])
            parts = d[:, : 3 * hidden].reshape(rows, 3, hidden)
            np.multiply(by_cell[at, :rows], cell[:, None], out=parts)
            np.multiply(by_output[at, :rows], here, out=d[:, 3 * hidden :])
            np.matmul(d, transposed, out=here)
            cell *= cache.gates[step, :rows, hidden : 2 * hidden]
    order.clear(dz)
    dx, *dweights = weight_gradients(cache.x, h[:-1], dz, dz, cache.w_input, need_dx, out)
    dx = None if dx is None else order.restored(dx)
    return dx, (order.restored_rows(dh), order.restored_rows(dc)), *dweights


def _slopes(cache: LstmCache, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By what dc is multiplied for dz_i, dz_f and dz_g (S, B, 3, H), dh for dz_o (S, B, H), and dh
    for its part in dc (S, B, H)."""
    gates, tanh_c = cache.gates[block], cache.tanh_c[block]
    steps, batch, width = gates.shape
    gates = gates.reshape(steps, batch, 4, width // 4)
    i, f, g, o = (gates[:, :, k] for k in range(4))
    by_cell = np.empty((steps, batch, 3, width // 4), gates.dtype)
    np.multiply(i - i * i, g, out=by_cell[:, :, 0])
    np.multiply(f - f * f, cache.c[block], out=by_cell[:, :, 1])
    np.multiply(i, 1 - g * g, out=by_cell[:, :, 2])
    by_output = o - o * o
    by_output *= tanh_c
    return by_cell, by_output, o - o * tanh_c * tanh_c
