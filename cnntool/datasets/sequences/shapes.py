"""Pictures of coloured shapes, and what a person would say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cnntool.datasets.sequences.samples import Samples

SIDE = 32
SIZES = {"small": (3.2, 4.0), "large": (5.8, 7.0)}
"""Half the width and height in pixels, from and to."""

COLOURS = {
    "red": (215, 45, 45),
    "green": (45, 170, 65),
    "blue": (55, 90, 225),
    "yellow": (230, 205, 55),
    "purple": (165, 60, 195),
    "white": (235, 235, 235),
}
SHAPES = ("circle", "square", "triangle")
JITTER, NOISE = 18, 5
"""By how much a colour is another, and the standard deviation of its pixels."""

ALONE = 0.1
"""How many pictures show one shape."""

GAP, FARTHEST, ASIDE = 2.0, 10, 0.3
"""Pixels between two shapes at the least and the most, and how far one is from above the other, or
left of it, at most, in their distance."""

DRAWN_AT_ONCE = 128


@dataclass(frozen=True)
class Shape:
    """centre: (y, x); radius: half the width and height."""

    size: str
    colour: str
    shape: str
    radius: float
    centre: tuple[float, float]

    @property
    def words(self) -> str:
        return f"a {self.size} {self.colour} {self.shape}"


Scene = tuple[str, list[Shape]]
"""How the first shape stands to the second, "" for one alone, and the shapes."""


class Chances(NamedTuple):
    """What of a picture the scene does not say."""

    ground: float
    jitter: np.ndarray  # (2, 3): of each shape
    noise: np.ndarray  # (3, 32, 32)


def shapes(count: int = 5000, seed: int = 0) -> dict[str, Samples]:
    """Pictures (3, 32, 32) of one or two shapes, such as ``a small red circle above a large blue
    square``: each can be said in one way alone.

    Of two shapes the upper or the left one comes first, and one is never half above and half left
    of the other. Of one seed, the first pictures are the same whatever the count.
    """
    rng, pictures, sentences = np.random.default_rng(seed), [], []
    for start in range(0, count, DRAWN_AT_ONCE):
        some = [(_scene(rng), _chances(rng)) for _ in range(min(DRAWN_AT_ONCE, count - start))]
        scenes, chances = zip(*some, strict=True)
        pictures += [*_drawn(scenes, chances)]
        sentences += [(_sentence(*scene),) for scene in scenes]
    return {"train": Samples("shapes", "picture", pictures, sentences)}


def _sentence(relation: str, there: list[Shape]) -> str:
    return f" {relation} ".join(shape.words for shape in there)


def _scene(rng: np.random.Generator) -> Scene:
    if rng.random() < ALONE:
        one = _shape(rng)
        return "", [_moved(one, *rng.uniform(one.radius + 1, SIDE - 1 - one.radius, 2))]
    one, other = _shape(rng), _shape(rng)
    reach, most = one.radius + other.radius, max(one.radius, other.radius)
    distance = reach + rng.uniform(GAP, min(FARTHEST, SIDE - 2 - 2 * reach))
    start = rng.uniform(1 + one.radius, SIDE - 1 - other.radius - distance)
    across = rng.uniform(1 + most, SIDE - 1 - most)
    aside = across + rng.uniform(-ASIDE, ASIDE) * distance
    aside = min(max(aside, 1 + most), SIDE - 1 - most)
    if rng.random() < 0.5:
        return "above", [_moved(one, start, across), _moved(other, start + distance, aside)]
    return "left of", [_moved(one, across, start), _moved(other, aside, start + distance)]


def _shape(rng: np.random.Generator) -> Shape:
    size, colour, shape = (_one_of(names, rng) for names in (SIZES, COLOURS, SHAPES))
    return Shape(size, colour, shape, rng.uniform(*SIZES[size]), (0.0, 0.0))


def _one_of(names: Iterable[str], rng: np.random.Generator) -> str:
    names = list(names)
    return names[rng.integers(len(names))]


def _moved(shape: Shape, y: float, x: float) -> Shape:
    return replace(shape, centre=(y, x))


def _chances(rng: np.random.Generator) -> Chances:
    noise = NOISE * rng.standard_normal((3, SIDE, SIDE), np.float32)
    return Chances(rng.uniform(10, 60), rng.uniform(-JITTER, JITTER, (2, 3)), noise)


def _drawn(scenes: Sequence[Scene], chances: Sequence[Chances]) -> np.ndarray:
    """(N, 3, 32, 32) uint8, the shapes of each scene from the last to the first."""
    pixels = np.empty((len(scenes), 3, SIDE, SIDE), np.float32)
    pixels[:] = np.reshape([each.ground for each in chances], (-1, 1, 1, 1))
    for place in (1, 0):
        rows = [i for i, (_, there) in enumerate(scenes) if len(there) > place]
        drawn = [scenes[i][1][place] for i in rows]
        colours = np.array([COLOURS[shape.colour] for shape in drawn], np.float32).reshape(-1, 3)
        colours += np.reshape([chances[i].jitter[place] for i in rows], (-1, 3))
        covered = _coverage(drawn)[:, None]
        pixels[rows] += covered * (colours[:, :, None, None] - pixels[rows])
    pixels += np.stack([each.noise for each in chances])
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def _coverage(drawn: list[Shape]) -> np.ndarray:
    """(N, 32, 32) how much of each pixel a shape covers, by its distance from the edge."""
    middles = np.arange(SIDE) + 0.5
    y, x, r = np.array([(*shape.centre, shape.radius) for shape in drawn]).reshape(-1, 3).T
    r = r[:, None, None]
    dy = middles[None, :, None] - y[:, None, None]
    dx = np.abs(middles[None, None, :] - x[:, None, None])
    kind = np.array([SHAPES.index(shape.shape) for shape in drawn], int)[:, None, None]
    beyond = np.select(
        [kind == 0, kind == 1],
        [np.hypot(dy, dx) - r, np.maximum(np.abs(dy), dx) - 0.9 * r],
        np.maximum(dy - r, (2 * dx - dy - r) / np.sqrt(5)),
    )
    return np.clip(0.5 - beyond, 0, 1).astype(np.float32)
