"""Handwritten digits side by side on one picture, and the number that they make."""

from __future__ import annotations

import numpy as np

from cnntool.datasets.images.dataset import load_digits
from cnntool.datasets.images.parts import stratified_split
from cnntool.datasets.sequences.samples import Samples

HEIGHT, WIDTH, SIDE = 16, 64, 8
MOST_DIGITS = 5
GAPS = -1, 3
"""Pixels between one digit and the next, from and to; of two in one place the lighter is seen."""

NOISE = 10
HELD_OUT = 0.1
"""What is to validate with and what is to test with, each, of the digits and of the samples."""

Digits = tuple[np.ndarray, np.ndarray]
"""Pictures (N, 8, 8) float32 up to 255, and what they show (N,)."""


def digit_strings(count: int = 6000, seed: int = 0) -> dict[str, Samples]:
    """Pictures (1, 16, 64) of one to five of the built-in digits, such as ``40312``.

    The parts are made of different digits, 1,439 to learn from and 179 each to validate and to test
    with, written by the same people.
    """
    rng = np.random.default_rng(seed)
    parts = {}
    for part, digits in split_digits(rng).items():
        drawn = [_string(digits, rng) for _ in range(share(count, part))]
        numbers = [(number,) for _, number in drawn]
        name = "digit-strings" if part == "train" else f"digit-strings ({part})"
        parts[part] = Samples(name, "picture", [picture for picture, _ in drawn], numbers)
    return parts


def split_digits(rng: np.random.Generator) -> dict[str, Digits]:
    """The built-in digits in three parts, train, validation and test."""
    data = load_digits()
    pictures = data.x[:, 0].astype(np.float32) * np.float32(255 / data.white)
    kept, tested = stratified_split(data.y, HELD_OUT, rng)
    learned, validated = stratified_split(data.y[kept], HELD_OUT / (1 - HELD_OUT), rng)
    places = {"train": kept[learned], "validation": kept[validated], "test": tested}
    return {part: (pictures[own], data.y[own]) for part, own in places.items()}


def share(count: int, part: str) -> int:
    """How many of so many samples a part has."""
    held = round(HELD_OUT * count)
    return count - 2 * held if part == "train" else held


def shown(pixels: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Pixels with noise of this standard deviation, as uint8."""
    noisy = pixels + noise * rng.standard_normal(pixels.shape, np.float32)
    return np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)


def _string(digits: Digits, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """A picture (1, 16, 64), and its number."""
    pictures, values = digits
    chosen = rng.integers(len(values), size=rng.integers(1, MOST_DIGITS + 1))
    gaps = rng.integers(GAPS[0], GAPS[1] + 1, len(chosen))
    gaps[0] = 0
    lefts = np.cumsum(gaps) + SIDE * np.arange(len(chosen))
    lefts += rng.integers(WIDTH - SIDE - lefts[-1] + 1)
    line = rng.integers(1, HEIGHT - SIDE)
    canvas = np.zeros((HEIGHT, WIDTH), np.float32)
    for index, left in zip(chosen, lefts, strict=True):
        top = line + rng.integers(-1, 2)
        place = canvas[top : top + SIDE, left : left + SIDE]
        np.maximum(place, pictures[index], out=place)
    return shown(canvas[None], NOISE, rng), "".join(map(str, values[chosen]))
