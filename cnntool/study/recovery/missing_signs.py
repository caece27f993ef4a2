"""The kernel whose absolute responses a picture has, though their signs are lost.

Signs are guessed from kernels of the catalogue and from the windows that answer most, and improved
in turn with the weights.
Sources: R. W. Gerchberg, W. O. Saxton, "A practical algorithm for the determination of phase from
image and diffraction plane pictures", Optik 35, 1972; P. Netrapalli, P. Jain, S. Sanghavi, "Phase
retrieval using alternating minimization", NIPS 2013.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from cnntool.imaging.kernel_catalogue import CATALOGUE
from cnntool.imaging.kernels import build
from cnntool.study.recovery.kernel_names import fitted
from cnntool.study.recovery.window_equations import FEWEST, Pair, Placement, blocks


def kernel_of_signs(
    pair: Pair, placement: Placement, size: tuple[int, int], most: int
) -> np.ndarray | None:
    """A kernel whose absolute responses are the pixels, as nearly as can be found."""
    most = min(most, max(20_000, 6 * prod(size)))
    taken = list(blocks(pair, placement, size, most))
    if sum(len(y) for _, _, y in taken) < FEWEST * prod(size):
        return None
    x, y = (np.concatenate(each) for each in [*zip(*taken, strict=True)][1:])
    gram = x.T @ x / len(x)
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-11 * values[-1]
    whitening = vectors[:, kept] / np.sqrt(values[kept])  # (t, r), of the windows
    white = x @ whitening
    weighted = np.minimum(y, np.quantile(y, 0.99)) ** 2
    _, main = np.linalg.eigh((white * weighted[:, None]).T @ white)
    starts = [whitening @ main[:, -1], *(kernel.ravel() for kernel in _signed_kernels(size))]
    fits = []
    for start in starts:
        response = np.abs(x @ start)
        scale = (response @ y) / max(response @ response, 1e-300)
        fits.append((float(np.mean((scale * response - y) ** 2)), start))
    best, least = None, np.inf
    for _, start in sorted(fits, key=lambda each: each[0])[:4]:
        weights, signs = start, np.zeros(len(y))
        for _ in range(40):
            now = np.sign(x @ weights)
            if np.array_equal(now, signs):
                break
            signs = now
            weights = whitening @ (white.T @ (signs * y) / len(y))
        left = float(np.mean((np.abs(x @ weights) - y) ** 2))
        if left < least:
            best, least = weights.reshape(size), left
    return best


def _signed_kernels(size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Kernels of the catalogue that sum to about 0, so that their responses have signs."""
    for name, entry in CATALOGUE.items():
        weights = build(name).bank
        if entry.combine == "none" and abs(weights.sum()) < 0.1 * np.abs(weights).sum():
            yield fitted(weights[0], size)
    for angle in range(0, 180, 30):
        yield fitted(build("gabor", angle=angle).bank[0], size)
