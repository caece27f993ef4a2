"""Random changes that leave an image in its class: more to learn from than there is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from cnntool.specs import Form, Parameter


@dataclass(frozen=True)
class Augmentation:
    """How far images are changed at random; 0 leaves out a change. Made by ``parse_augmentation``.

    shift: up to so many whole pixels, up or down and left or right.
    rotate: up to so many degrees, either way, about the centre.
    scale: larger or smaller by up to this fraction.
    shear: columns lean by up to so many degrees.
    flip: the probability that left and right change places.
    noise: the standard deviation of normal noise, as a fraction of white.
    cutout: the side in pixels of a black square somewhere in the image.
    """

    shift: int = 0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    noise: float = 0.0
    cutout: int = 0

    @property
    def is_affine(self) -> bool:
        """Whether pixels move by more than a flip."""
        return bool(self.shift or self.rotate or self.scale or self.shear)


def augment(
    x: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    white: float | None = None,
    black: float = 0.0,
) -> np.ndarray:
    """Images changed at random, each on its own, before they are normalized.

    The order is: affine map (shift, rotate, scale and shear in one), flip, noise, cut-out. What
    comes in from beyond the edge is black, and noise ends at black and white.

    x: (N, C, H, W), uint8 or float32. white, black: their values; by default 255 for uint8, 1 for
        float32, and 0.
    Returns a new array of the same shape and dtype; x is left as it is. The same state of ``rng``
    gives the same images.

    Sources: for affine maps P. Simard et al., Best practices for convolutional neural networks,
    ICDAR 2003; for cut-out T. DeVries and G. Taylor, arXiv:1708.04552, 2017.
    """
    if white is None:
        white = 255.0 if x.dtype == np.uint8 else 1.0
    values = x.astype(np.float32)
    if black:
        values -= np.float32(black)
        white -= black
    if augmentation.is_affine:
        values = affine_sample(values, draw_maps(augmentation, x.shape, rng))
    if augmentation.flip:
        flipped = rng.random(len(x)) < augmentation.flip
        values[flipped] = values[flipped, ..., ::-1]
    if augmentation.noise:
        noise = rng.standard_normal(x.shape, dtype=np.float32)
        noise *= np.float32(augmentation.noise * white)
        values += noise
        np.clip(values, 0, np.float32(white), out=values)
    if augmentation.cutout:
        values *= ~_squares(augmentation.cutout, x.shape, rng)
    if black:
        values += np.float32(black)
    if x.dtype == np.uint8:
        return np.rint(values, out=values).astype(np.uint8)
    return values


def draw_maps(
    augmentation: Augmentation, shape: tuple[int, int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """One random map for each image of (N, C, H, W), (N, 2, 3), from output to input pixels.

    An image is scaled by s, sheared by the angle b, rotated by the angle a (anticlockwise) about
    its centre c, and shifted by t. With p = (row, column), an output pixel shows the input at

        p_in = c + A^-1 (p_out - c - t),    A = R(a) H(b) s,

        R(a) = [[cos a, -sin a], [sin a, cos a]],    H(b) = [[1, 0], [tan b, 1]].
    """
    count, _, height, width = shape
    uniform = lambda reach: rng.uniform(-reach, reach, count)
    shifts = rng.integers(-augmentation.shift, augmentation.shift + 1, (count, 2))
    turn = np.deg2rad(uniform(augmentation.rotate))
    size = 1 + uniform(augmentation.scale)
    lean = np.tan(np.deg2rad(uniform(augmentation.shear)))
    cos, sin = np.cos(turn), np.sin(turn)
    # A^-1 = H(-b) R(-a) / s
    inverse = np.array([[cos, sin], [-sin - lean * cos, cos - lean * sin]]) / size  # (2, 2, N)
    inverse = inverse.transpose(2, 0, 1)
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    offsets = centre - np.einsum("nij,nj->ni", inverse, centre + shifts)
    return np.concatenate([inverse, offsets[..., None]], axis=2)


def _squares(side: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(N, 1, H, W) bool: a square about a random pixel, cut off where it leaves the image."""
    count, _, height, width = shape
    inside = []
    for size in (height, width):
        first = rng.integers(0, size, (count, 1)) - side // 2
        places = np.arange(size)
        inside.append((places >= first) & (places < first + side))  # (N, size)
    rows, columns = inside
    return (rows[:, :, None] & columns[:, None, :])[:, None]


BLOCK_VALUES = 1 << 15
"""Values that are sampled at a time: they and their coordinates fit into the cache."""


def affine_sample(x: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Images as one affine map each moves them, sampled bilinearly; black beyond the edge.

    The output pixel in row r and column q shows the input at

        (row, column) = maps[n] @ (r, q, 1)

    At whole numbers that is a pixel; between them, the mean of the four around, weighted by
    (1 - |distance in rows|) (1 - |distance in columns|).

    x: (N, C, H, W) float32. maps: (N, 2, 3), from output to input, in pixels, with (0, 0) at the
    centre of the first pixel. Returns (N, C, H, W) float32.
    """
    count, channels, height, width = x.shape
    maps = np.asarray(maps, np.float32)
    out = np.empty((count, channels, height, width), np.float32)
    step = max(1, BLOCK_VALUES // (channels * height * width))
    for start in range(0, count, step):
        block = slice(start, start + step)
        _sample(x[block], maps[block], out[block])
    return out


def _sample(x: np.ndarray, maps: np.ndarray, out: np.ndarray) -> None:
    count, channels, height, width = x.shape
    padded_height, padded_width = height + 3, width + 3  # 1 of black before, 2 behind
    padded = np.zeros((channels, count, padded_height, padded_width), np.float32)
    padded[:, :, 1:-2, 1:-2] = x.swapaxes(0, 1)
    pixels = padded.reshape(channels, -1)

    rows = _coordinates(maps[:, 0], height, width, height)  # (N, H, W)
    columns = _coordinates(maps[:, 1], height, width, width)
    corner = rows.astype(np.intp)  # the pixel above and left of each point
    left = columns.astype(np.intp)
    rows -= corner
    columns -= left
    corner *= padded_width
    corner += left
    corner += np.arange(count)[:, None, None] * (padded_height * padded_width)

    upper = _between(pixels, corner, columns)  # (C, N, H, W)
    corner += padded_width
    lower = _between(pixels, corner, columns)
    lower -= upper
    lower *= rows
    upper += lower
    out[...] = upper.swapaxes(0, 1)


def _coordinates(row: np.ndarray, height: int, width: int, size: int) -> np.ndarray:
    """One row (N, 3) of the maps at every pixel, (N, H, W), counted in the padded image: 0 to
    size + 1, where all is black; what lies further out is black too."""
    row = row[:, :, None, None]
    r = np.arange(height, dtype=np.float32)[:, None]
    q = np.arange(width, dtype=np.float32)
    points = row[:, 1] * q + (row[:, 0] * r + (row[:, 2] + np.float32(1)))
    return np.clip(points, 0, np.float32(size + 1), out=points)


def _between(pixels: np.ndarray, left: np.ndarray, share: np.ndarray) -> np.ndarray:
    """left + share (right - left), for pixels that stand side by side in a row."""
    values = pixels.take(left, axis=1, mode="clip")
    right = pixels.take(left + 1, axis=1, mode="clip")
    right -= values
    right *= share
    values += right
    return values


_from_0 = partial(Parameter, default=0, minimum=0)
FORM = Form(
    "",
    (
        _from_0("shift", maximum=10_000, kind=int, noun="whole pixels"),
        _from_0("rotate", maximum=180, noun="degrees"),
        _from_0("scale", maximum=0.9, noun="a fraction"),
        _from_0("shear", maximum=80, noun="degrees"),
        _from_0("flip", maximum=1, noun="a probability", alone=0.5),
        _from_0("noise", maximum=1, noun="a fraction of white"),
        _from_0("cutout", maximum=10_000, kind=int, noun="whole pixels"),
    ),
    owner="augmentation",
    example="shift=2,rotate=10,flip",
)
"""What each change takes."""


def parse_augmentation(spec: str) -> Augmentation:
    """The changes of a spec, in any order, separated by commas; 'none' or '' is none at all.

    shift=PIXELS, rotate=DEGREES, scale=FRACTION, shear=DEGREES, flip (or flip=PROBABILITY),
    noise=FRACTION, cutout=PIXELS. Every mistake raises RequestError with one line that says what
    was found, what was expected and the remedy.

    >>> parse_augmentation("shift=2,flip")
    Augmentation(shift=2, rotate=0.0, scale=0.0, shear=0.0, flip=0.5, noise=0.0, cutout=0)
    """
    settings = None if spec.strip() in ("", "none") else spec.strip()
    values: dict[str, Any] = FORM.filled(FORM.read(settings))
    return Augmentation(**values)


def augmentation_spec(augmentation: Augmentation) -> str:
    """The text that ``parse_augmentation`` reads back; 'none' where nothing is changed."""
    return FORM.text({key: value for key, value in asdict(augmentation).items() if value}) or "none"
