"""What `cnntool gradcheck` checks: every operation of the engine, each in several geometries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cnntool import engine
from cnntool.engine.bin_pooling import MODES
from cnntool.engine.gradient_check import TOLERANCE, GradientCheck, gradcheck
from cnntool.engine.time_pooling import MODES as TIME_MODES

Shape = tuple[int, ...]

Table = list[tuple[str, Shape, dict[str, Any]]]
"""Geometries, each with the shape of x and the options."""

Layers = list[tuple[str, Shape, Shape, dict[str, Any]]]
"""The same with the shape of the weights."""


@dataclass(frozen=True)
class Case:
    """An operation with one geometry; ``forward`` takes the inputs by name."""

    operation: str
    geometry: str
    inputs: Callable[[np.random.Generator], dict[str, np.ndarray]]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Any, Any], Any]
    beside = "by differences"


def check(case: Case, seed: int, tolerance: float = TOLERANCE) -> tuple[GradientCheck, ...]:
    """Check the gradients of one case; the same numbers whichever cases are checked beside it."""
    rng = np.random.default_rng(seed)
    return gradcheck(case.forward, case.backward, case.inputs(rng), rng, tolerance=tolerance)


def _case(
    operation: str,
    geometry: str,
    shapes: dict[str, Shape],
    forward: Callable[..., tuple[Any, Any]] | None = None,
    **options: Any,
) -> Case:
    """The engine's ``operation`` with these options, or another way to call it.

    Inputs of these shapes are drawn from the standard normal distribution: no ties, no zeros. What
    the options give, such as no bias, is no input.
    """

    def inputs(rng: np.random.Generator) -> dict[str, np.ndarray]:
        drawn = {name: shape for name, shape in shapes.items() if name not in options}
        return {name: rng.standard_normal(shape) for name, shape in drawn.items()}

    forward = forward or partial(getattr(engine, operation), **options)
    return Case(operation, geometry, inputs, forward, getattr(engine, f"{operation}_backward"))


def _linear() -> Iterator[Case]:
    for geometry, x, weight in [
        ("4 x 5 to 3", (4, 5), (5, 3)),
        ("2 x 3 x 5 to 5", (2, 3, 5), (5, 5)),
        ("32 x 120 to 84", (32, 120), (120, 84)),
    ]:
        yield _case("dense", geometry, {"x": x, "weight": weight, "bias": weight[1:]})
    few, many = np.array([[3, 0, 3], [3, 2, 0]]), np.arange(600) ** 2 % 1000
    for geometry, ids, table in [
        ("2 x 3 ids, some alike, in 5 x 4", few, (5, 4)),
        ("600 ids in 1000 x 32", many, (1000, 32)),
    ]:
        yield _case("embedding", geometry, {"table": table}, partial(engine.embedding, ids))


def _element_by_element() -> Iterator[Case]:
    for name in ("relu", "tanh", "scaled_tanh", "sigmoid"):
        yield _case(name, "2 x 3 x 4", {"x": (2, 3, 4)})
        yield _case(name, "8 x 6 x 28 x 28", {"x": (8, 6, 28, 28)})

    so_far: dict[str, Any] = {
        "running_mean": np.array([0.5, -1, 0]),
        "running_var": np.array([2.0, 0.5, 1]),
    }
    batch_norms: Table = [
        ("6 x 3", (6, 3), {}),
        ("4 x 3 x 2 x 3", (4, 3, 2, 3), {}),
        ("4 x 3 x 2 x 3, running statistics", (4, 3, 2, 3), {"training": False, **so_far}),
        ("16 x 8 x 14 x 14", (16, 8, 14, 14), {}),
    ]
    for geometry, x, options in batch_norms:
        shapes = {"x": x, "weight": x[1:2], "bias": x[1:2]}
        yield _case(
            "batch_norm",
            geometry,
            shapes,
            lambda options=options, **given: engine.batch_norm(**given, **options)[:2],
        )

    for geometry, x, rate in [("4 x 6", (4, 6), 0.5), ("8 x 6 x 14 x 14", (8, 6, 14, 14), 0.1)]:
        yield _case(
            "dropout",
            f"{geometry}, rate {rate}",
            {"x": x},
            lambda x, rate=rate: engine.dropout(x, rate, np.random.default_rng(3)),  # always alike
        )


def _losses() -> Iterator[Case]:
    def targets(shape: Shape, classes: int) -> np.ndarray:
        return np.arange(np.prod(shape)).reshape(shape) * 3 % classes

    def large(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"logits": 1000 * rng.standard_normal((5, 10))}

    lengths = np.arange(4)[:, None] < np.array([4, 2, 3])  # (T, B)
    losses: Table = [
        ("5 x 10 logits", (5, 10), {}),
        ("5 x 10 logits, label smoothing 0.1", (5, 10), {"label_smoothing": 0.1}),
        ("4 x 3 x 5 logits, sequences of 4, 2 and 3", (4, 3, 5), {"weights": lengths}),
        ("5 x 10 logits around 1000", (5, 10), {}),
        ("64 x 100 logits", (64, 100), {}),
    ]
    for geometry, logits, options in losses:
        options["targets"] = targets(logits[:-1], logits[-1])
        case = _case("softmax_cross_entropy", geometry, {"logits": logits}, **options)
        yield replace(case, inputs=large) if "1000" in geometry else case

    vocabularies: list[tuple[str, int, int, int, dict[str, Any]]] = [
        ("5 x 4 to 7 words", 5, 4, 7, {}),
        ("6 x 2 to 20 words, 2 rows masked", 6, 2, 20, {"weights": np.arange(6) % 3}),
        ("5 x 2 to 20 words, no bias", 5, 2, 20, {"bias": None}),
        ("300 x 8 to 2500 words", 300, 8, 2500, {}),
    ]
    for geometry, rows, inputs, words, options in vocabularies:
        shapes = {"x": (rows, inputs), "weight": (inputs, words), "bias": (words,)}
        options["targets"] = targets((rows,), words)
        yield _case("vocabulary_cross_entropy", geometry, shapes, **options)


def _convolutions() -> Iterator[Case]:
    maps = np.arange(4) - np.arange(3)[:, None]
    table = (maps % 4) < 2  # (F, C): each of 3 filters sees 2 neighbouring maps of 4
    uneven = {"stride": 2, "padding": ((2, 0), (1, 3))}
    shared: Layers = [
        ("3 taps on 9", (2, 2, 9), (3, 2, 3), {}),
        ("stride 2, padding 2 and 1", (1, 2, 9), (3, 2, 3), {"stride": 2, "padding": (2, 1)}),
        ("dilation 3, padding 3", (1, 2, 9), (2, 2, 3), {"dilation": 3, "padding": 3}),
        ("2 groups", (1, 4, 7), (4, 2, 3), {"groups": 2}),
        ("9 taps on 16 x 200", (2, 16, 200), (8, 16, 9), {}),
        ("3 x 3 on 5 x 4", (1, 2, 5, 4), (3, 2, 3, 3), {}),
        ("2 x 3, no bias", (1, 2, 3, 4), (3, 2, 2, 3), {"bias": None}),
        ("1 x 1", (2, 3, 2, 3), (4, 3, 1, 1), {}),
        ("stride 2 and 3", (1, 1, 7, 8), (2, 1, 3, 3), {"stride": (2, 3)}),
        ("padding 2, 0, 1 and 3, stride 2", (1, 2, 5, 4), (2, 2, 3, 3), uneven),
        ("dilation 2, padding 2", (1, 1, 6, 6), (2, 1, 3, 3), {"dilation": 2, "padding": 2}),
        ("2 groups", (1, 4, 3, 4), (4, 2, 2, 2), {"groups": 2}),
        ("depthwise, padding 1", (1, 3, 4, 4), (3, 1, 3, 3), {"groups": 3, "padding": 1}),
        ("connection table", (1, 4, 3, 4), (3, 4, 2, 2), {"connections": table}),
        (
            "16 maps to 16 of 20 x 20, padding 1",
            (2, 16, 20, 20),
            (16, 16, 3, 3),
            {"padding": 1},
        ),
    ]
    for geometry, x, weight, options in shared:
        shapes = {"x": x, "weight": weight, "bias": weight[:1]}
        yield _case("conv1d" if len(x) == 3 else "conv2d", geometry, shapes, **options)

    local: Layers = [
        ("3 x 3 on 5 x 4", (2, 2, 5, 4), (3, 2, 3, 2, 3, 3), {}),
        ("2 x 3, no bias", (1, 2, 3, 4), (2, 2, 2, 2, 2, 3), {"bias": None}),
        (
            "padding 2, 0, 1 and 3, stride 2, dilation 1 and 2",
            (2, 1, 5, 4),
            (3, 2, 2, 1, 3, 3),
            {**uneven, "dilation": (1, 2)},
        ),
        (
            "8 maps to 8 of 12 x 12, padding 1",
            (4, 8, 12, 12),
            (12, 12, 8, 8, 3, 3),
            {"padding": 1},
        ),
    ]
    for geometry, x, weight, options in local:
        shapes = {"x": x, "weight": weight, "bias": weight[:3]}
        yield _case("local_conv2d", geometry, shapes, **options)


def _sliding_pools() -> Iterator[Case]:
    own: dict[str, dict[str, dict[str, Any]]] = {
        "max_pool2d": {},
        "average_pool2d": {"padding 1, counted": {"padding": 1, "count_include_pad": True}},
        "lp_pool2d": {
            "p 1": {"p": 1},
            "p 3.5, mean, padding 1": {"p": 3.5, "mean": True, "padding": 1},
            "p infinite": {"p": np.inf},
        },
        "gaussian_pool2d": {"sigma 2, stride 1": {"sigma": 2.0, "stride": 1}},
    }
    for name, settings in own.items():
        geometries: Table = [
            ("2 x 2 on 4 x 6", (1, 1, 4, 6), {"kernel_size": 2}),
            ("3 x 2, stride 2 and 1", (1, 1, 5, 4), {"kernel_size": (3, 2), "stride": (2, 1)}),
            ("3 x 3, padding 1", (1, 1, 5, 4), {"kernel_size": 3, "padding": 1}),
            (
                "3 x 3, stride 2, padding 1, 0, 0 and 1",
                (1, 1, 6, 7),
                {"kernel_size": 3, "stride": 2, "padding": ((1, 0), (0, 1))},
            ),
            ("2 x 2, dilation 2", (1, 1, 5, 6), {"kernel_size": 2, "stride": 1, "dilation": 2}),
            ("2 x 2 on 5 x 5, ceil mode", (1, 1, 5, 5), {"kernel_size": 2, "ceil_mode": True}),
            ("2 x 2 on 16 maps of 28 x 28", (4, 16, 28, 28), {"kernel_size": 2}),
        ]
        for geometry, x, options in geometries:
            yield _case(name, geometry, {"x": x}, **options)
        for words, options in settings.items():
            yield _case(name, f"3 x 3, {words}", {"x": (1, 1, 6, 5)}, kernel_size=3, **options)

    uneven: dict[str, Any] = {"kernel_size": 3, "stride": 2, "padding": 1}
    subsamplings: Table = [
        ("2 x 2 on 4 x 6", (2, 3, 4, 6), {}),
        ("3 x 3, stride 2, padding 1", (1, 2, 5, 4), uneven),
        ("2 x 2 on 16 maps of 10 x 10", (4, 16, 10, 10), {}),
    ]
    for geometry, x, options in subsamplings:
        shapes = {"x": x, "coefficient": x[1:2], "bias": x[1:2]}
        yield _case("subsample2d", geometry, shapes, **options)
    for name in ("max_pool1d", "average_pool1d", "lp_pool1d"):
        yield _case(name, "3 taps on 8, stride 2, padding 1", {"x": (1, 2, 8)}, **uneven)


def _pools_to_a_size() -> Iterator[Case]:
    tables: dict[str, Table] = {
        "adaptive_pool2d": [
            ("4 x 6 to 2 x 3", (1, 1, 4, 6), {"output_size": (2, 3)}),
            ("7 x 5 to 3 x 2", (1, 1, 7, 5), {"output_size": (3, 2)}),
            ("3 x 4 to 5 x 4", (1, 2, 3, 4), {"output_size": (5, None)}),
            ("8 maps of 40 x 50 to 7 x 7", (2, 8, 40, 50), {"output_size": 7}),
        ],
        "global_pool2d": [
            ("4 x 5", (1, 2, 4, 5), {}),
            ("8 maps of 28 x 28", (2, 8, 28, 28), {}),
        ],
        "pyramid_pool2d": [
            ("1, 2 and 3 of 5 x 6", (1, 1, 5, 6), {"levels": (1, 2, 3)}),
            ("1, 2 and 4 of 8 x 13 x 17", (2, 8, 13, 17), {}),
        ],
    }
    for name, table in tables.items():
        for geometry, x, options in table:
            for mode in ("max", "average") if name == "global_pool2d" else MODES:
                yield _case(name, f"{mode}, {geometry}", {"x": x}, mode=mode, **options)


GATES = {"rnn": 1, "reset_first_gru": 3, "gru": 3, "lstm": 4}


def _recurrent_shapes(cell: str, inputs: int, hidden: int) -> dict[str, Shape]:
    width = GATES[cell] * hidden
    shapes = {"w_input": (inputs, width), "w_hidden": (hidden, width), "bias": (width,)}
    return {**shapes, "hidden_bias": (width,)} if cell == "gru" else shapes


def _recurrences() -> Iterator[Case]:
    some: dict[str, Any] = {"lengths": np.array([6, 2, 4])}
    for cell in GATES:
        yield _recurrence(cell, "5 steps, 2 x 3 to 4", 5, 2)
        yield _recurrence(cell, "lengths 6, 2, 4", 6, 3, **some)
        yield _recurrence(cell, "backward, lengths 6, 2, 4", 6, 3, **some, reverse=True)
    for cell in ("rnn", "gru", "lstm"):
        yield _both_directions(cell)


def _recurrence(cell: str, geometry: str, steps: int, batch: int, **settings: Any) -> Case:
    """A cell through time; what is differentiated are all outputs and the last state."""
    shapes: dict[str, Shape] = {"x": (steps, batch, 3), "h": (batch, 4), "c": (batch, 4)}
    shapes |= _recurrent_shapes(cell, 3, 4)
    if cell != "lstm":
        del shapes["c"]

    def run(x, h, c=None, **weights):
        state = h if c is None else (h, c)
        (y, last), cache = getattr(engine, cell)(x, state, *weights.values(), **settings)
        last = last if isinstance(last, tuple) else (last,)
        return np.concatenate([y, *(part[None] for part in last)]), cache

    def back(dy, cache):
        last = (dy[steps], dy[steps + 1]) if cell == "lstm" else dy[steps]
        dx, dstate, *dweights = getattr(engine, f"{cell}_backward")(dy[:steps], last, cache)
        return dx, *(dstate if cell == "lstm" else (dstate,)), *dweights

    return replace(_case(cell, geometry, shapes, run), backward=back)


def _both_directions(cell: str) -> Case:
    """Two layers of both directions, by their input and all weights."""
    shapes: dict[str, Shape] = {"x": (4, 2, 3)}
    for layer, direction in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own = _recurrent_shapes(cell, 6 if layer else 3, 3)
        shapes |= {f"{name}_{layer}{direction}": shape for name, shape in own.items()}
    zeros = (np.zeros((2, 3)),) * (2 if cell == "lstm" else 1)
    states = [(zeros, zeros)] * 2

    def run(x, **weights):
        arrays = list(weights.values())
        count = len(arrays) // 4
        each = [tuple(arrays[k * count : (k + 1) * count]) for k in range(4)]
        (y, _), cache = engine.recurrent(x, states, [each[:2], each[2:]], cell=cell)
        return y, cache

    def back(dy, cache):
        dx, _, dlayers = engine.recurrent_backward(dy, None, cache)
        return dx, *(d for layer in dlayers for direction in layer for d in direction)

    case = _case("recurrent", f"2 layers of {cell}, both directions", shapes, run)
    return replace(case, backward=back)


def _over_time() -> Iterator[Case]:
    geometries: list[tuple[str, int, dict[str, Any]]] = [
        ("5 steps", 5, {}),
        ("lengths 6, 0, 4", 6, {"lengths": np.array([6, 0, 4])}),
    ]
    for geometry, steps, settings in geometries:
        for mode in TIME_MODES:
            yield _case(
                "time_pool", f"{mode}, {geometry}", {"x": (steps, 3, 4)}, mode=mode, **settings
            )
        read: dict[str, Shape] = {"query": (2, 3, 4), "keys": (steps, 3, 5)}
        looked = f"2 steps at {geometry}"
        yield _case("general_attention", looked, read | {"weight": (5, 4)}, **settings)
        weights: dict[str, Shape] = {"w_query": (4, 3), "w_keys": (5, 3), "v": (3,)}
        yield _case("additive_attention", looked, read | weights, **settings)


CASES: tuple[Case, ...] = (
    *_linear(),
    *_element_by_element(),
    *_losses(),
    *_convolutions(),
    *_sliding_pools(),
    *_pools_to_a_size(),
    *_recurrences(),
    *_over_time(),
)

OPERATIONS: tuple[str, ...] = tuple(dict.fromkeys(case.operation for case in CASES))
