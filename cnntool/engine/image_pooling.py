"""Pools of images, forward only: of the six there are, min and median are made for them alone."""

from __future__ import annotations

import numpy as np

from cnntool.choices import POOLS
from cnntool.engine.arrays import as_numbers, float_dtype
from cnntool.engine.fast.layout import as_maps, as_planes
from cnntool.engine.medians import median_planes
from cnntool.engine.pool_reductions import (
    checked_p,
    counts,
    extreme,
    gaussian_weights,
    norm,
    ones,
    pool_maps,
    pool_planes,
    weight_sums,
    weighted_mean,
)
from cnntool.engine.pool_windows import Size, plan_maps, plan_pool
from cnntool.engine.windows import Axis, AxisPaddings


def pool_image(
    image: np.ndarray,
    mode: str,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    *,
    count_include_pad: bool = False,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """Pool an image (H, W, C) by windows, each channel for itself: (oh, ow, C).

    ``mode`` is ``max``, ``min`` or ``median``, in the image's own dtype, or ``average``, ``lp``
    (with ``p`` and ``mean``) or ``gaussian`` (with ``sigma``), in float32 (float64 of float64).
    Each is what the function of that name makes of maps, and sizes are as there. ``ceil_mode``
    keeps a last partial window, made of the pixels there are; without it that window is dropped.

    Memory beside image and result is a few blocks a thread. Raises ValueError where no window fits
    or a setting is out of range.
    """
    image = as_numbers(image)
    check_image(image, mode)
    axes = plan_pool(image.shape[:2], kernel_size, stride, padding, dilation, ceil_mode)
    return pool_windows(
        image,
        mode,
        axes,
        count_include_pad=count_include_pad,
        p=p,
        sigma=sigma,
        mean=mean,
        threads=threads,
    )


def pool_windows(
    image: np.ndarray,
    mode: str,
    axes: tuple[Axis, Axis],
    *,
    count_include_pad: bool = False,
    p: float = 2.0,
    sigma: float | None = None,
    mean: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """:func:`pool_image` by windows that are planned, rows and columns."""
    planes, dtype = image[None], float_dtype(image)
    if mode == "median":
        return median_planes(planes, *axes, threads)[0]
    if mode in ("max", "min"):
        reduction = extreme(np.maximum if mode == "max" else np.minimum, image.dtype)
    elif mode == "average":
        reduction = weighted_mean(dtype, ones(*axes), counts(*axes, count_include_pad))
    elif mode == "lp":
        reduction = norm(*axes, dtype, checked_p(p), mean)
    else:
        weights = gaussian_weights(*axes, sigma)
        reduction = weighted_mean(dtype, weights, weight_sums(*axes, weights))
    return pool_planes(planes, *axes, reduction, threads)[0]


def check_image(image: np.ndarray, mode: str) -> None:
    """Raise ValueError where an image is none, or the mode is another."""
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"an image has shape (H, W, C), not {image.shape}")
    if mode not in POOLS:
        raise ValueError(f"mode is '{mode}': expected one of {', '.join(POOLS)}")


def min_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> np.ndarray:
    """The smallest element of every window of x (N, C, H, W): (N, C, oh, ow) in x's own dtype.

    Sizes and errors are as in :func:`~cnntool.engine.max_pooling.max_pool2d`; the padding counts as
    infinity.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    return pool_maps(x, rows, columns, extreme(np.minimum, x.dtype))


def median_pool2d(
    x: np.ndarray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: AxisPaddings = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> np.ndarray:
    """The median of every window of x (N, C, H, W): (N, C, oh, ow) in x's own dtype.

    Of the elements inside x alone. Of an even number the mean of the middle two, as
    ``numpy.median``; integers round half up (where ``scipy.ndimage.median_filter`` takes the upper
    of the two). A window with a NaN is NaN. Sizes and errors are as in
    :func:`~cnntool.engine.max_pooling.max_pool2d`.
    """
    x = as_numbers(x)
    rows, columns = plan_maps(x, kernel_size, stride, padding, dilation, ceil_mode)
    return as_maps(median_planes(as_planes(x), rows, columns), *x.shape[:2])
