"""A folder of IDX files: MNIST, Fashion-MNIST and others that keep their names."""

from __future__ import annotations

import gzip
import math
import os
import re
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from cnntool.datasets.images.arrays import dataset_of
from cnntool.datasets.images.dataset import Dataset, Levels
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.memory import check_fits
from cnntool.errors import InputError
from cnntool.files.limits import DEFLATED
from cnntool.files.streams import cut_short, damaged, open_path, plain_errors
from cnntool.wording import counted, joined

NAME = re.compile(
    r"((?P<set>.+)[-_.])?(?P<part>train|t10k|test)[-_.](?P<what>images|labels)"
    r"[-_.]idx[134][-_.]ubyte(\.gz)?",
    re.IGNORECASE,
)

ON_THEIR_SIDE = (
    "EMNIST is published with the rows of its images as columns: for upright pictures, save "
    "x.swapaxes(1, 2) and y in an archive"
)
"""Source: G. Cohen et al., EMNIST: extending MNIST to handwritten letters, IJCNN 2017, whose files
keep MATLAB's order."""


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds files that are called like MNIST's."""
    return any(NAME.fullmatch(path.name) and path.is_file() for path in folder.iterdir())


def load_idx_folder(folder: Path, expected: Levels | None = None) -> Parts:
    """train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-* or test-* as the test part.

    Names may have dots (train-images.idx3-ubyte), begin with the set's (emnist-digits-train-...)
    and end in .gz; where both are there, the file without .gz is read. One of the parts is enough.
    Labels are '0', '1', ... InputError for files that are missing, malformed or disagree, and for
    those of several sets.
    """
    sets: dict[str, dict[tuple[str, str], Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name)):
        if (name := NAME.fullmatch(path.name)) and path.is_file():
            part = "train" if name["part"].lower() == "train" else "test"
            files = sets.setdefault(name["set"] or "", {})
            files.setdefault((part, name["what"].lower()), path)
    chosen = "" if "" in sets else next(iter(sets))
    others = joined(sorted(sets.keys() - {chosen}))
    if others and chosen:
        raise InputError(
            f"{folder} holds files of {chosen} and {others}: give each set a folder of its own"
        )
    found = sets[chosen]
    parts = {
        part: _load_part(folder, found, part, expected)
        for part in ("train", "test")
        if any(each == part for each, _ in found)
    }
    about = [f"{folder}: files of {others} left out, beside those of no name"] if others else []
    about += [f"{folder}: {ON_THEIR_SIDE}"] if chosen.lower().startswith("emnist") else []
    return Parts(**parts, about=about)


def _load_part(
    folder: Path, found: dict[tuple[str, str], Path], part: str, expected: Levels | None
) -> Dataset:
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
    name = f"{folder}" if part == "train" else f"{folder} ({prefix})"
    return dataset_of(images, labels, name, expected=expected)


DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
MOST_DIMENSIONS = 8


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array of an IDX file, in the machine's byte order; gzip is found by its content.

    A file is: two zero bytes, a byte for the type of the items, a byte for the number of
    dimensions, each dimension in 4 bytes, and the items; every number big-endian.

    InputError for a file that is no IDX, that ends too soon or goes on too long.
    """
    name = os.fspath(path)
    with open_path(path, name, "an IDX file") as file, plain_errors(name):
        packed = file.read(2) == GZIP
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if not packed:
            return _read(file, name, size)
        try:
            with gzip.open(file) as stream:
                return _read(stream, name, size * DEFLATED)
        except EOFError:
            raise cut_short(name, "its gzip data ends before its end mark") from None
        except gzip.BadGzipFile as error:
            raise damaged(name, f"its gzip data is wrong ({error})") from None


def _read(stream: BufferedIOBase, name: str, most: int) -> np.ndarray:
    """The array of a stream that can have so many bytes at the most."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise cut_short(name, f"it has {counted(len(magic), 'byte')}, an IDX header has 8 or more")
    zeros, code, dimensions = magic[:2], magic[2], magic[3]
    if zeros != b"\0\0" or code not in DTYPES or not 1 <= dimensions <= MOST_DIMENSIONS:
        raise InputError(
            f"{name} is no IDX file: it starts with {magic.hex(' ')}, expected 00 00, a type "
            f"({', '.join(f'{known:02x}' for known in DTYPES)}) and 1 to {MOST_DIMENSIONS} "
            "dimensions"
        )
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise cut_short(name, f"its header ends before its {dimensions} dimensions")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    dtype = np.dtype(DTYPES[code])
    check_fits(name, shape[0], shape[1:], dtype.itemsize)
    there = most - 4 * (1 + dimensions)
    if math.prod(shape) * dtype.itemsize > there:  # before room is made for what is not there
        raise cut_short(name, f"its header says {_product(shape, dtype)}, and {there:,} are there")
    array = np.empty(shape, dtype)
    found = stream.readinto(array.reshape(-1).view(np.uint8).data)
    if found < array.nbytes:
        raise cut_short(name, f"its header says {_product(shape, dtype)}, and {found:,} are there")
    if stream.read(1):
        raise damaged(name, f"it goes on after the {_product(shape, dtype)} of its header")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _product(shape: tuple[int, ...], dtype: np.dtype) -> str:
    factors = [f"{size:,}" for size in shape]
    if dtype.itemsize > 1:
        factors.append(f"{dtype.itemsize}")
    total = math.prod(shape) * dtype.itemsize
    there = counted(total, "byte")
    return f"{' x '.join(factors)} = {there}" if len(factors) > 1 else there
