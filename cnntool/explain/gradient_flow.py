"""How much of a gradient is left, step by step back through time: it vanishes, or it explodes.

The loss is that of one prediction, at the end of a window. With s_k the state that is carried into
the last k steps, the product of k Jacobians stands between it and the end:

    dL/ds_k = dL/ds_0 . ds_0/ds_1 . ... . ds_(k-1)/ds_k

Where their norms stay below 1 it falls, and above 1 it can grow, geometrically with k. Bengio,
Simard, Frasconi, Learning long-term dependencies with gradient descent is difficult, IEEE Trans.
Neural Networks 5, 1994; Pascanu, Mikolov, Bengio, ICML 2013. The cell state of an LSTM passes each
step multiplied by its forget gate alone: Hochreiter, Schmidhuber, Neural Computation 9, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.network import Network


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Norms of the loss's gradient by the state that is carried into the last k steps, k = 0 .. T.

    norms: by the path of the state, such as ``lstm1.h``, (T + 1,) float64, the root mean square
        over the windows. Only what goes through time counts; with k = 0, the output alone.
    """

    cell: str
    norms: dict[str, np.ndarray]

    @property
    def steps(self) -> int:
        return len(next(iter(self.norms.values()))) - 1

    @property
    def is_finite(self) -> bool:
        """Whether no norm is beyond all numbers."""
        return all(bool(np.isfinite(norms).all()) for norms in self.norms.values())

    def factor(self, path: str) -> float:
        """By which the norm changes a step, the geometric mean from k = 1 on; nan where it is 0."""
        norms = self.norms[path][1:]
        if len(norms) < 2 or not norms[0] > 0 or not norms[-1] > 0:
            return float("nan")
        return float((norms[-1] / norms[0]) ** (1 / (len(norms) - 1)))


@np.errstate(over="ignore", invalid="ignore")
def gradient_flow(network: Network, ids: np.ndarray) -> GradientFlow:
    """From windows of ids (T + 1, B): T tokens are read, and the loss is that of the last one.

    All is float64 from float32 parameters, so that a gradient may explode by 300 decades.
    """
    network = _with_params(network, {k: v.astype(np.float64) for k, v in network.params.items()})
    states, last = network.start(ids.shape[1]), len(network.layers) - 1
    caches = []
    for token in ids[:-1]:
        x, cache = network.forward(token[None], states=states, stop=last)
        states = cache.states
        caches.append(cache)
    logits, head = network.run(x, last)
    _, loss = softmax_cross_entropy(logits[0], ids[-1])
    dlogits = softmax_cross_entropy_backward(float(ids.shape[1]), loss)[None]
    dx, dstates = network.run_backward(dlogits, head, last), None
    norms = {path: np.zeros(len(ids)) for path in states}
    top = [path for path in states if path.endswith(".h")][-1]
    norms[top][0] = _norm(dx[0])
    for back, cache in enumerate(reversed(caches), 1):
        grads = network.backward(dx, cache, dstates=dstates)
        dx, dstates = None, {path: grads[path] for path in states}
        for path, gradient in dstates.items():
            norms[path][back] = _norm(gradient)
    cell = next(layer.kind for _, layer, shape in network.each() if layer.state(shape))
    return GradientFlow(cell, norms)


def _with_params(network: Network, params: Arrays) -> Network:
    copy = Network(network.layers, network.input_shape)
    copy.params = params
    return copy


def with_gain(network: Network, gain: float) -> Network:
    """The same network with ``gain`` times as large weights of the state.

    The Jacobian of a step of a plain rnn is ``diag(1 - h^2) U^T``: with U orthogonal it shrinks no
    gradient that h near 0 lets pass, with half of it halves them, and twice doubles them.
    """
    params = {
        path: array * array.dtype.type(gain) if path.endswith(".w_hidden") else array
        for path, array in network.params.items()
    }
    return _with_params(network, params)


@np.errstate(over="ignore", invalid="ignore")
def _norm(gradients: np.ndarray) -> float:
    """Of (B, H): the root of the mean of the squared norms of the rows."""
    return float(np.sqrt(np.square(gradients, dtype=np.float64).sum(axis=1).mean()))


def spread_windows(ids: np.ndarray, steps: int, most: int) -> np.ndarray:
    """Windows (steps + 1, B) of a text (N,), as far apart as they can be, at most so many.

    ValueError where the text is shorter than a window.
    """
    last = len(ids) - (steps + 1)
    if last < 0:
        raise ValueError(f"{len(ids)} tokens: expected {steps + 1} or more")
    count = max(1, min(most, len(ids) // (steps + 1)))
    starts = np.linspace(0, last, count).round().astype(int)
    return ids[starts + np.arange(steps + 1)[:, None]]
