"""Pools of signals (N, C, L): the two-dimensional ones over maps one row high."""

from __future__ import annotations

import numpy as np

from cnntool.engine.max_pooling import (
    MaxPoolCache,
    max_pool2d,
    max_pool2d_backward,
    max_pool2d_indices,
)
from cnntool.engine.pooling import (
    LpPoolCache,
    MeanPoolCache,
    average_pool2d,
    average_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
)
from cnntool.engine.windows import Padding


def max_pool1d(
    x: np.ndarray,
    kernel_size: int,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    *,
    keep_winners: bool = True,
) -> tuple[np.ndarray, MaxPoolCache]:
    """:func:`~cnntool.engine.max_pooling.max_pool2d` of x (N, C, L): (N, C, output length).

    ``padding`` is a number or (before, after).
    """
    windows = _in_one_row(kernel_size, stride, padding, dilation)
    y, cache = max_pool2d(_as_maps(x), *windows, ceil_mode, keep_winners=keep_winners)
    return y[:, :, 0], cache


def max_pool1d_backward(dy: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """The gradient by x (N, C, L)."""
    return max_pool2d_backward(_as_maps(dy), cache)[:, :, 0]


def max_pool1d_indices(cache: MaxPoolCache) -> np.ndarray:
    """Where in its signal each window's winner lies: (N, C, output length) int64."""
    return max_pool2d_indices(cache)[:, :, 0]


def average_pool1d(
    x: np.ndarray,
    kernel_size: int,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = False,
) -> tuple[np.ndarray, MeanPoolCache]:
    """:func:`~cnntool.engine.pooling.average_pool2d` of x (N, C, L): (N, C, output length)."""
    windows = _in_one_row(kernel_size, stride, padding, dilation)
    y, cache = average_pool2d(_as_maps(x), *windows, ceil_mode, count_include_pad=count_include_pad)
    return y[:, :, 0], cache


def average_pool1d_backward(dy: np.ndarray, cache: MeanPoolCache) -> np.ndarray:
    """The gradient by x (N, C, L)."""
    return average_pool2d_backward(_as_maps(dy), cache)[:, :, 0]


def lp_pool1d(
    x: np.ndarray,
    kernel_size: int,
    p: float = 2.0,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    *,
    mean: bool = False,
) -> tuple[np.ndarray, LpPoolCache]:
    """:func:`~cnntool.engine.pooling.lp_pool2d` of x (N, C, L): (N, C, output length)."""
    size, *windows = _in_one_row(kernel_size, stride, padding, dilation)
    y, cache = lp_pool2d(_as_maps(x), size, p, *windows, ceil_mode, mean=mean)
    return y[:, :, 0], cache


def lp_pool1d_backward(dy: np.ndarray, cache: LpPoolCache) -> np.ndarray:
    """The gradient by x (N, C, L)."""
    return lp_pool2d_backward(_as_maps(dy), cache)[:, :, 0]


def _as_maps(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim != 3:
        raise ValueError(f"x has shape {x.shape}: expected (N, C, L)")
    return x[:, :, None]


def _in_one_row(kernel_size: int, stride: int | None, padding: Padding, dilation: int) -> tuple:
    stride = None if stride is None else (1, stride)
    return (1, kernel_size), stride, (0, padding), (1, dilation)
