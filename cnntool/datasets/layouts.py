"""Arrays as people save them, brought into the one layout that a Dataset has."""

from __future__ import annotations

import numpy as np

from cnntool.datasets.dataset import Dataset
from cnntool.errors import InputError
from cnntool.wording import counted

MOST_CHANNELS = 4
MOST_CLASSES = 1000
"""More classes than this are taken for an error, unless there are as many images."""


def dataset_of(
    x: np.ndarray,
    y: np.ndarray,
    name: str,
    labels: tuple[str, ...] | None = None,
    white: float | None = None,
) -> Dataset:
    """A Dataset of arrays that somebody else made.

    x: (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 to 4 channels; bool, integers or floats.
    y: (N,) or (N, 1): class numbers from 0, or the classes' names.
    labels: the names of the classes; without them, the numbers.
    white: the value of white; without it, 255 for uint8, 1 for bool, 65535 for uint16, and for
        other numbers the smallest of 1, 255 and 65535 that none exceeds (1 where some are
        negative: they have been normalized already).

    Integers from 0 to 255 become uint8, all else float32. InputError for what does not fit.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(
            f"{name}: y has shape {y.shape}, expected (N,): save class numbers, y.argmax(axis=1) "
            "of one-hot rows"
        )
    if len(x) != len(y):
        raise InputError(
            f"{name} has {counted(len(x), 'image')} and {counted(len(y), 'label')}: each image "
            "needs one label"
        )
    if not len(x):
        raise InputError(f"{name} has no images: its x has shape {x.shape}")
    x = channels_first(x, name)
    classes, labels = numbered(y, labels, name)
    white = white_of(x, name) if white is None else float(white)
    if not 0 < white < float("inf"):
        raise InputError(f"{name}: white is {white:g}, expected a number over 0")
    notes = ()
    if x.dtype.kind == "f" and x.min() < 0:
        notes = (
            f"{name}: values run from {x.min():.3g} to {x.max():.3g}, with {white:g} as white",
        )
    return Dataset(_stored(x), classes, labels, name, white, notes)


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
        bad = np.count_nonzero(~np.isfinite(x))
        raise InputError(f"{name}: x holds {bad:,} values that are NaN or infinite: replace them")
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


def white_of(x: np.ndarray, name: str) -> float:
    """The value of white in an array that does not say. InputError where no guess is sound."""
    fixed = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}.get(x.dtype.name)
    if fixed is not None:
        return fixed
    low, high = float(x.min()), float(x.max())
    for white in (1.0, 255.0, 65535.0):
        if high <= white or low < 0:
            return white
    raise InputError(
        f"{name}: x runs from {low:g} to {high:g}, so what is white? Save its value as 'white'"
    )


def _stored(x: np.ndarray) -> np.ndarray:
    whole = x.dtype.kind in "bui" and x.min() >= 0 and x.max() <= 255
    return np.ascontiguousarray(x, np.uint8 if whole else np.float32)
