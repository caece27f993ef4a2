"""What `cnntool gradcheck` checks: every operation of the engine, each in several geometries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cnntool.engine.activations import (
    dropout,
    dropout_backward,
    relu,
    relu_backward,
    scaled_tanh,
    scaled_tanh_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from cnntool.engine.bin_pooling import (
    MODES,
    adaptive_pool2d,
    adaptive_pool2d_backward,
    global_pool2d,
    global_pool2d_backward,
    pyramid_pool2d,
    pyramid_pool2d_backward,
)
from cnntool.engine.cells.gru import gru, gru_backward, reset_first_gru, reset_first_gru_backward
from cnntool.engine.cells.lstm import lstm, lstm_backward
from cnntool.engine.cells.rnn import rnn, rnn_backward
from cnntool.engine.cells.stack import recurrent, recurrent_backward
from cnntool.engine.convolution import conv1d, conv1d_backward, conv2d, conv2d_backward
from cnntool.engine.gradient_check import TOLERANCE, GradientCheck, gradcheck
from cnntool.engine.linear import dense, dense_backward, embedding, embedding_backward
from cnntool.engine.local_convolution import local_conv2d, local_conv2d_backward
from cnntool.engine.losses import (
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    vocabulary_cross_entropy,
    vocabulary_cross_entropy_backward,
)
from cnntool.engine.max_pooling import max_pool2d, max_pool2d_backward
from cnntool.engine.normalization import batch_norm, batch_norm_backward
from cnntool.engine.pooling import (
    average_pool1d,
    average_pool1d_backward,
    average_pool2d,
    average_pool2d_backward,
    gaussian_pool2d,
    gaussian_pool2d_backward,
    lp_pool1d,
    lp_pool1d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool1d,
    max_pool1d_backward,
    subsample2d,
    subsample2d_backward,
)


@dataclass(frozen=True)
class Case:
    """An operation with one geometry; ``forward`` takes the inputs by name."""

    operation: str
    geometry: str
    inputs: Callable[[np.random.Generator], dict[str, np.ndarray]]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], Any]


def check(case: Case, seed: int, tolerance: float = TOLERANCE) -> tuple[GradientCheck, ...]:
    """Check the gradients of one case; the same numbers whichever cases are checked beside it."""
    rng = np.random.default_rng(seed)
    return gradcheck(case.forward, case.backward, case.inputs(rng), rng, tolerance=tolerance)


def normal(**shapes: tuple[int, ...]) -> Callable[[np.random.Generator], dict[str, np.ndarray]]:
    """Inputs of these shapes, drawn from the standard normal distribution: no ties, no zeros."""
    return lambda rng: {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def _dense() -> list[Case]:
    case = partial(Case, "dense", forward=dense, backward=dense_backward)
    return [
        case("4 x 5 to 3", normal(x=(4, 5), weight=(5, 3), bias=(3,))),
        case("2 x 3 x 5 to 5", normal(x=(2, 3, 5), weight=(5, 5), bias=(5,))),
        case("32 x 120 to 84", normal(x=(32, 120), weight=(120, 84), bias=(84,))),
    ]


def _embedding() -> list[Case]:
    def case(geometry: str, ids: np.ndarray, table: tuple[int, int]) -> Case:
        forward = partial(embedding, ids)
        return Case("embedding", geometry, normal(table=table), forward, embedding_backward)

    few, many = np.array([[3, 0, 3], [3, 2, 0]]), np.arange(600) ** 2 % 1000
    return [
        case("2 x 3 ids, some alike, in 5 x 4", few, (5, 4)),
        case("600 ids in 1000 x 32", many, (1000, 32)),
    ]


def _activations() -> list[Case]:
    pairs = {
        "relu": (relu, relu_backward),
        "tanh": (tanh, tanh_backward),
        "scaled_tanh": (scaled_tanh, scaled_tanh_backward),
        "sigmoid": (sigmoid, sigmoid_backward),
    }
    return [
        Case(name, geometry, normal(x=shape), forward, backward)
        for name, (forward, backward) in pairs.items()
        for geometry, shape in {"2 x 3 x 4": (2, 3, 4), "8 x 6 x 28 x 28": (8, 6, 28, 28)}.items()
    ]


def _batch_norms() -> list[Case]:
    def case(geometry: str, shape: tuple[int, ...], **options: Any) -> Case:
        inputs = normal(x=shape, weight=shape[1:2], bias=shape[1:2])
        forward = lambda **given: batch_norm(**given, **options)[:2]
        return Case("batch_norm", geometry, inputs, forward, batch_norm_backward)

    so_far = {"running_mean": np.array([0.5, -1, 0]), "running_var": np.array([2.0, 0.5, 1])}
    return [
        case("6 x 3", (6, 3)),
        case("4 x 3 x 2 x 3", (4, 3, 2, 3)),
        case("4 x 3 x 2 x 3, running statistics", (4, 3, 2, 3), training=False, **so_far),
        case("16 x 8 x 14 x 14", (16, 8, 14, 14)),
    ]


def _dropouts() -> list[Case]:
    def case(geometry: str, shape: tuple[int, ...], rate: float) -> Case:
        forward = lambda x: dropout(x, rate, np.random.default_rng(3))  # every time the same
        return Case(
            "dropout", f"{geometry}, rate {rate}", normal(x=shape), forward, dropout_backward
        )

    return [case("4 x 6", (4, 6), 0.5), case("8 x 6 x 14 x 14", (8, 6, 14, 14), 0.1)]


def _losses() -> list[Case]:
    def case(geometry: str, shape: tuple[int, ...], scale: float = 1, **options: Any) -> Case:
        targets = np.arange(np.prod(shape[:-1])).reshape(shape[:-1]) * 3 % shape[-1]
        forward = partial(softmax_cross_entropy, targets=targets, **options)
        return Case(
            "softmax_cross_entropy",
            geometry,
            lambda rng: {"logits": scale * rng.standard_normal(shape)},
            forward,
            softmax_cross_entropy_backward,
        )

    lengths = np.arange(4)[:, None] < np.array([4, 2, 3])  # (T, B)
    return [
        case("5 x 10 logits", (5, 10)),
        case("5 x 10 logits, label smoothing 0.1", (5, 10), label_smoothing=0.1),
        case("4 x 3 x 5 logits, sequences of 4, 2 and 3", (4, 3, 5), weights=lengths),
        case("5 x 10 logits around 1000", (5, 10), scale=1000),
        case("64 x 100 logits", (64, 100)),
    ]


def _vocabulary_losses() -> list[Case]:
    def case(geometry: str, sizes: tuple[int, int, int], bias: bool = True, **options: Any) -> Case:
        rows, inputs, words = sizes
        shapes = {"x": (rows, inputs), "weight": (inputs, words)} | (
            {"bias": (words,)} if bias else {}
        )
        targets = np.arange(rows) * 3 % words
        return Case(
            "vocabulary_cross_entropy",
            geometry,
            normal(**shapes),
            lambda x, weight, bias=None: vocabulary_cross_entropy(
                x, weight, bias, targets, **options
            ),
            vocabulary_cross_entropy_backward,
        )

    return [
        case("5 x 4 to 7 words", (5, 4, 7)),
        case("6 x 2 to 20 words, 2 rows masked", (6, 2, 20), weights=np.arange(6) % 3),
        case("5 x 2 to 20 words, no bias", (5, 2, 20), bias=False),
        case("300 x 8 to 2500 words", (300, 8, 2500)),
    ]


def _convolutions() -> list[Case]:
    def case(
        geometry: str, x: tuple[int, ...], weight: tuple[int, ...], bias: bool = True, **options
    ) -> Case:
        shapes = {"x": x, "weight": weight} | ({"bias": weight[:1]} if bias else {})
        name, forward, backward = {
            3: ("conv1d", conv1d, conv1d_backward),
            4: ("conv2d", conv2d, conv2d_backward),
        }[len(x)]
        return Case(name, geometry, normal(**shapes), partial(forward, **options), backward)

    maps = np.arange(4) - np.arange(3)[:, None]
    table = (maps % 4) < 2  # (F, C): each of 3 filters sees 2 neighbouring maps of 4
    return [
        case("3 taps on 9", (2, 2, 9), (3, 2, 3)),
        case("stride 2, padding 2 and 1", (1, 2, 9), (3, 2, 3), stride=2, padding=(2, 1)),
        case("dilation 3, padding 3", (1, 2, 9), (2, 2, 3), dilation=3, padding=3),
        case("2 groups", (1, 4, 7), (4, 2, 3), groups=2),
        case("9 taps on 16 x 200", (2, 16, 200), (8, 16, 9)),
        case("3 x 3 on 5 x 4", (1, 2, 5, 4), (3, 2, 3, 3)),
        case("2 x 3, no bias", (1, 2, 3, 4), (3, 2, 2, 3), bias=False),
        case("1 x 1", (2, 3, 2, 3), (4, 3, 1, 1)),
        case("stride 2 and 3", (1, 1, 7, 8), (2, 1, 3, 3), stride=(2, 3)),
        case(
            "padding 2, 0, 1 and 3, stride 2",
            (1, 2, 5, 4),
            (2, 2, 3, 3),
            stride=2,
            padding=((2, 0), (1, 3)),
        ),
        case("dilation 2, padding 2", (1, 1, 6, 6), (2, 1, 3, 3), dilation=2, padding=2),
        case("2 groups", (1, 4, 3, 4), (4, 2, 2, 2), groups=2),
        case("depthwise, padding 1", (1, 3, 4, 4), (3, 1, 3, 3), groups=3, padding=1),
        case("connection table", (1, 4, 3, 4), (3, 4, 2, 2), connections=table),
        case("16 maps to 16 of 20 x 20, padding 1", (2, 16, 20, 20), (16, 16, 3, 3), padding=1),
    ]


def _local_convolutions() -> list[Case]:
    def case(
        geometry: str, x: tuple[int, ...], weight: tuple[int, ...], bias: bool = True, **options
    ) -> Case:
        shapes = {"x": x, "weight": weight} | ({"bias": weight[:3]} if bias else {})
        forward = partial(local_conv2d, **options)
        return Case("local_conv2d", geometry, normal(**shapes), forward, local_conv2d_backward)

    return [
        case("3 x 3 on 5 x 4", (2, 2, 5, 4), (3, 2, 3, 2, 3, 3)),
        case("2 x 3, no bias", (1, 2, 3, 4), (2, 2, 2, 2, 2, 3), bias=False),
        case(
            "padding 2, 0, 1 and 3, stride 2, dilation 1 and 2",
            (2, 1, 5, 4),
            (3, 2, 2, 1, 3, 3),
            stride=2,
            padding=((2, 0), (1, 3)),
            dilation=(1, 2),
        ),
        case("8 maps to 8 of 12 x 12, padding 1", (4, 8, 12, 12), (12, 12, 8, 8, 3, 3), padding=1),
    ]


SLIDING_POOLS = {
    "max_pool2d": (max_pool2d, max_pool2d_backward),
    "average_pool2d": (average_pool2d, average_pool2d_backward),
    "lp_pool2d": (lp_pool2d, lp_pool2d_backward),
    "gaussian_pool2d": (gaussian_pool2d, gaussian_pool2d_backward),
}
POOL_GEOMETRIES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "2 x 2 on 4 x 6": ((1, 1, 4, 6), {"kernel_size": 2}),
    "3 x 2, stride 2 and 1": ((1, 1, 5, 4), {"kernel_size": (3, 2), "stride": (2, 1)}),
    "3 x 3, padding 1": ((1, 1, 5, 4), {"kernel_size": 3, "padding": 1}),
    "3 x 3, stride 2, padding 1, 0, 0 and 1": (
        (1, 1, 6, 7),
        {"kernel_size": 3, "stride": 2, "padding": ((1, 0), (0, 1))},
    ),
    "2 x 2, dilation 2": ((1, 1, 5, 6), {"kernel_size": 2, "stride": 1, "dilation": 2}),
    "2 x 2 on 5 x 5, ceil mode": ((1, 1, 5, 5), {"kernel_size": 2, "ceil_mode": True}),
    "2 x 2 on 16 maps of 28 x 28": ((4, 16, 28, 28), {"kernel_size": 2}),
}
POOL_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "average_pool2d": {"padding 1, counted": {"padding": 1, "count_include_pad": True}},
    "lp_pool2d": {
        "p 1": {"p": 1},
        "p 3.5, mean, padding 1": {"p": 3.5, "mean": True, "padding": 1},
        "p infinite": {"p": np.inf},
    },
    "gaussian_pool2d": {"sigma 2, stride 1": {"sigma": 2.0, "stride": 1}},
}


def _sliding_pools() -> list[Case]:
    def case(name: str, geometry: str, shape: tuple[int, ...], options: dict[str, Any]) -> Case:
        forward, backward = SLIDING_POOLS[name]
        return Case(name, geometry, normal(x=shape), partial(forward, **options), backward)

    cases = []
    for name in SLIDING_POOLS:
        for geometry, (shape, options) in POOL_GEOMETRIES.items():
            cases.append(case(name, geometry, shape, options))
        for words, options in POOL_OPTIONS.get(name, {}).items():
            cases.append(case(name, f"3 x 3, {words}", (1, 1, 6, 5), {"kernel_size": 3, **options}))
    return cases


def _subsamplings() -> list[Case]:
    def case(geometry: str, shape: tuple[int, ...], **options: Any) -> Case:
        inputs = normal(x=shape, coefficient=shape[1:2], bias=shape[1:2])
        forward = partial(subsample2d, **options)
        return Case("subsample2d", geometry, inputs, forward, subsample2d_backward)

    return [
        case("2 x 2 on 4 x 6", (2, 3, 4, 6)),
        case("3 x 3, stride 2, padding 1", (1, 2, 5, 4), kernel_size=3, stride=2, padding=1),
        case("2 x 2 on 16 maps of 10 x 10", (4, 16, 10, 10)),
    ]


def _pools_of_signals() -> list[Case]:
    pairs = {
        "max_pool1d": (max_pool1d, max_pool1d_backward),
        "average_pool1d": (average_pool1d, average_pool1d_backward),
        "lp_pool1d": (lp_pool1d, lp_pool1d_backward),
    }
    options = {"kernel_size": 3, "stride": 2, "padding": 1}
    return [
        Case(
            name,
            "3 taps on 8, stride 2, padding 1",
            normal(x=(1, 2, 8)),
            partial(forward, **options),
            backward,
        )
        for name, (forward, backward) in pairs.items()
    ]


def _pools_to_a_size() -> list[Case]:
    pools = [
        ("adaptive_pool2d", "4 x 6 to 2 x 3", (1, 1, 4, 6), {"output_size": (2, 3)}),
        ("adaptive_pool2d", "7 x 5 to 3 x 2", (1, 1, 7, 5), {"output_size": (3, 2)}),
        ("adaptive_pool2d", "3 x 4 to 5 x 4", (1, 2, 3, 4), {"output_size": (5, None)}),
        ("adaptive_pool2d", "8 maps of 40 x 50 to 7 x 7", (2, 8, 40, 50), {"output_size": 7}),
        ("global_pool2d", "4 x 5", (1, 2, 4, 5), {}),
        ("global_pool2d", "8 maps of 28 x 28", (2, 8, 28, 28), {}),
        ("pyramid_pool2d", "1, 2 and 3 of 5 x 6", (1, 1, 5, 6), {"levels": (1, 2, 3)}),
        ("pyramid_pool2d", "1, 2 and 4 of 8 x 13 x 17", (2, 8, 13, 17), {}),
    ]
    pairs = {
        "adaptive_pool2d": (adaptive_pool2d, adaptive_pool2d_backward),
        "global_pool2d": (global_pool2d, global_pool2d_backward),
        "pyramid_pool2d": (pyramid_pool2d, pyramid_pool2d_backward),
    }
    return [
        Case(
            name,
            f"{mode}, {geometry}",
            normal(x=shape),
            partial(pairs[name][0], mode=mode, **options),
            pairs[name][1],
        )
        for name, geometry, shape, options in pools
        for mode in (("max", "average") if name == "global_pool2d" else MODES)
    ]


def _recurrences() -> list[Case]:
    """Each cell through time; what is differentiated are all outputs and the last state."""
    geometries = [
        ("5 steps, 2 x 3 to 4", 5, 2, {}),
        ("lengths 6, 2, 4", 6, 3, {"lengths": np.array([6, 2, 4])}),
        ("backward, lengths 6, 2, 4", 6, 3, {"lengths": np.array([6, 2, 4]), "reverse": True}),
    ]
    return [
        _recurrence(cell, geometry, steps, batch, settings)
        for cell in RECURRENCES
        for geometry, steps, batch, settings in geometries
    ] + [_both_directions(cell) for cell in ("rnn", "gru", "lstm")]


RECURRENCES = {
    "rnn": (rnn, rnn_backward, 1),
    "reset_first_gru": (reset_first_gru, reset_first_gru_backward, 3),
    "gru": (gru, gru_backward, 3),
    "lstm": (lstm, lstm_backward, 4),
}
"""Each with the way back and the number of its gates."""


def _recurrence(cell: str, geometry: str, steps: int, batch: int, settings: dict[str, Any]) -> Case:
    forward, backward, gates = RECURRENCES[cell]
    shapes = {"x": (steps, batch, 3), "h": (batch, 4), "c": (batch, 4)}
    shapes |= _recurrent_shapes(gates, 3, 4)
    if cell != "lstm":
        del shapes["c"]
    if cell == "reset_first_gru":
        del shapes["hidden_bias"]

    def run(x, h, c=None, **weights):
        state = h if c is None else (h, c)
        (y, last), cache = forward(x, state, *weights.values(), **settings)
        last = last if isinstance(last, tuple) else (last,)
        return np.concatenate([y, *(part[None] for part in last)]), cache

    def back(dy, cache):
        last = (dy[steps], dy[steps + 1]) if cell == "lstm" else dy[steps]
        dx, dstate, *dweights = backward(dy[:steps], last, cache)
        return dx, *(dstate if cell == "lstm" else (dstate,)), *dweights

    return Case(cell, geometry, normal(**shapes), run, back)


def _recurrent_shapes(gates: int, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    width = gates * hidden
    shapes = {"w_input": (inputs, width), "w_hidden": (hidden, width), "bias": (width,)}
    return {**shapes, "hidden_bias": (width,)} if gates == 3 else shapes


def _both_directions(cell: str) -> Case:
    """Two layers of both directions, by their input and all weights."""
    gates = RECURRENCES[cell][2]
    places = [(layer, direction) for layer in (0, 1) for direction in (0, 1)]
    shapes = {"x": (4, 2, 3)}
    for layer, direction in places:
        own = _recurrent_shapes(gates, 6 if layer else 3, 3)
        shapes |= {f"{name}_{layer}{direction}": shape for name, shape in own.items()}
    zeros = (np.zeros((2, 3)),) * (2 if cell == "lstm" else 1)
    states = [(zeros, zeros)] * 2

    def run(x, **weights):
        arrays = list(weights.values())
        count = len(arrays) // 4
        each = [tuple(arrays[k * count : (k + 1) * count]) for k in range(4)]
        (y, _), cache = recurrent(x, states, [each[:2], each[2:]], cell=cell)
        return y, cache

    def back(dy, cache):
        dx, _, dlayers = recurrent_backward(dy, None, cache)
        return dx, *(d for layer in dlayers for direction in layer for d in direction)

    return Case("recurrent", f"2 layers of {cell}, both directions", normal(**shapes), run, back)


CASES: tuple[Case, ...] = (
    *_dense(),
    *_embedding(),
    *_activations(),
    *_batch_norms(),
    *_dropouts(),
    *_losses(),
    *_vocabulary_losses(),
    *_convolutions(),
    *_local_convolutions(),
    *_sliding_pools(),
    *_subsamplings(),
    *_pools_of_signals(),
    *_pools_to_a_size(),
    *_recurrences(),
)

OPERATIONS: tuple[str, ...] = tuple(dict.fromkeys(case.operation for case in CASES))
