"""Gated recurrent units over time, in both forms: cuDNN's, and ONNX's first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.activations import sigmoid
from cnntool.engine.cells.steps import (
    CALLS,
    CellCache,
    Gradients,
    by_columns,
    by_gate,
    carry,
    fitted,
    following,
    gradients_in,
    histories,
    prepared,
    spans_back,
    weight_gradients,
)
from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.scratch import aligned

GATES = ("reset", "update", "new")


@dataclass(frozen=True, eq=False)
class GruCache(CellCache):
    gates: np.ndarray  # (T, 3, B, H), their values
    inner: np.ndarray  # (T, B, H): h_(t-1) U_n + c_n; with the reset first r h_(t-1)

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
    return _gru(x, state, (w_input, w_hidden, bias, hidden_bias), lengths, reverse)


def gru_step(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    hidden_bias: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """One step of :func:`gru` from x (B, E), nothing kept for a way back: h, and h as the state."""
    _, _, h = _step(x, state, w_input, w_hidden, bias, hidden_bias)
    return h, h


def _step(
    x: np.ndarray,
    h: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    hidden_bias: np.ndarray,
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """The equations as they stand: the gates r, u and n, then h_(t-1) U_n + c_n, and h_t."""
    shape = len(x), 3, len(w_hidden)
    by_input = (x @ w_input + bias).reshape(shape).swapaxes(0, 1)
    by_state = (h @ w_hidden + hidden_bias).reshape(shape).swapaxes(0, 1)
    r, u = sigmoid(by_input[:2] + by_state[:2])[0]
    n = np.tanh(by_input[2] + r * by_state[2])
    return (r, u, n), by_state[2], n + u * (h - n)


def reset_first_gru(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    *,
    lengths: np.ndarray | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray], GruCache]:
    """:func:`gru` with the reset gate before the product of the state, and one bias (3H,):

        n = tanh(x_t W_n + b_n + (r h_(t-1)) U_n)

    ONNX computes it so unless ``linear_before_reset`` is 1, and so does the paper. It takes two
    products a step where the other takes one.
    """
    return _gru(x, state, (w_input, w_hidden, bias), lengths, reverse)


def _gru(
    x: np.ndarray,
    state: np.ndarray,
    weights: tuple[np.ndarray, ...],
    lengths: np.ndarray | None,
    reverse: bool,
) -> tuple[tuple[np.ndarray, np.ndarray], GruCache]:
    """Either form: the one with a hidden bias has the reset behind the product."""
    x, (h0,), weights, order = prepared(x, (state,), weights, 3, lengths, reverse)
    w_input, w_hidden, *biases = weights
    gates = aligned((order.steps, 3, *h0.shape), x.dtype)
    h, inner = histories(order, h0), np.empty_like(gates[:, 0])
    cache = GruCache(x, h, w_input, w_hidden, order, gates, inner)
    is_plain = len(biases) == 2 and is_textbook()
    (_run_step_by_step if is_plain else _run_in_long_calls)(cache, *biases)
    return (order.outputs(h), order.restored_rows(h[-1])), cache


def _run_step_by_step(cache: GruCache, bias: np.ndarray, hidden_bias: np.ndarray) -> None:
    """Fill the cache, one step after the other."""
    for t in range(cache.order.steps):
        rows = cache.order.active(t)
        gates, inner, h = _step(
            cache.x[t, :rows], cache.h[t, :rows], cache.w_input, cache.w_hidden, bias, hidden_bias
        )
        cache.gates[t, :, :rows], cache.inner[t, :rows], cache.h[t + 1, :rows] = gates, inner, h
        carry(cache.h, slice(t, t + 1), rows)


def _run_in_long_calls(
    cache: GruCache, bias: np.ndarray, hidden_bias: np.ndarray | None = None
) -> None:
    """The same, from the products of all inputs."""
    h, gates, inner = cache.h, cache.gates, cache.inner
    _, batch, hidden = h.shape
    bias, new_bias = bias.copy(), None
    if hidden_bias is not None:
        bias[: 2 * hidden] += hidden_bias[: 2 * hidden]  # of the others both are one
        new_bias = np.repeat(hidden_bias[None, 2 * hidden :], batch, axis=0)
    np.matmul(cache.x[:, None], by_gate(cache.w_input, 3, 2), out=gates)
    gates += np.repeat(by_gate(bias[None], 3, 2), batch, axis=1)
    by_state = by_gate(cache.w_hidden, 3, 2)
    in_columns = by_columns(by_state, batch)
    for span, rows in cache.order.spans():
        at = gates[span, :, :rows], inner[span, :rows], h[span, :rows], h[following(span), :rows]
        if new_bias is None:
            _run_reset_first(*at, by_state)
        else:
            _run(*at, in_columns, new_bias[:rows])
        carry(h, span, rows)


def _run(
    gates: np.ndarray,
    inner: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    by_state: np.ndarray,
    new_bias: np.ndarray,
) -> None:
    """Steps that are all for the same rows, from the products of their inputs."""
    half, (add, multiply, tanh) = np.array(0.5, gates.dtype), CALLS
    product = np.empty_like(gates[0])
    of_sigmoids, of_new = product[:2], product[2]
    lefts, in_columns = fitted(before, by_state, product)
    for sigmoids, reset, update, new, m, h, left, h_next in zip(
        gates[:, :2],
        gates[:, 0],
        gates[:, 1],
        gates[:, 2],
        inner,
        before,
        lefts,
        after,
        strict=True,
    ):
        np.matmul(left, by_state, in_columns)
        add(sigmoids, of_sigmoids, sigmoids)
        tanh(sigmoids, sigmoids)
        multiply(sigmoids, half, sigmoids)
        add(sigmoids, half, sigmoids)
        add(of_new, new_bias, m)
        add(new, multiply(reset, m, h_next), new)
        tanh(new, new)
        np.subtract(h, new, h_next)  # n + u (h - n)
        multiply(h_next, update, h_next)
        add(h_next, new, h_next)


def _run_reset_first(
    gates: np.ndarray,
    inner: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    by_state: np.ndarray,
) -> None:
    for (reset, update, new), z, kept, h, h_next in zip(
        gates, gates[:, :2], inner, before, after, strict=True
    ):
        z[...] = (np.tanh(z + h @ by_state[:2]) + 1) / 2
        np.multiply(reset, h, out=kept)
        new[...] = np.tanh(new + kept @ by_state[2])
        h_next[...] = new + update * (h - new)


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
    (_back_step_by_step if is_textbook() else _back_in_long_calls)(cache, dh_all, dh, dz)
    order.clear(dz)
    dx, dw_input, dw_hidden, dbias = weight_gradients(
        cache, flat[..., hidden:], flat[..., : 3 * hidden], need_dx, out and out[:3]
    )
    dw_hidden[...] = np.roll(dw_hidden, -hidden, axis=1)  # from m, r and u to r, u and m
    by_m = flat[..., :hidden].sum(axis=(0, 1))
    dhidden_bias = np.concatenate([dbias[: 2 * hidden], by_m], out=out[3] if out else None)
    return dx, order.restored_rows(dh), dw_input, dw_hidden, dbias, dhidden_bias


def _back_step_by_step(cache: GruCache, dh_all: np.ndarray, dh: np.ndarray, dz: np.ndarray) -> None:
    """dz of each step, from the last to the first; dh becomes that by the first state."""
    for t in reversed(range(cache.order.steps)):
        rows = cache.order.active(t)
        (r, u, n), m, h = cache.gates[t, :, :rows], cache.inner[t, :rows], cache.h[t, :rows]
        by_h = dh[:rows]
        by_h += dh_all[t, :rows]
        dz_n, dz_u = by_h * (1 - u) * (1 - n * n), by_h * (h - n) * u * (1 - u)
        dz_r = dz_n * m * r * (1 - r)
        dz[t, :rows] = np.stack([dz_n * r, dz_r, dz_u, dz_n], axis=1)
        by_h *= u
        by_h += np.concatenate([dz_r, dz_u, dz_n * r], axis=1) @ cache.w_hidden.T


def _back_in_long_calls(
    cache: GruCache, dh_all: np.ndarray, dh: np.ndarray, dz: np.ndarray
) -> None:
    """The same, with the derivatives of the gates worked out for many steps at a time."""
    order, hidden = cache.order, dh.shape[1]
    flat = dz.reshape(*dz.shape[:2], 4 * hidden)
    by_state = by_columns(np.roll(cache.w_hidden, hidden, axis=1).T, dh.shape[0])  # n, r, u
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


def _slopes(cache: GruCache, span: slice, rows: int) -> np.ndarray:
    """By what dh is multiplied for the gradients by m, z_r, z_u and z_n: (S, 4, B, H)."""
    before, inner = cache.h[span, :rows], cache.inner[span, :rows]
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
    lefts, in_columns = fitted(by_product, by_state, product)
    for slope, u, above, placed, matrix in zip(
        slopes[::-1],
        update[::-1],
        dh_all[::-1],
        dz_gates[::-1],
        lefts[::-1],
        strict=True,
    ):
        add(dh, above, dh)
        multiply(dh, slope, at_step)  # by all four
        placed[...] = at_step
        np.matmul(matrix, by_state, in_columns)
        multiply(dh, u, dh)
        add(dh, product, dh)


def reset_first_gru_backward(
    dh_all: np.ndarray | None,
    dstate: np.ndarray | None,
    cache: GruCache,
    *,
    need_dx: bool = True,
    out: Gradients | None = None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dstate_0, dw_input, dw_hidden, dbias) of :func:`reset_first_gru`, as
    :func:`gru_backward` gives them.

        dz_n = dh (1 - u) (1 - n^2);  dz_u = dh (h_(t-1) - n) u (1 - u);  dk = dz_n U_n^T
        dz_r = dk h_(t-1) r (1 - r);  dh = dh u + dk r + [dz_r, dz_u] [U_r, U_u]^T
    """
    order, h, hidden = cache.order, cache.h, cache.h.shape[-1]
    dh_all, (dh,) = gradients_in(dh_all, (dstate,), order, h)
    from_gates, from_new = np.split(cache.w_hidden.T, [2 * hidden])
    dz = np.empty((*h[1:].shape[:2], 3 * hidden), h.dtype)
    for step in range(order.steps - 1, -1, -1):
        rows = order.active(step)
        before, here = h[step, :rows], dh[:rows]
        r, u, n = cache.gates[step, :, :rows]
        dz_r, dz_u, dz_n = np.split(dz[step, :rows], 3, axis=1)
        here += dh_all[step, :rows]
        dz_n[...] = here * (1 - u) * (1 - n * n)
        dz_u[...] = here * (before - n) * u * (1 - u)
        dkept = dz_n @ from_new
        dz_r[...] = dkept * before * r * (1 - r)
        here *= u
        here += dkept * r + dz[step, :rows, : 2 * hidden] @ from_gates
    order.clear(dz)
    dx, dw_input, dw_hidden, dbias = weight_gradients(cache, dz, dz, need_dx, out)
    kept = order.clear(cache.inner.copy()).reshape(-1, hidden)
    dw_hidden[:, 2 * hidden :] = kept.T @ dz.reshape(-1, 3 * hidden)[:, 2 * hidden :]
    return dx, order.restored_rows(dh), dw_input, dw_hidden, dbias
