"""How large pixels may be, so that sums of them stay within float32."""

from __future__ import annotations

import numpy as np

from cnntool.errors import InputError

LARGEST_VALUE = 1e15
"""What the largest weights of a filter make of it still fits float32."""


def check_range(pixels: np.ndarray) -> None:
    """Raise InputError for float pixels that are more than sums can take."""
    if pixels.dtype.kind == "f" and not np.abs(pixels).max(initial=0) <= LARGEST_VALUE:
        raise InputError(
            f"values beyond {LARGEST_VALUE:g} are more than sums of pixels can take: divide them "
            "first"
        )
