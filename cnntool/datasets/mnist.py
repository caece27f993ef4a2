"""A folder of IDX files: MNIST, Fashion-MNIST and others that keep their names."""

from __future__ import annotations

import re
from pathlib import Path

from cnntool.datasets.dataset import Dataset
from cnntool.datasets.idx import read_idx
from cnntool.datasets.layouts import dataset_of
from cnntool.datasets.parts import Parts, joined
from cnntool.errors import InputError
from cnntool.wording import counted

NAME = re.compile(
    r"(?P<part>train|t10k|test)[-_.](?P<what>images|labels)"
    r"[-_.]idx[134][-_.]ubyte(\.gz)?",
    re.IGNORECASE,
)


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds files that are called like MNIST's."""
    return any(NAME.fullmatch(path.name) for path in folder.iterdir())


def load_idx_folder(folder: Path) -> Parts:
    """train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-* as the test part.

    Names may have dots (train-images.idx3-ubyte) and end in .gz; where both are there, the file
    without .gz is read. Labels are '0', '1', ... InputError for files that are missing, malformed
    or disagree.
    """
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name)):
        if name := NAME.fullmatch(path.name):
            part = "train" if name["part"].lower() == "train" else "test"
            found.setdefault((part, name["what"].lower()), path)
    train = _load_part(folder, found, "train")
    test = None
    if any(part == "test" for part, _ in found):
        test = _load_part(folder, found, "test")
    return joined(train, test=test)


def _load_part(folder: Path, found: dict[tuple[str, str], Path], part: str) -> Dataset:
    paths = []
    prefix = "train" if part == "train" else "t10k"
    for what, axes in (("images", 3), ("labels", 1)):
        if (part, what) not in found:
            raise InputError(
                f"{folder} has no {prefix}-{what}-idx{axes}-ubyte, with or without .gz"
            )
        paths.append(found[part, what])
    images, labels = (read_idx(path) for path in paths)
    if images.ndim not in (3, 4):
        raise InputError(
            f"{paths[0]} has {images.ndim} dimensions, expected 3 (images, rows, columns) or 4"
        )
    if labels.ndim != 1 or labels.dtype.kind == "f":
        raise InputError(
            f"{paths[1]} has {labels.ndim} dimensions of {labels.dtype}, expected one of class "
            "numbers"
        )
    if len(images) != len(labels):
        raise InputError(
            f"{paths[0]} has {counted(len(images), 'image')}, {paths[1].name} has "
            f"{counted(len(labels), 'label')}: "
            "they must be as many"
        )
    return dataset_of(images, labels, f"{folder}" if part == "train" else f"{folder} ({prefix})")
