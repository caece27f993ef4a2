"""Softmax, and cross-entropy fused with it: finite wherever the loss itself is.

Over a vocabulary the output layer is fused too, as its logits would be the largest array of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import check_numbers, float_dtype
from cnntool.engine.fast import is_textbook
from cnntool.engine.fast.scratch import Scratch, rows_of_lines
from cnntool.engine.fast.small_products import multiply_across, multiply_along
from cnntool.engine.fast.threads import SHARED_PRODUCTS, parallel_blocks
from cnntool.engine.linear import check_ids, dense, dense_backward
from cnntool.engine.windows import even_slices


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
    check_numbers(targets)
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


BLOCK_BYTES = 6 << 20
"""Logits of a block, which one thread holds: few rows make slow products, many leave the cache."""

FEWEST_ROWS = 128
"""Of a block or a partial sum, however large the vocabulary: each reads all weights."""

PIECE_BYTES = 1 << 19
"""Logits that go from their maximum to their sum in one go, in the second-level cache."""

FEW_UNITS = 48
"""Up to which products are made in small tiles, from copies of weights that lie as they need."""

PARTIAL_SUMS, SUMS_BYTES = 4, 1 << 26
"""Of the weight's gradient at most, where threads share the rows, and their memory from two on:
their number hangs on shapes alone, so the result does too."""


@dataclass(frozen=True, eq=False)
class VocabularyCache:
    """What each row came to, and the gradients of the mean loss; None where nobody needs them."""

    losses: np.ndarray  # (N,) nats, before weighting; 0 where masked
    correct: int  # rows whose target is the likeliest, the first one where several are
    dx: np.ndarray | None  # (N, H)
    dweight: np.ndarray | None  # (H, V)
    dbias: np.ndarray | None  # (V,)


def vocabulary_cross_entropy(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    targets: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    need_gradient: bool = True,
) -> tuple[float, VocabularyCache]:
    """Mean of ``-log softmax(x W + b)[target]``: x (N, H), weight (H, V), integer targets (N,).

    The same as ``dense`` and ``softmax_cross_entropy``, but a block of rows goes the whole way, to
    its loss and gradients, before the next is begun: for 600 words of a text against 10,000 the six
    million logits are never one matrix, which takes half as long again. With w the row's share in
    the mean, and only the small sides scaled:

        a = x W + b
        e = exp(a - max a),  s = sum e      row by row
        loss = log s - (a - max a) at the target
        d = e,  less s at the target        s times the softmax's gradient
        dx = w / s (d W^T),  dW = (w / s x)^T d,  db = (w / s)^T d

    weight may lie as it likes, such as a table (V, H) transposed; bias is (V,) or
    None. ``weights`` (N,), not negative, or booleans, are shares in the mean: where one is 0,
    neither x nor the target counts, and both may be anything.

    Returns the loss in nats, and the cache for :func:`vocabulary_cross_entropy_backward`, with the
    gradients made on the way; without ``need_gradient`` in a third of the time, with none. float64
    where x or weight is, else float32. The number of threads changes no bit of the result. Raises
    ValueError where shapes do not fit, a target is not in 0 .. V-1, or the weights sum to 0.
    """
    dtype = float_dtype(x, weight)
    check_numbers(bias, targets)
    x, weight, targets = np.asarray(x, dtype), np.asarray(weight, dtype), np.asarray(targets)
    _check_shapes(x, weight, bias, targets)
    if is_textbook():
        return _of_all_logits(x, weight, bias, targets, weights, need_gradient)
    rows, words, counting = len(x), weight.shape[1], None
    shares = np.full(rows, 1 / rows)
    if weights is not None:
        shares = row_shares(weights, targets.shape)
        counting = np.flatnonzero(shares)
        x, targets, shares = x[counting], targets[counting], shares[counting]
    check_ids(targets, words, "target", "words")
    with_one = np.concatenate([x, np.ones((len(x), 1), dtype)], axis=1)
    matrix, added, table = _laid_out(weight, bias, need_gradient)

    products, count = len(x) * weight.size, 1
    if products >= SHARED_PRODUCTS:
        count = max(2, min(PARTIAL_SUMS, SUMS_BYTES // weight.nbytes))
    parts = even_slices(len(x), max(FEWEST_ROWS, -(-len(x) // count)))
    losses, is_right = np.empty(len(x)), np.empty(len(x), bool)
    dx = np.empty((len(x) * need_gradient, len(weight)), dtype)
    sums = rows_of_lines((len(parts) * need_gradient, len(weight) + 1, words), dtype)

    def work(part: int, scratch: Scratch) -> None:
        start, stop, _ = parts[part].indices(len(x))
        most = max(FEWEST_ROWS, BLOCK_BYTES // max(1, words * x.itemsize))
        for block in even_slices(stop - start, most):
            here = slice(start + block.start, start + block.stop)
            d = scratch.lines("logits", (here.stop - here.start, words), dtype)
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                multiply_across(with_one[here, : len(matrix)], matrix, out=d)
                totals, losses[here], is_right[here] = _scored(d, added, targets[here])
                if need_gradient:
                    scale = (shares[here] / totals).astype(dtype)[:, None]
                    np.multiply(multiply_along(d, table), scale, out=dx[here])
                    scaled = (scale * with_one[here]).T
                    if block.start == 0:
                        multiply_across(scaled, d, out=sums[part])
                    else:
                        sums[part] += scaled @ d

    parallel_blocks(range(len(parts)), work, products)
    loss, correct = float(losses @ shares), int(np.count_nonzero(is_right))
    losses = _spread(losses.astype(dtype), counting, rows)
    if not need_gradient:
        return loss, VocabularyCache(losses, correct, None, None, None)
    gradient = sums[0] if len(sums) == 1 else sums.sum(axis=0)
    dbias = None if bias is None else gradient[-1]
    dx = _spread(dx, counting, rows)
    return loss, VocabularyCache(losses, correct, dx, gradient[:-1], dbias)


def _laid_out(
    weight: np.ndarray, bias: np.ndarray | None, need_gradient: bool
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """What makes the logits, what is added to them, and what they are multiplied by on the way
    back: weight (H, V), the bias and weight.T; of few units copies as fast products need them,
    where the bias is one more row."""
    units, words = weight.shape
    if units > FEW_UNITS:
        if not weight.flags.f_contiguous:
            weight = np.ascontiguousarray(weight)
        return weight, bias, weight.T
    matrix = rows_of_lines((units + (bias is not None), words), weight.dtype)
    matrix[:units] = weight
    if bias is not None:
        matrix[-1] = bias
    return matrix, None, np.ascontiguousarray(weight.T) if need_gradient else weight.T


def _of_all_logits(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    targets: np.ndarray,
    weights: np.ndarray | None,
    need_gradient: bool,
) -> tuple[float, VocabularyCache]:
    """The same from one matrix of logits."""
    counts = np.ones(len(x), bool) if weights is None else row_shares(weights, targets.shape) > 0
    logits, cache = dense(np.where(counts[:, None], x, 0), weight, bias)
    loss, of_loss = softmax_cross_entropy(logits, targets, weights)
    wanted = np.where(counts, targets, 0)
    losses = np.where(counts, -log_softmax(logits)[np.arange(len(x)), wanted], 0)
    correct = int(np.count_nonzero(counts & (logits.argmax(axis=1) == wanted)))
    if not need_gradient:
        return loss, VocabularyCache(losses, correct, None, None, None)
    gradients = dense_backward(softmax_cross_entropy_backward(1.0, of_loss), cache)
    return loss, VocabularyCache(losses, correct, *gradients)


def _spread(values: np.ndarray, places: np.ndarray | None, rows: int) -> np.ndarray:
    """Values of some rows among all, the rest 0; as they are where there is no choice of rows."""
    if places is None:
        return values
    spread = np.zeros((rows, *values.shape[1:]), values.dtype)
    spread[places] = values
    return spread


def vocabulary_cross_entropy_backward(
    dloss: float,
    cache: VocabularyCache,
    *,
    out: tuple[np.ndarray, np.ndarray | None] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`vocabulary_cross_entropy`, ``dloss`` usually 1.

    dbias is None without a bias. ``out`` is (dweight, dbias) to write into, such as their places in
    a vector of all gradients. ValueError where the forward pass was told to make none.
    """
    if cache.dx is None or cache.dweight is None:
        raise ValueError("there are no gradients: the forward pass had need_gradient=False")
    dweight, dbias = out or (None, None)
    scale = cache.dx.dtype.type(dloss)
    dweight = np.multiply(cache.dweight, scale, out=dweight)
    if cache.dbias is not None:
        dbias = np.multiply(cache.dbias, scale, out=dbias)
    return cache.dx * scale, dweight, dbias


def _scored(
    logits: np.ndarray, bias: np.ndarray | None, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn logits (R, V), to which a bias may still come, into d, a few rows at a time; the sums of
    exponentials (R,), the losses, and whether the target is the likeliest."""
    totals, losses = np.empty(len(logits), logits.dtype), np.empty(len(logits))
    is_right, ones = np.empty(len(logits), bool), np.ones(logits.shape[1], logits.dtype)
    for rows in even_slices(len(logits), max(1, PIECE_BYTES // ones.nbytes)):
        piece, wanted = logits[rows], targets[rows]
        each = np.arange(len(piece))
        if bias is not None:
            piece += bias
        likeliest = piece.argmax(axis=1)
        is_right[rows] = likeliest == wanted
        piece -= piece[each, likeliest][:, None]
        own = piece[each, wanted]
        np.exp(piece, out=piece)
        total = np.matmul(piece, ones, out=totals[rows])
        losses[rows] = np.log(total) - own
        piece[each, wanted] -= total
    return totals, losses, is_right


def _check_shapes(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, targets: np.ndarray
) -> None:
    if weight.ndim != 2 or x.ndim != 2 or x.shape[1] != weight.shape[0]:
        raise ValueError(
            f"x has shape {x.shape} and weight {weight.shape}: expected (N, H) and (H, vocabulary)"
        )
    if targets.shape != x.shape[:1]:
        raise ValueError(
            f"targets have shape {targets.shape}: x {x.shape} needs one a row, {x.shape[:1]}"
        )
    if not len(x):
        raise ValueError(f"x has shape {x.shape}: there is nothing to take a mean of")
    if bias is not None and np.shape(bias) != weight.shape[1:]:
        raise ValueError(
            f"bias has shape {np.shape(bias)}: expected one value a word, {weight.shape[1:]}"
        )


def row_shares(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``w / sum(w)``; float64, so that a long sum is exact enough for float32.

    ValueError where the weights are not of this shape, one is negative, or all are 0.
    """
    check_numbers(weights)
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
