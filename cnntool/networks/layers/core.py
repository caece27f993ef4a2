"""What most networks are made of beside their convolutions and recurrences: dense layers, and the
step from maps to features before them; activations, dropout and batch normalisation.

A tied dense layer has the embedding's table, transposed, for its weight: Press, Wolf, Using the
output embedding to improve language models, EACL 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cnntool.engine import activations
from cnntool.engine.fast.layout import is_batch_last
from cnntool.engine.linear import dense, dense_backward
from cnntool.engine.normalization import batch_norm, batch_norm_backward
from cnntool.networks.initialisation import Fans
from cnntool.networks.layers.layer import (
    ONE,
    Arrays,
    Borrowed,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Words,
    is_steps,
    shape_of_sample,
)
from cnntool.specs import number_text
from cnntool.wording import shape_text


@dataclass(frozen=True)
class Flatten(Layer):
    """Maps (N, C, H, W) as features (N, C*H*W), in that order."""

    kind = "flatten"
    needs_size = True

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape_of_sample(shape)),)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        return flattened(x), (x.shape, is_batch_last_maps(x))

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return unflattened(dy, *cache), {}


@dataclass(frozen=True)
class Dense(Layer):
    """:func:`~cnntool.engine.linear.dense` over features, of samples or of steps; maps are
    flattened first. is_tied: whether it has no weight of its own but the embedding's."""

    outputs: int
    is_tied: bool = False

    kind = "dense"
    gives = "output"
    needs_size = True
    sees_all = True

    @classmethod
    def read(cls, name: str, words: Words) -> Dense:
        settings = () if words.for_images else ("tied",)
        return cls(words.count("number of outputs"), words.setting(settings) is not None)

    def __str__(self) -> str:
        return f"dense {self.outputs}" + (" tied" if self.is_tied else "")

    def output_shape(self, shape: Shape) -> Shape:
        if shape == (None,):
            raise ValueError("it takes features, not tokens: put an embedding before it")
        if shape[0] is None and not is_steps(shape):
            raise ValueError(f"it takes features, not {shape_text(shape)}: write each dense")
        return (shape[0], self.outputs) if is_steps(shape) else (self.outputs,)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        inputs = _inputs(shape)
        weight = Parameter((inputs, self.outputs), Fans(inputs, self.outputs))
        own = {} if self.is_tied else {"weight": weight}
        return own | {"bias": Parameter((self.outputs,))}

    def borrowed(self, shape: Shape) -> dict[str, Borrowed]:
        if not self.is_tied:
            return {}
        return {"table": Borrowed("embedding.weight", (self.outputs, _inputs(shape)))}

    def lecture(self, source: str) -> dict[str, tuple[str, str]]:
        return {
            "weight": ("decode", f"{source} x output"),
            "table": ("decode", f"{source} x output, embed's"),
            "bias": ("decode bias", "output"),
        }

    def multiply_adds(self, shape: Shape) -> int:
        return _inputs(shape) * self.outputs * _steps(shape)

    def connections(self, shape: Shape) -> int:
        return (_inputs(shape) + 1) * self.outputs * _steps(shape)

    def weight(self, params: Arrays) -> np.ndarray:
        """(inputs, outputs), whether it is its own or borrowed."""
        return params["table"].T if self.is_tied else params["weight"]

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        if len(x) == 1 and not way.keeps_caches:  # token by token what dense() checks takes as long
            return flattened(x) @ self.weight(params) + params["bias"], None
        y, cache = dense(flattened(x), self.weight(params), params["bias"])
        return y, (cache, x.shape, is_batch_last_maps(x))

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        dense_cache, shape, is_last = cache
        dx, dweight, dbias = dense_backward(dy, dense_cache, need_dx=need_dx)
        if dx is not None:
            dx = unflattened(dx, shape, is_last)
        return dx, self.gradients(dweight, dbias)

    def gradients(self, dweight: Any, dbias: Any) -> Arrays:
        """By the names of what it uses."""
        return ({"table": dweight.T} if self.is_tied else {"weight": dweight}) | {"bias": dbias}


def _inputs(shape: Shape) -> int:
    """Features of one sample, or of one step of a sequence."""
    return prod(shape[1:] if is_steps(shape) else shape)


def _steps(shape: Shape) -> int:
    """Of one sample, where their number is known; else one, of which work is counted."""
    return shape[0] or 1 if is_steps(shape) else 1


def is_batch_last_maps(x: np.ndarray) -> bool:
    return x.ndim == 4 and is_batch_last(x)


def flattened(x: np.ndarray) -> np.ndarray:
    """(N, ...) as (N, D): a view of maps in either layout. Steps (T, B, D) stay as they are."""
    if x.ndim == 3:
        return x
    if is_batch_last_maps(x):
        return x.transpose(1, 2, 3, 0).reshape(-1, len(x)).T
    return x.reshape(len(x), prod(x.shape[1:]))


def unflattened(x: np.ndarray, shape: tuple[int, ...], is_last: bool) -> np.ndarray:
    """The adjoint of :func:`flattened`, in the layout that the maps had."""
    if is_last:
        return np.ascontiguousarray(x.T).reshape(*shape[1:], shape[0]).transpose(3, 0, 1, 2)
    return x.reshape(shape)


ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (activations.relu, activations.relu_backward),
    "tanh": (activations.tanh, activations.tanh_backward),
    "scaled-tanh": (activations.scaled_tanh, activations.scaled_tanh_backward),
    "sigmoid": (activations.sigmoid, activations.sigmoid_backward),
}


@dataclass(frozen=True)
class Activation(Layer):
    """One of ``ACTIVATIONS``."""

    function: str

    @classmethod
    def read(cls, name: str, words: Words) -> Activation:
        return cls(name)

    @property
    def kind(self) -> str:
        return self.function

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        return ACTIVATIONS[self.function][0](x)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return ACTIVATIONS[self.function][1](dy, cache), {}


@dataclass(frozen=True)
class Dropout(Layer):
    """While it trains, each element is 0 with probability ``rate``, else ``x / (1 - rate)``."""

    rate: float

    kind = "dropout"

    @classmethod
    def read(cls, name: str, words: Words) -> Dropout:
        return cls(words.number("rate", 0, 1, is_open=True))

    def __str__(self) -> str:
        return f"dropout {number_text(self.rate)}"

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        if not way.training:
            return x, None
        if way.rng is None:
            raise ValueError("dropout draws while it trains: the pass needs an rng")
        return activations.dropout(x, self.rate, way.rng)

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        return dy if cache is None else activations.dropout_backward(dy, cache), {}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """:func:`~cnntool.engine.normalization.batch_norm` of each map or feature."""

    kind = "norm"
    mixes_samples = True

    def __str__(self) -> str:
        return "batch-norm"

    def output_shape(self, shape: Shape) -> Shape:
        return shape_of_sample(shape)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        return {"weight": Parameter(shape[:1], ONE), "bias": Parameter(shape[:1])}

    def buffers(self, shape: Shape) -> dict[str, Parameter]:
        return {
            "running_mean": Parameter(shape[:1]),
            "running_var": Parameter(shape[:1], ONE),
        }

    def least_batch(self, shape: Shape) -> int:
        """One value of a map, or of a feature, has no variance."""
        return 1 if prod(shape[1:]) > 1 else 2

    def multiply_adds(self, shape: Shape) -> int:
        return prod(shape)

    def connections(self, shape: Shape) -> int:
        return 2 * prod(shape)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        running = buffers["running_mean"], buffers["running_var"]
        y, cache, new = batch_norm(
            x, params["weight"], params["bias"], *running, training=way.training
        )
        if way.training:
            for buffer, value in zip(running, new, strict=True):
                buffer[...] = value
        return y, cache

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        dx, dweight, dbias = batch_norm_backward(dy, cache)
        return dx, {"weight": dweight, "bias": dbias}
