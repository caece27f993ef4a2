"""CIFAR-10 in its binary version.

Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009, and the
"Binary version" of https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.streams import plain_errors
from cnntool.wording import counted

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # the class, then red, green and blue, each row by row
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The classes, where batches.meta.txt is missing."""
LONGEST_NAMES = 1 << 16
"""Bytes of the file that names the classes."""

BATCH = re.compile(r"(data|test)_batch(_\d+)?(\.bin)?")


def is_cifar_folder(folder: Path) -> bool:
    """Whether a folder holds files that are called like CIFAR-10's."""
    return any(BATCH.fullmatch(path.name) and path.is_file() for path in folder.iterdir())


def load_cifar_folder(folder: Path) -> Parts:
    """data_batch_*.bin as one training part, test_batch.bin as the test part; one is enough.

    batches.meta.txt names the classes. InputError for files that are no whole number of records.
    """
    batches = [path for path in folder.iterdir() if BATCH.fullmatch(path.name) and path.is_file()]
    pickled = [path.name for path in batches if path.suffix != ".bin"]
    if pickled and len(pickled) == len(batches):
        raise InputError(
            f"{folder} holds CIFAR-10 for Python ({min(pickled)}), which is pickled: download the "
            "binary version (data_batch_1.bin)"
        )
    labels = _labels(folder)
    parts: dict[str, Any] = {}
    for part, start, name in (
        ("train", "data_batch", str(folder)),
        ("test", "test_batch", f"{folder} (test_batch.bin)"),
    ):
        own = [path for path in batches if path.name.startswith(start) and path.suffix == ".bin"]
        if own:
            own.sort(key=lambda path: int(re.sub(r"\D", "", path.name) or 0))
            parts[part] = read_batches(own, labels, name)
    return Parts(**parts)


def load_cifar_file(path: Path) -> Parts:
    """One batch, with the classes named by a batches.meta.txt beside it."""
    return Parts(read_batches([path], _labels(path.parent), str(path)))


def read_batches(paths: Sequence[Path], labels: tuple[str, ...], name: str) -> Dataset:
    """The records of some files, one after the other. InputError for a malformed file."""
    counts = [_count(path) for path in paths]
    check_fits(name, sum(counts), (RECORD,), 2)  # the records, and the pixels without the classes
    records = np.empty((sum(counts), RECORD), np.uint8)
    start = 0
    for path, count in zip(paths, counts, strict=True):
        with plain_errors(str(path)):
            records[start : start + count] = np.fromfile(path, np.uint8).reshape(count, RECORD)
        worst = int(records[start : start + count, 0].max())
        if worst >= len(labels):
            raise InputError(
                f"{path} has the class number {worst}, expected 0 to {len(labels) - 1}: "
                "is it CIFAR-10 in its binary version?"
            )
        start += count
    x = np.ascontiguousarray(records[:, 1:]).reshape(-1, *SHAPE)
    return Dataset(x, records[:, 0].astype(np.int64), labels, name)


def _count(path: Path) -> int:
    with plain_errors(str(path)):
        size = path.stat().st_size
    if size == 0 or size % RECORD:
        raise InputError(
            f"{path} has {size:,} bytes, expected a whole number of records of {RECORD:,}: it is "
            "cut short or no CIFAR-10 in its binary version"
        )
    return size // RECORD


def _labels(folder: Path) -> tuple[str, ...]:
    path = folder / "batches.meta.txt"
    if not path.exists():
        return LABELS
    with plain_errors(str(path)), open(path, "rb") as file:
        names = file.read(LONGEST_NAMES).decode("utf-8").split()
    if len(names) < 2 or len(set(names)) < len(names):
        count = counted(len(names), "name")
        raise InputError(f"{path} has {count}, expected ten different ones, one a line")
    return tuple(names)
