"""What a set of labelled images is here."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from cnntool.choices import COLOURS
from cnntool.datasets.memory import check_fits
from cnntool.errors import RequestError
from cnntool.wording import counted, shape_text

CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images of one size, each with its class.

    x: (N, C, H, W), uint8 or float32, from ``black`` to ``white``.
    y: (N,) int64, the class of each image, an index into ``labels``.
    labels: the names of the K classes.
    name: what to call the set in messages.
    white, black: their values: 255, 16 for the digits, 1 for most floats; and 0.
    notes: lines about what was left out or taken for granted when it was read.
    files: (N) paths, where each image has a file of its own; None where it has not.
    unit: what pixels are divided by for a network; None for ``white``, which is less where numbers
        of 16 bits hold images of 12.
    """

    x: np.ndarray
    y: np.ndarray
    labels: tuple[str, ...]
    name: str
    white: float = 255.0
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    black: float = 0.0
    unit: float | None = None

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
    def scale(self) -> float:
        """What pixels are divided by for a network."""
        return self.white if self.unit is None else self.unit

    @property
    def levels(self) -> Levels:
        """Black and white of what a network gets."""
        return self.black / self.scale, self.white / self.scale

    def light(self, indices: np.ndarray | slice) -> np.ndarray:
        """Images (n, C, H, W) float32, from 0, which is black, to 1."""
        x = self.x[indices].astype(np.float32)
        x -= np.float32(self.black)
        x /= np.float32(self.white - self.black)
        return x

    @property
    def class_counts(self) -> np.ndarray:
        """(K,) int64: how many images each class has."""
        return np.bincount(self.y, minlength=len(self.labels))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of SHA-256 over pixels, classes and labels: the same content has
        the same fingerprint, wherever it was read from."""
        digest = hashlib.sha256(repr((self.x.shape, self.scale, self.labels)).encode())
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


Levels = tuple[float, float]
"""Black and white."""

FULL: Levels = (0.0, 1.0)

WHITES = (1.0, 16.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
"""What white is: of one bit, of the built-in digits, of 8, 10, 12, 14 and 16 bits."""

REACHES = (0.5, 1.0)
"""What numbers end at, on both sides, that were normalized to lie about 0."""


def levels_of(low: float, high: float, unit: float) -> Levels:
    """The likeliest black and white of many images whose values run from ``low`` to ``high``.

    From 0 on, white is the smallest of WHITES that none exceeds, up to ``unit``: images of 12 bits
    in numbers of 16 end at 4095. Below 0 they were normalized: to a reach on both sides of 0, where
    they come near it, else so that the least was black and the greatest white.

    >>> levels_of(0, 4013, 65535), levels_of(-1, 0.98, 1), levels_of(-0.42, 2.82, 1)
    ((0.0, 4095.0), (-1.0, 1.0), (-0.42, 2.82))
    """
    if low == high:
        return min(low, 0.0), unit
    if low < 0:
        reach = next(
            (r for r in REACHES if 0.9 * r <= min(-low, high) <= max(-low, high) <= r), None
        )
        return (low, high) if reach is None else (-reach, reach)
    return 0.0, next((white for white in WHITES if high <= 1.001 * white and white <= unit), unit)


def found_levels(
    low: float, high: float, unit: float, expected: Levels | None, name: str
) -> tuple[Levels, str]:
    """The levels that are expected, in units of ``unit``, where they may be those of such values;
    else the likeliest, and a note where those are not 0 and ``unit``."""
    if expected is not None and can_be(expected, low / unit, high / unit):
        return (expected[0] * unit, expected[1] * unit), ""
    black, white = levels = levels_of(low, high, unit)
    note = f"{name}: values run from {low:.6g} to {high:.6g}: {black:.6g} is taken for black, "
    return levels, "" if levels == (0, unit) else f"{note}{white:.6g} for white"


def can_be(levels: Levels, low: float, high: float) -> bool:
    """Whether values from ``low`` to ``high`` may well have these levels, which are not FULL."""
    if levels == FULL:
        return False
    black, white = levels
    room = (white - black) / 4  # some images may be a little beyond those that were seen
    return (low < 0) == (black < 0) and black - room <= low and high <= white + room


def in_levels(data: Dataset, levels: Levels | None) -> Dataset:
    """The same pictures, with these values for their black and white; None leaves them.

    InputError where the result would not fit into memory.
    """
    if levels is None or np.allclose(data.levels, levels):
        return data
    check_fits(data.name, len(data), data.image_shape, 4)
    black, white = levels
    x = data.x.astype(np.float32)
    x -= np.float32(data.black)
    x *= np.float32((white - black) / (data.white - data.black))
    x += np.float32(black)
    return replace(data, x=x, black=black, white=white, unit=1.0)


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
    levels: black and white in units of :attr:`Dataset.scale` that values which do not say are
        expected to have.
    """

    resize: tuple[int, int] | None = None
    colour: str = "auto"
    strict: bool = False
    cache: bool = True
    levels: Levels | None = None

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise RequestError(f"colour is {self.colour!r}, expected one of {', '.join(COLOURS)}")
        if self.resize and not all(1 <= side <= LARGEST_SIDE for side in self.resize):
            height, width = self.resize
            raise RequestError(
                f"resize is {height}x{width}, expected a height and a width from 1 to "
                f"{LARGEST_SIDE:,}"
            )
