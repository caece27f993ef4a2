"""Softmax, and cross-entropy fused with it: finite wherever the loss itself is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.linear import check_ids


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """``y_k = exp(x_k) / sum over j of exp(x_j)`` along an axis, for any finite x."""
    exponentials, sums = _exponentials(_below_maximum(x, axis), axis)
    return exponentials / sums


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """``log softmax(x)`` along an axis, as ``x_k - max - log(sum of exp(x_j - max))``.

    No exponential is rounded before the logarithm, so a probability of 1e-200 keeps its own.
    """
    shifted = _below_maximum(x, axis)
    return shifted - np.log(_exponentials(shifted, axis)[1])


@dataclass(frozen=True, eq=False)
class CrossEntropyCache:
    """What the way back needs; rows are the targets, flattened."""

    exponentials: np.ndarray  # (rows, K), exp(logit - largest of the row)
    sums: np.ndarray  # (rows, 1), of the exponentials
    targets: np.ndarray  # (rows,)
    shares: np.ndarray | float  # of each row in the mean: (rows, 1), or one for all
    label_smoothing: float
    shape: tuple[int, ...]  # of the logits


def softmax_cross_entropy(
    logits: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, CrossEntropyCache]:
    """Mean of ``-log softmax(logits)[target]``: logits (..., K), integer targets (...).

    ``loss = sum_i w_i (-sum_k q_ik log p_ik) / sum_i w_i`` with p the softmax of row i and q 1 at
    its target, else 0. ``weights`` w (...) are not negative, or booleans; where w is 0 (past the
    end of a sequence) neither the logits nor the target count, and both may be anything.
    ``label_smoothing`` e gives ``q = (1-e) * one-hot + e / K`` (Szegedy et al. 2016, section 7;
    PyTorch's).

    Returns the loss, in nats, and the cache for :func:`softmax_cross_entropy_backward`. Raises
    ValueError where a target is not in 0 .. K-1, shapes differ, or the weights sum to 0.
    """
    logits, targets = np.asarray(logits, float_dtype(logits)), np.asarray(targets)
    if logits.ndim == 0 or logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"targets have shape {targets.shape}: logits {logits.shape} need one a row, "
            f"{logits.shape[:-1]}"
        )
    if targets.size == 0:
        raise ValueError(f"targets have shape {targets.shape}: there is nothing to take a mean of")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing is {label_smoothing}: it must be at least 0, below 1")
    classes = logits.shape[-1]
    rows, targets = logits.reshape(-1, classes), targets.ravel()
    shares: np.ndarray | float = 1 / len(targets)
    if weights is not None:
        shares = row_shares(weights, logits.shape[:-1]).reshape(-1, 1).astype(logits.dtype)
        counts = shares > 0
        rows, targets = np.where(counts, rows, 0), np.where(counts[:, 0], targets, 0)
    check_ids(targets, classes, "target", "classes")

    shifted = _below_maximum(rows, -1)
    losses = -shifted[np.arange(len(rows)), targets]
    if label_smoothing:
        mean = shifted.mean(axis=-1, dtype=np.float64)
        losses = (1 - label_smoothing) * losses - label_smoothing * mean
    exponentials, sums = _exponentials(shifted, -1, out=shifted)
    losses += np.log(sums[:, 0])
    cache = CrossEntropyCache(exponentials, sums, targets, shares, label_smoothing, logits.shape)
    return float(np.sum(losses[:, None] * shares, dtype=np.float64)), cache


def softmax_cross_entropy_backward(dloss: float, cache: CrossEntropyCache) -> np.ndarray:
    """Gradient dlogits (..., K) of :func:`softmax_cross_entropy`, ``dloss`` usually 1.

    ``dlogits_ik = dloss * w_i / sum(w) * (p_ik - q_ik)``; each row sums to 0.
    """
    scale = cache.exponentials.dtype.type(dloss) * cache.shares
    dlogits = cache.exponentials * (scale / cache.sums)
    if cache.label_smoothing:
        dlogits -= scale * (cache.label_smoothing / dlogits.shape[1])
    rows = np.arange(len(dlogits))
    dlogits[rows, cache.targets] -= (1 - cache.label_smoothing) * np.reshape(scale, -1)
    return dlogits.reshape(cache.shape)


def row_shares(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``w / sum(w)``; float64, so that a long sum is exact enough for float32.

    ValueError where the weights are not of this shape, one is negative, or all are 0.
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != shape:
        raise ValueError(f"weights have shape {weights.shape}: expected one a target, {shape}")
    total = weights.sum()
    if not (weights.min() >= 0 and 0 < total < np.inf):
        raise ValueError(
            f"weights are {weights.min():g} to {weights.max():g}: none may be negative, and their "
            "sum must be above 0"
        )
    return weights / total


def _below_maximum(x: np.ndarray, axis: int) -> np.ndarray:
    """``x - max(x)``: 0 at the largest, so that no exponential overflows."""
    x = np.asarray(x, float_dtype(x))
    with np.errstate(over="ignore", invalid="ignore"):  # -inf is right; NaN for NaN and infinities
        return x - x.max(axis=axis, keepdims=True)


def _exponentials(
    shifted: np.ndarray, axis: int, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """``exp(shifted)`` and its sums, which are at least 1."""
    with np.errstate(under="ignore"):
        exponentials = np.exp(shifted, out=out)
    return exponentials, exponentials.sum(axis=axis, keepdims=True)
