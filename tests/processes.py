"""Running the real command in a real process, and reading what it wrote."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from PIL import Image

COMMAND = [sys.executable, "-m", "cnntool"]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


def pixels(path) -> np.ndarray:
    """An image file as Pillow reads it."""
    with Image.open(path) as image:
        return np.asarray(image)
