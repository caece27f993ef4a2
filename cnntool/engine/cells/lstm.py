"""Long short-term memory over time.

At small sizes a step costs as many microseconds as NumPy is called, at large ones what the layout
of the operands makes of it. So the gates lie one after the other, (T, gates, B, H), those side by
side that are treated alike: one call for all four, for the three sigmoids, or for both products
that make the cell.
"""

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

GATES = ("input", "forget", "new", "output")
"""In the order of the weights."""

PLACES = np.array([0, 1, 3, 2])
"""Where they lie here: the sigmoids are the first three, and the cell comes behind the candidate,
so that input and forget gate are equally far from what they let through."""


@dataclass(frozen=True, eq=False)
class LstmCache(CellCache):
    steps: np.ndarray  # (T + 1, 5, B, H): i, f, o, g, and the c that they meet
    tanh_c: np.ndarray  # (T, B, H)

    def gate_values(self) -> dict[str, np.ndarray]:
        """(T, B, H) of each gate: ``input``, ``forget``, ``new`` (the candidate) and ``output``."""
        return {
            name: self.order.restored(self.steps[:-1, place])
            for name, place in zip(GATES, PLACES, strict=True)
        }

    def cells(self) -> np.ndarray:
        """(T, B, H): c of each step."""
        return self.order.restored(self.steps[1:, 4])


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
    steps = aligned((order.steps + 1, 5, *h0.shape), x.dtype)
    steps[0, 4] = c0
    h, tanh_c = histories(order, h0), np.empty((order.steps, *h0.shape), x.dtype)
    cache = LstmCache(x, h, w_input, w_hidden, order, steps, tanh_c)
    (_run_step_by_step if is_textbook() else _run_in_long_calls)(cache, bias)
    last = order.restored_rows(h[-1]), order.restored_rows(steps[-1, 4])
    return (order.outputs(h), last), cache


def lstm_step(
    x: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """One step of :func:`lstm` from x (B, E), nothing kept for a way back: h and (h, c)."""
    _, c, _, h = _step(x, *state, w_input, w_hidden, bias)
    return h, (h, c)


def _step(
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    w_input: np.ndarray,
    w_hidden: np.ndarray,
    bias: np.ndarray,
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray, np.ndarray]:
    """The equations as they stand: the gates i, f, o and g, then c, tanh(c) and h."""
    z = (x @ w_input + h @ w_hidden + bias).reshape(len(x), 4, len(w_hidden))
    i, f, _, o = sigmoid(z)[0].swapaxes(0, 1)
    g = np.tanh(z[:, 2])
    c = f * c + i * g
    tanh_c = np.tanh(c)
    return (i, f, o, g), c, tanh_c, o * tanh_c


def _run_step_by_step(cache: LstmCache, bias: np.ndarray) -> None:
    """Fill the cache, one step after the other."""
    for t in range(cache.order.steps):
        rows = cache.order.active(t)
        state = cache.h[t, :rows], cache.steps[t, 4, :rows]
        gates, c, tanh_c, h = _step(cache.x[t, :rows], *state, cache.w_input, cache.w_hidden, bias)
        cache.steps[t, :4, :rows], cache.steps[t + 1, 4, :rows] = gates, c
        cache.tanh_c[t, :rows], cache.h[t + 1, :rows] = tanh_c, h
        carry(cache.h, slice(t, t + 1), rows)
        carry(cache.steps[:, 4], slice(t, t + 1), rows)


def _run_in_long_calls(cache: LstmCache, bias: np.ndarray) -> None:
    """The same, from the products of all inputs."""
    h, steps, gates = cache.h, cache.steps, cache.steps[:-1, :4]
    np.matmul(cache.x[:, None], by_gate(cache.w_input, 4, 3, PLACES), out=gates)
    gates += np.repeat(by_gate(bias[None], 4, 3, PLACES), h.shape[1], axis=1)
    by_state = by_columns(by_gate(cache.w_hidden, 4, 3, PLACES), h.shape[1])
    for span, rows in cache.order.spans():
        after = following(span)
        _run(
            steps[span, :, :rows],
            steps[after, 4, :rows],
            cache.tanh_c[span, :rows],
            h[span, :rows],
            h[after, :rows],
            by_state,
        )
        carry(h, span, rows)
        carry(steps[:, 4], span, rows)


def _run(
    steps: np.ndarray,
    cells: np.ndarray,
    tanh_c: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    by_state: np.ndarray,
) -> None:
    """Steps that are all for the same rows, from the products of their inputs."""
    half, (add, multiply, tanh) = np.array(0.5, steps.dtype), CALLS
    by_h, products = np.empty_like(steps[0, :4]), np.empty_like(steps[0, :2])
    (lefts, product), (new, kept) = fitted(before, by_state, by_h), products
    for z, sigmoids, open_, met, o, c, squashed, h, h_next in zip(
        steps[:, :4],
        steps[:, :3],
        steps[:, :2],  # input and forget gate
        steps[:, 3:],  # candidate and cell
        steps[:, 2],
        cells,
        tanh_c,
        lefts,
        after,
        strict=True,
    ):
        np.matmul(h, by_state, product)
        add(z, by_h, z)
        tanh(z, z)
        multiply(sigmoids, half, sigmoids)
        add(sigmoids, half, sigmoids)
        multiply(open_, met, products)  # i g and f c
        add(new, kept, c)
        tanh(c, squashed)
        multiply(o, squashed, h_next)


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

        dc += dh (o - h tanh(c))
        dz_i = dc (i g - i g i);  dz_f = dc (f c_(t-1) - f c_(t-1) f);  dz_g = dc (i - i g g)
        dz_o = dh (h - h o)
        dh = dz U^T;  dc = dc f

    Without ``need_dx`` dx is None. ``out``: arrays for the three gradients of weights.
    """
    order, (batch, hidden) = cache.order, cache.h[0].shape
    dh_all, (dh, dc) = gradients_in(dh_all, dstate or (None, None), order, cache.h)
    dz = np.empty((order.steps, batch, 4 * hidden), dh.dtype)
    way_back = _back_step_by_step if is_textbook() else _back_in_long_calls
    way_back(cache, dh_all, dh, dc, dz)
    order.clear(dz)
    dx, dw_input, dw_hidden, dbias = weight_gradients(cache, dz, dz, need_dx, out)
    dstate_0 = order.restored_rows(dh), order.restored_rows(dc)
    return dx, dstate_0, dw_input, dw_hidden, dbias


def _back_step_by_step(
    cache: LstmCache, dh_all: np.ndarray, dh: np.ndarray, dc: np.ndarray, dz: np.ndarray
) -> None:
    """dz of each step, from the last to the first; dh and dc become those by the first state."""
    for t in reversed(range(cache.order.steps)):
        rows = cache.order.active(t)
        i, f, o, g, c = cache.steps[t, :, :rows]
        tanh_c, by_h, by_c = cache.tanh_c[t, :rows], dh[:rows], dc[:rows]
        by_h += dh_all[t, :rows]
        by_c += by_h * o * (1 - tanh_c * tanh_c)
        dz_i, dz_f = by_c * g * i * (1 - i), by_c * c * f * (1 - f)
        dz_g, dz_o = by_c * i * (1 - g * g), by_h * tanh_c * o * (1 - o)
        dz[t, :rows] = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)
        by_h[...] = dz[t, :rows] @ cache.w_hidden.T
        by_c *= f


def _back_in_long_calls(
    cache: LstmCache, dh_all: np.ndarray, dh: np.ndarray, dc: np.ndarray, dz: np.ndarray
) -> None:
    """The same, with the derivatives of the gates worked out for many steps at a time."""
    order, (batch, hidden) = cache.order, dh.shape
    dz_gates = dz.reshape(order.steps, batch, 4, hidden).swapaxes(1, 2)
    by_state = by_columns(cache.w_hidden.T, batch)
    for span, rows in spans_back(order, dz[:1].nbytes):
        _run_back(
            _slopes(cache, span, rows),
            cache.steps[span, 1, :rows],
            dh_all[span, :rows],
            dz_gates[span, :, :rows],
            dz[span, :rows],
            dh[:rows],
            dc[:rows],
            by_state,
        )


def _slopes(cache: LstmCache, span: slice, rows: int) -> np.ndarray:
    """(S, 5, B, H): by what dc is multiplied for dz_i, dz_f and dz_g, and dh for dz_o and its part
    in dc. For a sigmoid's it is what the gate lets through, less that times the gate."""
    steps = cache.steps[span, :, :rows]
    h, tanh_c = cache.h[following(span), :rows], cache.tanh_c[span, :rows]
    count, _, _, hidden = steps.shape
    slopes = np.empty((count, 5, rows, hidden), h.dtype)
    passed = steps[:, :2] * steps[:, 3:]  # i g and f c
    for start, factor, other, slope in (
        (passed, passed, steps[:, :2], slopes[:, :2]),  # i g - i g i and f c - f c f
        (steps[:, 0], passed[:, 0], steps[:, 3], slopes[:, 2]),  # i - i g g
        (h, h, steps[:, 2], slopes[:, 3]),  # h - h o
        (steps[:, 2], h, tanh_c, slopes[:, 4]),  # o - h tanh(c)
    ):
        np.multiply(factor, other, out=slope)
        np.subtract(start, slope, out=slope)
    return slopes


def _run_back(
    slopes: np.ndarray,
    forget: np.ndarray,
    dh_all: np.ndarray,
    dz_gates: np.ndarray,
    dz: np.ndarray,
    dh: np.ndarray,
    dc: np.ndarray,
    by_state: np.ndarray,
) -> None:
    """Steps that are all for the same rows, the last one first."""
    at_step, (add, multiply, _) = np.empty_like(slopes[0]), CALLS
    lefts, product = fitted(dz, by_state, dh)
    gates, (dz_i, dz_f, dz_g, dz_o, through) = at_step[:4], at_step
    for by_i, by_f, by_g, by_o, by_h, f, above, placed, matrix in zip(
        *(slopes[::-1, k] for k in range(5)),
        forget[::-1],
        dh_all[::-1],
        dz_gates[::-1],
        lefts[::-1],
        strict=True,
    ):
        add(dh, above, dh)
        multiply(dh, by_h, through)
        add(dc, through, dc)
        multiply(dc, by_i, dz_i)
        multiply(dc, by_f, dz_f)
        multiply(dc, by_g, dz_g)
        multiply(dh, by_o, dz_o)
        placed[...] = gates
        np.matmul(matrix, by_state, product)
        multiply(dc, f, dc)
