"""A network: layers one after the other, with their parameters by path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from cnntool.engine.fast.layout import batch_last, batch_last_pays
from cnntool.errors import RequestError
from cnntool.networks.initialisation import Fans
from cnntool.networks.layers.core import Activation
from cnntool.networks.layers.layer import Arrays, Layer, Parameter, Pass, Shape, total
from cnntool.networks.layers.pools import SlidingPool
from cnntool.wording import shape_text


class Caches(list):
    """What each layer leaves for the way back, in the ``order`` they ran, by number; and
    ``states``, what they carry on from there, by path: ``lstm1.h``. Empty where no layer carries
    anything."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = order
        self.states: Arrays = {}
        self.before: Any = None  # of an encoder that stands before these layers

    def of(self, index: int) -> Any:
        """What the layer of this number left."""
        return self[list(self.order).index(index)]


class Wiring(NamedTuple):
    """What a layer is given, each by its own name with the path that the network has for it."""

    own: dict[str, str]  # parameters
    used: dict[str, str]  # those, and what it borrows of other layers
    kept: dict[str, str]  # buffers
    carried: dict[str, str]  # its state


_without_warnings = np.errstate(over="ignore", invalid="ignore")
"""What is not finite goes through all layers, to who asked for it: training looks at its loss."""


class Network:
    """Layers over samples of one shape, or of any size where ``takes_any_size``.

    ``params`` holds ``conv1.weight`` and the like, ``buffers`` what is kept but not trained. Both
    are float32 (or what they are replaced by): :meth:`forward` computes in their dtype.

    Sequences come time first, tokens (T, B) or steps (T, B, D). What their layers carry from step
    to step is not the network's: :meth:`start` gives it, ``states`` takes it, and the caches have
    what it has become.

        states = network.start(batch)
        y, caches = network.forward(ids, states=states)
        y, caches = network.forward(more_ids, states=caches.states)
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Shape) -> None:
        self.input_shape = tuple(input_shape)
        self.layers = behind_each_other(layers)
        self._wire(names_of(self.layers), shapes_of(self.layers, self.input_shape))

    def _wire(self, names: Iterable[str], shapes: Iterable[Shape]) -> None:
        """Settle which arrays each layer takes; shapes: what each takes, and what comes out."""
        self.names, self.shapes = tuple(names), tuple(shapes)
        self.params: Arrays = {}
        self.buffers: Arrays = {}
        self._order = _order(self.layers)
        for name, layer, shape in self.each():
            for key, buffer in layer.buffers(shape).items():
                self.buffers[f"{name}.{key}"] = buffer.drawn(np.random.default_rng(0))
        self._wiring = tuple(self._wired(*each) for each in self.each())

    def _wired(self, name: str, layer: Layer, shape: Shape) -> Wiring:
        own, kept, carried = (
            {key: f"{name}.{key}" for key in keys}
            for keys in (layer.parameters(shape), layer.buffers(shape), layer.state(shape))
        )
        borrowed = {}
        for key, (path, needed) in layer.borrowed(shape).items():
            path = f"{name[: name.rfind('.') + 1]}{path}"
            parameter = self.parameters().get(path)
            if parameter is None or parameter.shape != needed:
                found = "which is not there" if parameter is None else f"found {parameter.shape}"
                raise RequestError(f"{name} ({layer}) takes {path}, {needed}: {found}")
            borrowed[key] = path
        return Wiring(own, own | borrowed, kept, carried)

    def each(self) -> Iterator[tuple[str, Layer, Shape]]:
        """Every layer with its name and the shape that it takes."""
        return zip(self.names, self.layers, self.shapes[:-1], strict=True)

    def parameters(self) -> dict[str, Parameter]:
        """What every parameter is like, by its path."""
        return {
            f"{name}.{key}": parameter
            for name, layer, shape in self.each()
            for key, parameter in layer.parameters(shape).items()
        }

    def starts_of(self, name: str) -> dict[str, Parameter]:
        """The parameters of the layer that makes the start state of the one of this name, by path;
        such are in a decoder alone."""
        return {}

    def initialise(self, rng: np.random.Generator, rule: str | None = None) -> Network:
        """Draw all parameters anew; without a rule by the activation that follows: He's before
        relu, else Glorot's."""
        for index, (name, layer, shape) in enumerate(self.each()):
            used = rule or ("he" if self._is_before_relu(index) else "glorot")
            for key, parameter in layer.parameters(shape).items():
                self.params[f"{name}.{key}"] = parameter.drawn(rng, used)
        return self

    def with_arrays(self, params: Arrays, buffers: Arrays) -> Network:
        """The same layers with other parameters and buffers."""
        other = copy(self)
        other.params, other.buffers = params, buffers
        return other

    def _is_before_relu(self, index: int) -> bool:
        """Whether the next activation is relu. Batch norm, pools and dropout may stand between,
        other layers with weights not."""
        for layer, shape in zip(self.layers[index + 1 :], self.shapes[index + 1 :], strict=False):
            if isinstance(layer.inner, Activation):
                return layer.inner.function == "relu"
            if any(isinstance(p.start, Fans) for p in layer.parameters(shape).values()):
                return False
        return False

    @property
    def output_shape(self) -> Shape:
        return self.shapes[-1]

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """What every layer gives."""
        return self.shapes[1:]

    @property
    def is_sequential(self) -> bool:
        """Whether sequences come in, time first, and not samples of one shape."""
        return self.input_shape[0] is None

    @property
    def takes_any_size(self) -> bool:
        """Whether maps of other heights and widths than the input shape's may come in."""
        if self.is_sequential:
            return False
        for layer in self.layers:
            if layer.makes_size:
                return True
            if layer.needs_size:
                return False
        return False

    @property
    def spec(self) -> str:
        """The text that :func:`~cnntool.networks.spec.parse_layers` makes the layers of."""
        return "; ".join(map(str, self.layers))

    def __str__(self) -> str:
        """One line a layer: its name, what it is, the shape that comes out and its parameters."""
        rows = [("input", "", shape_text(self.input_shape), "")]
        for (name, layer, shape), output in zip(self.each(), self.output_shapes, strict=True):
            count = total(layer.parameters(shape)) + total(self.starts_of(name))
            rows.append((name, str(layer), shape_text(output), f"{count:,}" if count else ""))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = (
            "  ".join(map(str.ljust, row[:3], widths)) + f"  {row[3]:>{widths[3]}}" for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)

    def params_of(self, index: int) -> Arrays:
        """What a layer uses, by its names: its own parameters, and what it borrows."""
        return {key: self.params[path] for key, path in self._wiring[index].used.items()}

    def start(self, batch: int) -> Arrays:
        """What the layers carry before the first step, 0, each (batch, ...), by path in their
        order; empty for a network whose layers carry nothing."""
        dtype = next((array.dtype for array in self.params.values()), np.float32)
        return {
            f"{name}.{key}": np.zeros((batch, *size), dtype)
            for name, layer, shape in self.each()
            for key, size in layer.state(shape).items()
        }

    def forward(
        self,
        x: np.ndarray,
        start: int = 0,
        stop: int | None = None,
        *,
        states: Arrays | None = None,
        lengths: np.ndarray | None = None,
        training: bool = False,
        rng: np.random.Generator | None = None,
        keeps_caches: bool = True,
    ) -> tuple[np.ndarray, Caches]:
        """What layers ``start`` to ``stop``, exclusive, all of them unless it is said, make of a
        batch x; and the caches for :meth:`backward`, with the states behind x.

        x: what goes into the first of them: (N, C, H, W) or (N, D); of sequences (T, B) or
            (T, B, *shape), whose ``states`` are those of :meth:`start` or of the caches of what
            was read before, None for the former.
        lengths: (B,) of sequences that do not all have T steps: what stands behind an end, 0 or
            any token, counts nowhere.
        keeps_caches: without, there is no way back.
        """
        within = range(*slice(start, stop).indices(len(self.layers)))
        order = [index for index in self._order if index in within]
        return self._run(order, x, Pass(training, rng, keeps_caches, lengths), states)

    @_without_warnings
    def backward(
        self,
        dy: Any,
        caches: Caches,
        *,
        dstates: Arrays | None = None,
        out: Arrays | None = None,
        grads: Arrays | None = None,
    ) -> Arrays:
        """The gradient by every parameter, by path, for the gradient dy by the output; and by every
        state that was carried in.

        dstates: gradients by the states behind x, None for 0; dy may then be None, for 0.
        out: arrays by path; the gradients by parameters are written into them, and returned.
        grads: gradients that are there already, to be added to, from :meth:`collect`.
        """
        grads = {} if grads is None else grads
        first = next((i for i, at in enumerate(self._wiring) if at.own), len(self.layers))
        for index, cache in zip(reversed(caches.order), reversed(caches), strict=True):
            if index < first:
                break
            layer, at, more = self.layers[index], self._wiring[index], {}
            if dstates and at.carried:
                more["dstate"] = {key: dstates[path] for key, path in at.carried.items()}
            elif dy is None:
                continue
            if out is not None and layer.writes_out:
                more["out"] = {k: out[path] for k, path in at.used.items() if path not in grads}
            dy, found = layer.backward(dy, cache, need_dx=index > first, **more)
            self.collect(index, found, out, grads)
        return grads

    def collect(
        self, index: int, found: Arrays, out: Arrays | None = None, grads: Arrays | None = None
    ) -> Arrays:
        """Put the gradients that a layer found, by its names, to those by path; into ``out`` where
        there is a place for them."""
        grads = {} if grads is None else grads
        paths = self._wiring[index].used | self._wiring[index].carried
        for key, grad in found.items():
            put(paths[key], grad, out, grads)
        return grads

    @_without_warnings
    def backward_to_input(self, dy: Any, caches: Caches) -> np.ndarray:
        """The gradient by what went into the first of the layers that left the caches, for dy by
        what came out of the last."""
        for index, cache in zip(reversed(caches.order), reversed(caches), strict=True):
            dy = self.layers[index].backward(dy, cache, need_dx=True)[0]
        return dy

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The output for a batch, without what the way back needs."""
        return self.forward(x, keeps_caches=False)[0]

    def outputs(
        self, x: np.ndarray, states: Arrays | None = None, lengths: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """What every layer makes of a batch, in the order of the layers."""
        found: list[np.ndarray] = []
        way = Pass(keeps_caches=False, lengths=lengths)
        self._run(range(len(self.layers)), x, way, states, found)
        return found

    @_without_warnings
    def _run(
        self,
        order: Sequence[int],
        x: np.ndarray,
        way: Pass,
        states: Arrays | None,
        outputs: list[np.ndarray] | None = None,
    ) -> tuple[np.ndarray, Caches]:
        """Layers in an order, and what each of them gives into ``outputs``. What grows beyond all
        numbers is infinite or NaN, without a warning: whoever uses it says so."""
        caches = Caches(order)
        if 0 in order:
            x = self._laid_out(x)
        for index in order:
            at = self._wiring[index]
            params = {key: self.params[path] for key, path in at.used.items()}
            buffers = {key: self.buffers[path] for key, path in at.kept.items()}
            if states is not None:
                for key, path in at.carried.items():
                    buffers[key] = states[path]
            x, cache = self.layers[index].forward(x, params, buffers, way)
            for key, path in at.carried.items():
                caches.states[path] = buffers[key]
            if way.keeps_caches:
                caches.append(cache)
            if outputs is not None:
                outputs.append(x)
        return x, caches

    def _laid_out(self, x: np.ndarray) -> np.ndarray:
        if x.shape[1:] != self.input_shape:
            self._check_shape(x.shape)
        return batch_last(x) if x.ndim == 4 and batch_last_pays(x) else x

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        """Whether a batch of another shape than the input shape's can go through."""
        if self.is_sequential:
            wanted = ("T", "B", *self.input_shape[1:])
            if len(shape) != len(wanted) or shape[2:] != wanted[2:]:
                raise ValueError(f"x is {shape}: expected ({', '.join(map(str, wanted))})")
            return
        if not self.takes_any_size or shape[1:2] != self.input_shape[:1] or len(shape) != 4:
            size = ("H", "W") if self.takes_any_size else self.input_shape[1:]
            expected = ", ".join(map(str, ("N", self.input_shape[0], *size)))
            raise ValueError(f"x is {shape}: expected ({expected})")
        for _ in shapes_of(self.layers, shape[1:]):  # raises where a layer does not fit
            pass


def put(path: str, grad: np.ndarray, out: Arrays | None, grads: Arrays) -> None:
    """Put a gradient to those by path, added to one that is there, or into its place in ``out``."""
    place = None if out is None else out.get(path)
    if path in grads:
        grads[path] += grad
    elif place is None or place is grad:
        grads[path] = grad
    else:
        place[...] = grad
        grads[path] = place


def behind_each_other(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers as each is behind those before it."""
    return tuple(layer.behind(layers[:at]) for at, layer in enumerate(layers))


def names_of(layers: Sequence[Layer]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        yield f"{layer.kind}{counts[layer.kind] if layer.is_numbered else ''}"


def shapes_of(layers: Sequence[Layer], shape: Shape) -> Iterator[Shape]:
    """The input's shape and that after every layer; RequestError where one does not fit."""
    yield shape
    for number, layer in enumerate(layers, 1):
        try:
            shape = layer.output_shape(shape)
        except ValueError as error:
            raise RequestError(f"layer {number} ({layer}): {error}") from error
        yield shape


def _order(layers: Sequence[Layer]) -> tuple[int, ...]:
    """The layers in the order they run: relu after the max pool behind it.

    ``max(relu(x)) = relu(max(x))``, and the gradient goes the same way (to the first of the largest
    where that is above 0, else nowhere), but relu then sees a quarter of the elements or less.
    """
    order = list(range(len(layers)))
    for index in range(len(layers) - 1):
        one, two = (layer.inner for layer in layers[index : index + 2])
        is_relu = isinstance(one, Activation) and one.function == "relu"
        if is_relu and isinstance(two, SlidingPool) and two.mode == "max":
            order[index : index + 2] = index + 1, index
    return tuple(order)
