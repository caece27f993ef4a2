"""Videos in which a digit comes, moves, turns into another and goes."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from cnntool.datasets.sequences.digit_strings import Digits, share, shown, split_digits
from cnntool.datasets.sequences.samples import Samples

SIDE, DIGIT = 16, 8
FRAMES = 8, 40
"""Of a video, from and to."""

NOTHING = "none"
LASTS, PAUSES = (5, 12), (3, 7)
"""Frames that a digit is shown, and that none is, from and to."""

TURNS = 0.5
"""How often a digit turns into another, and does not go."""

NOISE, HIDDEN, SNOW = 15, 0.3, 70
"""The standard deviation of the noise; how many frames are nothing but snow, and of what deviation,
of those before and after which the same is to be seen."""


def moving_digits(count: int = 2000, seed: int = 0) -> dict[str, Samples]:
    """Videos (T, 1, 16, 16) of 8 to 40 frames, each with the digit that is there, or ``none``.

    A digit comes half seen from an edge and goes so, and some frames show snow alone: what is there
    is known from the frames before and after. The parts are made of different digits, as those of
    :func:`digit_strings.digit_strings` are.
    """
    rng = np.random.default_rng(seed)
    parts = {}
    for part, digits in split_digits(rng).items():
        clips = [_clip(digits, rng) for _ in range(share(count, part))]
        name = "moving-digits" if part == "train" else f"moving-digits ({part})"
        inputs, answers = [frames for frames, _ in clips], [labels for _, labels in clips]
        parts[part] = Samples(name, "frames", inputs, answers)
    return parts


def _clip(digits: Digits, rng: np.random.Generator) -> tuple[np.ndarray, tuple[str, ...]]:
    """Frames (T, 1, 16, 16), and what each shows."""
    pictures, values = digits
    there = _plot(values, rng)
    canvas = np.zeros((len(there), SIDE + 2 * DIGIT, SIDE + 2 * DIGIT), np.float32)
    start = 0
    runs = groupby(there, lambda index: index >= 0)
    for is_shown, run in ((is_shown, list(run)) for is_shown, run in runs):
        if is_shown:
            path = _path(len(run), start > 0, start + len(run) < len(there), rng)
            for frame, index, (y, x) in zip(canvas[start:], run, path + DIGIT, strict=False):
                frame[y : y + DIGIT, x : x + DIGIT] = pictures[index]
        start += len(run)
    labels = [str(values[index]) if index >= 0 else NOTHING for index in there]
    hidden = _may_be_hidden(labels) & (rng.random(len(labels)) < HIDDEN)
    frames = canvas[:, None, DIGIT:-DIGIT, DIGIT:-DIGIT]
    snow = shown(np.zeros_like(frames), SNOW, rng)
    seen = np.where(hidden[:, None, None, None], snow, shown(frames, NOISE, rng))
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
    first, middle, last = rng.uniform(0, SIDE - DIGIT, (3, 2))
    for point, is_edge in ((first, comes), (last, goes)):
        if is_edge:
            point[rng.integers(2)] = rng.choice([-DIGIT // 2, SIDE - DIGIT // 2])
    t = np.linspace(0, 1, steps)[:, None]
    curve = first + (last - first) * t + 2 * t * (1 - t) * (2 * middle - first - last)
    return np.rint(np.clip(curve, -DIGIT // 2, SIDE - DIGIT // 2)).astype(int)


def _may_be_hidden(labels: list[str]) -> np.ndarray:
    """(T,) whether the frames before and after show the same; there has to be one after."""
    there = np.array(labels)
    same = there[1:] == there[:-1]
    return np.append(same, False) & np.insert(same, 0, True)
