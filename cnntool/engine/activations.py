"""Activations, element by element; each keeps its output, which is all its derivative needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.arrays import as_gradient, float_dtype, kept_where
from cnntool.engine.fast.layout import in_layout_of


def relu(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = max(x, 0)`` of any shape; float64 for float64, else float32. The cache is y."""
    x = np.asarray(x, float_dtype(x))
    y = np.maximum(x, x.dtype.type(0))
    return y, y


def relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy where x > 0, else 0``: at 0, where there is no derivative, 0 as in PyTorch.

    Where x is not above 0, dx is 0 even if dy is infinite or not a number.
    """
    return kept_where(y > 0, as_gradient(dy, y.shape, y.dtype))


def tanh(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = tanh(x)`` of any shape; float64 for float64, else float32. The cache is y."""
    y = np.tanh(np.asarray(x, float_dtype(x)))
    return y, y


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * (1 - y^2)``, from the output y."""
    return as_gradient(dy, y.shape, y.dtype) * (y.dtype.type(1) - y * y)


AMPLITUDE, SLOPE = 1.7159, 2 / 3
"""Of scaled tanh, so that f(1) = 1 and f(-1) = -1, and the curvature is largest there."""


def scaled_tanh(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = 1.7159 tanh(2x/3)`` of any shape; float64 for float64, else float32. The cache is y.

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86,
    1998, appendix A.
    """
    x = np.asarray(x, float_dtype(x))
    y = np.tanh(x * x.dtype.type(SLOPE)) * x.dtype.type(AMPLITUDE)
    return y, y


def scaled_tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * 2/3 * (1.7159 - y^2 / 1.7159)``, from the output y."""
    steepest, bend = y.dtype.type(SLOPE * AMPLITUDE), y.dtype.type(SLOPE / AMPLITUDE)
    return as_gradient(dy, y.shape, y.dtype) * (steepest - bend * (y * y))


def sigmoid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``y = 1 / (1 + exp(-x))`` of any shape; float64 for float64, else float32. The cache is y.

    Where ``exp(-x)`` is beyond the dtype it counts as infinite, and y is 0, which is the true value
    rounded; no number is subtracted from one close to it, so small y are as exact as large ones.
    """
    x = np.asarray(x, float_dtype(x))
    one = x.dtype.type(1)
    with np.errstate(over="ignore", under="ignore"):
        y = one / (one + np.exp(-x))
    return y, y


def sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``dx = dy * y * (1 - y)``, from the output y."""
    return as_gradient(dy, y.shape, y.dtype) * (y * (y.dtype.type(1) - y))


LEVELS = 1 << 16
"""Random numbers are drawn with 16 bits, four from one of the generator's."""


@dataclass(frozen=True, eq=False)
class DropoutCache:
    """What the way back needs."""

    kept: np.ndarray  # booleans, like x
    scale: float
    dtype: np.dtype


def dropout(
    x: np.ndarray, rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, DropoutCache]:
    """``y = x / (1 - rate)`` with probability ``1 - rate``, else 0: x of any shape.

    Every element is drawn by itself, in the order of its indices. The mean of y is x, so that
    without training a network takes x as it is (inverted dropout). Returns y, float64 of float64,
    else float32, and the cache for :func:`dropout_backward`. Raises ValueError where the rate is
    not in [0, 1).

    Source: Srivastava et al., Dropout, JMLR 15, 2014, section 10 for the scaling in training.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate is {rate}: it must be at least 0, below 1")
    x = np.asarray(x, float_dtype(x))
    kept = _draw(x.size, rate, rng).reshape(x.shape)
    if x.ndim == 4:
        kept = in_layout_of(x, kept)
    cache = DropoutCache(kept, 1 / (1 - rate), x.dtype)
    return _drop(x, cache), cache


def dropout_backward(dy: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """``dx = dy / (1 - rate)`` where x was kept, else 0."""
    return _drop(as_gradient(dy, cache.kept.shape, cache.dtype), cache)


def _drop(x: np.ndarray, cache: DropoutCache) -> np.ndarray:
    return np.multiply(kept_where(cache.kept, x), cache.dtype.type(cache.scale))


def _draw(count: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Booleans (count,), each true with a probability of exactly 1 - rate.

    A draw of 16 bits below the rate is dropped, one above is kept. The few that are equal to it in
    these bits are drawn once more, with what is left of the rate.
    """
    draws = rng.integers(0, 2**64 - 1, -(-count // 4), np.uint64, endpoint=True)
    draws = draws.view(np.uint16)[:count]
    level, rest = divmod(rate * LEVELS, 1)
    level = np.uint16(level)
    kept = draws >= level
    if rest:
        ties = np.flatnonzero(draws == level)
        kept[ties] = rng.random(len(ties)) >= rest
    return kept
