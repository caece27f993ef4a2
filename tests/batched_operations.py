"""Operations of the engine in batches of every size: where layouts change and faster ways begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from operations import (
    CONVOLUTIONS,
    MAPS,
    POOLS,
    SEQUENCES,
    Operation,
    loss_and_back,
    there_and_back,
    there_and_back_in_time,
)

from cnntool import engine
from cnntool.engine.time_pooling import MODES as TIME_MODES

BATCHES = 1, 2, 16, 33
"""Batches alone, small, from where samples may lie innermost, and of no even number of blocks."""


def in_batches(operation: Operation, axis: int = 0) -> list[Operation]:
    """An operation of maps, or of steps with the batch on axis 1, in batches of every size."""
    first, *others, last = operation.shapes
    size = first[axis]

    def resized(shape: tuple[int, ...], batch: int, axis: int) -> tuple[int, ...]:
        return *shape[:axis], batch, *shape[axis + 1 :]

    return [
        replace(
            operation,
            name=f"{operation.name}, a batch of {batch}",
            shapes=(
                resized(first, batch, axis),
                *[resized(s, batch, 0) if axis and s[0] == size else s for s in others],
                resized(last, batch, axis),
            ),
        )
        for batch in BATCHES
    ]


def of(n: int) -> list[Operation]:
    """Of n samples: the operations that do not move over maps, and the pools that they leave."""
    return [*_pairs(n), *_pools(n), *_losses(n), *_over_time(n)]


def _pairs(n: int) -> list[Operation]:
    maps = (n, 3, 4, 5)
    return [
        *[
            Operation(name, there_and_back(name), (maps, maps))
            for name in ("relu", "tanh", "scaled_tanh", "sigmoid")
        ],
        Operation("dense", there_and_back("dense"), ((n, 6), (6, 4), (4,), (n, 4))),
        Operation(
            "embedding", there_and_back("embedding"), ((n, 3), (5, 4), (n, 3, 4)), {0: range(5)}
        ),
        Operation("embedding_backward_rows", _rows, ((n, 3), (5, 4), (n, 3, 4)), {0: range(5)}),
        Operation("softmax", lambda x: (engine.softmax(x), engine.softmax(x, axis=0)), ((n, 7),)),
        Operation("log_softmax", lambda x: (engine.log_softmax(x),), ((n, 7),)),
    ]


def _rows(ids: np.ndarray, table: np.ndarray, dy: np.ndarray) -> tuple:
    return engine.embedding_backward_rows(dy, engine.embedding(ids, table)[1])


def _pools(n: int) -> list[Operation]:
    row, maps, window = (n, 3, 9), (n, 1, 7, 8), {"kernel_size": 3, "stride": 2, "padding": 1}
    found: list[tuple[str, dict, tuple]] = [
        *[(f"{mode}_pool1d", window, (row, (n, 3, 5))) for mode in ("max", "average", "lp")],
        ("subsample2d", {}, ((n, 3, 4, 6), (3,), (3,), (n, 3, 2, 3))),
    ]
    for p in (1, 3.5, np.inf):
        found.append(("lp_pool2d", {"kernel_size": 6, "p": p}, ((n, 1, 6, 6), (n, 1, 1, 1))))
    for mode in ("max", "average"):
        found.append(("global_pool2d", {"mode": mode}, (maps, (n, 1, 1, 1))))
        found.append(("pyramid_pool2d", {"mode": mode, "levels": (1, 2)}, (maps, (n, 5))))
    return [
        *[
            Operation(f"{name} {options}", there_and_back(name, **options), shapes)
            for name, options, shapes in found
        ],
        *[
            Operation(f"{name}_indices", _winners(name), (shape,))
            for name, shape in (("max_pool1d", row), ("max_pool2d", maps))
        ],
        *[
            Operation(pool.__name__, lambda x, pool=pool: (pool(x, 3, 2),), (maps,))
            for pool in (engine.min_pool2d, engine.median_pool2d)
        ],
    ]


def _winners(pool: str) -> Callable[..., tuple]:
    return lambda x: (getattr(engine, f"{pool}_indices")(getattr(engine, pool)(x, 3, 2)[1]),)


def _losses(n: int) -> list[Operation]:
    logits, words = ((n, 7), (n,)), ((n, 5), (5, 9), (9,), (n,))
    return [
        Operation(f"{name} {'of shares' * len(shares)}", loss_and_back(name), shapes + shares, ints)
        for shares in ((), ((n,),))
        for name, shapes, ints in [
            ("softmax_cross_entropy", logits, {1: range(7), 2: range(1, 4)}),
            ("vocabulary_cross_entropy", words, {3: range(9), 4: range(1, 4)}),
        ]
    ]


def _over_time(n: int) -> list[Operation]:
    asked, kept = (2, n, 4), (6, n, 5)
    ends = {"lengths": np.arange(n)[::-1] % 6 + 1}  # negative steps
    found: list[tuple[str, dict, tuple]] = []
    for options in ({}, ends):
        found += [("time_pool", {"mode": m, **options}, ((6, n, 4), (n, 4))) for m in TIME_MODES]
        weights = ((4, 3), (5, 3), (3,))
        found += [
            ("general_attention", options, (asked, kept, (5, 4), (2, n, 5))),
            ("additive_attention", options, (asked, kept, *weights, (2, n, 5))),
        ]
    gates = ((4, 9), (3, 9), (9,))
    lstm = ((n, 3), (n, 3), (4, 12), (3, 12), (12,))
    return [
        *[
            Operation(
                f"{name} {options.get('mode', '')} {'to ends' * ('lengths' in options)}",
                there_and_back(name, **options),
                shapes,
            )
            for name, options, shapes in found
        ],
        Operation(
            "reset_first_gru",
            there_and_back_in_time("reset_first_gru"),
            ((3, n, 4), (n, 3), *gates, (3, n, 3)),
        ),
        Operation("recurrent of lstm", _there_and_back_in_a_layer, ((3, n, 4), *lstm, (3, n, 3))),
        Operation("recurrent_step of lstm", _step, ((n, 4), *lstm)),
    ]


def _there_and_back_in_a_layer(x, h, c, *arrays) -> tuple:
    *weights, dy = arrays
    (y, (((h, c),),)), cache = engine.recurrent(x, [[(h, c)]], [[tuple(weights)]], cell="lstm")
    dx, (((dh, dc),),), ((dweights,),) = engine.recurrent_backward(dy, None, cache)
    return y, h, c, dx, dh, dc, *dweights


def _step(x, h, c, *weights) -> tuple:
    y, (((h, c),),) = engine.recurrent_step(x, [[(h, c)]], [[weights]], cell="lstm")
    return y, h, c


BATCHED = [
    *[
        one
        for axis, operations in ((0, [*CONVOLUTIONS, *POOLS, *MAPS]), (1, SEQUENCES))
        for operation in operations
        if "deep" not in operation.name
        for one in in_batches(operation, axis)
    ],
    *[replace(one, name=f"{one.name}, a batch of {n}") for n in BATCHES for one in of(n)],
]
"""Every operation of batches, in batches of several sizes."""
