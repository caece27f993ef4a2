"""Recurrent layers: what the parts of rnn, gru and lstm have in common, and the plain rnn.

The products of all inputs are made before the loop over time, in one call: of an rnn one matrix
product, of gru and lstm one that is cut by step and gate, so that each lies where the loop reads
it. In the loop stays the product of the state. On the way back the derivatives of the gates are
worked out for a block of steps at a time, and the gradients of the weights are one product each,
behind the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype
from cnntool.engine.cells.order import TimeOrder
from cnntool.engine.fast.blocks import SHARED_PRODUCTS
from cnntool.engine.fast.products import (
    column_tiles,
    multiplier,
    multiply_over_rows,
    multiply_rows,
)
from cnntool.engine.fast.threads import available_cores, together

BLOCK_BYTES = 1 << 19
"""Of gates whose derivatives are worked out at a time, so that they stay in the cache."""

CALLS = np.add, np.multiply, np.tanh
"""Of the loops: to look them up there is a fiftieth of a small step."""

Gradients = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class RnnCache:
    """What the way back needs, in the order of the run."""

    x: np.ndarray  # (T, B, E)
    h: np.ndarray  # (T + 1, B, H), first the initial state
    w_input: np.ndarray
    w_hidden: np.ndarray
    order: TimeOrder
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
    h[1:] = input_products(x, w_input, bias)
    by_state = column_tiles(w_hidden, order.batch)
    for span, rows in order.spans():
        _run(h[span, :rows], h[following(span), :rows], by_state, activation)
        carry(h, span, rows)
    outputs = order.restored(shown(order, h[1:]))
    cache = RnnCache(x, h, w_input, w_hidden, order, activation)
    return (outputs, order.restored_rows(h[-1])), cache


def _run(before: np.ndarray, after: np.ndarray, by_state: np.ndarray, activation: str) -> None:
    """Steps that are all for the same rows; in ``after`` are the products of their inputs."""
    product = np.empty_like(after[0])
    multiply_state = multiplier(by_state, product)
    for h, z in zip(before, after, strict=True):
        multiply_state(h)
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
    by_state = column_tiles(cache.w_hidden.T, order.batch)
    for span, rows in spans_back(order, dz[:1].nbytes):
        after = h[following(span), :rows]
        slopes = 1 - after * after if cache.activation == "tanh" else (after > 0).astype(h.dtype)
        _run_back(slopes, dh_all[span, :rows], dz[span, :rows], dh[:rows], by_state)
    order.clear(dz)
    dx, *dweights = weight_gradients(cache.x, h[:-1], dz, dz, cache.w_input, need_dx, out)
    dx = None if dx is None else order.restored(dx)
    return dx, order.restored_rows(dh), *dweights


def _run_back(
    slopes: np.ndarray, dh_all: np.ndarray, dz: np.ndarray, dh: np.ndarray, by_state: np.ndarray
) -> None:
    """Steps that are all for the same rows, the last one first."""
    multiply_state = multiplier(by_state, dh)
    for slope, above, d in zip(slopes[::-1], dh_all[::-1], dz[::-1], strict=True):
        np.add(dh, above, dh)
        np.multiply(dh, slope, d)
        multiply_state(d)


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


def prepared(
    x: np.ndarray,
    states: tuple[np.ndarray, ...],
    weights: tuple[np.ndarray, ...],
    gates: int,
    lengths: np.ndarray | None,
    reverse: bool,
) -> tuple[np.ndarray, tuple[np.ndarray, ...], tuple[np.ndarray, ...], TimeOrder]:
    """All in one dtype and in the order of the run; ValueError where shapes do not fit."""
    dtype = float_dtype(x, *weights)
    x = np.asarray(x, dtype)
    weights = tuple(np.asarray(weight, dtype) for weight in weights)
    states = tuple(np.asarray(state, dtype) for state in states)
    _check_shapes(x, states, weights, gates)
    order = TimeOrder.of(len(x), x.shape[1], lengths, reverse)
    x = order.clear(order.arranged(x))
    return x, tuple(map(order.arranged_rows, states)), weights, order


def _check_shapes(
    x: np.ndarray, states: tuple[np.ndarray, ...], weights: tuple[np.ndarray, ...], gates: int
) -> None:
    w_input, w_hidden, *biases = weights
    if x.ndim != 3:
        raise ValueError(f"x has shape {x.shape}: expected (steps, batch, inputs)")
    if w_hidden.ndim != 2 or w_hidden.shape[1] != gates * len(w_hidden):
        width = "hidden" if gates == 1 else f"{gates} hidden"
        raise ValueError(f"w_hidden has shape {w_hidden.shape}: expected (hidden, {width})")
    hidden, width = w_hidden.shape
    if w_input.shape != (x.shape[2], width):
        raise ValueError(
            f"w_input has shape {w_input.shape}: x {x.shape} and w_hidden {w_hidden.shape} need "
            f"({x.shape[2]}, {width})"
        )
    for bias in biases:
        if bias.shape != (width,):
            raise ValueError(f"bias has shape {bias.shape}: expected ({width},)")
    for state in states:
        if state.shape != (x.shape[1], hidden):
            raise ValueError(
                f"state has shape {state.shape}: expected (batch, hidden), {(x.shape[1], hidden)}"
            )


def input_products(x: np.ndarray, w_input: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """``x W + b`` of all steps, (T, B, ...)."""
    products = x.reshape(x.shape[0] * x.shape[1], x.shape[2]) @ w_input
    products += bias
    return products.reshape(*x.shape[:2], w_input.shape[1])


def histories(order: TimeOrder, start: np.ndarray) -> np.ndarray:
    """(T + 1, B, H) for a state and what follows it; only the first is set."""
    found = np.empty((order.steps + 1, *start.shape), start.dtype)
    found[0] = start
    return found


def carry(history: np.ndarray, span: slice, rows: int) -> None:
    """A state (T + 1, B, H) stays through a span in the rows that it is not for."""
    if rows < history.shape[1]:
        history[following(span), rows:] = history[span.start, rows:]


def following(span: slice) -> slice:
    """What follows the steps in a history, whose first is the initial state."""
    return slice(span.start + 1, span.stop + 1)


def shown(order: TimeOrder, h: np.ndarray) -> np.ndarray:
    """States (T, B, H) as a layer's outputs: 0 where a sequence is not."""
    return h if order.rows is None else order.clear(h.copy())


def gradients_in(
    dh_all: np.ndarray | None,
    dstates: tuple[np.ndarray | None, ...],
    order: TimeOrder,
    h: np.ndarray,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The gradients that come in, in the order of the run, 0 for None; those by states are
    copies."""
    shape = h[0].shape
    if dh_all is None:
        dh_all = np.broadcast_to(np.zeros(shape, h.dtype), h[1:].shape)
    else:
        dh_all = order.arranged(as_gradient(dh_all, h[1:].shape, h.dtype))
    found = (
        np.zeros(shape, h.dtype)
        if dstate is None
        else order.arranged_rows(as_gradient(dstate, shape, h.dtype)).copy()
        for dstate in dstates
    )
    return dh_all, tuple(found)


def spans_back(order: TimeOrder, bytes_a_step: int) -> list[tuple[slice, int]]:
    """Steps and their rows from the last to the first, as many at a time as stay in the cache."""
    return order.spans(max(1, BLOCK_BYTES // max(1, bytes_a_step)))[::-1]


def weight_gradients(
    x: np.ndarray,
    h_before: np.ndarray,
    dz_input: np.ndarray,
    dz_hidden: np.ndarray,
    w_input: np.ndarray,
    need_dx: bool,
    out: Gradients | None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]:
    """dx, dw_input, dw_hidden and dbias from the gradients (T, B, ...) by the products of inputs
    and of states."""
    places = out or (None, None, None)
    tokens = dz_input.shape[0] * dz_input.shape[1]
    inputs, hidden = (dz.reshape(tokens, dz.shape[-1]) for dz in (dz_input, dz_hidden))
    x_rows, h_rows = (array.reshape(tokens, array.shape[-1]) for array in (x, h_before))
    products = (
        lambda: multiply_over_rows(h_rows, hidden, out=places[1]),
        lambda: multiply_over_rows(x_rows, inputs, out=places[0]),
        lambda: multiply_rows(inputs, np.ascontiguousarray(w_input.T)) if need_dx else None,
    )
    if hidden.size * h_rows.shape[1] >= SHARED_PRODUCTS:
        dw_hidden, dw_input, dx = together(*products, threads=available_cores())
    else:
        dw_hidden, dw_input, dx = (product() for product in products)
    dx = None if dx is None else dx.reshape(x.shape)
    dbias = np.matmul(np.ones(tokens, inputs.dtype), inputs, out=places[2])
    return dx, dw_input, dw_hidden, dbias
