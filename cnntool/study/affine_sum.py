"""The exact sum that a network's answer is, and how far the answer is from another.

At one image, layers that are linear piece by piece (convolutions, dense layers, batch norm, pools,
relu) are together one affine function: the score is the effective filter, which is the gradient by
the image, times the image, and what each layer adds by itself, its biases and running means:

    score = sum over pixels of dy/dx · x  +  sum over layers of dy/df · f(0)

f(0) is what a layer makes of zeros: relu and the largest of a window add nothing, as
``f(t x) = t f(x)``.
Source: S. Srinivas, F. Fleuret, "Full-gradient representation for neural network visualization",
NeurIPS, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.networks.layers.core import Activation
from cnntool.networks.layers.layer import Layer
from cnntool.networks.layers.pools import SlidingPool
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.network import Network

FARTHEST = 2.0**12
"""Times the length of the image, that a step is tried up to."""

HALVINGS = 40


@dataclass(frozen=True, eq=False)
class AffineSum:
    """A score as the sum that it is.

    filter: (C, H, W), the effective filter. products: the same times the image. layers: what each
    layer adds, by name. score: of the network itself.
    """

    filter: np.ndarray
    products: np.ndarray
    layers: dict[str, float]
    score: float

    @property
    def pixels(self) -> float:
        return float(self.products.sum())

    @property
    def total(self) -> float:
        return self.pixels + sum(self.layers.values())

    @property
    def error(self) -> float:
        """Of the total, beside the largest part of it."""
        largest = max(1e-300, abs(self.score), abs(self.pixels), *map(abs, self.layers.values()))
        return abs(self.total - self.score) / largest


def in_float64(network: Network) -> Network:
    """The same network with numbers of 64 bits."""
    arrays = network.params, network.buffers
    params, buffers = ({k: a.astype(np.float64) for k, a in each.items()} for each in arrays)
    return network.with_arrays(params, buffers)


def first_bend(network: Network) -> tuple[str, Layer] | None:
    """The first layer that is not linear piece by piece, with its name; None where all are."""
    for name, layer, _ in network.each():
        inner = layer.inner
        bends = isinstance(inner, Recurrent) or "attend" in inner.kind
        if isinstance(inner, Activation):
            bends = inner.function != "relu"
        if isinstance(inner, SlidingPool) and inner.mode == "lp":
            bends = inner.p not in (1, float("inf"))
        if bends:
            return name, layer
    return None


def affine_sum(network: Network, x: np.ndarray, weights: np.ndarray) -> AffineSum:
    """The sum at an image x (1, C, H, W) of the scores of all classes, each times its weight (K,):
    1 for one class, 1 and -1 for the difference of two."""
    network, value = in_float64(network), x.astype(np.float64)
    caches, adds = [], []
    for index in range(len(network.layers)):
        adds.append(network.forward(np.zeros_like(value), index, index + 1, keeps_caches=False)[0])
        value, cache = network.forward(value, index, index + 1)
        caches.append(cache)
    gradient = np.broadcast_to(weights.astype(np.float64), value.shape).copy()
    score = float((value * gradient).sum())
    layers: dict[str, float] = {}
    for name, added, cache in reversed([*zip(network.names, adds, caches, strict=True)]):
        if any(path.startswith(f"{name}.") for path in network.params):  # which may add something
            layers[name] = float((gradient * added).sum())
        gradient = network.backward_to_input(gradient, cache)
    gradient, own = gradient[0], dict(reversed(layers.items()))
    return AffineSum(gradient, gradient * x[0].astype(np.float64), own, score)


@dataclass(frozen=True, eq=False)
class Turn:
    """The smallest step against the gradient of the difference of two scores that turns an answer.

    step: (C, H, W). to: the class that it is then. relus, switched: how many there are, and how
    many are on the other side of 0 then. linear: what part of the step it would take if nothing
    switched.
    """

    step: np.ndarray
    to: int
    relus: int
    switched: int
    linear: float

    @property
    def length(self) -> float:
        """The root of the sum of its squares."""
        return float(np.sqrt(np.square(self.step).sum()))


def smallest_turn(network: Network, x: np.ndarray, rival: int) -> Turn | None:
    """How far an image x (1, C, H, W) is from another answer, along the gradient of the score of
    the likeliest class less that of its ``rival``, by running the network; None where no step
    along it turns the answer."""
    network = in_float64(network)
    x = x.astype(np.float64)
    scores, caches = network.forward(x)
    likeliest = int(scores[0].argmax())
    if likeliest == rival:
        return None
    dscores = np.zeros_like(scores)
    dscores[0, likeliest], dscores[0, rival] = 1, -1
    gradient = network.backward_to_input(dscores, caches)
    squares = float(np.square(gradient).sum())
    if not squares > 0:
        return None
    first = float(scores[0, likeliest] - scores[0, rival]) / squares
    turned = lambda times: int(network.predict(x - times * gradient)[0].argmax()) != likeliest
    low, high = 0.0, first / 64 or 1e-12
    while not turned(high):
        low, high = high, high * 1.25
        if high > FARTHEST * max(first, 1e-12):
            return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if turned(middle) else (middle, high)
    moved = x - high * gradient
    relus, switched = _switches(network, x, moved)
    to = int(network.predict(moved)[0].argmax())
    return Turn(-high * gradient[0], to, relus, switched, first / high)


def _switches(network: Network, x: np.ndarray, moved: np.ndarray) -> tuple[int, int]:
    """How many relus there are, and how many are on in one of two images alone."""
    relus = switched = 0
    sides = network.outputs(x), network.outputs(moved)
    for layer, one, other in zip(network.layers, *sides, strict=True):
        if isinstance(layer, Activation) and layer.function == "relu":
            relus += one.size
            switched += int(np.count_nonzero((one > 0) != (other > 0)))
    return relus, switched
