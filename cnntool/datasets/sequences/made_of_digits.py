"""Sets made of the built-in handwritten digits: strings of them, and videos in which they move."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np

from cnntool.datasets.holding_out import stratified_split
from cnntool.datasets.images.dataset import load_digits
from cnntool.datasets.sequences.samples import Samples

SIDE = 8
HELD_OUT = 0.1
"""What is to validate with and what is to test with, each, of the digits and of the samples."""

Digits = tuple[np.ndarray, np.ndarray]
"""Pictures (N, 8, 8) float32 up to 255, and what they show (N,)."""


Draw = Callable[[Digits, np.random.Generator], tuple[np.ndarray, Any]]


def _made(name: str, form: str, draw: Draw, count: int, seed: int) -> dict[str, Samples]:
    """Three parts of so many samples together, each drawn from other digits."""
    rng = np.random.default_rng(seed)
    held, parts = round(HELD_OUT * count), {}
    for part, digits in split_digits(rng).items():
        share, title = (count - 2 * held, name) if part == "train" else (held, f"{name} ({part})")
        inputs, answers = zip(*(draw(digits, rng) for _ in range(share)), strict=True)
        parts[part] = Samples(title, form, inputs, answers)
    return parts


def split_digits(rng: np.random.Generator) -> dict[str, Digits]:
    """The built-in digits in three parts, train, validation and test."""
    data = load_digits()
    pictures = data.x[:, 0].astype(np.float32) * np.float32(255 / data.white)
    kept, tested = stratified_split(data.y, HELD_OUT, rng)
    learned, validated = stratified_split(data.y[kept], HELD_OUT / (1 - HELD_OUT), rng)
    places = {"train": kept[learned], "validation": kept[validated], "test": tested}
    return {part: (pictures[own], data.y[own]) for part, own in places.items()}


def _shown(pixels: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Pixels with noise of this standard deviation, as uint8."""
    noisy = pixels + noise * rng.standard_normal(pixels.shape, np.float32)
    return np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)


HEIGHT, WIDTH = 16, 64
MOST_DIGITS = 5
GAPS = -1, 3
"""Pixels between one digit and the next, from and to; of two in one place the lighter is seen."""

NOISE = 10


def digit_strings(count: int = 6000, seed: int = 0) -> dict[str, Samples]:
    """Pictures (1, 16, 64) of one to five of the built-in digits, such as ``40312``.

    The parts are made of different digits, 1,439 to learn from and 179 each to validate and to test
    with, written by the same people.
    """
    return _made("digit-strings", "picture", _string, count, seed)


def _string(digits: Digits, rng: np.random.Generator) -> tuple[np.ndarray, tuple[str]]:
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
    return _shown(canvas[None], NOISE, rng), ("".join(map(str, values[chosen])),)


SCREEN = 16
FRAMES = 8, 40
"""Of a video, from and to."""

NOTHING = "none"
LASTS, PAUSES = (5, 12), (3, 7)
"""Frames that a digit is shown, and that none is, from and to."""

TURNS = 0.5
"""How often a digit turns into another, and does not go."""

VIDEO_NOISE, HIDDEN, SNOW = 15, 0.3, 70
"""The standard deviation of the noise; how many frames are nothing but snow, and of what deviation,
of those before and after which the same is to be seen."""


def moving_digits(count: int = 2000, seed: int = 0) -> dict[str, Samples]:
    """Videos (T, 1, 16, 16) of 8 to 40 frames, each with the digit that is there, or ``none``.

    A digit comes half seen from an edge and goes so, and some frames show snow alone: what is there
    is known from the frames before and after. The parts are made of different digits, as those of
    :func:`digit_strings` are.
    """
    return _made("moving-digits", "frames", _clip, count, seed)


def _clip(digits: Digits, rng: np.random.Generator) -> tuple[np.ndarray, tuple[str, ...]]:
    """Frames (T, 1, 16, 16), and what each shows."""
    pictures, values = digits
    there = _plot(values, rng)
    canvas = np.zeros((len(there), SCREEN + 2 * SIDE, SCREEN + 2 * SIDE), np.float32)
    start = 0
    runs = groupby(there, lambda index: index >= 0)
    for is_shown, run in ((is_shown, list(run)) for is_shown, run in runs):
        if is_shown:
            path = _path(len(run), start > 0, start + len(run) < len(there), rng)
            for frame, index, (y, x) in zip(canvas[start:], run, path + SIDE, strict=False):
                frame[y : y + SIDE, x : x + SIDE] = pictures[index]
        start += len(run)
    labels = [str(values[index]) if index >= 0 else NOTHING for index in there]
    hidden = _may_be_hidden(labels) & (rng.random(len(labels)) < HIDDEN)
    frames = canvas[:, None, SIDE:-SIDE, SIDE:-SIDE]
    snow = _shown(np.zeros_like(frames), SNOW, rng)
    seen = np.where(hidden[:, None, None, None], snow, _shown(frames, VIDEO_NOISE, rng))
    return seen, tuple(labels)


def _plot(values: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Which digit each frame shows, -1 for none; nothing is cut short by the end."""
    length = rng.integers(FRAMES[0], FRAMES[1] - LASTS[1] + 2)
    there: list[int] = []
    now = rng.integers(len(values)) if rng.random() < 0.5 else -1
    while len(there) < length:
        low, high = PAUSES if now < 0 else LASTS
        there += [int(now)] * int(rng.integers(low, high + 1))
        if now >= 0 and rng.random() >= TURNS:
            now = -1
        else:
            now = rng.choice(np.flatnonzero(values != (values[now] if now >= 0 else -1)))
    return there


def _path(steps: int, comes: bool, goes: bool, rng: np.random.Generator) -> np.ndarray:
    """(steps, 2) whole numbers, the top left corners of a digit on its way along a parabola; half
    of it is outside where it comes or goes, and all of it inside in the middle."""
    first, middle, last = rng.uniform(0, SCREEN - SIDE, (3, 2))
    for point, is_edge in ((first, comes), (last, goes)):
        if is_edge:
            point[rng.integers(2)] = rng.choice([-SIDE // 2, SCREEN - SIDE // 2])
    t = np.linspace(0, 1, steps)[:, None]
    curve = first + (last - first) * t + 2 * t * (1 - t) * (2 * middle - first - last)
    return np.rint(np.clip(curve, -SIDE // 2, SCREEN - SIDE // 2)).astype(int)


def _may_be_hidden(labels: list[str]) -> np.ndarray:
    """(T,) whether the frames before and after show the same; there has to be one after."""
    there = np.array(labels)
    same = there[1:] == there[:-1]
    return np.append(same, False) & np.insert(same, 0, True)
