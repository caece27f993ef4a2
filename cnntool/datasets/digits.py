"""The built-in set: 1,797 handwritten digits of 8 x 8 pixels."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from cnntool.datasets.dataset import Dataset

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
