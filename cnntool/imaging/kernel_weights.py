"""How the weights of the named kernels are made: from sums and outer products of short rows.

Each function returns one kernel (kh, kw) or a bank (F, kh, kw), its angles in degrees as
cnntool.imaging.kernels describes them.
"""

import math

import numpy as np

from cnntool.errors import RequestError

LARGEST_SIZE = 2047  # weights on a side: 32 MB in float64

_DIFFERENCE = np.array([-1.0, 0.0, 1.0])
_SECOND_DIFFERENCE = np.array([1.0, -2.0, 1.0])
_DELTA = np.array([0.0, 1.0, 0.0])
_ONES = np.ones(3)
_IDENTITY = np.outer(_DELTA, _DELTA)


def gradient(smoothing: list[float]) -> np.ndarray:
    """(2, 3, 3): brighter to the right, brighter downward; each smooths across its difference."""
    return np.stack([np.outer(smoothing, _DIFFERENCE), np.outer(_DIFFERENCE, smoothing)])


def roberts() -> np.ndarray:
    """(2, 2, 2): brighter to the upper left (135 degrees), brighter to the upper right (45)."""
    return np.array([[[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [-1.0, 0.0]]])


def compass(ring: list[float]) -> np.ndarray:
    """(8, 3, 3): the north kernel, then each turned on by 45 degrees counterclockwise.

    `ring` lists the north kernel's outer weights counterclockwise from the upper right corner.
    """
    rows, columns = [0, 0, 0, 1, 2, 2, 2, 1], [2, 1, 0, 0, 0, 1, 2, 2]
    bank = np.zeros((8, 3, 3))
    for turn in range(8):
        bank[turn, rows, columns] = np.roll(ring, turn)
    return bank


def laplacian(neighbours: int) -> np.ndarray:
    """(3, 3): the second differences along both sides (4 neighbours), or also diagonally (8)."""
    if neighbours == 8:
        return np.outer(_ONES, _ONES) - 9 * _IDENTITY
    return np.outer(_SECOND_DIFFERENCE, _DELTA) + np.outer(_DELTA, _SECOND_DIFFERENCE)


def box(size: int) -> np.ndarray:
    """(size, size): the mean of a square."""
    return np.full((size, size), 1 / size**2)


def _centred(size: int) -> np.ndarray:
    """(size,): positions one apart about 0, which an even size has between two."""
    return np.arange(size) - (size - 1) / 2


def _gaussian_size(sigma: float) -> int:
    size = 2 * int(4 * sigma + 0.5) + 1
    if size > LARGEST_SIZE:
        raise RequestError(
            f"a Gaussian of sigma {sigma:g} needs {size} weights on a side, and at most "
            f"{LARGEST_SIZE} are allowed: use a smaller sigma or ratio (at most 255 multiplied)"
        )
    return size


def gaussian_row(sigma: float, size: int) -> np.ndarray:
    """(size,): exp(-x² / 2σ²), divided by its sum."""
    exponent = -0.5 * (_centred(size) / sigma) ** 2
    row = np.exp(exponent - exponent.max())  # an even size and a tiny sigma: never 0 / 0
    return row / row.sum()


def gaussian(sigma: float | None, size: int | None) -> np.ndarray:
    """(size, size): sums to 1; either number follows from the other where it is None."""
    if sigma is None:
        sigma = 1.0 if size is None else 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    row = gaussian_row(sigma, size or _gaussian_size(sigma))
    return np.outer(row, row)


def laplacian_of_gaussian(sigma: float, size: int | None) -> np.ndarray:
    """(size, size): sums to 0."""
    size = size or _gaussian_size(sigma)
    row = gaussian_row(sigma, size)
    second = ((_centred(size) / sigma) ** 2 - 1) / sigma**2 * row
    second -= row * second.sum()  # cut and sampled, it no longer sums to 0: now it does
    return np.outer(second, row) + np.outer(row, second)


def difference_of_gaussians(sigma: float, ratio: float) -> np.ndarray:
    """(size, size), as large as the wider of the two needs; sums to 0."""
    size = _gaussian_size(ratio * sigma)
    return gaussian(sigma, size) - gaussian(ratio * sigma, size)


def binomial(size: int) -> np.ndarray:
    """(size, size): a row of Pascal's triangle along both sides; sums to 1."""
    row = np.array([1.0])
    for _ in range(size - 1):
        row = np.convolve(row, [0.5, 0.5])  # the next row of Pascal's triangle, its sum kept at 1
    return np.outer(row, row)


def _direction(angle: float) -> tuple[float, float]:
    """Cosine and sine of an angle in degrees, exactly 0 and 1 where they should be."""
    return round(math.cos(math.radians(angle)), 15), round(math.sin(math.radians(angle)), 15)


def motion(length: int, angle: float) -> np.ndarray:
    """The mean of `length` samples along a line; as high and wide as the line.

    Each sample shares itself among the four nearest weights by the tent 1 - |distance|.
    """
    cosine, sine = _direction(angle)

    def tents(positions: np.ndarray) -> np.ndarray:  # (weights, samples)
        reach = math.ceil(np.abs(positions).max())
        distance = np.abs(_centred(2 * reach + 1)[:, None] - positions)
        return np.maximum(0.0, 1.0 - distance)

    samples = _centred(length)
    return tents(-sine * samples) @ tents(cosine * samples).T / length


def _line(line: np.ndarray) -> np.ndarray:
    """2 on the line and -1 beside it: three times the line's 0-1 mask, minus one."""
    return 3 * line - 1.0


def horizontal_line() -> np.ndarray:
    """(3, 3): along a row."""
    return _line(np.outer(_DELTA, _ONES))


def vertical_line() -> np.ndarray:
    """(3, 3): along a column."""
    return horizontal_line().T


def diagonal_line(angle: float) -> np.ndarray:
    """(3, 3): along '/' for 45 degrees, along '\\' for 135."""
    return _line(np.eye(3) if angle == 135 else np.fliplr(np.eye(3)))


def all_lines() -> np.ndarray:
    """(4, 3, 3): the line at 0, 45, 90 and 135 degrees."""
    return np.stack([horizontal_line(), diagonal_line(45), vertical_line(), diagonal_line(135)])


def identity() -> np.ndarray:
    """(3, 3): the unit impulse."""
    return _IDENTITY


def sharpen(amount: float) -> np.ndarray:
    """(3, 3): the image less its Laplacian."""
    return _IDENTITY - amount * laplacian(4)


def unsharp(sigma: float, amount: float) -> np.ndarray:
    """(size, size): the image and, again, what its Gaussian blur takes away."""
    blur = gaussian(sigma, None)
    middle = np.arange(len(blur)) == len(blur) // 2
    impulse = np.outer(middle, middle)
    return impulse + amount * (impulse - blur)


def emboss(angle: float) -> np.ndarray:
    """(3, 3): the image and its slope towards the light."""
    cosine, sine = _direction(angle)
    right, down = gradient([1, 1, 1])
    towards_light = math.sqrt(2) * (cosine * right - sine * down)
    return np.round(_IDENTITY - towards_light, 12)  # whole numbers on the diagonals


def gabor(wavelength: float, angle: float, sigma: float | None, phase: float) -> np.ndarray:
    """(size, size): a wave along `angle` under a Gaussian."""
    sigma = 0.56 * wavelength if sigma is None else sigma
    cosine, sine = _direction(angle)
    position = _centred(2 * math.ceil(3 * sigma) + 1)
    row = np.exp(-0.5 * (position / sigma) ** 2)
    along = cosine * position[None, :] - sine * position[:, None]  # screen y grows upward
    wave = np.cos(2 * math.pi / wavelength * along + math.radians(phase))
    return np.outer(row, row) * wave / (2 * math.pi * sigma**2)


def brightness(weights: np.ndarray) -> np.ndarray:
    """What each row of weights (F, k) is divided by so that brightness is kept: (F, 1).

    Its sum; where that is zero, the sum of the positive ones, so that the response to pixels in
    [0, white] stays within [-white, white].
    """
    sums, positive, sizes = (
        values.sum(axis=1, keepdims=True)
        for values in (weights, np.maximum(weights, 0), np.abs(weights))
    )
    divisors = np.where(np.abs(sums) > 1e-9 * sizes, sums, positive)
    return np.where(divisors == 0, 1, divisors)
