"""What happens in a recurrent network over time: the gates of a unit, and a gradient's way back.

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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.errors import InputError, not_finite
from cnntool.networks.layers.layer import Arrays
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.model import TrainedText
from cnntool.networks.network import Network
from cnntool.networks.zoo import language_model, language_sizes
from cnntool.wording import counted


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
    traces = trace(trained.network, ids, layer - 1)
    if not all(np.isfinite(each).all() for each in traces.values()):
        raise not_finite(f"{trained.name}: its network")
    if unit is None:
        unit = int(next(reversed(traces.values())).std(axis=0).argmax())
    values = {name: each[:, unit].tolist() for name, each in traces.items()}
    return UnitTrace(_cell_of(trained.network), layer, unit, values)


def trace(network: Network, ids: np.ndarray, layer: int) -> dict[str, np.ndarray]:
    """What the units of a recurrent layer do while a text of ids (T,) is read, each (T, H): the
    gates, the cell state ``c`` where there is one, and ``h``; recurrent layers count from 0."""
    places = [place for place, each in enumerate(network.layers) if isinstance(each, Recurrent)]
    h, caches = network.forward(ids[:, None], stop=places[layer] + 1)
    cell = network.layers[places[layer]]
    assert isinstance(cell, Recurrent)
    return {name: values[:, 0] for name, values in cell.trace(h, caches[-1]).items()}


def _cell_of(network: Network) -> str:
    return next(layer.cell for layer in network.layers if isinstance(layer, Recurrent))


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
    logits, head = network.forward(x, last)
    _, loss = softmax_cross_entropy(logits[0], ids[-1])
    dlogits = softmax_cross_entropy_backward(float(ids.shape[1]), loss)[None]
    dlast = network.backward_to_input(dlogits, head)
    dx: np.ndarray | None = dlast
    dstates: Arrays | None = None
    norms = {path: np.zeros(len(ids)) for path in states}
    top = [path for path in states if path.endswith(".h")][-1]
    norms[top][0] = _norm(dlast[0])
    for back, cache in enumerate(reversed(caches), 1):
        grads = network.backward(dx, cache, dstates=dstates)
        dx, dstates = None, {path: grads[path] for path in states}
        for path, gradient in dstates.items():
            norms[path][back] = _norm(gradient)
    return GradientFlow(_cell_of(network), norms)


def flows_beside(
    trained: TrainedText, ids: np.ndarray, cells: Sequence[str], gain: float = 1.0, seed: int = 0
) -> dict[str, GradientFlow]:
    """The flow of a model, and of untrained cells of its size, by what they are called.

    gain: of the untrained ones. InputError where a gradient grows beyond all numbers.
    """
    sizes = language_sizes(trained.network)
    networks = {f"trained {sizes['cell']}": trained.network}
    suffix = "" if gain == 1 else f", gain {gain:g}"
    for cell in cells:
        fresh = language_model(**{**sizes, "cell": cell})
        fresh.initialise(np.random.default_rng(seed))
        networks[f"fresh {cell}{suffix}"] = with_gain(fresh, gain)
    flows = {}
    for name, network in networks.items():
        flows[name] = gradient_flow(network, ids)
        if not flows[name].is_finite:
            remedy = "or a smaller --gain" if name.startswith("fresh") else "its weights are large"
            raise InputError(
                f"{trained.name}: the gradient of the {name} grows beyond all numbers within "
                f"{counted(len(ids) - 1, 'step')}: set fewer --steps; {remedy}"
            )
    return flows


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
