"""The links of an optimizer's chain: small steps from a gradient to a change of the parameters.

A chain is optax's idea (DeepMind 2020, github.com/google-deepmind/optax). With the gradient g, the
parameters p and the learning rate r, each of these takes an update u, at first g, and gives
another; the last one changes p:

    clip_by_global_norm   u = u min(1, most / (|u| + 1e-6))
    add_weight_decay      u = u + decay p                            L2 regularization
    trace                 b = momentum b + u;  u = b, or u + momentum b (Nesterov)
    scale_by_rms          v = rate v + (1 - rate) u^2;  u = u / (sqrt v + epsilon)
    scale_by_adam         u = m / (sqrt v + epsilon), both without bias
    shrink_weights        p = p - r decay p                          decoupled weight decay
    descend               p = p - r u

Parameters, gradients and state are vectors (:mod:`cnntool.training.shards`), changed in place.
:mod:`cnntool.training.optimizers` joins the links.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

State = dict[str, np.ndarray]
"""Vectors (n,) by name, such as 'adam/squares', and 'step', the steps done: 0-d int64."""

Update = tuple[np.ndarray, float]
"""A vector and a factor that it counts with. Kept apart, scaling costs no pass over the vector."""


class Step(NamedTuple):
    """What a transformation works with in one step. It reads an update, and writes elsewhere."""

    params: np.ndarray  # (n,)
    state: State
    number: int  # 1 in the first step
    learning_rate: float
    work: tuple[np.ndarray, np.ndarray]  # (n,) each, to write into

    def spare(self, vector: np.ndarray) -> np.ndarray:
        """A work vector that is not this one."""
        return self.work[1] if vector is self.work[0] else self.work[0]

    def whole(self, update: Update) -> np.ndarray:
        """The update as one vector, its factor multiplied in."""
        vector, factor = update
        return vector if factor == 1 else np.multiply(vector, factor, out=self.spare(vector))


@dataclass(frozen=True, eq=False)
class Transformation:
    """One link of the chain: from an update to an update, with vectors that it keeps.

    It works on a block of the vectors at a time, unless it ``looks_at_all``: then it comes before
    the others, and may change the factor alone.
    """

    apply: Callable[[Update, Step], Update]
    slots: tuple[str, ...] = ()  # names of its vectors in the state, 0 at the start
    looks_at_all: bool = False


def clip_by_global_norm(most: float) -> Transformation:
    """``u min(1, most / (|u| + 1e-6))``, |u| the norm over all parameters together.

    Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks,
    algorithm 1. The 1e-6 is that of torch.nn.utils.clip_grad_norm_; optax has none.
    """

    def apply(update: Update, step: Step) -> Update:
        vector, factor = update
        return vector, factor * min(1.0, most / (factor * global_norm(vector) + 1e-6))

    return Transformation(apply, looks_at_all=True)


def add_weight_decay(decay: float) -> Transformation:
    """``u + decay p``: the gradient of the loss plus ``decay / 2 |p|^2`` (L2 regularization)."""

    def apply(update: Update, step: Step) -> Update:
        vector = step.whole(update)
        spare = np.multiply(step.params, decay, out=step.spare(vector))
        return np.add(spare, vector, out=spare), 1.0

    return Transformation(apply)


def trace(momentum: float, nesterov: bool = False) -> Transformation:
    """``b = momentum b + u``, then ``u = b``; with Nesterov ``u = u + momentum b``.

    Polyak 1964; Sutskever, Martens, Dahl and Hinton 2013, On the importance of initialization and
    momentum in deep learning, whose b holds the learning rate as well. Without, as here, in PyTorch
    and optax, a change of the rate takes hold at once.
    """

    def apply(update: Update, step: Step) -> Update:
        vector = step.whole(update)
        velocity = step.state["trace/velocity"]
        np.multiply(velocity, momentum, out=velocity)
        np.add(velocity, vector, out=velocity)
        if not nesterov:
            return velocity, 1.0
        ahead = np.multiply(velocity, momentum, out=step.spare(vector))
        return np.add(ahead, vector, out=ahead), 1.0

    return Transformation(apply, ("trace/velocity",))


def scale_by_rms(decay_rate: float = 0.99, epsilon: float = 1e-8) -> Transformation:
    """``v = rate v + (1 - rate) u^2``, then ``u / (sqrt v + epsilon)``.

    Tieleman and Hinton 2012, Coursera lecture 6.5. v starts at 0, and epsilon stands outside of the
    root as in PyTorch; Keras, and optax unless told, add it to v.
    """

    def apply(update: Update, step: Step) -> Update:
        vector = step.whole(update)
        squares, spare = step.state["rms/squares"], step.spare(vector)
        np.multiply(vector, vector, out=spare)
        np.multiply(spare, 1 - decay_rate, out=spare)
        np.multiply(squares, decay_rate, out=squares)
        np.add(squares, spare, out=squares)
        np.sqrt(squares, out=spare)
        np.add(spare, epsilon, out=spare)
        return np.divide(vector, spare, out=spare), 1.0

    return Transformation(apply, ("rms/squares",))


def scale_by_adam(
    beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Transformation:
    """Adam, in step t: ``u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)`` with
    ``m = beta1 m + (1 - beta1) u`` and ``v = beta2 v + (1 - beta2) u^2``.

    Kingma and Ba 2015, Adam: a method for stochastic optimization, algorithm 1; epsilon is outside
    of the root and added after the correction, as in PyTorch and optax. Keras adds it before (the
    paper's "epsilon hat", section 2).

    What is kept are the sums ``M = beta1 M + u`` and ``V = beta2 V + u^2``, so that ``m = (1 -
    beta1) M`` and ``v = (1 - beta2) V``: the factors are then numbers, where they would be passes
    over vectors. With ``root = sqrt((1 - beta2) / (1 - beta2^t))``, u is
    ``(1 - beta1) / (1 - beta1^t) / root`` times ``M / (sqrt V + epsilon / root)``.
    """

    def apply(update: Update, step: Step) -> Update:
        vector = step.whole(update)
        sums, squares = step.state["adam/sums"], step.state["adam/squares"]
        np.multiply(sums, beta1, out=sums)
        np.add(sums, vector, out=sums)
        work = np.multiply(vector, vector, out=step.work[0])
        np.multiply(squares, beta2, out=squares)
        np.add(squares, work, out=squares)
        root = math.sqrt((1 - beta2) / (1 - beta2**step.number))
        np.sqrt(squares, out=work)
        np.add(work, epsilon / root, out=work)
        np.divide(sums, work, out=work)
        return work, (1 - beta1) / (1 - beta1**step.number) / root

    return Transformation(apply, ("adam/sums", "adam/squares"))


def shrink_weights(decay: float) -> Transformation:
    """``p = p - r decay p``, and the update as it is: weight decay apart from the gradient.

    Loshchilov and Hutter 2019, Decoupled weight decay regularization, algorithm 2. The decay is
    multiplied by the learning rate, as in PyTorch and optax, not by the schedule's factor alone.
    """

    def apply(update: Update, step: Step) -> Update:
        params = step.params
        params *= 1 - step.learning_rate * decay
        return update

    return Transformation(apply)


def descend() -> Transformation:
    """``p = p - r u``."""

    def apply(update: Update, step: Step) -> Update:
        vector, factor = update
        change = np.multiply(vector, step.learning_rate * factor, out=step.spare(vector))
        np.subtract(step.params, change, out=step.params)
        return update

    return Transformation(apply)


def global_norm(vector: np.ndarray) -> float:
    """``sqrt(sum of squares)``, in float64 where float32 would overflow."""
    with np.errstate(over="ignore"):
        squares = float(np.dot(vector, vector))
    if math.isinf(squares):
        squares = float(np.square(vector, dtype=np.float64).sum())
    return math.sqrt(squares)
