"""Gated recurrent units over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.activations import sigmoid
from cnntool.engine.cells.order import TimeOrder
from cnntool.engine.cells.rnn import (
    CALLS,
    Gradients,
    carry,
    following,
    gradients_in,
    histories,
    input_products,
    prepared,
    shown,
    spans_back,
    weight_gradients,
)
from cnntool.engine.fast.products import column_tiles, multiplier

GATES = ("reset", "update", "new")


@dataclass(frozen=True, eq=False)
class GruCache:
    """What the way back needs, in the order of the run."""

    x: np.ndarray  # (T, B, E)
    gates: np.ndarray  # (T, 3, B, H), their values
    hidden_new: np.ndarray  # (T, B, H), h_(t-1) U_n + c_n
    h: np.ndarray  # (T + 1, B, H), first the initial state
    w_input: np.ndarray
    w_hidden: np.ndarray
    order: TimeOrder

    def gate_values(self) -> dict[str, np.ndarray]:
        """(T, B, H) of each gate: ``reset``, ``update`` and ``new``, the candidate."""
        return {name: self.order.restored(self.gates[:, k]) for k, name in enumerate(GATES)}


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
    batch, hidden = h0.shape
    inside = hidden_bias.reshape(3, 1, hidden).copy()
    inside[:2] = 0  # of the others both biases are one
    outside = bias.reshape(3, 1, hidden) + hidden_bias.reshape(3, 1, hidden) - inside
    outside[:2] *= 0.5
    gates = np.empty((order.steps, 3, batch, hidden), x.dtype)
    np.matmul(x[:, None], _by_gate(w_input), out=gates)
    gates += np.repeat(outside, batch, axis=1)
    h, hidden_new = histories(order, h0), np.empty_like(gates[:, 0])
    by_state, new_bias = _by_gate(w_hidden), np.repeat(inside[2], batch, axis=0)
    for span, rows in order.spans():
        _run(
            gates[span, :, :rows],
            hidden_new[span, :rows],
            h[span, :rows],
            h[following(span), :rows],
            by_state,
            new_bias[:rows],
        )
        carry(h, span, rows)
    outputs = order.restored(shown(order, h[1:]))
    cache = GruCache(x, gates, hidden_new, h, w_input, w_hidden, order)
    return (outputs, order.restored_rows(h[-1])), cache


def _by_gate(weight: np.ndarray) -> np.ndarray:
    """(K, 3H) as (3, K, H), those of sigmoids halved: ``sigmoid(z) = (tanh(z / 2) + 1) / 2``."""
    gates = weight.reshape(len(weight), 3, -1).swapaxes(0, 1).copy()
    gates[:2] *= 0.5
    return gates


def _run(
    gates: np.ndarray,
    hidden_new: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    by_state: np.ndarray,
    new_bias: np.ndarray,
) -> None:
    """Steps that are all for the same rows, from the products of their inputs."""
    half, (add, multiply, tanh) = np.array(0.5, gates.dtype), CALLS
    product = np.empty_like(gates[0])
    of_sigmoids, of_new = product[:2], product[2]
    for sigmoids, reset, update, new, inner, h, h_next in zip(
        gates[:, :2],
        gates[:, 0],
        gates[:, 1],
        gates[:, 2],
        hidden_new,
        before,
        after,
        strict=True,
    ):
        np.matmul(h, by_state, product)
        add(sigmoids, of_sigmoids, sigmoids)
        tanh(sigmoids, sigmoids)
        multiply(sigmoids, half, sigmoids)
        add(sigmoids, half, sigmoids)
        add(of_new, new_bias, inner)
        add(new, multiply(reset, inner, h_next), new)
        tanh(new, new)
        np.subtract(h, new, h_next)  # n + u (h - n)
        multiply(h_next, update, h_next)
        add(h_next, new, h_next)


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
    flat = dz.reshape(*dz.shape[:2], 4 * hidden)
    by_state = column_tiles(np.roll(cache.w_hidden, hidden, axis=1).T, order.batch)  # n, r, u
    for span, rows in spans_back(order, dz[:1].nbytes):
        _run_back(
            _slopes(cache, span, rows),
            cache.gates[span, 1, :rows],
            dh_all[span, :rows],
            dz[span, :rows].swapaxes(1, 2),
            flat[span, :rows, : 3 * hidden],
            dh[:rows],
            by_state,
        )
    order.clear(dz)
    from_state = np.concatenate([flat[..., hidden : 3 * hidden], flat[..., :hidden]], axis=-1)
    dx, dw_input, dw_hidden, dbias = weight_gradients(
        cache.x, h[:-1], flat[..., hidden:], from_state, cache.w_input, need_dx, out and out[:3]
    )
    dhidden_bias = from_state.sum(axis=(0, 1), out=out and out[3])
    dx = None if dx is None else order.restored(dx)
    return dx, order.restored_rows(dh), dw_input, dw_hidden, dbias, dhidden_bias


def _slopes(cache: GruCache, span: slice, rows: int) -> np.ndarray:
    """By what dh is multiplied for the gradients by m, z_r, z_u and z_n: (S, 4, B, H)."""
    before, inner = cache.h[span, :rows], cache.hidden_new[span, :rows]
    r, u, n = (cache.gates[span, k, :rows] for k in range(3))
    slopes = np.empty((len(before), 4, *before.shape[1:]), before.dtype)
    by_m, by_r, by_u, by_n = (slopes[:, k] for k in range(4))
    np.multiply(1 - u, 1 - n * n, out=by_n)
    np.multiply(by_n, r, out=by_m)
    np.multiply(by_m, 1 - r, out=by_r)
    by_r *= inner
    np.multiply(u - u * u, before - n, out=by_u)
    return slopes


def _run_back(
    slopes: np.ndarray,
    update: np.ndarray,
    dh_all: np.ndarray,
    dz_gates: np.ndarray,
    by_product: np.ndarray,
    dh: np.ndarray,
    by_state: np.ndarray,
) -> None:
    """Steps that are all for the same rows, the last one first."""
    at_step, product, (add, multiply, _) = np.empty_like(slopes[0]), np.empty_like(dh), CALLS
    multiply_state = multiplier(by_state, product)
    dm, dz_r, dz_u, dz_n = at_step
    for by_m, by_r, by_u, by_n, u, above, placed, matrix in zip(
        *(slopes[::-1, k] for k in range(4)),
        update[::-1],
        dh_all[::-1],
        dz_gates[::-1],
        by_product[::-1],
        strict=True,
    ):
        add(dh, above, dh)
        multiply(dh, by_m, dm)
        multiply(dh, by_r, dz_r)
        multiply(dh, by_u, dz_u)
        multiply(dh, by_n, dz_n)
        placed[...] = at_step
        multiply_state(matrix)
        multiply(dh, u, dh)
        add(dh, product, dh)


def gru_step(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    hidden_bias: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """One step of :func:`gru` from x (B, E), nothing kept for a way back: h, and h as the state."""
    hidden = state.shape[1]
    by_input, by_state = x @ w_input + bias, state @ w_hidden + hidden_bias
    gates, _ = sigmoid(by_input[:, : 2 * hidden] + by_state[:, : 2 * hidden])
    reset, update = gates[:, :hidden], gates[:, hidden:]
    new = np.tanh(by_input[:, 2 * hidden :] + reset * by_state[:, 2 * hidden :])
    h = new + update * (state - new)
    return h, h


@dataclass(frozen=True, eq=False)
class ResetFirstCache:
    """What the way back needs, in the order of the run."""

    x: np.ndarray  # (T, B, E)
    gates: np.ndarray  # (T, B, 3H), their values
    kept: np.ndarray  # (T, B, H), r h_(t-1)
    h: np.ndarray  # (T + 1, B, H), first the initial state
    w_input: np.ndarray
    w_hidden: np.ndarray
    order: TimeOrder


def reset_first_gru(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    *,
    lengths: np.ndarray | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray], ResetFirstCache]:
    """GRU over x (T, B, E) from a state h_0 (B, H); w_input W (E, 3H), w_hidden U (H, 3H) and bias
    (3H,) hold the gates side by side: reset, update, new.

        r = sigmoid(x_t W_r + h_(t-1) U_r + b_r);  u alike
        n = tanh(x_t W_n + (r h_(t-1)) U_n + b_n)
        h_t = (1 - u) n + u h_(t-1)

    ONNX computes it so unless ``linear_before_reset`` is 1; :func:`gru` has r behind the product,
    as PyTorch has, which takes one product a step where this takes two. lengths, reverse: as there.

    Returns h of all steps (T, B, H) and the last one (B, H), and the cache for
    :func:`reset_first_gru_backward`. Raises ValueError where shapes do not fit. Source: Cho et al.,
    EMNLP 2014, with u keeping the state, where the paper has it the other way round.
    """
    x, (h0,), (w_input, w_hidden, bias), order = prepared(
        x, (state,), (w_input, w_hidden, bias), 3, lengths, reverse
    )
    hidden = h0.shape[1]
    two, new = slice(2 * hidden), slice(2 * hidden, None)
    gates = input_products(x, w_input, bias)
    h = histories(order, h0)
    kept = np.zeros_like(h[1:])
    for step in range(order.steps):
        rows = order.active(step)
        z, before, after = gates[step, :rows], h[step, :rows], h[step + 1]
        z[:, two] = sigmoid(z[:, two] + before @ w_hidden[:, two])[0]
        np.multiply(z[:, :hidden], before, out=kept[step, :rows])
        z[:, new] = np.tanh(z[:, new] + kept[step, :rows] @ w_hidden[:, new])
        update = z[:, hidden : 2 * hidden]
        after[:rows] = z[:, new] + update * (before - z[:, new])
        after[rows:] = h[step, rows:]
    outputs = order.restored(shown(order, h[1:]))
    cache = ResetFirstCache(x, gates, kept, h, w_input, w_hidden, order)
    return (outputs, order.restored_rows(h[-1])), cache


def reset_first_gru_backward(
    dh_all: np.ndarray | None,
    dstate: np.ndarray | None,
    cache: ResetFirstCache,
    *,
    need_dx: bool = True,
    out: Gradients | None = None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dstate_0, dw_input, dw_hidden, dbias) of :func:`reset_first_gru` for dh_all
    (T, B, H) and dstate (B, H), that by the last state; None for 0.

    From the last step to the first, with dh the sum of what comes from above and from behind:

        dz_n = dh (1 - u) (1 - n^2);  dz_u = dh (h_(t-1) - n) u (1 - u);  dk = dz_n U_n^T
        dz_r = dk h_(t-1) r (1 - r);  dh = dh u + dk r + [dz_r, dz_u] [U_r, U_u]^T

    Without ``need_dx`` dx is None. ``out``: arrays for the three gradients of weights.
    """
    order, h, hidden = cache.order, cache.h, cache.h.shape[-1]
    two, new = slice(2 * hidden), slice(2 * hidden, None)
    dh_all, (dh,) = gradients_in(dh_all, (dstate,), order, h)
    dz = np.empty_like(cache.gates)
    for step in range(order.steps - 1, -1, -1):
        rows = order.active(step)
        r, u, n = np.split(cache.gates[step, :rows], 3, axis=1)
        before, d, here = h[step, :rows], dz[step, :rows], dh[:rows]
        here += dh_all[step, :rows]
        d[:, new] = here * (1 - u) * (1 - n * n)
        d[:, hidden : 2 * hidden] = here * (before - n) * u * (1 - u)
        dkept = d[:, new] @ cache.w_hidden[:, new].T
        d[:, :hidden] = dkept * before * r * (1 - r)
        here *= u
        here += dkept * r + d[:, two] @ cache.w_hidden[:, two].T
    order.clear(dz)
    dx, dw_input, dw_hidden, dbias = weight_gradients(
        cache.x, h[:-1], dz, dz, cache.w_input, need_dx, out
    )
    tokens = dz.shape[0] * dz.shape[1]
    kept, dnew = cache.kept.reshape(tokens, hidden), dz[..., new].reshape(tokens, hidden)
    dw_hidden[:, new] = kept.T @ dnew
    dx = None if dx is None else order.restored(dx)
    return dx, order.restored_rows(dh), dw_input, dw_hidden, dbias
