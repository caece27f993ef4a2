"""Attention: for every step of one sequence, a weighted mean of the steps of another.

    a_ts = softmax over s of score(q_t, k_s)
    context_t = sum over s of a_ts k_s

Two ways to score: general, ``q_t . (k_s W)`` (Luong, Pham, Manning, Effective approaches to
attention-based neural machine translation, EMNLP 2015), and additive, ``v . tanh(q_t U + k_s W)``
(Bahdanau, Cho, Bengio, Neural machine translation by jointly learning to align and translate,
ICLR 2015). All queries of a sequence are there at once, so nothing is done step by step. Where they
are fewer than the keys, as while a decoder says one token after the other, it is they that go
through the weight of the general score.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype, within
from cnntool.engine.fast import is_textbook
from cnntool.engine.linear import DenseCache, dense, dense_backward


@dataclass(frozen=True, eq=False)
class AttentionCache:
    """What the way back needs; ``odds`` are what each step looked at.

    is_of_query: whether ``projected`` are the queries by the transposed weight, (T, B, D).
    """

    query: np.ndarray  # (T, B, H)
    keys: np.ndarray  # (S, B, D), 0 behind the ends
    projected: np.ndarray  # (S, B, H), additive (S, B, A): the keys by their weights
    projection: DenseCache
    odds: np.ndarray  # (B, T, S), 0 behind the ends
    is_of_query: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, eq=False)
class AdditiveAttentionCache(AttentionCache):
    projected_query: np.ndarray  # (T, B, A)
    query_projection: DenseCache
    v: np.ndarray  # (A,)


def general_attention(
    query: np.ndarray, keys: np.ndarray, weight: np.ndarray, *, lengths: np.ndarray | None = None
) -> tuple[np.ndarray, AttentionCache]:
    """``context_t = sum_s softmax_s(q_t . (k_s W)) k_s``: query (T, B, H), keys (S, B, D), weight
    (D, H).

    lengths: (B,) of the keys' sequences, None where all have S steps: nothing looks behind an end,
        whatever stands there, and the context of a sequence without steps is 0.

    Returns the context (T, B, D) and the cache for :func:`general_attention_backward`, whose
    ``odds`` (B, T, S) are the weights; float64 where an array is, else float32. ValueError where
    shapes do not fit.
    """
    dtype = float_dtype(query, keys, weight)
    query, keys, weight = (np.asarray(array, dtype) for array in (query, keys, weight))
    is_there = _checked(query, keys, lengths)
    if weight.shape != (keys.shape[2], query.shape[2]):
        raise ValueError(
            f"weight has shape {weight.shape}: query {query.shape} and keys {keys.shape} need "
            f"{(keys.shape[2], query.shape[2])}"
        )
    keys = _cleared(keys, is_there)
    if is_of_query := len(query) < len(keys) and not is_textbook():  # q . (k W) = (q W^T) . k
        projected, projection = dense(query, weight.T)
        scores = np.matmul(_batch_first(projected), keys.transpose(1, 2, 0))
    else:
        projected, projection = dense(keys, weight)
        scores = np.matmul(_batch_first(query), projected.transpose(1, 2, 0))
    odds = _softmax(scores, is_there)
    cache = AttentionCache(query, keys, projected, projection, odds, is_of_query=is_of_query)
    return _products(odds, keys), cache


def general_attention_backward(
    dcontext: np.ndarray, cache: AttentionCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dquery, dkeys, dweight) of :func:`general_attention` for dcontext (T, B, D)."""
    dkeys, dscores = _mean_backward(dcontext, cache)
    left, right = cache.query, cache.projected
    if cache.is_of_query:
        left, right = cache.projected, cache.keys
    dleft = _products(dscores, right)
    dright = _products(dscores.swapaxes(1, 2), left)
    more, dweight, _ = dense_backward(dleft if cache.is_of_query else dright, cache.projection)
    if cache.is_of_query:
        assert more is not None  # as it is needed
        return more, dkeys + dright, dweight.T
    return dleft, dkeys + more, dweight


def additive_attention(
    query: np.ndarray,
    keys: np.ndarray,
    w_query: np.ndarray,
    w_keys: np.ndarray,
    v: np.ndarray,
    *,
    lengths: np.ndarray | None = None,
) -> tuple[np.ndarray, AdditiveAttentionCache]:
    """``context_t = sum_s softmax_s(v . tanh(q_t U + k_s W)) k_s``: query (T, B, H), keys (S, B,
    D), w_query U (H, A), w_keys W (D, A), v (A,).

    All else as in :func:`general_attention`. The tangents (S, B, A) of one query at a time are in
    memory.
    """
    dtype = float_dtype(query, keys, w_query, w_keys, v)
    query, keys, w_query, w_keys, v = (
        np.asarray(array, dtype) for array in (query, keys, w_query, w_keys, v)
    )
    is_there = _checked(query, keys, lengths)
    shapes = w_query.shape, w_keys.shape, v.shape
    inner = v.shape[-1] if v.ndim else 0
    if shapes != ((query.shape[2], inner), (keys.shape[2], inner), (inner,)):
        raise ValueError(
            f"w_query, w_keys and v have shapes {shapes}: query {query.shape} and keys "
            f"{keys.shape} need ({query.shape[2]}, A), ({keys.shape[2]}, A) and (A,)"
        )
    keys = _cleared(keys, is_there)
    projected, projection = dense(keys, w_keys)
    projected_query, query_projection = dense(query, w_query)
    scores = np.empty((query.shape[1], len(query), len(keys)), dtype)
    for t, row in enumerate(projected_query):
        scores[:, t] = (np.tanh(projected + row) @ v).T
    odds = _softmax(scores, is_there)
    cache = AdditiveAttentionCache(
        query, keys, projected, projection, odds, projected_query, query_projection, v
    )
    return _products(odds, keys), cache


def additive_attention_backward(
    dcontext: np.ndarray, cache: AdditiveAttentionCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (dquery, dkeys, dw_query, dw_keys, dv) of :func:`additive_attention`."""
    dkeys, dscores = _mean_backward(dcontext, cache)
    dprojected, dv = np.zeros_like(cache.projected), np.zeros_like(cache.v)
    drows = np.empty_like(cache.projected_query)
    for t, row in enumerate(cache.projected_query):
        tangents, dscore = np.tanh(cache.projected + row), dscores[:, t].T[..., None]
        dv += (tangents * dscore).sum(axis=(0, 1))
        dinner = dscore * cache.v * (1 - tangents * tangents)
        drows[t] = dinner.sum(axis=0)
        dprojected += dinner
    more, dw_keys, _ = dense_backward(dprojected, cache.projection)
    dquery, dw_query, _ = dense_backward(drows, cache.query_projection)
    assert dquery is not None  # as it is needed
    return dquery, dkeys + more, dw_query, dw_keys, dv


def _checked(query: np.ndarray, keys: np.ndarray, lengths: np.ndarray | None) -> np.ndarray | None:
    """Which keys are there, (S, B) booleans; None for all. ValueError where shapes do not fit."""
    if query.ndim != 3 or keys.ndim != 3 or query.shape[1] != keys.shape[1]:
        raise ValueError(
            f"query has shape {query.shape}, keys {keys.shape}: expected (T, batch, H) and "
            "(S, batch, D)"
        )
    is_there = None if lengths is None else within(lengths, *keys.shape[:2])
    return None if is_there is None or is_there.all() else is_there


def _cleared(keys: np.ndarray, is_there: np.ndarray | None) -> np.ndarray:
    """The keys with 0 behind the ends; as they are where a recurrence has seen to that."""
    if is_there is None or not keys[~is_there].any():
        return keys
    return np.where(is_there[..., None], keys, keys.dtype.type(0))


def _softmax(scores: np.ndarray, is_there: np.ndarray | None) -> np.ndarray:
    """Over the last axis of (B, T, S), of the keys that are there; written into the scores."""
    if is_there is not None:
        scores[np.broadcast_to(~is_there.T[:, None], scores.shape)] = -np.inf
    largest = scores.max(axis=-1, keepdims=True, initial=np.finfo(scores.dtype).min)
    np.exp(np.subtract(scores, largest, out=scores), out=scores)
    scores *= scores > np.finfo(scores.dtype).eps ** 3  # what follows would be slow on denormals
    sums = scores.sum(axis=-1, keepdims=True)
    return np.divide(scores, sums, out=scores, where=sums > 0)


def _products(weights: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """``sum_s w_bts x_sb``, (T, B, D), of weights (B, T, S) and steps (S, B, D)."""
    found = np.empty((weights.shape[1], *steps.shape[1:]), steps.dtype)
    np.matmul(weights, _batch_first(steps), out=_batch_first(found))
    return found


def _mean_backward(dcontext: np.ndarray, cache: AttentionCache) -> tuple[np.ndarray, np.ndarray]:
    """The gradient by the keys through the mean (S, B, D), and that by the scores (B, T, S)."""
    odds, keys = cache.odds, cache.keys
    shape = (odds.shape[1], odds.shape[0], keys.shape[2])
    dcontext = as_gradient(dcontext, shape, keys.dtype)
    dkeys = _products(odds.swapaxes(1, 2), dcontext)
    dodds = np.matmul(_batch_first(dcontext), keys.transpose(1, 2, 0))
    return dkeys, odds * (dodds - (odds * dodds).sum(axis=-1, keepdims=True))


def _batch_first(x: np.ndarray) -> np.ndarray:
    """(T, B, D) as (B, T, D)."""
    return x.swapaxes(0, 1)
