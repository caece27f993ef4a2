"""What a set of labelled images is here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cnntool.wording import counted

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


def shape_text(shape: tuple[int, ...]) -> str:
    """Such as '3 x 32 x 32'."""
    return " x ".join(f"{size:,}" for size in shape)
