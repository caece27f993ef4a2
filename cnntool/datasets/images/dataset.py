"""What a set of labelled images is here."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from cnntool.choices import COLOURS
from cnntool.errors import InputError, RequestError
from cnntool.wording import counted, nan_count, shape_text

CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images of one size, each with its class.

    x: (N, C, H, W), uint8 or float32, from 0, which is black, to ``white``.
    y: (N,) int64, the class of each image, an index into ``labels``.
    labels: the names of the K classes.
    name: what to call the set in messages.
    white: the value of white: 255, 16 for the digits, 1 for most floats.
    notes: lines about what was left out or taken for granted when it was read.
    files: (N) paths, where each image has a file of its own; None where it has not.
    """

    x: np.ndarray
    y: np.ndarray
    labels: tuple[str, ...]
    name: str
    white: float = 255.0
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 4 or self.x.dtype not in (np.uint8, np.float32):
            raise ValueError(
                f"x is {self.x.dtype} {self.x.shape}, not uint8 or float32 (N, C, H, W)"
            )
        if self.y.shape != self.x.shape[:1] or self.y.dtype != np.int64:
            raise ValueError(f"y is {self.y.dtype} {self.y.shape}, not int64 ({len(self.x)},)")
        if self.files is not None and len(self.files) != len(self.x):
            raise ValueError(f"there are {len(self.files)} files, not {len(self.x)}")

    def __repr__(self) -> str:
        images, shape = counted(len(self), "image"), shape_text(self.image_shape)
        return f"<{self.name}: {images} of {shape} in {counted(len(self.labels), 'class')}>"

    def __len__(self) -> int:
        return len(self.x)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.x.shape[1:]

    @property
    def class_counts(self) -> np.ndarray:
        """(K,) int64: how many images each class has."""
        return np.bincount(self.y, minlength=len(self.labels))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of SHA-256 over pixels, classes and labels: the same content has
        the same fingerprint, wherever it was read from."""
        digest = hashlib.sha256(repr((self.x.shape, self.white, self.labels)).encode())
        for array in (self.x, self.y):
            digest.update(array.dtype.newbyteorder("<").str.encode())
            step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
            for start in range(0, len(array), step):
                chunk = np.ascontiguousarray(array[start : start + step])
                digest.update(chunk.astype(chunk.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()[:32]

    def subset(self, indices: np.ndarray) -> Dataset:
        """The images at these indices (M,), in that order, with all labels."""
        x, files = self.x[indices], self.files
        if files is not None:
            files = tuple(files[index] for index in np.arange(len(self))[indices].tolist())
        return replace(self, x=x, y=self.y[indices], files=files)


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
    notes: tuple[str, ...] = ()
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


FILE = Path(__file__).with_name("digits.npy.gz")
WHITE = 16.0


def load_digits() -> Dataset:
    """The digits: x (1797, 1, 8, 8) uint8 from 0 to 16, y (1797,), labels '0' to '9'.

    A pixel counts the dark dots in a 4 x 4 block of a scanned 32 x 32 bitmap, so ink is white.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0; see ATTRIBUTION.md beside this file.
    """
    with gzip.open(FILE) as file:
        rows = np.lib.format.read_array(file, allow_pickle=False)  # 64 pixels, then the class
    x = rows[:, :64].reshape(-1, 1, 8, 8)
    labels = tuple(str(digit) for digit in range(10))
    return Dataset(np.ascontiguousarray(x), rows[:, 64].astype(np.int64), labels, "digits", WHITE)


LARGEST_SIDE = 1 << 16


@dataclass(frozen=True)
class LoadOptions:
    """What to make of the images of a source; RequestError for values that make no sense.

    resize: (height, width) that every image is resized to; None keeps the size they have.
    colour: ``grey``, ``rgb``, or ``auto``: as they are, colour where an image of a folder has it.
    strict: an image that cannot be read is an error; without it, it is left out and named.
    cache: keep the decoded images of a folder in the user's cache folder.
    """

    resize: tuple[int, int] | None = None
    colour: str = "auto"
    strict: bool = False
    cache: bool = True

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise RequestError(f"colour is {self.colour!r}, expected one of {', '.join(COLOURS)}")
        if self.resize and not all(1 <= side <= LARGEST_SIDE for side in self.resize):
            height, width = self.resize
            raise RequestError(
                f"resize is {height}x{width}, expected a height and a width from 1 to "
                f"{LARGEST_SIDE:,}"
            )
