"""What a file may make us allocate, and what else the caller wants of it."""

from __future__ import annotations

from typing import NamedTuple

from cnntool.errors import InputError

MAX_PIXELS = 500_000_000
LARGE_TILE = 1 << 24
"""Pixels of a tile that a picture within the limits may have; decoders make room for all of it."""


class Limits(NamedTuple):
    """The most pixels of a file, the name to call it by in messages, and how it is read."""

    name: str
    max_pixels: int = 0
    gray: bool = False
    float_white: float = 255.0
    format: str = ""

    def check_size(
        self, width: int, height: int, frames: int = 1, pixels: int | None = None
    ) -> None:
        """InputError for an image without pixels or with more than we may decode.

        pixels: of all frames, where not each of them is width x height.
        """
        if width < 1 or height < 1 or frames < 1:
            raise InputError(f"{self.name} has no pixels: it is {width} x {height}")
        times = f" x {frames} frames" if frames > 1 else ""
        pixels = width * height * frames if pixels is None else pixels
        self._check_pixels(pixels, f"is {width} x {height}{times}")

    def check_tile(self, width: int, height: int) -> None:
        """InputError for a tile that is large, and has more pixels than we may decode."""
        if width * height > LARGE_TILE:
            self._check_pixels(width * height, f"has tiles of {width} x {height}")

    def _check_pixels(self, pixels: int, what: str) -> None:
        if pixels > self.max_pixels:
            raise InputError(
                f"{self.name} {what} = {pixels:,} pixels, over the limit of "
                f"{self.max_pixels:,}: raise the limit with --max-pixels"
            )
