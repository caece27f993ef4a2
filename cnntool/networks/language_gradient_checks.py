"""The gradients of a language model that was trained: layer by layer, and through all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from cnntool.engine.cells.stack import recurrent, recurrent_backward
from cnntool.engine.gradient_check import TOLERANCE, GradientCheck, gradcheck
from cnntool.engine.linear import embedding, embedding_backward
from cnntool.engine.losses import (
    vocabulary_cross_entropy,
    vocabulary_cross_entropy_backward,
)
from cnntool.networks.gradient_checks import SAMPLES, LayerCase
from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import STATES
from cnntool.networks.layers.layer import shape_text
from cnntool.wording import counted

STEPS = 6
"""Of each text: enough for a gradient to come back through time, few enough to be quick."""


def language_model_cases(
    network: LanguageModel, seed: int = 0, tolerance: float = TOLERANCE
) -> Iterator[LayerCase]:
    """A case for each layer, and one for the network whose parameters are all checked at once.

    A layer has its own parameters, a random input and, where it is recurrent, a random state to
    begin with; the loss stands in the last layer. The network reads random texts, with the same
    units dropped each time. All is float64.
    """
    architecture, params, shape = network.architecture, network.params, (STEPS, SAMPLES)

    def case(
        number: int, name: str, what: str, shape: tuple[int, ...], prove: Callable[..., Any]
    ) -> LayerCase:
        rng = partial(np.random.default_rng, (seed, number))
        return LayerCase(name, f"{what} of {shape_text(shape)}", lambda: prove(rng(), tolerance))

    layers = str(architecture).split("; ")
    yield case(0, "embedding", layers[0], shape, partial(_of_embedding, params["embedding.weight"]))
    for index, name in enumerate(architecture.recurrent_names):
        own = {path: array for path, array in params.items() if path.startswith(f"{name}.")}
        own = {path.partition(".")[2]: array for path, array in own.items()}
        what = f"{architecture.cell} {architecture.hidden_size}"
        inputs = (*shape, architecture.input_size(index))
        prove = partial(_of_recurrent, architecture.cell, inputs, own)
        yield case(1 + index, name, what, inputs, prove)
    inputs = (STEPS * SAMPLES, architecture.hidden_size)
    output = {"weight": network.output_weight, "bias": params["dense1.bias"]}
    prove = partial(_of_output, inputs, output)
    yield case(1 + architecture.layers, "dense1", layers[-1], inputs, prove)
    what = counted(architecture.layers + 2, "layer")
    yield case(2 + architecture.layers, "network", what, shape, partial(_of_network, network))


def _of_embedding(
    table: np.ndarray, rng: np.random.Generator, tolerance: float
) -> tuple[GradientCheck, ...]:
    ids = rng.integers(len(table), size=(STEPS, SAMPLES))

    def forward(weight: np.ndarray) -> tuple[np.ndarray, Any]:
        return embedding(ids, weight)

    return gradcheck(forward, embedding_backward, {"weight": table}, rng, tolerance=tolerance)


def _of_recurrent(
    cell: str,
    shape: tuple[int, ...],
    weights: dict[str, np.ndarray],
    rng: np.random.Generator,
    tolerance: float,
) -> tuple[GradientCheck, ...]:
    """By input, first state and weights, of the outputs and the last state."""
    parts, units = STATES[cell], weights["w_hidden"].shape[0]
    inputs = {"x": rng.standard_normal(shape)}
    inputs |= {part: rng.uniform(-1, 1, (SAMPLES, units)) for part in parts}
    inputs |= weights

    def forward(x: np.ndarray, **rest: np.ndarray) -> tuple[np.ndarray, Any]:
        state = tuple(rest.pop(part) for part in parts)
        (outputs, [[last]]), cache = recurrent(x, [[state]], [[tuple(rest.values())]], cell=cell)
        return np.concatenate([outputs, np.stack(last)]), cache

    def backward(dy: np.ndarray, cache: Any) -> tuple[np.ndarray, ...]:
        dx, [[dstate]], [[dweights]] = recurrent_backward(dy[:STEPS], [[tuple(dy[STEPS:])]], cache)
        return dx, *dstate, *dweights

    return gradcheck(forward, backward, inputs, rng, tolerance=tolerance)


def _of_output(
    shape: tuple[int, ...],
    params: dict[str, np.ndarray],
    rng: np.random.Generator,
    tolerance: float,
) -> tuple[GradientCheck, ...]:
    targets = rng.integers(len(params["bias"]), size=shape[0])
    inputs = {"x": rng.standard_normal(shape), **params}
    forward = partial(vocabulary_cross_entropy, targets=targets)
    return gradcheck(forward, vocabulary_cross_entropy_backward, inputs, rng, tolerance=tolerance)


def _of_network(
    network: LanguageModel, rng: np.random.Generator, tolerance: float
) -> tuple[GradientCheck, ...]:
    words = network.architecture.vocabulary_size
    ids, targets = rng.integers(words, size=(2, STEPS, SAMPLES))
    copy, dropping = LanguageModel(network.architecture), int(rng.integers(1 << 32))

    def forward(**params: np.ndarray) -> tuple[float, Any]:
        copy.params = params
        states = copy.start(SAMPLES)
        loss, _, read = copy.forward(ids, targets, states, rng=np.random.default_rng(dropping))
        return loss, read

    def backward(dloss: np.ndarray, read: Any) -> tuple[np.ndarray, ...]:
        grads = copy.backward(float(dloss), read)
        return tuple(grads[path] for path in network.params)

    return gradcheck(forward, backward, network.params, rng, tolerance=tolerance)
