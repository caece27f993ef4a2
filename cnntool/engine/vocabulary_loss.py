"""Output layer, softmax and cross-entropy over a large vocabulary, fused: a block of rows at a time.

600 words of a text against a vocabulary of 10,000 are six million logits. Held as one matrix, each
of a dozen passes over them waits for memory; here a block of rows goes the whole way, to its loss
and gradients, before the next one is begun. What belongs to a row is taken out of the passes:

    a = [x 1] [W; b]                    the bias is one more row of the product
    e = exp(a - max a),  s = sum e      row by row; s is a product with ones
    loss = log s - (a - max a) at the target
    d = e,  less s at the target        s times the softmax's gradient
    dx = w / s (d W^T)                  w the row's share in the mean: the small side is scaled
    [dW; db] = (w / s [x 1])^T d
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.embedding_table import check_ids
from cnntool.engine.losses import row_shares
from cnntool.engine.scratch import Scratch
from cnntool.engine.unfolding import share_products
from cnntool.engine.windows import even_cuts

BLOCK_BYTES = 6 << 20
"""Logits of a block, which one thread holds: a few rows make slow products, many leave the cache."""

FEWEST_ROWS = 128
"""Of a block, however large the vocabulary: each reads all weights and adds to all gradients."""

PIECE_BYTES = 1 << 19
"""Logits that go from their maximum to their sum in one go, in the second-level cache."""

PARTIAL_SUMS = 8
"""Of the weight's gradient at most: their number hangs on shapes alone, so the result does too."""

SUMS_BYTES = 1 << 26
"""Of all partial sums together, from which on there are two."""

ROWS_OF_A_SUM = 128
"""That are worth a partial sum of their own."""

COPIED_BYTES = 1 << 23
"""Weights up to which a transposed copy pays: larger ones keep BLAS busy however they lie."""


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

    The same as ``dense`` and ``softmax_cross_entropy``, with no more logits held at a time than a
    block a thread. weight may lie as it likes, such as a table (V, H) transposed; bias is (V,) or
    None. ``weights`` (N,), not negative, or booleans, are shares in the mean: where one is 0,
    neither x nor the target counts, and both may be anything.

    Returns the loss in nats, and the cache for :func:`vocabulary_cross_entropy_backward`, with the
    gradients made on the way; without ``need_gradient`` in a third of the time, with none. float64
    where x or weight is, else float32. The number of threads changes no bit of the result. Raises
    ValueError where shapes do not fit, a target is not in 0 .. V-1, or the weights sum to 0.
    """
    dtype = float_dtype(x, weight)
    x, weight, targets = np.asarray(x, dtype), np.asarray(weight, dtype), np.asarray(targets)
    _check_shapes(x, weight, bias, targets)
    shares, counting = np.full(len(x), 1 / len(x)), slice(None)
    if weights is not None:
        shares = row_shares(weights, targets.shape)
        counting = np.flatnonzero(shares)
    part = _Rows(x[counting], targets[counting], shares[counting], weight, bias, need_gradient)
    part.run()
    loss = float(part.losses @ shares[counting])

    def all_rows(values: np.ndarray) -> np.ndarray:
        if len(values) == len(x):
            return values
        spread = np.zeros((len(x), *values.shape[1:]), dtype)
        spread[counting] = values
        return spread

    losses, correct = all_rows(part.losses.astype(dtype)), int(np.count_nonzero(part.is_right))
    if not need_gradient:
        return loss, VocabularyCache(losses, correct, None, None, None)
    gradient = part.sums.sum(axis=0) if len(part.sums) > 1 else part.sums[0]
    dbias = None if bias is None else gradient[-1]
    cache = VocabularyCache(losses, correct, all_rows(part.dx), gradient[: len(weight)], dbias)
    return loss, cache


def vocabulary_cross_entropy_backward(
    dloss: float, cache: VocabularyCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Gradients (dx, dweight, dbias) of :func:`vocabulary_cross_entropy`, ``dloss`` usually 1.

    dbias is None without a bias. ValueError where the forward pass was told to make none.
    """
    if cache.dx is None or cache.dweight is None:
        raise ValueError("there are no gradients: the forward pass had need_gradient=False")
    scale = cache.dx.dtype.type(dloss)
    dbias = None if cache.dbias is None else scale * cache.dbias
    return scale * cache.dx, scale * cache.dweight, dbias


class _Rows:
    """The rows that count, and what they come to, part by part."""

    def __init__(
        self,
        x: np.ndarray,
        targets: np.ndarray,
        shares: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray | None,
        need_gradient: bool,
    ) -> None:
        inputs, vocabulary = weight.shape
        check_ids(targets, vocabulary, "target", "words")
        self.targets, self.shares = targets, shares.astype(x.dtype)
        self.x, self.layer = x, np.ascontiguousarray(weight)
        if bias is not None:
            self.x = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
            self.layer = np.concatenate([weight, np.asarray(bias, x.dtype)[None]])
        is_small = weight.nbytes <= COPIED_BYTES
        self.turned = np.ascontiguousarray(weight.T) if is_small else weight.T  # (V, H)
        self.ones = np.ones(vocabulary, x.dtype)
        self.most = max(FEWEST_ROWS, BLOCK_BYTES // self.ones.nbytes)
        self.losses, self.is_right = np.empty(len(x)), np.empty(len(x), bool)
        affordable = max(2, min(PARTIAL_SUMS, SUMS_BYTES // self.layer.nbytes))
        worth = max(1, min(affordable, len(x) // ROWS_OF_A_SUM))
        self.parts = 1 << worth.bit_length() - 1  # halved evenly by any number of cores
        if need_gradient:
            self.dx = np.empty((len(x), inputs), x.dtype)
            self.sums = np.empty((self.parts, *self.layer.shape), x.dtype)
        self.need_gradient = need_gradient

    def run(self) -> None:
        share_products(range(self.parts), self._part, len(self.x) * self.layer.size)

    def _part(self, part: int, scratch: Scratch) -> None:
        """Some rows, block by block; their gradients add up in this part's own sum."""
        start, stop = (len(self.x) * edge // self.parts for edge in (part, part + 1))
        size = even_cuts(stop - start, self.most)
        for first in range(start, stop, size):
            rows = slice(first, min(first + size, stop))
            block = scratch.array("logits", (rows.stop - first, len(self.ones)), self.x.dtype)
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # as in losses.py
                np.matmul(self.x[rows], self.layer, out=block)
                sums = self._score(rows, block)
                if self.need_gradient:
                    scale = (self.shares[rows] / sums)[:, None]
                    np.multiply(block @ self.turned, scale, out=self.dx[rows])
                    left = (self.x[rows] * scale).T
                    self._add(left, block, self.sums[part], is_first=first == start)

    def _score(self, rows: slice, block: np.ndarray) -> np.ndarray:
        """Turn logits (R, V) into d, and note losses; the sums of exponentials (R,)."""
        sums = np.empty(len(block), block.dtype)
        step = max(1, PIECE_BYTES // self.ones.nbytes)
        for first in range(0, len(block), step):
            piece = block[first : first + step]
            here = slice(rows.start + first, rows.start + first + len(piece))
            each, targets = np.arange(len(piece)), self.targets[here]
            likeliest = piece.argmax(axis=1)
            np.equal(likeliest, targets, out=self.is_right[here])
            piece -= piece[each, likeliest][:, None]
            own = piece[each, targets]
            np.exp(piece, out=piece)
            total = np.matmul(piece, self.ones, out=sums[first : first + step])
            np.subtract(np.log(total), own, out=self.losses[here])
            piece[each, targets] -= total
        return sums

    def _add(self, left: np.ndarray, right: np.ndarray, to: np.ndarray, *, is_first: bool) -> None:
        """Add ``left (H, R) @ right (R, V)``, piece by piece; ``to`` has nothing in it at first."""
        if is_first:
            np.matmul(left, right, out=to)
            return
        width = max(1, BLOCK_BYTES // (len(to) * to.itemsize))
        for first in range(0, right.shape[1], width):
            to[:, first : first + width] += left @ right[:, first : first + width]


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
