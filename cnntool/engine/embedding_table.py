"""Embedding: the rows of a table that ids name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype


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
