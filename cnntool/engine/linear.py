"""A dense (fully connected) layer: one matrix product forward, two backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, check_numbers, float_dtype


@dataclass(frozen=True, eq=False)
class DenseCache:
    """What the way back needs."""

    x: np.ndarray  # (..., inputs)
    weight: np.ndarray  # (inputs, outputs)
    has_bias: bool


def dense(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
) -> tuple[np.ndarray, DenseCache]:
    """``y = x W + b``: x (..., inputs), weight (inputs, outputs), bias (outputs,).

    The weight lies transposed against PyTorch's ``nn.Linear``. Any number of leading axes, none
    included. Returns y (..., outputs) and the cache for :func:`dense_backward`;
    float64 where x or weight is, else float32. Raises ValueError where the shapes do not fit.
    """
    dtype = float_dtype(x, weight)
    check_numbers(bias)
    x, weight = np.asarray(x, dtype), np.asarray(weight, dtype)
    _check_shapes(x, weight, bias)
    y = x.reshape(-1, x.shape[-1]) @ weight
    if bias is not None:
        y += bias
    cache = DenseCache(x, weight, bias is not None)
    return y.reshape(*x.shape[:-1], weight.shape[1]), cache


def dense_backward(
    dy: np.ndarray, cache: DenseCache, *, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`dense` for dy (..., outputs).

    ``dx = dy W^T``, ``dweight = x^T dy`` and ``dbias = sum of dy``, the leading axes taken as one.
    dbias is None without a bias; without ``need_dx`` (a first layer) dx is None.
    """
    x, weight = cache.x, cache.weight
    inputs, outputs = weight.shape
    dy = as_gradient(dy, (*x.shape[:-1], outputs), x.dtype).reshape(-1, outputs)
    dx = (dy @ weight.T).reshape(x.shape) if need_dx else None
    dweight = x.reshape(-1, inputs).T @ dy
    return dx, dweight, dy.sum(axis=0) if cache.has_bias else None


def _check_shapes(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
    if weight.ndim != 2:
        raise ValueError(f"weight has shape {weight.shape}: expected (inputs, outputs)")
    inputs, outputs = weight.shape
    if x.ndim == 0 or x.shape[-1] != inputs:
        raise ValueError(f"x has shape {x.shape}: weight {weight.shape} takes (..., {inputs})")
    if bias is not None and np.shape(bias) != (outputs,):
        raise ValueError(
            f"bias has shape {np.shape(bias)}: expected one value an output, ({outputs},)"
        )


@dataclass(frozen=True, eq=False)
class EmbeddingCache:
    """What the way back needs."""

    ids: np.ndarray  # integers of any shape
    table_shape: tuple[int, int]
    dtype: np.dtype


def embedding(ids: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, EmbeddingCache]:
    """``y[..., :] = table[ids[...], :]``: ids of any shape, table (V, E), y (*ids.shape, E).

    The same as a one-hot vector of V for every id times the table. Returns y, in float64 where the
    table is, else float32, and the cache for :func:`embedding_backward`. Raises ValueError where
    ids are not integers, or one is not in 0 .. V-1.
    """
    check_numbers(ids)
    ids, table = np.asarray(ids), np.asarray(table, float_dtype(table))
    if table.ndim != 2:
        raise ValueError(f"table has shape {table.shape}: expected (vocabulary, embedding)")
    check_ids(ids, len(table), "id", "rows of the table")
    ids = ids.astype(np.intp, copy=False)
    return table.take(ids, axis=0), EmbeddingCache(ids, table.shape, table.dtype)


def embedding_backward(
    dy: np.ndarray, cache: EmbeddingCache, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Gradient dtable (V, E) of :func:`embedding` for dy (*ids.shape, E).

    ``dtable[v] = sum of dy[i] over all i with ids[i] = v``; 0 for a row that no id names. Written
    into ``out`` where that is given, such as the table's place in a vector of all gradients: for
    600 ids in a table of 10,000 x 32 half the time of new memory and a copy. ValueError where
    ``out`` has another shape or dtype than the gradient.
    """
    rows, drows = embedding_backward_rows(dy, cache)
    if out is None:
        out = np.zeros(cache.table_shape, cache.dtype)
    elif (out.shape, out.dtype) == (cache.table_shape, cache.dtype):
        out[...] = 0
    else:
        raise ValueError(
            f"out is {out.dtype} {out.shape}: expected {cache.dtype} {cache.table_shape}, as the "
            "table"
        )
    out[rows] = drows
    return out


def embedding_backward_rows(dy: np.ndarray, cache: EmbeddingCache) -> tuple[np.ndarray, np.ndarray]:
    """The same gradient without its zeros: rows (R,) of the table, ascending, and theirs (R, E).

    Equal ids are sorted next to each other and each run summed, in the order of the ids: for 600
    ids in a table of 10,000 x 32 less than half the time of ``np.add.at``.
    """
    _, width = cache.table_shape
    dy = as_gradient(dy, (*cache.ids.shape, width), cache.dtype).reshape(-1, width)
    ids = cache.ids.ravel()
    if ids.size == 0:
        return ids, dy
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    return ids[starts], np.add.reduceat(dy[order], starts, axis=0)


def check_ids(ids: np.ndarray, count: int, name: str, things: str) -> None:
    """Raise ValueError unless all ids are integers in 0 .. count-1; the message names the first."""
    if ids.dtype.kind not in "iu":
        raise ValueError(f"{name}s have dtype {ids.dtype}: expected integers")
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < count:
        wrong = ids[(ids < 0) | (ids >= count)].flat[0]
        raise ValueError(f"{name} {wrong} is out of range: {count} {things} are 0 to {count - 1}")
