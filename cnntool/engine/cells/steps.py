"""What rnn, gru and lstm share: the order of time, and all that lies outside its loop.

Sequences of one batch end at different steps. Sorted from the longest to the shortest, those that
still go on are the first rows at every step, and no step computes what nobody needs. Run backward,
a sequence begins at its own last step.

The products of all inputs are made before the loop, in one call: of an rnn one matrix product, of
gru and lstm one that is cut by step and gate, so that each lies where the loop reads it. In the
loop stays the product of the state. On the way back the derivatives of the gates are worked out
for a block of steps at a time, and the gradients of the weights are one product each, behind the
loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cnntool.engine.arrays import as_gradient, check_numbers, float_dtype, within
from cnntool.engine.fast.scratch import aligned
from cnntool.engine.fast.small_products import FEWEST_ROWS, SMALL_PRODUCT, divisor

BLOCK_BYTES = 1 << 19
"""Of gates whose derivatives are worked out at a time, so that they stay in the cache."""

FEWEST_COLUMNS = 32
"""Of a piece of a matrix whose product is to be small: both ways of a layer are up to 1.3 times as
fast in such pieces."""

COLUMNS = 64
"""Of a piece where the rows are cut too: products with (1024, 256) are 1.8 times as fast for 32
rows, 1.4 times for 64."""

CALLS = np.add, np.multiply, np.tanh
"""Of the loops: to look them up there is a fiftieth of a small step."""

Gradients = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class TimeOrder:
    """The steps of a batch in the order they are run.

    steps: T. rows: (T,) of how many sequences, the first ones, each step is for; None where all
    are of one length. order: (B,) the sequences from the longest to the shortest, None where they
    stay as they are.
    """

    steps: int
    batch: int
    is_reversed: bool
    rows: np.ndarray | None = None
    order: np.ndarray | None = None

    @classmethod
    def of(cls, steps: int, batch: int, lengths: np.ndarray | None, is_reversed: bool) -> TimeOrder:
        """ValueError unless lengths are (B,) whole numbers from 0 to T."""
        if lengths is None:
            return cls(steps, batch, is_reversed)
        lengths = np.asarray(lengths)
        rows = np.count_nonzero(within(lengths, steps, batch), axis=1)
        if (rows == batch).all():
            return cls(steps, batch, is_reversed)
        rows = rows[::-1] if is_reversed else rows
        return cls(steps, batch, is_reversed, rows, np.argsort(-lengths, kind="stable"))

    def arranged(self, x: np.ndarray) -> np.ndarray:
        """(T, B, ...) in the order it is run: a view where all have one length, else a copy."""
        x = x[::-1] if self.is_reversed else x
        return x if self.order is None else x[:, self.order]

    def restored(self, y: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`arranged`."""
        if self.order is not None:
            y = y[:, np.argsort(self.order)]
        return y[::-1] if self.is_reversed else y

    def arranged_rows(self, state: np.ndarray) -> np.ndarray:
        """A state (B, H) in the order of the sequences."""
        return state if self.order is None else state[self.order]

    def restored_rows(self, state: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`arranged_rows`."""
        return state if self.order is None else state[np.argsort(self.order)]

    def active(self, step: int) -> int:
        """The rows that a step is for."""
        return self.batch if self.rows is None else int(self.rows[step])

    def spans(self, most: int | None = None) -> list[tuple[slice, int]]:
        """The steps cut where the rows change, each piece with its rows; pieces of at most so many
        steps."""
        cuts = {0, self.steps}
        if self.rows is not None:
            cuts.update((np.flatnonzero(np.diff(self.rows)) + 1).tolist())
        edges = sorted(cuts)
        return [
            (slice(first, min(first + (most or stop - start), stop)), self.active(first))
            for start, stop in pairwise(edges)
            for first in range(start, stop, most or stop - start)
        ]

    def clear(self, y: np.ndarray) -> np.ndarray:
        """(T, B, ...) in the order it is run, with 0 where a sequence is not; written into y."""
        if self.rows is not None:
            for step, rows in enumerate(self.rows):
                y[step, rows:] = 0
        return y

    def outputs(self, history: np.ndarray) -> np.ndarray:
        """What a layer gives of its states (T + 1, B, H): 0 where a sequence is not."""
        h = history[1:]
        return self.restored(h if self.rows is None else self.clear(h.copy()))


@dataclass(frozen=True, eq=False)
class CellCache:
    """What the way back of every cell needs, in the order of the run."""

    x: np.ndarray  # (T, B, E)
    h: np.ndarray  # (T + 1, B, H), first the initial state
    w_input: np.ndarray
    w_hidden: np.ndarray
    order: TimeOrder


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
    check_numbers(*states)
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


def by_gate(weight: np.ndarray, gates: int, sigmoids: int, places: object = ...) -> np.ndarray:
    """(K, gates * H) as (gates, K, H), in another order if need be; the first ones, of sigmoids,
    halved, because ``sigmoid(z) = (tanh(z / 2) + 1) / 2``, so that one tanh does for all."""
    weights = weight.reshape(len(weight), gates, -1).swapaxes(0, 1)
    found = aligned(weights.shape, weight.dtype)
    found[...] = weights[places]
    found[:sigmoids] *= 0.5
    return found


def by_columns(weight: np.ndarray, rows: int) -> np.ndarray:
    """(..., K, H) in pieces of its columns, (..., 1, n, K, H / n), as few as make the product of so
    many rows with each a small one; else those of which :func:`fitted` cuts the rows too."""
    length, hidden = weight.shape[-2:]
    cut = hidden % COLUMNS == 0 and FEWEST_ROWS * length * COLUMNS <= SMALL_PRODUCT
    pieces = next(
        (
            n
            for n in range(1, hidden // FEWEST_COLUMNS + 1)
            if hidden % n == 0 and rows * length * hidden // n <= SMALL_PRODUCT
        ),
        hidden // COLUMNS if cut else 1,
    )
    columns = in_pieces(weight, 1, pieces)
    found = aligned(columns.shape, weight.dtype)
    found[...] = columns
    return found


def fitted(left: np.ndarray, columns: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``left (S, B, K)`` of steps, and ``out (..., B, H)`` of one, as views in pieces of rows of
    which the product with each piece of the columns is small: (S, p, 1, B / p, K) and
    (..., p, n, B / p, H / n)."""
    *_, pieces, length, width = columns.shape
    rows = left.shape[1]
    piece = divisor(rows, SMALL_PRODUCT // max(1, length * width))
    parts = rows // piece if piece >= min(rows, FEWEST_ROWS) > 0 else 1
    return in_pieces(left, parts, 1), in_pieces(out, parts, pieces)


def in_pieces(matrix: np.ndarray, parts: int, pieces: int) -> np.ndarray:
    """(..., B, H) as a view of its rows in parts and its columns in pieces, (..., p, n, B / p,
    H / n)."""
    *gates, rows, hidden = matrix.shape
    cut = matrix.reshape(*gates, parts, rows // parts, pieces, hidden // pieces)
    return cut.swapaxes(-3, -2)


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
    cache: CellCache,
    dz_input: np.ndarray,
    dz_hidden: np.ndarray,
    need_dx: bool,
    out: Gradients | None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]:
    """dx, dw_input, dw_hidden and dbias from the gradients (T, B, ...) by the products of inputs
    and of states."""
    places = out or (None, None, None)
    tokens = dz_input.shape[0] * dz_input.shape[1]
    x, h, inputs, hidden = (
        array.reshape(tokens, array.shape[-1])
        for array in (cache.x, cache.h[:-1], dz_input, dz_hidden)
    )
    dx = None
    if need_dx:
        dx = cache.order.restored((inputs @ cache.w_input.T).reshape(cache.x.shape))
    dw_input = np.matmul(x.T, inputs, out=places[0])
    dw_hidden = np.matmul(h.T, hidden, out=places[1])
    dbias = np.matmul(np.ones(tokens, inputs.dtype), inputs, out=places[2])
    return dx, dw_input, dw_hidden, dbias
