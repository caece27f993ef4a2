"""The plain recurrent layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.cells.steps import (
    CellCache,
    Gradients,
    carry,
    following,
    gradients_in,
    histories,
    prepared,
    spans_back,
    weight_gradients,
)
from cnntool.engine.fast import is_textbook


@dataclass(frozen=True, eq=False)
class RnnCache(CellCache):
    activation: str


def rnn(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    *,
    activation: str = "tanh",
    lengths: np.ndarray | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray], RnnCache]:
    """``h_t = tanh(x_t W + h_(t-1) U + b)``, or relu: x (T, B, E), state h_0 (B, H), w_input W
    (E, H), w_hidden U (H, H), bias (H,).

    lengths: (B,) of each sequence, None where all have T steps; behind its end h_t is 0 and the
    state stays. reverse: from each sequence's last step to the first.

    Returns h of all steps (T, B, H) and the last one (B, H), and the cache for
    :func:`rnn_backward`; float64 where x or a weight is, else float32. Raises ValueError where
    shapes do not fit or the activation is another. Source: Elman, Finding structure in time,
    Cognitive Science 14, 1990.
    """
    if activation not in ("tanh", "relu"):
        raise ValueError(f"activation is {activation!r}: expected tanh or relu")
    x, (h0,), weights, order = prepared(x, (state,), (w_input, w_hidden, bias), 1, lengths, reverse)
    w_input, w_hidden, bias = weights
    h = histories(order, h0)
    if is_textbook():
        for t in range(order.steps):
            given = x[t, : order.active(t)], h[t, : order.active(t)]
            h[t + 1, : order.active(t)], _ = rnn_step(*given, *weights, activation=activation)
            carry(h, slice(t, t + 1), order.active(t))
    else:
        products = x.reshape(-1, x.shape[2]) @ w_input
        np.add(products.reshape(h[1:].shape), bias, out=h[1:])
        for span, rows in order.spans():
            _run(h[span, :rows], h[following(span), :rows], w_hidden, activation)
            carry(h, span, rows)
    cache = RnnCache(x, h, w_input, w_hidden, order, activation)
    return (order.outputs(h), order.restored_rows(h[-1])), cache


def rnn_step(
    x: np.ndarray,
    state: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
    *,
    activation: str = "tanh",
) -> tuple[np.ndarray, np.ndarray]:
    """One step of :func:`rnn` from x (B, E), nothing kept for a way back: h, and h as the state."""
    z = x @ w_input + state @ w_hidden + bias
    h = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
    return h, h


def _run(before: np.ndarray, after: np.ndarray, w_hidden: np.ndarray, activation: str) -> None:
    """Steps that are all for the same rows; in ``after`` are the products of their inputs."""
    product = np.empty_like(after[0])
    for h, z in zip(before, after, strict=True):
        np.dot(h, w_hidden, product)
        np.add(z, product, z)
        np.tanh(z, z) if activation == "tanh" else np.maximum(z, 0, out=z)


def rnn_backward(
    dh_all: np.ndarray | None,
    dstate: np.ndarray | None,
    cache: RnnCache,
    *,
    need_dx: bool = True,
    out: Gradients | None = None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dx, dstate_0, dw_input, dw_hidden, dbias) of :func:`rnn` for dh_all (T, B, H) and
    dstate (B, H), that by the last state; None for 0.

    With ``dz_t = f'(z_t) (dh_t + dz_(t+1) U^T)``: ``dx_t = dz_t W^T``, ``dW = sum of x_t^T dz_t``,
    ``dU = sum of h_(t-1)^T dz_t``. Without ``need_dx`` dx is None. ``out``: arrays for the three
    gradients of weights. Source: Werbos, Backpropagation through time, Proc. IEEE 78, 1990.
    """
    order, h = cache.order, cache.h
    dh_all, (dh,) = gradients_in(dh_all, (dstate,), order, h)
    dz = np.empty_like(h[1:])
    by_state = np.ascontiguousarray(cache.w_hidden.T)
    for span, rows in spans_back(order, dz[:1].nbytes):
        after = h[following(span), :rows]
        slopes = 1 - after * after if cache.activation == "tanh" else (after > 0).astype(h.dtype)
        _run_back(slopes, dh_all[span, :rows], dz[span, :rows], dh[:rows], by_state)
    order.clear(dz)
    dx, dw_input, dw_hidden, dbias = weight_gradients(cache, dz, dz, need_dx, out)
    return dx, order.restored_rows(dh), dw_input, dw_hidden, dbias


def _run_back(
    slopes: np.ndarray, dh_all: np.ndarray, dz: np.ndarray, dh: np.ndarray, by_state: np.ndarray
) -> None:
    """Steps that are all for the same rows, the last one first."""
    for slope, above, d in zip(slopes[::-1], dh_all[::-1], dz[::-1], strict=True):
        np.add(dh, above, dh)
        np.multiply(dh, slope, d)
        np.dot(d, by_state, dh)
