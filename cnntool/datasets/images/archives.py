"""Images and classes from an .npz archive."""

from __future__ import annotations

import itertools
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.datasets.images.arrays import dataset_of
from cnntool.datasets.images.dataset import Dataset, Levels
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.npy import most_bytes, read_header, read_values
from cnntool.files.streams import plain_errors
from cnntool.wording import joined

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
