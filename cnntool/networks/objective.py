"""What a network learns by: the mean cross-entropy of its outputs, and how it fares on each.

The loss is the cross-entropy of the softmax of what the last layer gives. Where that is a dense
layer over very many words, the layer and the loss are computed together, a block of rows at a time:
the same to rounding, without ever holding all logits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cnntool.engine import losses
from cnntool.networks.layers.core import Dense
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.network import Network

MANY_OUTPUTS = 1024
"""From which on a dense layer and the loss go together while learning."""


class Lesson(NamedTuple):
    """What a batch came to: its mean loss in nats, how many targets were the likeliest, and the
    states behind it, by path."""

    loss: float
    correct: int
    states: Arrays


def begin_at_frequencies(network: Network, shares: np.ndarray) -> None:
    """Let the last layer, where it is a dense one, say before any learning how often each target
    comes, ``shares`` (K,) above 0 of sum 1: its bias is ``log(share K)``, 0 where all are alike.

    What is left to learn is what depends on the input.
    """
    if _last_dense(network) is not None:
        bias = network.params[f"{network.names[-1]}.bias"]
        bias += np.log(shares * len(shares)).astype(bias.dtype)


def loss_and_gradients(
    network: Network,
    x: np.ndarray,
    targets: np.ndarray,
    out: Arrays,
    *,
    states: Arrays | None = None,
    lengths: np.ndarray | None = None,
    counts: np.ndarray | None = None,
    rng: np.random.Generator | None = None,
    label_smoothing: float = 0.0,
    share: float = 1.0,
) -> Lesson:
    """The mean cross-entropy of integer targets (N,), of sequences (T, B), for a batch x that is
    learned from. ``share`` times its gradient by every parameter goes into ``out``, by path.

    states: what the layers of sequences begin with, None for 0; the gradient ends there.
    lengths: (B,) of sequences that do not all have T steps.
    counts: weights in the mean, in the shape of the targets, None where all count alike; where one
        is 0, as behind the end of a sequence, the target may be anything.
    rng: what dropout draws from.
    """
    given: dict[str, Any] = {"states": states, "lengths": lengths, "training": True, "rng": rng}
    last = _last_dense(network)
    if last is not None and last.outputs >= MANY_OUTPUTS and not label_smoothing:
        y, caches = network.forward(x, **given, stop=-1)
        loss, fused = _with_last_layer(network, last, y, targets, counts)
        dy, dweight, dbias = losses.vocabulary_cross_entropy_backward(share, fused)
        grads = network.collect(-1, last.gradients(dweight, dbias), out)
        network.backward(dy.reshape(y.shape), caches, out=out, grads=grads)
        return Lesson(loss, fused.correct, caches.states)
    logits, caches = network.forward(x, **given)
    loss, cache = losses.softmax_cross_entropy(
        logits, targets, counts, label_smoothing=label_smoothing
    )
    network.backward(losses.softmax_cross_entropy_backward(share, cache), caches, out=out)
    return Lesson(loss, _correct(logits, targets, counts), caches.states)


def surprisals(
    network: Network,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    states: Arrays | None = None,
    lengths: np.ndarray | None = None,
    counts: np.ndarray | None = None,
) -> tuple[np.ndarray, int, Arrays]:
    """``-log p(target)`` in nats, in the shape of the targets, of a network as it is; how many
    targets were the likeliest; and the states behind x. Nothing is kept for a way back.

    counts: booleans in the shape of the targets, of sequences. Where one is not true, the target
        may be anything: its surprisal is 0, and it is never right.
    """
    given: dict[str, Any] = {"states": states, "lengths": lengths, "keeps_caches": False}
    with np.errstate(over="ignore", invalid="ignore"):  # not finite: whoever uses them says it
        last = _last_dense(network)
        if last is not None:
            y, caches = network.forward(x, stop=-1, **given)
            _, cache = _with_last_layer(network, last, y, targets, counts, need_gradient=False)
            return cache.losses.reshape(targets.shape), cache.correct, caches.states
        logits, caches = network.forward(x, **given)
        if counts is not None:
            logits, targets = np.where(counts[..., None], logits, 0), np.where(counts, targets, -1)
        found = -np.take_along_axis(losses.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
        found = found if counts is None else np.where(counts, found, 0)
        return found, _correct(logits, targets), caches.states


def _last_dense(network: Network) -> Dense | None:
    """The last layer where that is a dense one over features."""
    last = network.layers[-1]
    return last if isinstance(last, Dense) and len(network.shapes[-2]) < 3 else None


def _with_last_layer(
    network: Network,
    last: Dense,
    y: np.ndarray,
    targets: np.ndarray,
    counts: np.ndarray | None = None,
    *,
    need_gradient: bool = True,
) -> tuple[float, losses.VocabularyCache]:
    """The last layer and the loss in one, for what comes into the layer."""
    params = network.params_of(-1)
    return losses.vocabulary_cross_entropy(
        y.reshape(-1, y.shape[-1]),
        last.weight(params),
        params["bias"],
        targets.ravel(),
        None if counts is None or np.all(counts == 1) else counts.ravel(),
        need_gradient=need_gradient,
    )


def _correct(logits: np.ndarray, targets: np.ndarray, counts: np.ndarray | None = None) -> int:
    is_right = logits.argmax(axis=-1) == targets
    return int(np.count_nonzero(is_right if counts is None else is_right & (counts > 0)))
