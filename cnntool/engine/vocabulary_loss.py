"""Output layer, softmax and cross-entropy over a vocabulary, fused: a block of rows at a time.

600 words of a text against a vocabulary of 10,000 are six million logits. Held as one matrix, each
of a dozen passes over them waits for memory; here a block of rows goes the whole way, to its loss
and gradients, before the next one is begun. With w the row's share in the mean:

    a = x W + b
    e = exp(a - max a),  s = sum e      row by row; s is a product with ones
    loss = log s - (a - max a) at the target
    d = e,  less s at the target        s times the softmax's gradient
    dx = w / s (d W^T),  dW = (w / s x)^T d,  db = (w / s)^T d

Where logits are many to an input, only what cannot be done to the small sides is done to them: x
and dx are scaled, not d, and the bias is one more row of the products, ``[x 1] [W; b]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.fast.blocks import share_products
from cnntool.engine.fast.products import multiply, multiply_over_pixels
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.linear import check_ids
from cnntool.engine.losses import row_shares
from cnntool.engine.windows import even_cuts

BLOCK_BYTES = 6 << 20
"""Logits of a block, which one thread holds: few rows make slow products, many leave the cache."""

FEWEST_ROWS = 128
"""Of a block, however large the vocabulary: each reads all weights and adds to all gradients."""

PIECE_BYTES = 1 << 19
"""Logits that go from their maximum to their sum in one go, in the second-level cache."""

PARTIAL_SUMS = 8
"""Of the weight's gradient at most: their number hangs on shapes alone, so the result does too."""

SUMS_BYTES = 1 << 26
"""Of all partial sums together, from which on there are two."""

ROWS_OF_A_SUM, PRODUCTS_OF_A_SUM = 128, 5_000_000
"""That are worth a partial sum of their own: rows, and multiplications of one product."""

WIDE = 8
"""Logits an input from which on the small sides take the work."""

WIDE_BYTES = 1 << 23
"""Of weights, up to which they may: it takes a copy of them."""


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
        self.x, self.targets, self.shares = x, targets, shares.astype(x.dtype)
        lies_well = weight.flags.c_contiguous or weight.flags.f_contiguous
        self.weight = weight if lies_well else np.ascontiguousarray(weight)
        self.bias = np.zeros(vocabulary, x.dtype) if bias is None else np.asarray(bias, x.dtype)
        self.is_wide = vocabulary >= WIDE * inputs > 0 and weight.nbytes <= WIDE_BYTES
        if self.is_wide:
            self.x = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
            self.weight = np.concatenate([weight, self.bias[None]])
        self.ones = np.ones(vocabulary, x.dtype)
        self.losses, self.is_right = np.empty(len(x)), np.empty(len(x), bool)

        self.most = max(FEWEST_ROWS, BLOCK_BYTES // self.ones.nbytes)
        self.products = len(x) * weight.size
        affordable = max(2, min(PARTIAL_SUMS, SUMS_BYTES // max(1, weight.nbytes)))
        worth = min(affordable, len(x) // ROWS_OF_A_SUM, self.products // PRODUCTS_OF_A_SUM)
        self.parts = 1 << max(1, worth).bit_length() - 1  # a power of 2: no core waits for another
        self.need_gradient = need_gradient
        if need_gradient:
            self.dx = np.empty((len(x), inputs), x.dtype)
            self.sums = np.empty((self.parts, inputs + 1, vocabulary), x.dtype)

    def run(self) -> None:
        share_products(range(self.parts), self._part, self.products)

    def _part(self, part: int, scratch: Scratch) -> None:
        """Some rows, block by block; their gradients add up in this part's own sum."""
        start, stop = (len(self.x) * edge // self.parts for edge in (part, part + 1))
        size = even_cuts(stop - start, self.most)
        for first in range(start, stop, size):
            rows = slice(first, min(first + size, stop))
            block = scratch.array("logits", (rows.stop - first, len(self.ones)), self.x.dtype)
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # as in losses.py
                self._multiply(self.x[rows], self.weight, out=block)
                if not self.is_wide:
                    block += self.bias
                sums = self._score(rows, block)
                if self.need_gradient:
                    scale = (self.shares[rows] / sums)[:, None]
                    self._go_back(rows, block, scale, self.sums[part], is_first=first == start)

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

    def _go_back(
        self, rows: slice, d: np.ndarray, scale: np.ndarray, total: np.ndarray, *, is_first: bool
    ) -> None:
        """dx of some rows, and what they add to the gradient [dW; db]."""
        inputs = self.dx.shape[1]
        if self.is_wide:
            product = multiply_over_pixels(d[None], self.weight[None, :inputs])[0]
            np.multiply(product, scale, out=self.dx[rows])
            left = (self.x[rows] * scale).T
        else:
            d *= scale
            np.matmul(d, self.weight.T, out=self.dx[rows])
            left = self.x[rows].T
            bias_sum = np.ones(len(d), d.dtype) @ d
            total[-1] = bias_sum if is_first else total[-1] + bias_sum
        self._add(left, d, total[: len(left)], is_first=is_first)

    def _add(self, left: np.ndarray, right: np.ndarray, to: np.ndarray, *, is_first: bool) -> None:
        """Add ``left (K, R) @ right (R, V)``, piece by piece; ``to`` has nothing in it at first."""
        if is_first:
            self._multiply(left, right, out=to)
            return
        width = even_cuts(right.shape[1], max(1, BLOCK_BYTES // (len(to) * to.itemsize)))
        for first in range(0, right.shape[1], width):
            piece = right[:, first : first + width]
            product = np.empty((len(to), piece.shape[1]), to.dtype)
            to[:, first : first + width] += self._multiply(left, piece, out=product)

    def _multiply(self, left: np.ndarray, right: np.ndarray, out: np.ndarray) -> np.ndarray:
        if self.is_wide:
            multiply(left[None], right[None], out=out[None])
            return out
        return np.matmul(left, right, out=out)


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
