"""A data set of arrays that somebody else made."""

from __future__ import annotations

import math

import numpy as np

from cnntool.datasets.images.dataset import Dataset, Levels, found_levels
from cnntool.errors import InputError
from cnntool.wording import counted, nan_count

MOST_CHANNELS = 4
MOST_CLASSES = 1000
"""More classes than this are taken for an error, unless there are as many images."""

UNITS = (1.0, 255.0, 65535.0)
"""What numbers that do not say are divided by: the smallest that none exceeds."""

LARGEST_VALUE = 1e15
"""Squares of greater numbers, added up over many, come near the end of float32."""


def dataset_of(
    x: np.ndarray,
    y: np.ndarray,
    name: str,
    labels: tuple[str, ...] | None = None,
    white: float | None = None,
    black: float | None = None,
    expected: Levels | None = None,
) -> Dataset:
    """A Dataset of arrays that somebody else made.

    x: (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 to 4 channels; bool, integers or floats.
    y: (N,) or (N, 1): class numbers from 0, or the classes' names.
    labels: the names of the classes; without them, the numbers.
    white, black: their values; without them the likeliest by :func:`dataset.levels_of`, or those
        that are ``expected``, in units of white, where they are as likely.

    Integers from 0 to 255 become uint8, all else float32. InputError for what does not fit.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(
            f"{name}: y has shape {y.shape}, expected (N,): save class numbers, y.argmax(axis=1) "
            "of one-hot rows"
        )
    count = len(x) if x.ndim else 0
    if count != len(y):
        raise InputError(
            f"{name} has {counted(count, 'image')} and {counted(len(y), 'label')}: each image "
            "needs one label"
        )
    if not count:
        raise InputError(f"{name} has no images: its x has shape {x.shape}")
    x = channels_first(x, name)
    classes, labels = numbered(y, labels, name)
    low, high = float(x.min()) + 0.0, float(x.max()) + 0.0  # never -0
    unit = unit_of(low, high, x.dtype, name) if white is None else white
    _check_range(low, high, unit, name)
    likely, note = found_levels(low, high, unit, expected, name)
    levels = likely[0] if black is None else black, likely[1] if white is None else white
    if levels[0] >= levels[1]:
        raise InputError(f"{name}: black is {levels[0]:g} and white {levels[1]:g}: expected less")
    is_told = note and levels == likely
    notes = (f"{note}; save others as 'black' and 'white'",) if is_told else ()
    return Dataset(
        _stored(x, low, high), classes, labels, name, levels[1], notes, None, levels[0], unit
    )


def _check_range(low: float, high: float, unit: float, name: str) -> None:
    """InputError for numbers that no arithmetic of float32 comes through."""
    if not 0 < unit < math.inf:
        raise InputError(f"{name}: white is {unit:g}, expected a number over 0")
    largest = max(-low, high)
    if largest > LARGEST_VALUE or largest / unit > LARGEST_VALUE:
        raise InputError(
            f"{name}: x runs from {low:g} to {high:g}, with {unit:g} as white, and numbers up to "
            f"{LARGEST_VALUE:g} are computed with: scale it, such as x / abs(x).max()"
        )


def channels_first(x: np.ndarray, name: str) -> np.ndarray:
    """Images as (N, C, H, W): an axis of 1 to 4 is that of the channels, the second before the
    last. InputError for other shapes and for values that are no finite numbers."""
    if x.dtype.kind not in "buif":
        raise InputError(f"{name}: x holds {x.dtype} values, expected bool, integers or floats")
    if x.ndim not in (3, 4):
        raise InputError(
            f"{name}: x has shape {x.shape}, expected (N, H, W), (N, C, H, W) or (N, H, W, C)"
        )
    if not x.size:
        raise InputError(
            f"{name}: x has shape {x.shape}, so its images have no pixels: save images of at least "
            "one row, one column and one channel"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(np.count_nonzero(~np.isfinite(x)))
        raise InputError(f"{name}: x holds {nan_count(bad, 'value')}: replace them")
    if x.ndim == 3:
        return x[:, None]
    if x.shape[1] <= MOST_CHANNELS:
        return x
    if x.shape[3] <= MOST_CHANNELS:
        return x.transpose(0, 3, 1, 2)
    raise InputError(
        f"{name}: x has shape {x.shape}, of which neither the second nor the last axis is one of "
        f"1 to {MOST_CHANNELS} channels: save (N, C, H, W) or (N, H, W, C)"
    )


def numbered(
    y: np.ndarray, labels: tuple[str, ...] | None, name: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes (N,) as int64, and the labels (K,) they index. InputError for what is no class."""
    if y.dtype.kind in "US":
        words = y.astype(str)
        if labels is None:
            found, classes = np.unique(words, return_inverse=True)
            return classes.astype(np.int64), tuple(found.tolist())
        places = {label: place for place, label in enumerate(labels)}
        unknown = next((word for word in words.tolist() if word not in places), None)
        if unknown is not None:
            raise InputError(f"{name}: y has the class {unknown!r}, which labels has not")
        return np.array([places[word] for word in words.tolist()], np.int64), labels
    if y.dtype.kind not in "buif" or (y.dtype.kind == "f" and (y != np.floor(y)).any()):
        raise InputError(f"{name}: y holds {y.dtype} values, expected class numbers 0, 1, 2, ...")
    low, high = int(y.min()), int(y.max())
    most = max(MOST_CLASSES, len(y)) if labels is None else len(labels)
    if low < 0 or high >= most:
        strange = low if low < 0 else high
        allowed = f"0 to {most - 1}" + (
            "" if labels is None else f", one for each of {counted(most, 'label')}"
        )
        raise InputError(f"{name}: y has the class number {strange}, expected {allowed}")
    if labels is None:
        labels = tuple(str(number) for number in range(high + 1))
    return y.astype(np.int64), labels


def unit_of(low: float, high: float, dtype: np.dtype, name: str) -> float:
    """What an array that does not say is divided by. InputError where no guess is sound."""
    fixed = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}.get(dtype.name)
    if fixed is not None:
        return fixed
    for unit in UNITS:
        if high <= unit or low < 0:
            return unit
    raise InputError(
        f"{name}: x runs from {low:g} to {high:g}, so what is white? Save its value as 'white'"
    )


def _stored(x: np.ndarray, low: float, high: float) -> np.ndarray:
    whole = x.dtype.kind in "bui" and low >= 0 and high <= 255
    return np.ascontiguousarray(x, np.uint8 if whole else np.float32)
