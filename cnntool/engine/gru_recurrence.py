"""Gated recurrent units over time."""

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

GATES = ("reset", "update", "new")


@dataclass(frozen=True, eq=False)
class GruCache:
    """What the way back needs, in the order of the run."""

    x: np.ndarray  # (T, B, E)
    gates: np.ndarray  # (T, B, 3H), their values
    hidden_new: np.ndarray  # (T, B, H), h_(t-1) U_n + c_n
    h: np.ndarray  # (T + 1, B, H), first the initial state
    w_input: np.ndarray
    w_hidden: np.ndarray
    order: TimeOrder

    def gate_values(self) -> dict[str, np.ndarray]:
        """(T, B, H) of each gate: ``reset``, ``update`` and ``new``, the candidate."""
        gates = self.order.restored(self.gates)
        hidden = self.h.shape[-1]
        return {name: gates[..., k * hidden : (k + 1) * hidden] for k, name in enumerate(GATES)}


def gru(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    hidden_bias: np.ndarray,
    *,
    lengths: np.ndarray | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray], GruCache]:
    """GRU over x (T, B, E) from a state h_0 (B, H); w_input W (E, 3H), w_hidden U (H, 3H), bias b
    and hidden_bias c (3H,) hold the gates side by side, as in PyTorch: reset, update, new.

        r = sigmoid(x_t W_r + b_r + h_(t-1) U_r + c_r);  u alike
        n = tanh(x_t W_n + b_n + r (h_(t-1) U_n + c_n))
        h_t = (1 - u) n + u h_(t-1)

    lengths: (B,) of each sequence, None where all have T steps; behind its end h_t is 0 and the
    state stays. reverse: from each sequence's last step to the first.

    Returns h of all steps (T, B, H) and the last one (B, H), and the cache for
    :func:`gru_backward`; float64 where x or a weight is, else float32. Raises ValueError where
    shapes do not fit. Source: Cho et al., EMNLP 2014, with the reset gate behind the product of the
    state (cuDNN's form), and u keeping the state, where the paper has it the other way round.
    """
    x, (h0,), weights, order = prepared(
        x, (state,), (w_input, w_hidden, bias, hidden_bias), 3, lengths, reverse
    )
    w_input, w_hidden, bias, hidden_bias = weights
    hidden = len(w_hidden)
    half = np.repeat(np.array([0.5, 0.5, 1], x.dtype), hidden)  # sigmoid by tanh, as in lstm
    inside = np.where(half == 1, 0, hidden_bias)  # what is not multiplied by r
    gates = input_products(x, w_input * half, (bias + inside) * half)
    h, hidden_new = histories(order, h0), np.empty_like(gates[..., :hidden])
    scaled, new_bias = w_hidden * half, hidden_bias[2 * hidden :]
    products = np.empty((order.batch, 3 * hidden), x.dtype)
    for step in range(order.steps):
        rows = order.active(step)
        z, product, before = gates[step, :rows], products[:rows], h[step, :rows]
        np.matmul(before, scaled, out=product)
        two, new = z[:, : 2 * hidden], z[:, 2 * hidden :]
        two += product[:, : 2 * hidden]
        np.tanh(two, out=two)
        two *= 0.5
        two += 0.5
        inner = np.add(product[:, 2 * hidden :], new_bias, out=hidden_new[step, :rows])
        after = h[step + 1, :rows]
        new += np.multiply(z[:, :hidden], inner, out=after)
        np.tanh(new, out=new)
        np.subtract(before, new, out=after)
        after *= z[:, hidden : 2 * hidden]
        after += new
        if rows < order.batch:
            h[step + 1, rows:] = h[step, rows:]
    outputs = order.restored(shown(order, h[1:]))
    cache = GruCache(x, gates, hidden_new, h, w_input, w_hidden, order)
    return (outputs, order.restored_rows(h[-1])), cache


def gru_backward(
    dh_all: np.ndarray | None,
    dstate: np.ndarray | None,
    cache: GruCache,
    *,
    need_dx: bool = True,
    out: Gradients | None = None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dstate_0, dw_input, dw_hidden, dbias, dhidden_bias) of :func:`gru` for dh_all
    (T, B, H) and dstate (B, H), that by the last state; None for 0.

    From the last step to the first, with dh the sum of what comes from above and from behind, and m
    for ``h_(t-1) U_n + c_n``:

        dz_n = dh (1 - u) (1 - n^2);  dz_u = dh (h_(t-1) - n) u (1 - u);  dz_r = dz_n m r (1 - r)
        dh = dh u + [dz_r, dz_u, dz_n r] U^T

    Without ``need_dx`` dx is None. ``out``: arrays for the four gradients of weights.
    """
    order, h, hidden = cache.order, cache.h, cache.h.shape[-1]
    dh_all, (dh,) = gradients_in(dh_all, (dstate,), order, h)
    # (T, B, 4, H): by m, by z_r, z_u and z_n; so both products find what they need side by side
    dz = np.empty((*h[1:].shape[:2], 4, hidden), h.dtype)
    product = np.empty_like(dh)
    transposed = np.ascontiguousarray(np.roll(cache.w_hidden, hidden, axis=1).T)  # n, r, u
    for block in backward_blocks(order.steps, dz[0].nbytes if len(dz) else 1):
        slopes = _slopes(cache, block)
        for step in range(block.stop - 1, block.start - 1, -1):
            rows = order.active(step)
            here, d = dh[:rows], dz[step, :rows]
            if dh_all is not None:
                here += dh_all[step, :rows]
            np.multiply(slopes[step - block.start, :rows], here[:, None], out=d)
            here *= cache.gates[step, :rows, hidden : 2 * hidden]
            by_state = d.reshape(rows, 4 * hidden)[:, : 3 * hidden]
            here += np.matmul(by_state, transposed, out=product[:rows])
    order.clear(dz)
    flat = dz.reshape(*dz.shape[:2], 4 * hidden)
    by_state = np.concatenate([flat[..., hidden : 3 * hidden], flat[..., :hidden]], axis=-1)
    dx, dw_input, dw_hidden, dbias = weight_gradients(
        cache.x, h[:-1], flat[..., hidden:], by_state, cache.w_input, need_dx, out and out[:3]
    )
    dhidden_bias = by_state.sum(axis=(0, 1), out=out and out[3])
    dx = None if dx is None else order.restored(dx)
    return dx, order.restored_rows(dh), dw_input, dw_hidden, dbias, dhidden_bias


def _slopes(cache: GruCache, block: slice) -> np.ndarray:
    """By what dh is multiplied for the gradients by m, z_r, z_u and z_n: (S, B, 4, H)."""
    gates, before = cache.gates[block], cache.h[block]
    steps, batch, width = gates.shape
    gates = gates.reshape(steps, batch, 3, width // 3)
    r, u, n = (gates[:, :, k] for k in range(3))
    slopes = np.empty((steps, batch, 4, width // 3), gates.dtype)
    by_m, by_r, by_u, by_n = (slopes[:, :, k] for k in range(4))
    np.multiply(1 - u, 1 - n * n, out=by_n)
    np.multiply(by_n, r, out=by_m)
    np.multiply(by_m, 1 - r, out=by_r)
    by_r *= cache.hidden_new[block]
    np.multiply(u - u * u, before - n, out=by_u)
    return slopes
