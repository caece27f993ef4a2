"""What happens in a recurrent network over time: the gates and states of its units, and a
gradient's way back.

How much of a gradient is left, step by step back, says whether it vanishes or explodes. The loss
is that of one prediction, at the end of a window. With s_k the state that is carried into the last
k steps, the product of k Jacobians stands between it and the end:

    dL/ds_k = dL/ds_0 . ds_0/ds_1 . ... . ds_(k-1)/ds_k

Where their norms stay below 1 it falls, and above 1 it can grow, geometrically with k. Bengio,
Simard, Frasconi, Learning long-term dependencies with gradient descent is difficult, IEEE Trans.
Neural Networks 5, 1994; Pascanu, Mikolov, Bengio, ICML 2013. The cell state of an LSTM passes each
step multiplied by its forget gate alone: Hochreiter, Schmidhuber, Neural Computation 9, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.errors import InputError, RequestError
from cnntool.networks.joined import Joined
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.layers.recurrent import GATE_NAMES, REVERSE, Recurrent
from cnntool.networks.model import SequenceModel, TrainedText
from cnntool.networks.network import Caches, Network
from cnntool.wording import instead


@dataclass(frozen=True, eq=False)
class States:
    """A layer by its name, and of each direction what its units did, each (T, H): the gates, the
    cell state ``c`` where there is one, and ``h``; first from the beginning, then from the end."""

    layer: str
    cell: str
    directions: tuple[dict[str, np.ndarray], ...]


def states_of(
    model: SequenceModel, x: Any, lengths: np.ndarray | None, layer: str | None = None
) -> States:
    """Of a batch of one, in a recurrent layer of what reads, the last one for None.

    RequestError where there is none of this name, InputError where its numbers are not finite.
    """
    network, index = model.network, _place(model, layer)
    recurrent = network.layers[index]
    assert isinstance(recurrent, Recurrent)
    found = model.trace(index, x, lengths)
    forward = {name: values for name, values in found.items() if not name.endswith(REVERSE)}
    back = {name: found[name + REVERSE] for name in forward if name + REVERSE in found}
    directions = (forward, back) if back else (forward,)
    return States(network.names[index], recurrent.cell, directions)


def _place(model: SequenceModel, layer: str | None) -> int:
    network = model.network
    reads = network.joint if isinstance(network, Joined) else len(network.layers)
    places = {network.names[i]: i for i in range(reads) if isinstance(network.layers[i], Recurrent)}
    if not places:
        raise InputError(
            f"{model.name} reads without a recurrent layer, so there are no states: name another"
        )
    if layer is None:
        return list(places.values())[-1]
    for name, place in places.items():
        if layer in (name, name.rpartition(".")[2]):
            return place
    raise RequestError(
        f"{model.name} has no recurrent layer '{layer[:60]}' that reads, only "
        f"{instead(layer, list(places))}"
    )


@dataclass(frozen=True, eq=False)
class UnitTrace:
    """What one unit does while a text is read.

    layer: among the recurrent ones, from 1. values: a number a token of each gate, of the cell
    state ``c`` where there is one, and of the hidden state ``h``.
    """

    cell: str
    layer: int
    unit: int
    values: dict[str, list[float]]


def unit_trace(trained: TrainedText, ids: np.ndarray, layer: int, unit: int | None) -> UnitTrace:
    """Of a text (T,), the unit of a recurrent layer; without one that which changes most.

    InputError where numbers of the network are not finite.
    """
    layers = trained.network.layers
    places = [place for place, each in enumerate(layers) if isinstance(each, Recurrent)]
    traces = trained.trace(places[layer - 1], ids[:, None])
    if unit is None:
        unit = int(next(reversed(traces.values())).std(axis=0).argmax())
    values = {name: each[:, unit].tolist() for name, each in traces.items()}
    return UnitTrace(_cell_of(trained.network, layer), layer, unit, values)


def with_cells(network: Network, cell: str) -> Network:
    """The same layers with other recurrences; parameters not drawn yet."""
    layers = [
        replace(layer, cell=cell) if isinstance(layer, Recurrent) else layer
        for layer in network.layers
    ]
    return Network(layers, network.input_shape)


def _cell_of(network: Network, layer: int = 1) -> str:
    """Of a recurrent layer, which count from 1."""
    return [each.cell for each in network.layers if isinstance(each, Recurrent)][layer - 1]


PASSES = {"lstm": ("c", "forget"), "gru": ("h", "update"), "rnn": ("h", "slope")}
"""By cell, the state that is kept from step to step and the gate that multiplies it; of an rnn the
slope of tanh, ``1 - h^2``, which its Jacobian has for a gate."""


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Norms of the loss's gradient by the state that is carried into the last k steps, k = 0 .. T.

    norms: by the path of the state, such as ``lstm1.h``, (T + 1,) float64, the root mean square
        over the windows. Only what goes through time counts; with k = 0, the output alone.
    gates: by layer and gate, the mean over units, steps and windows.
    kept: by layer, the mean of the gate in PASSES, each unit and step as its squared gradient.
    recalled: the share of windows whose first token it recalls; None of a text.
    """

    cell: str
    norms: dict[str, np.ndarray]
    gates: dict[str, dict[str, float]] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)
    recalled: float | None = None

    @property
    def steps(self) -> int:
        return len(next(iter(self.norms.values()))) - 1

    @property
    def is_finite(self) -> bool:
        """Whether no norm is beyond all numbers."""
        return all(bool(np.isfinite(norms).all()) for norms in self.norms.values())

    def first(self, path: str) -> int:
        """The k from which a state has a gradient: 0 of what the output reads, 1 of others."""
        return 0 if self.norms[path][0] > 0 else 1

    def left(self, path: str) -> float:
        """What is left of the first norm after all steps."""
        return float(self.norms[path][-1] / self.norms[path][self.first(path)])

    def factor(self, path: str, start: int = 1) -> float:
        """By which the norm changes a step, the geometric mean from k = ``start`` on; nan where it
        is 0."""
        norms = self.norms[path][start:]
        if len(norms) < 2 or not norms[0] > 0 or not norms[-1] > 0:
            return float("nan")
        return float((norms[-1] / norms[0]) ** (1 / (len(norms) - 1)))


@np.errstate(over="ignore", invalid="ignore")
def gradient_flow(network: Network, ids: np.ndarray) -> GradientFlow:
    """From windows of ids (T + 1, B): T tokens are read, and the loss is that of the last one.

    All is float64 from float32 parameters, so that a gradient may explode by 300 decades.
    """
    params = {path: array.astype(np.float64) for path, array in network.params.items()}
    network = network.with_arrays(params, network.buffers)
    states, last = network.start(ids.shape[1]), len(network.layers) - 1
    caches = []
    for token in ids[:-1]:
        x, cache = network.forward(token[None], states=states, stop=last)
        states = cache.states
        caches.append(cache)
    logits, head = network.forward(x, last)
    _, loss = softmax_cross_entropy(logits[0], ids[-1])
    dlogits = softmax_cross_entropy_backward(float(ids.shape[1]), loss)[None]
    dlast = network.backward_to_input(dlogits, head)
    dx: np.ndarray | None = dlast
    dstates: Arrays | None = None
    norms = {path: np.zeros(len(ids)) for path in states}
    top = [path for path in states if path.endswith(".h")][-1]
    norms[top][0] = _norm(dlast[0])
    means = _Means()
    for back, cache in enumerate(reversed(caches), 1):
        means.add(network, cache, dstates)
        grads = network.backward(dx, cache, dstates=dstates)
        dx, dstates = None, {path: grads[path] for path in states}
        for path, gradient in dstates.items():
            norms[path][back] = _norm(gradient)
    return GradientFlow(_cell_of(network), norms, *means.found(len(caches)))


class _Means:
    """Of the gates of every recurrent layer, over steps."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], float] = {}
        self._kept: dict[str, np.ndarray] = {}  # sums of gate x gradient^2 and of gradient^2

    def add(self, network: Network, caches: Caches, dstates: Arrays | None) -> None:
        """One step; ``dstates`` are the gradients by the states behind it."""
        for name, layer, cache in zip(network.names, network.layers, caches, strict=False):
            if not isinstance(layer, Recurrent):
                continue
            h = caches.states[f"{name}.h"]
            gates = {k: v[0] for k, v in layer.trace(h[None], cache).items() if k in GATE_NAMES}
            gates = gates or {"slope": 1 - np.square(h)}
            for gate, values in gates.items():
                self._sums[name, gate] = self._sums.get((name, gate), 0.0) + float(values.mean())
            state, gate = PASSES[layer.cell]
            if dstates is not None:
                weights = np.square(dstates[f"{name}.{state}"])
                sums = np.array([np.sum(gates[gate] * weights), np.sum(weights)])
                self._kept[name] = self._kept.get(name, 0) + sums

    def found(self, steps: int) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
        """What GradientFlow has: ``gates`` and ``kept``."""
        means: dict[str, dict[str, float]] = {}
        for (name, gate), total in self._sums.items():
            means.setdefault(name, {})[gate] = total / steps
        return means, {n: float(a / b) for n, (a, b) in self._kept.items() if b > 0}


def recall_flow(network: Network, ids: np.ndarray) -> GradientFlow:
    """The flow of windows of ids (T + 1, B) whose first token is asked for behind the last, to that
    token and not beyond, and how many it recalls."""
    logits, _ = network.forward(ids[:-1], states=network.start(ids.shape[1]))
    recalled = float((logits[-1].argmax(axis=1) == ids[-1]).mean())
    flow = gradient_flow(network, ids)
    norms = {path: each[:-1] for path, each in flow.norms.items()}
    return replace(flow, norms=norms, recalled=recalled)


def with_gain(network: Network, gain: float) -> Network:
    """The same network with ``gain`` times as large weights of the state.

    The Jacobian of a step of a plain rnn is ``diag(1 - h^2) U^T``: with U orthogonal it shrinks no
    gradient that h near 0 lets pass, with half of it halves them, and twice doubles them.
    """
    params = {
        path: array * array.dtype.type(gain) if path.endswith(".w_hidden") else array
        for path, array in network.params.items()
    }
    return network.with_arrays(params, network.buffers)


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
