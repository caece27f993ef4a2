"""Random changes that leave an image in its class: more to learn from than there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.datasets.affine import affine_sample


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
) -> np.ndarray:
    """Images changed at random, each on its own, before they are normalized.

    The order is: affine map (shift, rotate, scale and shear in one), flip, noise, cut-out. What
    comes in from beyond the edge is black, and noise ends at black and white.

    x: (N, C, H, W), uint8 or float32. white: its value; by default 255 for uint8, 1 for float32.
    Returns a new array of the same shape and dtype; x is left as it is. The same state of ``rng``
    gives the same images.

    Sources: for affine maps P. Simard et al., Best practices for convolutional neural networks,
    ICDAR 2003; for cut-out T. DeVries and G. Taylor, arXiv:1708.04552, 2017.
    """
    if white is None:
        white = 255.0 if x.dtype == np.uint8 else 1.0
    values = x.astype(np.float32)
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
