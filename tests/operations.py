"""Every operation of the engine as a function of its arrays, for what must hold of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnntool import engine
from cnntool.engine.gradient_cases import CASES, Case


@dataclass(frozen=True)
class Operation:
    """One operation in one geometry, there and back."""

    name: str
    run: Callable[..., tuple]  # of the arrays, to all results and gradients; None is left out
    shapes: tuple[tuple[int, ...], ...]  # of the arrays, drawn from the standard normal
    ints: dict[int, range] | None = None  # which of the arrays are whole numbers instead

    def arrays(self, dtype: type) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        ints = self.ints or {}
        return [
            rng.integers(ints[index].start, ints[index].stop, shape)
            if index in ints
            else rng.normal(size=shape).astype(dtype)
            for index, shape in enumerate(self.shapes)
        ]

    def results(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [result for result in self.run(*arrays) if result is not None]

    def __str__(self) -> str:
        return self.name


def there_and_back(name: str, **options) -> Callable[..., tuple]:
    """``f(*arrays, dy)`` of the engine's pair ``name``: y and all gradients."""
    forward, backward = getattr(engine, name), getattr(engine, f"{name}_backward")

    def run(*arrays: np.ndarray) -> tuple:
        *operands, dy = arrays
        y, cache = forward(*operands, **options)
        gradients = backward(dy, cache)
        return (y, *gradients) if isinstance(gradients, tuple) else (y, gradients)

    return run


def there_and_back_in_time(name: str) -> Callable[..., tuple]:
    """The same of a cell, with its state, of an lstm two arrays, behind the input."""
    states = 2 if name == "lstm" else 1

    def run(x: np.ndarray, *arrays: np.ndarray) -> tuple:
        *weights, dy = arrays[states:]
        state = arrays[:2] if states == 2 else arrays[0]
        (y, last), cache = getattr(engine, name)(x, state, *weights)
        dx, dstate, *dweights = getattr(engine, f"{name}_backward")(dy, None, cache)
        return y, *np.atleast_3d(last), dx, *np.atleast_3d(dstate), *dweights

    return run


def loss_and_back(name: str) -> Callable[..., tuple]:
    """``f(*arrays)`` of a loss: what it is, and all gradients of 0.7 times it."""
    forward, backward = getattr(engine, name), getattr(engine, f"{name}_backward")

    def run(*arrays: np.ndarray) -> tuple:
        loss, cache = forward(*arrays)
        gradients = backward(0.7, cache)
        return (loss, *(gradients if isinstance(gradients, tuple) else (gradients,)))

    return run


def filtered(image: np.ndarray, bank: np.ndarray, **options) -> tuple:
    return (engine.filter_bank(image, bank, **options),)


CONVOLUTIONS = [
    Operation(f"{name} {geometry}", there_and_back(name, **options), shapes)
    for name, geometry, options, shapes in [
        ("conv1d", "of 3", {"padding": 1}, ((3, 4, 9), (5, 4, 3), (5,), (3, 5, 9))),
        (
            "conv1d",
            "of many signals",
            {"stride": 2, "dilation": 2},
            ((40, 2, 17), (3, 2, 4), (3,), (40, 3, 6)),
        ),
        ("conv2d", "of 2", {}, ((2, 3, 7, 8), (4, 3, 3, 3), (4,), (2, 4, 5, 6))),
        (
            "conv2d",
            "of 20, padded",
            {"padding": 2},
            ((20, 3, 8, 9), (5, 3, 5, 5), (5,), (20, 5, 8, 9)),
        ),
        (
            "conv2d",
            "of 20, in strides",
            {"stride": 2, "padding": 1},
            ((20, 4, 9, 8), (6, 4, 3, 3), (6,), (20, 6, 5, 4)),
        ),
        (
            "conv2d",
            "of 33, in strides down",
            {"stride": (2, 1), "padding": (1, 0)},
            ((33, 2, 9, 6), (3, 2, 3, 2), (3,), (33, 3, 5, 5)),
        ),
        (
            "conv2d",
            "of 16, from many maps to many",
            {"padding": 1},
            ((16, 40, 8, 7), (48, 40, 3, 3), (48,), (16, 48, 8, 7)),
        ),
        (
            "conv2d",
            "of 17, from one map to many",
            {},
            ((17, 1, 12, 12), (8, 1, 5, 5), (8,), (17, 8, 8, 8)),
        ),
        (
            "conv2d",
            "of 18 in groups, dilated",
            {"groups": 2, "dilation": 2},
            ((18, 4, 8, 7), (4, 2, 3, 3), (4,), (18, 4, 4, 3)),
        ),
        (
            "conv2d",
            "of deep maps",
            {"padding": 1},
            ((3, 48, 24, 24), (48, 48, 3, 3), (48,), (3, 48, 24, 24)),
        ),
        (
            "local_conv2d",
            "of 3",
            {"padding": 1},
            ((3, 2, 4, 5), (4, 5, 3, 2, 3, 3), (4, 5, 3), (3, 3, 4, 5)),
        ),
        (
            "local_conv2d",
            "of 40",
            {"stride": 2},
            ((40, 2, 7, 7), (3, 3, 4, 2, 3, 3), (3, 3, 4), (40, 4, 3, 3)),
        ),
    ]
]

FILTERS = [
    Operation(f"filter_bank {kind}", run, shapes)
    for kind, run, shapes in [
        ("of full rank", filtered, ((20, 21, 3), (2, 3, 3))),
        (
            "separable",
            lambda image, column, row: filtered(image, column[:, :, None] * row[:, None]),
            ((90, 80, 1), (1, 15), (1, 15)),
        ),
        ("spectral", partial(filtered, border="wrap"), ((90, 80, 1), (1, 31, 31))),
    ]
]


@dataclass(frozen=True)
class Checked:
    """An operation as ``cnntool gradcheck`` has it: its inputs, and the gradient that comes in."""

    case: Case

    def arrays(self, dtype: type) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        inputs = self.case.inputs(rng)
        y, _ = self.case.forward(**inputs)
        dy = [rng.normal(size=np.shape(y))] if np.shape(y) else []  # but of a loss
        return [array.astype(dtype) for array in (*inputs.values(), *dy)]

    def results(self, *arrays: np.ndarray) -> list[np.ndarray]:
        names = list(self.case.inputs(np.random.default_rng(0)))
        y, cache = self.case.forward(**dict(zip(names, arrays, strict=False)))
        gradients = self.case.backward(arrays[-1] if np.shape(y) else 0.7, cache)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        return [np.asarray(result) for result in (y, *gradients) if result is not None]

    def __str__(self) -> str:
        return f"{self.case.operation} {self.case.geometry}"


CHECKED = [Checked(case) for case in CASES if "conv" not in case.operation]

POOLS = [
    Operation(f"{name} {geometry}", there_and_back(name, **options), shapes)
    for geometry, options, shapes in [
        ("of whole maps", {"kernel_size": 6}, ((32, 1, 6, 6), (32, 1, 1, 1))),
        ("of 2 x 2", {"kernel_size": 2}, ((32, 3, 6, 8), (32, 3, 3, 4))),
        (
            "that overlap",
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            ((9, 2, 8, 7), (9, 2, 5, 4)),
        ),
    ]
    for name in ("max_pool2d", "average_pool2d", "lp_pool2d", "gaussian_pool2d")
] + [
    Operation(f"adaptive_pool2d {mode}", there_and_back("adaptive_pool2d", **options), shapes)
    for mode in ("max", "average", "gaussian")
    for options, shapes in [
        ({"output_size": 3, "mode": mode}, ((20, 2, 7, 8), (20, 2, 3, 3))),
        ({"output_size": 1, "mode": mode}, ((20, 1, 7, 8), (20, 1, 1, 1))),
    ]
]

OPERATIONS_ON_IMAGES = (
    [
        Operation(f"pyramid_pool_image {mode}", run, ((12, 11, 3),))
        for mode in ("max", "lp", "median")
        for run in [lambda image, mode=mode: (engine.pyramid_pool_image(image, (1, 3), mode),)]
    ]
    + [
        Operation(f"{name} {mode}", run, ((12, 11, 3),))
        for mode in ("max", "average", "lp", "gaussian", "min", "median")
        for name, run in {
            "pool_image": lambda image, mode=mode: (engine.pool_image(image, mode, 3, 2),),
            "pool_image_to_size": lambda image, mode=mode: (
                engine.pool_image_to_size(image, 5, mode),
            ),
        }.items()
    ]
    + [
        Operation(f"{pool.__name__}", lambda x, pool=pool: (pool(x, 3, 2),), ((20, 2, 7, 8),))
        for pool in (engine.min_pool2d, engine.median_pool2d)
    ]
)

MAPS = [
    Operation("batch_norm of maps", lambda x, w, b, dy: _normalized(x, w, b, dy), shapes)
    for shapes in [((20, 3, 4, 5), (3,), (3,), (20, 3, 4, 5))]
] + [
    Operation(
        "dropout of maps",
        lambda x, dy: there_and_back("dropout", rate=0.3, rng=np.random.default_rng(5))(x, dy),
        ((20, 3, 4, 5), (20, 3, 4, 5)),
    )
]


def _normalized(x, weight, bias, dy):
    y, cache, _ = engine.batch_norm(x, weight, bias)
    return y, *engine.batch_norm_backward(dy, cache)


SEQUENCES = [
    Operation(f"{name} of 3 steps", there_and_back_in_time(name), shapes)
    for name, gates, biases, states in [("rnn", 1, 1, 1), ("gru", 3, 2, 1), ("lstm", 4, 1, 2)]
    for shapes in [
        (
            (3, 20, 6),
            *[(20, 8)] * states,
            (6, 8 * gates),
            (8, 8 * gates),
            *[(8 * gates,)] * biases,
            (3, 20, 8),
        )
    ]
]

OPERATIONS = [*CONVOLUTIONS, *FILTERS, *POOLS, *OPERATIONS_ON_IMAGES, *MAPS, *SEQUENCES, *CHECKED]
