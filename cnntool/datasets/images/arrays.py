"""Images and classes as arrays that somebody else made, and from an .npz archive of them."""

from __future__ import annotations

import itertools
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.datasets.images.dataset import Dataset, Levels, found_levels
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.npy import most_bytes, read_header, read_values
from cnntool.files.streams import plain_errors
from cnntool.wording import counted, joined, nan_count

PARTS = {
    "train": (("x", "y"), ("x_train", "y_train")),
    "validation": (("x_val", "y_val"), ("x_validation", "y_validation")),
    "test": (("x_test", "y_test"),),
}
"""What the arrays of a part may be called."""

MOST_NAMES = 8


def load_npz(path: Path, expected: Levels | None = None) -> Parts:
    """x and y, or x_train and y_train, x_val and y_val, x_test and y_test: those that are there.

    Shapes and types as for `dataset.dataset_of`; the archive may also hold `labels`, the names of
    the classes, and `white` and `black`, their values. Other arrays are named in a note. Pickled
    objects are never loaded. InputError for what is missing, malformed or does not fit into memory.
    """
    name = str(path)
    with plain_errors(name):
        if not path.is_file():  # an archive is read from its end, which a pipe has not
            raise InputError(f"{name} is no regular file: write it with numpy.savez")
        if not zipfile.is_zipfile(path):
            raise InputError(f"{name} is no .npz archive: write it with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            return _load(archive, name, expected)


def _load(archive: zipfile.ZipFile, name: str, expected: Levels | None) -> Parts:
    keys = {member.removesuffix(".npy") for member in archive.namelist()}
    if "header" in keys and any(key.startswith("params/") for key in keys):
        raise InputError(
            f"{name} is a model, and labelled images are expected in its place: name digits, a "
            "folder with one sub-folder a class, or an archive with x and y"
        )
    arrays = {part: pair for part in PARTS if (pair := _pair(part, keys, name)) is not None}
    if not arrays:
        raise InputError(
            f"{name} holds {some(keys) or 'nothing'}: expected x and y, or x_train and y_train"
        )
    labels = _labels(archive, keys, name)
    white, black = (_number(archive, key, keys, name) for key in ("white", "black"))
    parts: dict[str, Dataset] = {}
    levels: dict[str, Any] = {}
    for part, (x, y) in arrays.items():
        title = name if part == "train" else f"{name} ({x})"
        images, classes = read_array(archive, x, name), read_array(archive, y, name)
        data = dataset_of(images, classes, title, labels, white, black, expected)
        parts[part] = replace(data, **levels)
        if not levels:  # those of the first part hold for all
            white, black = data.scale, data.black
            levels = {"white": data.white, "notes": ()}
    known = {"white", "black", "labels", *itertools.chain(*arrays.values())}
    others = keys - known
    note = f"{name}: {some(others)} left out, beside {some(keys & known)}"
    return Parts(**parts, about=[note] if others else ())


def _pair(part: str, keys: set[str], name: str) -> tuple[str, str] | None:
    """What the images and the classes of a part are called; None where neither is there."""
    for x, y in PARTS[part]:
        if x in keys and y in keys:
            return x, y
        if x in keys or y in keys:
            there, missing = (x, y) if x in keys else (y, x)
            raise InputError(f"{name} has {there} but no {missing}: save both")
    return None


def _number(archive: zipfile.ZipFile, key: str, keys: set[str], name: str) -> float | None:
    if key not in keys:
        return None
    value = read_array(archive, key, name)
    if value.size != 1 or value.dtype.kind not in "uif":
        raise InputError(f"{name}: {key} has shape {value.shape}, expected one number")
    return float(value.reshape(())[()])


def _labels(archive: zipfile.ZipFile, keys: set[str], name: str) -> tuple[str, ...] | None:
    if "labels" not in keys:
        return None
    words = read_array(archive, "labels", name)
    labels = tuple(words.astype(str).tolist()) if words.ndim == 1 else ()
    if len(set(labels)) != len(labels) or not labels:
        raise InputError(f"{name}: labels has shape {words.shape}, expected (K,), all different")
    return labels


def some(names: set[str]) -> str:
    """Some names in order, in words."""
    first = sorted(names)[:MOST_NAMES]
    more = [f"{len(names) - len(first):,} more"] if len(names) > len(first) else []
    return joined([*first, *more])


def read_array(archive: zipfile.ZipFile, key: str, name: str) -> np.ndarray:
    """One of the arrays of an archive; InputError where it is malformed or memory too small."""
    member = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    label = f"{name}: {key}"
    with archive.open(member) as file:
        header = read_header(file, label)
        shape = header.shape
        check_fits(label, shape[0] if shape else 1, shape[1:], header.dtype.itemsize)
        return read_values(file, header, label, most_bytes(archive.getinfo(member)))


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
