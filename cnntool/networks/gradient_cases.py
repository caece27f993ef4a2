"""The gradients of a network that was trained: layer by layer, and through all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnntool.datasets.sequences.feeds import Pair
from cnntool.datasets.sequences.inputs import Spelled
from cnntool.engine.fast.layout import FEWEST_SAMPLES, batch_last
from cnntool.engine.gradient_check import TOLERANCE, GradientCheck, gradcheck
from cnntool.networks.joined import Joined
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import Arrays, Layer, Pass, Shape, is_steps
from cnntool.networks.network import Network
from cnntool.networks.objective import loss_and_gradients
from cnntool.wording import counted, shape_text

SAMPLES = 3
"""Of a batch: enough for batch normalisation, few enough to be quick."""

SPELLINGS, LETTERS = 4, 3
"""Different words of a batch, and letters of the longest, where a network reads them."""

STEPS = 6
"""Of each sequence: enough for a gradient to come back through time."""

ROUNDING = 0.02
"""Of a gradient in float32, beside its largest element: deep networks lose a thousandth of it, and
where a unit near 0 is on the other side of it, more."""


@dataclass(frozen=True)
class LayerCase:
    """One layer, or the whole network, with what was found of its input and its parameters;
    ``beside`` says in a few words what its gradients are compared with."""

    operation: str
    geometry: str
    check: Callable[[], tuple[GradientCheck, ...]]
    beside: str = "by differences"


def network_cases(
    network: Network, seed: int = 0, tolerance: float = TOLERANCE
) -> Iterator[LayerCase]:
    """A case for each layer, one for the network whose parameters are all checked at once, and one
    for how it trains.

    A layer has its own parameters and a random input, so that none of its windows has a tie, and
    where it carries a state, a random one to begin with; maps come both sample after sample and, in
    a larger batch, with the samples innermost. The network has a random batch, or reads random
    tokens. All is float64 and as in training: batch normalisation sees its batch, and dropout drops
    the same units each time. What so is proved, a batch is held to that is learned from as
    :mod:`cnntool.training` does: in float32, by whatever is fastest.
    """
    for index, (name, layer, shape) in enumerate(network.each()):
        check = lambda index=index: _of_layer_as_it_lies(network, index, (seed, index), tolerance)
        yield LayerCase(name, f"{layer} of {_size_text(shape)}", check)
    geometry = f"{counted(len(network.layers), 'layer')} of {_size_text(network.input_shape)}"
    yield LayerCase("network", geometry, lambda: _of_network(network, seed, tolerance))
    geometry = f"{FEWEST_SAMPLES} at a time in float32"
    yield LayerCase("training", geometry, lambda: _of_training(network, seed), "in float64")


def _batch_shape(shape: Shape, samples: int = SAMPLES) -> tuple[int, ...]:
    if shape[0] is not None and not is_steps(shape):
        return (samples, *shape)
    return (shape[0] or STEPS, samples, *shape[1:])


def _size_text(shape: Shape) -> str:
    return shape_text(_batch_shape(shape) if shape[0] is None else shape)


def _random_batch(
    layer: Layer, shape: Shape, rng: np.random.Generator, samples: int = SAMPLES
) -> Any:
    """What a layer takes: numbers, or tokens, with their spelling where it reads that."""
    size = _batch_shape(shape, samples)
    if not isinstance(layer, Embedding):
        return rng.standard_normal(size)
    ids = rng.integers(layer.words, size=size)
    if layer.letters is None:
        return ids
    letters = rng.integers(layer.letters[0], size=(LETTERS, SPELLINGS))
    lengths = np.arange(SPELLINGS) % LETTERS + 1
    return Spelled(ids, rng.integers(SPELLINGS, size=size), letters, lengths)


def _random_input(network: Network, rng: np.random.Generator, samples: int = SAMPLES) -> Any:
    source = _random_batch(network.layers[0], network.input_shape, rng, samples)
    if not isinstance(network, Joined):
        return source
    return Pair(source, _random_batch(network.layers[network.joint], (None,), rng, samples))


def _of_layer_as_it_lies(
    network: Network, index: int, seed: tuple[int, ...], tolerance: float
) -> tuple[GradientCheck, ...]:
    """Of a layer whose input lies sample after sample; over maps, also with them innermost."""
    found = [_of_layer(network, index, seed, tolerance)]
    if len(network.shapes[index]) == 3:
        found.append(_of_layer(network, index, seed, tolerance, FEWEST_SAMPLES, batch_last))
    return tuple(_together(checks) for checks in zip(*found, strict=True))


def _together(checks: tuple[GradientCheck, ...]) -> GradientCheck:
    """The worst of some checks of one input, with the counts of all."""
    order = ("wrong", "kink", "ok")
    worst = max(checks, key=lambda check: check.error)
    counts = {
        name: sum(getattr(check, name) for check in checks)
        for name in ("checked", "kinks", "passed")
    }
    verdict = min((check.verdict for check in checks), key=order.index)
    return replace(worst, **counts, verdict=verdict)


def _of_layer(
    network: Network,
    index: int,
    seed: tuple[int, ...],
    tolerance: float,
    samples: int = SAMPLES,
    laid: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[GradientCheck, ...]:
    """By its input, the state it begins with and its parameters, of its output and last state;
    ``laid`` puts maps into a layout."""
    rng = np.random.default_rng(seed)
    layer, shape, name = network.layers[index], network.shapes[index], network.names[index]
    params = _as(np.float64, network.params_of(index))
    buffers = {k: network.buffers[f"{name}.{k}"] for k in layer.buffers(shape)}
    states, fixed = _random_states(layer, shape, rng, samples)
    x = _random_batch(layer, shape, rng, samples)
    inputs = {} if isinstance(layer, Embedding) else {"x": x}
    sizes: list[tuple[int, ...]] = []
    changed: list[str] = []  # of the states; others go through as they are

    def forward(**given: np.ndarray) -> tuple[np.ndarray, Any]:
        way = Pass(training=True, rng=np.random.default_rng(seed))
        kept = _as(np.float64, buffers) | {k: given.pop(k) for k in states} | fixed
        begun = dict(kept)
        taken = laid(given.pop("x")) if inputs else x
        y, cache = layer.forward(taken, given, kept, way)
        changed[:] = [k for k in states if kept[k] is not begun[k]]
        sizes[:] = [y.shape, *(kept[k].shape for k in changed)]
        return _joined([y, *(kept[k] for k in changed)]), cache

    def backward(d: np.ndarray, cache: Any) -> tuple[Any, ...]:
        dy, *dstates = _split(d, sizes)
        ends: dict[str, Any] = {}
        if changed:
            ends["dstate"] = dict(zip(changed, dstates, strict=True))
        dx, grads = layer.backward(laid(dy) if dy.ndim == 4 else dy, cache, **ends)
        return *([dx] if inputs else []), *(grads[k] for k in (*states, *params))

    return gradcheck(forward, backward, inputs | states | params, rng, tolerance=tolerance)


def _of_network(network: Network, seed: int, tolerance: float) -> tuple[GradientCheck, ...]:
    rng = np.random.default_rng(seed)
    x = _random_input(network, rng)

    def forward(**params: np.ndarray) -> tuple[np.ndarray, Any]:
        other = network.with_arrays(params, _as(np.float64, network.buffers))
        return other.forward(x, training=True, rng=np.random.default_rng(seed))

    def backward(dy: np.ndarray, caches: Any) -> tuple[np.ndarray, ...]:
        grads = network.backward(dy, caches)
        return tuple(grads[path] for path in network.params)

    return gradcheck(forward, backward, network.params, rng, tolerance=tolerance)


def _of_training(network: Network, seed: int) -> tuple[GradientCheck, ...]:
    """The gradients of one batch in float32, as it is learned from, beside those in float64."""
    rng = np.random.default_rng(seed)
    x, shape = _random_input(network, rng, FEWEST_SAMPLES), network.output_shape
    places = (STEPS, FEWEST_SAMPLES) if is_steps(shape) else (FEWEST_SAMPLES,)
    targets = rng.integers(network.output_shape[-1], size=places)
    found = []
    for dtype in (np.float32, np.float64):
        other = network.with_arrays(_as(dtype, network.params), _as(dtype, network.buffers))
        given = _input_as(dtype, x)
        grads = {path: np.zeros_like(array) for path, array in other.params.items()}
        with np.errstate(all="ignore"):  # what is not finite in float32 is found below
            loss_and_gradients(other, given, targets, grads, rng=np.random.default_rng(seed))
        found.append(grads)
    largest = max(float(np.abs(grad).max()) for grad in found[1].values())
    return tuple(_beside(path, found[0][path], found[1][path], largest) for path in found[1])


def _beside(path: str, single: np.ndarray, double: np.ndarray, largest: float) -> GradientCheck:
    """How far a gradient is from the same in float64, in shares of its largest element, or of a
    thousandth of the ``largest`` of all."""
    differences = np.nan_to_num(np.abs(single - double), nan=np.inf)
    where = np.unravel_index(int(differences.argmax()), differences.shape)
    error = float(differences[where]) / (max(float(np.abs(double).max()), largest / 1000) or 1.0)
    return GradientCheck(
        input=path,
        by="elements",
        checked=single.size,
        kinks=0,
        passed=0,
        error=error,
        where=tuple(map(int, where)),
        analytic=float(single[where]),
        numeric=float(double[where]),
        verdict="ok" if error <= ROUNDING else "wrong",
    )


def _random_states(
    layer: Layer, shape: Shape, rng: np.random.Generator, samples: int
) -> tuple[Arrays, Arrays]:
    """What a layer begins with, and of that what has no gradient: how many steps of an encoder
    there are for each sample."""
    states, fixed = {}, {}
    for key, size in layer.state(shape).items():
        if size:
            sides = (samples, *(side or STEPS for side in size))
            states[key] = rng.uniform(-1, 1, sides)
        else:
            fixed[key] = np.arange(samples) % STEPS + 1.0
    return states, fixed


def _input_as(dtype: type, x: Any) -> Any:
    """Numbers in a dtype, tokens as they are."""
    if isinstance(x, Pair):
        return x._replace(source=_input_as(dtype, x.source))
    return x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def _as(dtype: type, arrays: Arrays) -> Arrays:
    """Copies in a dtype."""
    return {key: array.astype(dtype) for key, array in arrays.items()}


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """One array as it is, several as one of one axis."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([array.ravel() for array in arrays])


def _split(joined: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """The arrays of these shapes that :func:`_joined` made one of."""
    if len(shapes) == 1:
        return [joined]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]
    parts = np.split(joined, ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
