"""What a network's answer rests on: gradients, Grad-CAM, occlusion and integrated gradients.

Images are prepared: (1, C, H, W), as the network takes them. The score of a class is the network's
output for it before softmax. Maps are (H, W), of the size of the image; InputError where parameters
are so large that numbers of them are not finite, as they may be though the scores are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.losses import softmax
from cnntool.errors import InputError, RequestError
from cnntool.networks.batch_sizes import batch_size_for
from cnntool.networks.layers.core import Activation, BatchNorm
from cnntool.networks.network import Network
from cnntool.study.affine_sum import in_float64
from cnntool.study.interpolation import resized

Advance = Callable[[], None]

NOISE = 0.15
"""Of SmoothGrad: the standard deviation, as a share of the image's range."""

NOT_FINITE_IS_FOUND_LATER = np.errstate(over="ignore", invalid="ignore")


@NOT_FINITE_IS_FOUND_LATER
def input_gradient(network: Network, x: np.ndarray, target: int) -> np.ndarray:
    """(N, C, H, W): the gradient of the score of class ``target`` by every element of a batch.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising
    image classification models and saliency maps", ICLR workshop, 2014.
    """
    return _finite(_slope(network, x, _one(network, target))[1], "the gradient")


@NOT_FINITE_IS_FOUND_LATER
def token_saliency(
    network: Network, x: Any, lengths: np.ndarray | None, target: int, step: int = 0
) -> np.ndarray:
    """(T,): what each token of a text, a batch of one, says for the score of class ``target``, or
    against it: ``dy/de_t . e_t``, with the vectors e that the embedding gives.

    step: of a tagger, which has scores for each token, the one whose tag is asked for, from 0.

    Source: M. Denil, A. Demiraj, N. de Freitas, "Extraction of salient sentences from labelled
    documents", arXiv:1412.6815, 2014, section 4.
    """
    vectors, _ = network.forward(x, stop=1, lengths=lengths)
    _, gradient = _slope(network, vectors, _one(network, target), 1, lengths, step)
    return _finite((gradient * vectors).sum(axis=-1)[:, 0], "the gradient")


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise InputError(
            f"{what} of the score is not finite: the network's parameters are too large, train it "
            "with a smaller learning rate"
        )
    return values


def _one(network: Network, target: int) -> np.ndarray:
    """(K,) what weighs the scores so that one class counts."""
    return np.eye(network.output_shape[-1] or 1)[target]


def _slope(
    network: Network,
    x: np.ndarray,
    weights: np.ndarray,
    start: int = 0,
    lengths: np.ndarray | None = None,
    step: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Of what goes into a layer, a batch: the scores of all classes, each times its weight (K,),
    (N,); and the gradient of that. step: of a tagger, which has scores for each token."""
    scores, caches = network.forward(x, start=start, lengths=lengths)
    at = (step,) if scores.ndim == 3 else ()
    dscores = np.zeros_like(scores)
    dscores[at] = weights
    return scores[at] @ weights, network.backward_to_input(dscores, caches)


def smooth_gradient(
    network: Network,
    x: np.ndarray,
    target: int,
    samples: int = 32,
    noise: float = NOISE,
    seed: int = 0,
    advance: Advance = lambda: None,
) -> np.ndarray:
    """(C, H, W): the mean input gradient of ``samples`` copies of an image with added noise.

    noise: the standard deviation of the normal noise, as a share of the image's range, from its
    least to its greatest value; with 0 a single copy is all. Seeded.

    Source: D. Smilkov, N. Thorat, B. Kim, F. Viégas, M. Wattenberg, "SmoothGrad: removing noise by
    adding noise", 2017 (10% to 20% noise, 50 samples).
    """
    rng = np.random.default_rng(seed)
    scale = noise * float(np.ptp(x))
    samples = samples if scale > 0 else 1
    total = np.zeros(x.shape[1:])
    step = batch_size_for(network, x.shape[1:])
    for start in range(0, samples, step):
        count = min(step, samples - start)
        drawn = rng.standard_normal((count, *x.shape[1:])) * scale
        noisy = x + drawn.astype(x.dtype)
        total += input_gradient(network, noisy, target).sum(axis=0, dtype=np.float64)
        advance()
    return total / samples


def strength_of(gradient: np.ndarray) -> np.ndarray:
    """(H, W) of a gradient (C, H, W): the greatest size among the channels (Simonyan et al.)."""
    return np.abs(gradient).max(axis=0)


def grad_cam(network: Network, x: np.ndarray, target: int, layer: str) -> np.ndarray:
    """(H, W): where the maps of a convolution speak for class ``target``, resized linearly.

    With the layer's maps A_k, after its activation, and the score y of the class:

        map = max(0, sum over k of alpha_k A_k),  alpha_k = mean over places of dy / dA_k

    layer: the name of a convolution, usually the last one.

    Source: R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
    gradient-based localization", ICCV, 2017.
    """
    return resized(coarse_grad_cam(network, x, target, layer), x.shape[2:])


@NOT_FINITE_IS_FOUND_LATER
def coarse_grad_cam(network: Network, x: np.ndarray, target: int, layer: str) -> np.ndarray:
    """The map of :func:`grad_cam` as large as the layer's maps are."""
    stop = activated(network, network.names.index(layer))
    maps, _ = network.forward(x, stop=stop, keeps_caches=False)
    _, gradient = _slope(network, maps, _one(network, target), stop)
    alpha = gradient.mean(axis=(2, 3), keepdims=True)
    return _finite(np.maximum((alpha * maps).sum(axis=1), 0)[0], "the Grad-CAM map")


def activated(network: Network, index: int) -> int:
    """One more than the place of the activation that belongs to the convolution at ``index``, or of
    the convolution itself where another kind of layer follows."""
    stop = index + 1
    while stop < len(network.layers) and isinstance(network.layers[stop], BatchNorm | Activation):
        stop += 1
        if isinstance(network.layers[stop - 1], Activation):
            break
    return stop


@NOT_FINITE_IS_FOUND_LATER
def occlusion(
    network: Network,
    x: np.ndarray,
    target: int,
    patch: int,
    stride: int,
    fill: float = 0.0,
    advance: Advance = lambda: None,
) -> np.ndarray:
    """(H, W): how much the probability of class ``target`` falls where a square covers the image.

    The square has ``patch`` pixels on a side, and less at no place: it is moved ``stride`` pixels
    at a time, the last place being at the very edge. A pixel's number is the mean of
    ``p - p(covered)`` over all places that cover it, negative where the class gains by it.

    fill: what the square is filled with, in the numbers of the prepared image: 0 is the mean of
    the images that the network learned from.

    Source: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV,
    2014, section 4.2.
    """
    places = occlusion_places(x.shape[2:], patch, stride)
    whole = _probability(network, x, target)[0]
    total, count = np.zeros(x.shape[2:]), np.zeros(x.shape[2:])
    step = batch_size_for(network, x.shape[1:])
    for start in range(0, len(places), step):
        squares = [
            (slice(top, top + patch), slice(left, left + patch))
            for top, left in places[start : start + step]
        ]
        covered = np.repeat(x, len(squares), axis=0)
        for image, square in zip(covered, squares, strict=True):
            image[:, square[0], square[1]] = fill
        falls = whole - _probability(network, covered, target)
        for square, fall in zip(squares, falls, strict=True):
            total[square] += fall
            count[square] += 1
        advance()
    return _finite(total / count, "the occlusion map")


def _probability(network: Network, x: np.ndarray, target: int) -> np.ndarray:
    return softmax(network.predict(x))[:, target].astype(np.float64)


def occlusion_places(size: tuple[int, int], patch: int, stride: int) -> list[tuple[int, int]]:
    """(top, left) of every place of the square, row by row.

    RequestError where the square is larger than the image, or moves by more than itself, which
    would leave pixels uncovered.
    """
    if patch > min(size):
        raise RequestError(
            f"a square of {patch} pixels is larger than the image of {size[0]} x {size[1]}: use "
            f"{min(size)} or less"
        )
    if stride > patch:
        raise RequestError(
            f"a square of {patch} pixels that moves by {stride} leaves pixels out: move it by "
            f"{patch} or less"
        )
    rows, columns = (sorted({*range(0, n - patch + 1, stride), n - patch}) for n in size)
    return [(top, left) for top in rows for left in columns]


FEWEST, MOST = 32, 1024
"""Places on the way from the baseline."""

ENOUGH = 1e-3
"""Of the change of the score, that may be missing."""

AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Shares:
    """Of every element of what goes in, as large as that. score, baseline: at its two ends. places:
    on the way that were taken."""

    values: np.ndarray
    score: float
    baseline: float
    places: int

    @property
    def error(self) -> float:
        """What the shares miss of the change of the score, beside that."""
        change = self.score - self.baseline
        return abs(float(self.values.sum()) - change) / max(abs(change), 1e-300)


Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Of times (n,) from 0 to 1: scores (n,) there, and gradients (n, ...)."""


def image_shares(network: Network, x: np.ndarray, weights: np.ndarray) -> Shares:
    """Of an image x (1, C, H, W), from the mean of the images that were learned from, which is 0;
    of the scores of all classes, each times its weight (K,). Integrated gradients:

        share_i = (x_i - b_i) * mean over t from 0 to 1 of dy/dx_i at b + t (x - b)

    They sum to ``y(x) - y(b)`` as far as the mean is the integral (completeness), which is taken at
    the places of Gauss and Legendre, of twice as many until that holds.
    Source: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML, 2017.
    """
    network, x = in_float64(network), x.astype(np.float64)
    slopes = lambda times: _slope(network, times[:, None, None, None] * x, weights)
    return _integrated(slopes, x[0])


def token_shares(
    network: Network, x: np.ndarray, lengths: np.ndarray | None, weights: np.ndarray, step: int = 0
) -> Shares:
    """Of each token of a text, a batch of one: the vectors (T, E) that the embedding gives, from
    vectors of 0; step: of a tagger, the one whose tag it is about."""
    network = in_float64(network)
    vectors, _ = network.forward(x, stop=1, lengths=lengths)  # (T, 1, E)
    vectors = vectors.astype(np.float64)

    def slopes(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        many = None if lengths is None else np.repeat(lengths, len(times))
        score, gradient = _slope(network, times[:, None] * vectors, weights, 1, many, step)
        return score, np.moveaxis(gradient, 1, 0)  # from (T, n, E)

    return _integrated(slopes, vectors[:, 0])


def _integrated(slopes: Slopes, x: np.ndarray) -> Shares:
    (baseline, score), _ = slopes(np.array([0.0, 1.0]))
    places = FEWEST
    while True:
        times, parts = np.polynomial.legendre.leggauss(places)
        times, parts = (times + 1) / 2, parts / 2
        mean = np.zeros_like(x)
        for first in range(0, places, AT_ONCE):
            some = slice(first, first + AT_ONCE)
            mean += np.tensordot(parts[some], slopes(times[some])[1], axes=1)
        found = Shares(mean * x, float(score), float(baseline), places)
        if found.error <= ENOUGH or places >= MOST:
            return found
        places *= 2
