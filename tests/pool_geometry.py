"""Pools by hand: every window cut out of the padded maps one by one, and gradients by differences.

Shares nothing with the engine.
"""

import numpy as np
from hypothesis import strategies as st


@st.composite
def geometries(draw, most=12, is_symmetric=False):
    """Sizes of a map and settings of a pool that fits into it: (shape, settings)."""
    shape, kernel, stride, dilation, padding = [], [], [], [], []
    for _ in range(2):
        kernel.append(draw(st.integers(1, 4)))
        stride.append(draw(st.integers(1, 4)))
        dilation.append(draw(st.integers(1, 3)))
        extent = (kernel[-1] - 1) * dilation[-1] + 1
        most_padding = extent // 2 if dilation[-1] == 1 else kernel[-1] // 2
        before = draw(st.integers(0, most_padding))
        padding.append((before, before if is_symmetric else draw(st.integers(0, most_padding))))
        shape.append(draw(st.integers(extent, max(extent, most))))
    settings = {
        "kernel_size": tuple(kernel),
        "stride": tuple(stride),
        "padding": tuple(p[0] for p in padding) if is_symmetric else tuple(padding),
        "dilation": tuple(dilation),
        "ceil_mode": draw(st.booleans()),
    }
    return tuple(shape), settings


def pool_by_hand(x, reduce, kernel_size, stride, padding, dilation, ceil_mode):
    """``reduce(elements (N, C, n), tap positions (n, 2))`` of every window of x (N, C, H, W)."""
    axes = [
        _windows(*axis, ceil_mode)
        for axis in zip(x.shape[2:], kernel_size, stride, padding, dilation, strict=True)
    ]
    y = np.empty((*x.shape[:2], len(axes[0]), len(axes[1])))
    for i, rows in enumerate(axes[0]):
        for j, columns in enumerate(axes[1]):
            inside = [(k, m) for k, _ in rows for m, _ in columns]
            elements = np.stack([x[:, :, r, c] for _, r in rows for _, c in columns], axis=-1)
            y[:, :, i, j] = reduce(elements, np.array(inside))
    return y


def _windows(size, kernel_size, stride, padding, dilation, ceil_mode):
    """Of each window its taps inside: (tap, position)."""
    before, after = (padding, padding) if isinstance(padding, int) else padding
    extent = (kernel_size - 1) * dilation + 1
    windows, start = [], -before
    while start + extent <= size + after or (ceil_mode and start < size):
        reached = start + extent >= size + after
        taps = [(k, start + k * dilation) for k in range(kernel_size)]
        windows.append([(k, position) for k, position in taps if 0 <= position < size])
        if ceil_mode and reached:
            break
        start += stride
    return windows


def numerical_gradient(f, x, dy, step=1e-6):
    """The gradient of sum(f(x) * dy) by central differences, element by element."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        there, back = x.copy(), x.copy()
        there[index] += step
        back[index] -= step
        gradient[index] = ((f(there) - f(back)) * dy).sum() / (2 * step)
    return gradient
