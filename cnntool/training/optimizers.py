"""Optimizers: chains of small steps from a gradient to a change of the parameters.

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

Parameters, gradients and state are vectors (:mod:`cnntool.training.flat`), changed in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.imaging.kernels import number_text
from cnntool.suggestions import suggestion
from cnntool.training.flat import aligned_zeros

State = dict[str, np.ndarray]
"""Vectors (n,) by name, such as 'adam/squares', and 'step', the steps done: 0-d int64."""

Update = tuple[np.ndarray, float]
"""A vector and a factor that it counts with. Kept apart, scaling costs no pass over the vector."""


class Step(NamedTuple):
    """What a transformation works with in one step. It reads an update, and writes elsewhere."""

    params: np.ndarray  # (n,)
    state: State
    count: int  # 1 in the first step
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
    """One link of the chain: from an update to an update, with vectors that it keeps."""

    apply: Callable[[Update, Step], Update]
    slots: tuple[str, ...] = ()  # names of its vectors in the state, 0 at the start


class Optimizer:
    """A chain of transformations, and the work vectors that it needs.

    ``learning_rate`` is what :meth:`step` takes when it is given none.
    """

    def __init__(self, name: str, learning_rate: float, chain: tuple[Transformation, ...]) -> None:
        self.name, self.learning_rate, self.chain = name, learning_rate, chain
        self._work: tuple[np.ndarray, np.ndarray] | None = None

    def __repr__(self) -> str:
        return f"<{self.name}, learning rate {self.learning_rate:g}>"

    def start(self, params: np.ndarray) -> State:
        """The state before the first step, for parameters (n,)."""
        slots = {name: aligned_zeros(params.size, params.dtype) for name in self._slots}
        return {"step": np.zeros((), np.int64), **slots}

    def restore(self, saved: Mapping[str, np.ndarray], params: np.ndarray) -> State:
        """A copy of a state that was saved, with which training goes on bit for bit.

        InputError where it is that of another optimizer, or of other parameters.
        """
        state = self.start(params)
        if state.keys() != saved.keys():
            raise InputError(
                f"the saved state has {', '.join(sorted(saved)) or 'nothing'}, {self.name} needs "
                f"{', '.join(sorted(state))}: go on with the optimizer that it was saved from"
            )
        for name, array in state.items():
            if (saved[name].shape, saved[name].dtype) != (array.shape, array.dtype):
                raise InputError(
                    f"the saved state's {name} is {saved[name].dtype} {saved[name].shape}, expected"
                    f" {array.dtype} {array.shape}: it belongs to another network"
                )
            array[...] = saved[name]
        return state

    def step(
        self,
        params: np.ndarray,
        grads: np.ndarray,
        state: State,
        learning_rate: float | None = None,
    ) -> None:
        """One step: params (n,) and state change in place, grads (n,) stay as they are.

        Where a gradient is not finite, the parameters are not finite after it.
        """
        if not params.shape == grads.shape == (params.size,) or params.dtype != grads.dtype:
            raise ValueError(
                f"params are {params.dtype} {params.shape} and grads {grads.dtype} {grads.shape}: "
                "expected two vectors of one length and dtype"
            )
        rate = float(self.learning_rate if learning_rate is None else learning_rate)
        state["step"] += 1
        step = Step(params, state, int(state["step"]), rate, self._work_for(params))
        update = grads, 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            for transformation in self.chain:
                update = transformation.apply(update, step)

    @property
    def _slots(self) -> list[str]:
        return [slot for transformation in self.chain for slot in transformation.slots]

    def _work_for(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        work = self._work
        if work is None or work[0].shape != params.shape or work[0].dtype != params.dtype:
            first, second = (aligned_zeros(params.size, params.dtype) for _ in range(2))
            self._work = work = first, second
        return work


def clip_by_global_norm(most: float) -> Transformation:
    """``u min(1, most / (|u| + 1e-6))``, |u| the norm over all parameters together.

    Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks,
    algorithm 1. The 1e-6 is that of torch.nn.utils.clip_grad_norm_; optax has none.
    """

    def apply(update: Update, step: Step) -> Update:
        vector, factor = update
        return vector, factor * min(1.0, most / (factor * global_norm(vector) + 1e-6))

    return Transformation(apply)


def add_weight_decay(decay: float, decayed: np.ndarray | None = None) -> Transformation:
    """``u + decay p``: the gradient of the loss plus ``decay / 2 |p|^2`` (L2 regularization).

    decayed: (n,) bool, the parameters it is for; None for all.
    """
    left_out = [] if decayed is None else runs(~decayed)

    def apply(update: Update, step: Step) -> Update:
        vector = step.whole(update)
        spare = np.multiply(step.params, decay, out=step.spare(vector))
        for run in left_out:
            spare[run] = 0
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


def scale_by_rms(decay_rate: float, epsilon: float) -> Transformation:
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


def scale_by_adam(beta1: float, beta2: float, epsilon: float) -> Transformation:
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
        root = math.sqrt((1 - beta2) / (1 - beta2**step.count))
        np.sqrt(squares, out=work)
        np.add(work, epsilon / root, out=work)
        np.divide(sums, work, out=work)
        return work, (1 - beta1) / (1 - beta1**step.count) / root

    return Transformation(apply, ("adam/sums", "adam/squares"))


def shrink_weights(decay: float, decayed: np.ndarray | None = None) -> Transformation:
    """``p = p - r decay p``, and the update as it is: weight decay apart from the gradient.

    Loshchilov and Hutter 2019, Decoupled weight decay regularization, algorithm 2. The decay is
    multiplied by the learning rate, as in PyTorch and optax, not by the schedule's factor alone.
    decayed: as in :func:`add_weight_decay`.
    """
    kept_small = [slice(None)] if decayed is None else runs(decayed)

    def apply(update: Update, step: Step) -> Update:
        shrinkage = 1 - step.learning_rate * decay
        for run in kept_small:
            step.params[run] *= shrinkage
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


def runs(mask: np.ndarray) -> list[slice]:
    """The stretches of True in a mask (n,): as many as layers, where a mask costs every element.

    >>> runs(np.array([True, True, False, True]))
    [slice(0, 2, None), slice(3, 4, None)]
    """
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)).tolist()
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def global_norm(vector: np.ndarray) -> float:
    """``sqrt(sum of squares)``, in float64 where float32 would overflow."""
    with np.errstate(over="ignore"):
        squares = float(np.dot(vector, vector))
    if math.isinf(squares):
        squares = float(np.square(vector, dtype=np.float64).sum())
    return math.sqrt(squares)


@dataclass(frozen=True)
class Defaults:
    """PyTorch's, and the usual 0.9 for the rules that are nothing without a momentum."""

    learning_rate: float = 1e-3
    momentum: float | None = None  # None where the rule has none
    weight_decay: float = 0.0


OPTIMIZERS = {
    "sgd": Defaults(),
    "momentum": Defaults(momentum=0.9),
    "nesterov": Defaults(momentum=0.9),
    "rmsprop": Defaults(1e-2, momentum=0.0),
    "adam": Defaults(),
    "adamw": Defaults(weight_decay=1e-2),
}
"""What each takes for granted, by name."""


def make_optimizer(
    name: str,
    learning_rate: float | None = None,
    *,
    momentum: float | None = None,
    weight_decay: float | None = None,
    clip: float | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
    decay_rate: float = 0.99,
    epsilon: float = 1e-8,
    decayed: np.ndarray | None = None,
) -> Optimizer:
    """An optimizer of :data:`OPTIMIZERS` with PyTorch's rules; None takes its default there.

    momentum: of momentum, nesterov and rmsprop, from 0 to below 1.
    weight_decay: added to the gradient; in adamw decoupled from it.
    clip: the largest norm of the whole gradient, before all else; None for no limit.
    betas, decay_rate, epsilon: of adam and adamw, of rmsprop, and of all three.
    decayed: (n,) bool, such as ``flat.weights_only(params)``; None decays every parameter, as
        PyTorch does.

    RequestError for an unknown name, and for numbers out of range.
    """
    if name not in OPTIMIZERS:
        shown = name if len(name) <= 40 else name[:37] + "..."
        raise RequestError(f"unknown optimizer '{shown}'{suggestion(name, OPTIMIZERS)}")
    defaults = OPTIMIZERS[name]
    if momentum is not None and defaults.momentum is None:
        raise RequestError(f"{name} has no momentum: leave it out, or take momentum or nesterov")
    learning_rate = defaults.learning_rate if learning_rate is None else learning_rate
    momentum = defaults.momentum if momentum is None else momentum
    weight_decay = defaults.weight_decay if weight_decay is None else weight_decay
    _check("learning rate", learning_rate, 0 < learning_rate < math.inf, "a number above 0")
    _check("weight decay", weight_decay, 0 <= weight_decay < math.inf, "a number from 0")
    _check("epsilon", epsilon, 0 < epsilon < math.inf, "a number above 0")
    if clip is not None:
        _check("clip", clip, 0 < clip < math.inf, "the largest norm of the gradient, above 0")
    rates = {"momentum": momentum, "beta1": betas[0], "beta2": betas[1], "decay rate": decay_rate}
    for what, rate in rates.items():
        if rate is not None:
            _check(what, rate, 0 <= rate < 1, "a number from 0 to below 1")

    traces = [trace(momentum, nesterov=name == "nesterov")] if momentum else []
    rules = {
        "sgd": [],
        "momentum": traces,
        "nesterov": traces,
        "rmsprop": [scale_by_rms(decay_rate, epsilon), *traces],
        "adam": [scale_by_adam(*betas, epsilon)],
        "adamw": [scale_by_adam(*betas, epsilon)],
    }
    decay = shrink_weights if name == "adamw" else add_weight_decay
    decays = [decay(weight_decay, decayed)] if weight_decay else []
    clips = [] if clip is None else [clip_by_global_norm(clip)]
    chain = [*rules[name], *decays] if name == "adamw" else [*decays, *rules[name]]
    return Optimizer(name, learning_rate, (*clips, *chain, descend()))


def _check(what: str, value: float, sound: bool, expected: str) -> None:
    if not sound:
        raise RequestError(f"the {what} is {number_text(value)}, expected {expected}")
