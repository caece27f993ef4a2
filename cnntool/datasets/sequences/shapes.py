"""Pictures of coloured shapes, and what a person would say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, eq=False)
class Scene:
    """How the first shape stands to the second, "" for one alone; the shapes; and by chance the
    noise (3, 32, 32), the level of the ground, and what colours (2, 3) are off by."""

    relation: str
    shapes: list[Shape]
    noise: np.ndarray
    ground: float
    jitter: np.ndarray

    @property
    def sentence(self) -> str:
        return f" {self.relation} ".join(shape.words for shape in self.shapes)


def shapes(count: int = 5000, seed: int = 0) -> dict[str, Samples]:
    """Pictures (3, 32, 32) of one or two shapes, such as ``a small red circle above a large blue
    square``: each can be said in one way alone.

    Of two shapes the upper or the left one comes first, and one is never half above and half left
    of the other. Of one seed, the first pictures are the same whatever the count.
    """
    rng, pictures, sentences = np.random.default_rng(seed), [], []
    for start in range(0, count, DRAWN_AT_ONCE):
        scenes = [_scene(rng) for _ in range(min(DRAWN_AT_ONCE, count - start))]
        pictures += [*_drawn(scenes)]
        sentences += [(scene.sentence,) for scene in scenes]
    return {"train": Samples("shapes", "picture", pictures, sentences)}


def _scene(rng: np.random.Generator) -> Scene:
    relation, shapes = _placed(rng)
    noise = NOISE * rng.standard_normal((3, SIDE, SIDE), np.float32)
    ground, jitter = rng.uniform(10, 60), rng.uniform(-JITTER, JITTER, (2, 3))
    return Scene(relation, shapes, noise, ground, jitter)


def _placed(rng: np.random.Generator) -> tuple[str, list[Shape]]:
    if rng.random() < ALONE:
        one = _shape(rng)
        y, x = rng.uniform(one.radius + 1, SIDE - 1 - one.radius, 2)
        return "", [replace(one, centre=(y, x))]
    one, other = _shape(rng), _shape(rng)
    reach, most = one.radius + other.radius, max(one.radius, other.radius)
    distance = reach + rng.uniform(GAP, min(FARTHEST, SIDE - 2 - 2 * reach))
    start = rng.uniform(1 + one.radius, SIDE - 1 - other.radius - distance)
    across = rng.uniform(1 + most, SIDE - 1 - most)
    aside = across + rng.uniform(-ASIDE, ASIDE) * distance
    aside = min(max(aside, 1 + most), SIDE - 1 - most)
    places = (start, across), (start + distance, aside)
    relation = "above"
    if rng.random() >= 0.5:
        relation, places = "left of", (places[0][::-1], places[1][::-1])
    pair = zip((one, other), places, strict=True)
    return relation, [replace(shape, centre=centre) for shape, centre in pair]


def _shape(rng: np.random.Generator) -> Shape:
    words = ([*names][rng.integers(len(names))] for names in (SIZES, COLOURS, SHAPES))
    size, colour, shape = words
    return Shape(size, colour, shape, rng.uniform(*SIZES[size]), (0.0, 0.0))


def _drawn(scenes: Sequence[Scene]) -> np.ndarray:
    """(N, 3, 32, 32) uint8, the shapes of each scene from the last to the first."""
    pixels = np.empty((len(scenes), 3, SIDE, SIDE), np.float32)
    pixels[:] = np.reshape([scene.ground for scene in scenes], (-1, 1, 1, 1))
    for place in (1, 0):
        rows = [i for i, scene in enumerate(scenes) if len(scene.shapes) > place]
        drawn = [scenes[i].shapes[place] for i in rows]
        colours = np.array([COLOURS[shape.colour] for shape in drawn], np.float32).reshape(-1, 3)
        colours += np.reshape([scenes[i].jitter[place] for i in rows], (-1, 3))
        covered = _coverage(drawn)[:, None]
        pixels[rows] += covered * (colours[:, :, None, None] - pixels[rows])
    pixels += np.stack([scene.noise for scene in scenes])
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
