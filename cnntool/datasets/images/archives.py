"""Images and classes from an .npz archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from cnntool.datasets.images.dataset import Dataset, dataset_of
from cnntool.datasets.images.parts import Parts, joined
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.npy import read_header, read_values
from cnntool.files.streams import plain_errors

PARTS = {
    "train": (("x", "y"), ("x_train", "y_train")),
    "validation": (("x_val", "y_val"), ("x_validation", "y_validation")),
    "test": (("x_test", "y_test"),),
}
"""What the arrays of a part may be called."""


def load_npz(path: Path) -> Parts:
    """x and y (or x_train and y_train), and if they are there x_val, y_val, x_test and y_test.

    Shapes and types as for `dataset.dataset_of`; the archive may also hold `labels`, the names of
    the classes, and `white`, the value of white. Pickled objects are never loaded. InputError for
    what is missing, malformed or does not fit into memory.
    """
    name = str(path)
    with plain_errors(name):
        if not zipfile.is_zipfile(path):
            raise InputError(f"{name} is no .npz archive: write it with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            return _load(archive, name)


def _load(archive: zipfile.ZipFile, name: str) -> Parts:
    keys = {member.removesuffix(".npy") for member in archive.namelist()}
    if "header" in keys and any(key.startswith("params/") for key in keys):
        raise InputError(
            f"{name} is a model, and labelled images are expected in its place: name digits, a "
            "folder with one sub-folder a class, or an archive with x and y"
        )
    white = None
    if "white" in keys:
        value = _read(archive, "white", name)
        if value.size != 1 or value.dtype.kind not in "uif":
            raise InputError(f"{name}: white has shape {value.shape}, expected one number")
        white = float(value.reshape(())[()])
    labels = None
    if "labels" in keys:
        words = _read(archive, "labels", name)
        labels = tuple(words.astype(str).tolist()) if words.ndim == 1 else ()
        if len(set(labels)) != len(labels) or not labels:
            raise InputError(
                f"{name}: labels has shape {words.shape}, expected (K,), all different"
            )
    train = _part(archive, "train", keys, name, labels, white)
    if train is None:
        held = ", ".join(sorted(keys)[:8]) or "nothing"
        raise InputError(f"{name} holds {held}: expected x and y, or x_train and y_train")
    others = (
        _part(archive, part, keys, name, labels, train.white) for part in ("validation", "test")
    )
    return joined(train, *others)


def _part(
    archive: zipfile.ZipFile,
    part: str,
    keys: set[str],
    name: str,
    labels: tuple[str, ...] | None,
    white: float | None,
) -> Dataset | None:
    for x, y in PARTS[part]:
        if x in keys and y in keys:
            label = name if part == "train" else f"{name} ({x})"
            return dataset_of(
                _read(archive, x, name), _read(archive, y, name), label, labels, white
            )
        if x in keys or y in keys:
            there, missing = (x, y) if x in keys else (y, x)
            raise InputError(f"{name} has {there} but no {missing}: save both")
    return None


def _read(archive: zipfile.ZipFile, key: str, name: str) -> np.ndarray:
    member = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    label = f"{name}: {key}"
    with archive.open(member) as file:
        header = read_header(file, label)
        shape = header.shape
        check_fits(label, shape[0] if shape else 1, shape[1:], header.dtype.itemsize)
        return read_values(file, header, label)
