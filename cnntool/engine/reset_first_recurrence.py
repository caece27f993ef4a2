"""Gated recurrent units as they were published: the reset gate before the product of the state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.activations import sigmoid
from cnntool.engine.recurrence import (
    Gradients,
    gradients_in,
    histories,
    input_products,
    prepared,
    shown,
    weight_gradients,
)
from cnntool.engine.sequences import TimeOrder


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
