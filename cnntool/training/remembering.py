"""Cells that learn to remember: a task that is nothing but memory, a token, noise, and the same
token again."""

from __future__ import annotations

import numpy as np

from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.networks.network import Network
from cnntool.networks.sequence_zoo import language_model
from cnntool.training.optimizers import make_optimizer
from cnntool.training.shards import fill, flatten

KINDS, NOISE = 8, 4
"""Tokens to be remembered, and others that follow."""

LONGEST_LAG, LESSONS, BATCH, UNITS, WIDTH = 50, 600, 32, 32, 8
RATE, CLIP = 0.01, 1.0
"""Of the short run: enough for an lstm and a gru to recall every token over LONGEST_LAG steps."""


def recall_windows(rng: np.random.Generator, steps: int, count: int) -> np.ndarray:
    """(steps + 1, count) ids: a token of KINDS, noise, and behind that the same token again."""
    ids = rng.integers(KINDS, KINDS + NOISE, (steps + 1, count))
    ids[0] = ids[-1] = rng.integers(0, KINDS, count)
    return ids


def remembering(cell: str, seed: int = 0) -> Network:
    """A small cell after a short run on a task that is nothing but memory.

    It reads a token, then up to LONGEST_LAG less one of noise, and predicts the first token: the
    loss is that of the last step alone, so that all it learns has come back through time. Steps are
    Adam's, clipped. Source of the task: Hochreiter, Schmidhuber, Neural Computation 9, 1997.
    """
    network = language_model(cell, KINDS + NOISE, WIDTH, UNITS)
    network.initialise(np.random.default_rng(seed))
    rng = np.random.default_rng((seed, 0))
    vector, network.params = flatten(network.params)
    gradient, views = flatten(network.params)
    optimizer = make_optimizer("adam", RATE, clip=CLIP)
    state = optimizer.start(vector)
    for _ in range(LESSONS):
        ids = recall_windows(rng, int(rng.integers(1, LONGEST_LAG + 1)), BATCH)
        logits, caches = network.forward(ids[:-1], states=network.start(BATCH))
        _, cache = softmax_cross_entropy(logits[-1], ids[-1])
        dlogits = np.zeros_like(logits)
        dlogits[-1] = softmax_cross_entropy_backward(1.0, cache)
        grads = network.backward(dlogits, caches)
        fill(views, {path: grads[path] for path in views})
        optimizer.step(vector, gradient, state)
    return network
