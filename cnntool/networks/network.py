"""A network: layers one after the other, with their parameters by path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cnntool.engine.fast.layout import batch_last, is_batch_last
from cnntool.errors import RequestError
from cnntool.networks.initialisation import initial
from cnntool.networks.layers.layer import Arrays, Layer, Parameter, Pass, Shape, shape_text, total
from cnntool.networks.layers.pointwise import Activation
from cnntool.networks.layers.pools import SlidingPool

FEWEST_SAMPLES = 16
"""From so many samples on a batch goes through with the samples innermost."""


class Network:
    """Layers over samples of one shape, or of any size where ``takes_any_size``.

    ``params`` holds ``conv1.weight`` and the like, ``buffers`` what is kept but not trained. Both
    are float32 (or what they are replaced by): :meth:`forward` computes in their dtype.
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Shape) -> None:
        self.layers = tuple(layers)
        self.input_shape = tuple(input_shape)
        self.names = tuple(_names(self.layers))
        self.shapes = tuple(_shapes(self.layers, self.input_shape))
        self.params: Arrays = {}
        self.buffers: Arrays = {}
        self._order = _order(self.layers)
        self._keys = [(tuple(at.parameters(s)), tuple(at.buffers(s))) for _, at, s in self.each()]
        for name, layer, shape in self.each():
            for key, buffer in layer.buffers(shape).items():
                self.buffers[f"{name}.{key}"] = np.full(buffer.shape, buffer.start, np.float32)

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

    def initialise(self, rng: np.random.Generator, rule: str | None = None) -> Network:
        """Draw all parameters anew; without a rule by the activation that follows: He's before
        relu, else Glorot's."""
        for index, (name, layer, shape) in enumerate(self.each()):
            used = rule or ("he" if self._is_before_relu(index) else "glorot")
            for key, parameter in layer.parameters(shape).items():
                self.params[f"{name}.{key}"] = initial(parameter, used, rng)
        return self

    def _is_before_relu(self, index: int) -> bool:
        """Whether the next activation is relu. Batch norm, pools and dropout may stand between,
        other layers with weights not."""
        for layer, shape in zip(self.layers[index + 1 :], self.shapes[index + 1 :], strict=False):
            if isinstance(layer, Activation):
                return layer.function == "relu"
            if any(parameter.fan_in for parameter in layer.parameters(shape).values()):
                return False
        return False

    @property
    def output_shape(self) -> Shape:
        return self.shapes[-1]

    @property
    def takes_any_size(self) -> bool:
        """Whether maps of other heights and widths than the input shape's may come in."""
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
        for (name, layer, shape), output in zip(self.each(), self.shapes[1:], strict=True):
            count = total(layer.parameters(shape))
            rows.append((name, str(layer), shape_text(output), f"{count:,}" if count else ""))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = (
            "  ".join(map(str.ljust, row[:3], widths)) + f"  {row[3]:>{widths[3]}}" for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, list[Any]]:
        """The output for a batch x (N, C, H, W), and the caches for :meth:`backward`."""
        way, caches = Pass(training, rng), []
        x = self._laid_out(x)
        for index in self._order:
            x, cache = self._step(index, x, way)
            caches.append(cache)
        return x, caches

    def backward(self, dy: np.ndarray, caches: list[Any]) -> Arrays:
        """The gradient by every parameter, by path, for the gradient dy by the output."""
        grads: Arrays = {}
        first = next((i for i, (keys, _) in enumerate(self._keys) if keys), len(self.layers))
        for index, cache in zip(reversed(self._order), reversed(caches), strict=True):
            if index < first:
                break
            dy, found = self.layers[index].backward(dy, cache, need_dx=index > first)
            grads |= {f"{self.names[index]}.{key}": grad for key, grad in found.items()}
        return grads

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The output for a batch, without what the way back needs."""
        way = Pass(keeps_caches=False)
        x = self._laid_out(x)
        for index in self._order:
            x = self._step(index, x, way)[0]
        return x

    def outputs(self, x: np.ndarray) -> list[np.ndarray]:
        """What every layer makes of a batch, in the order of the layers."""
        outputs, x = [], self._laid_out(x)
        for index in range(len(self.layers)):
            x = self._step(index, x, Pass(keeps_caches=False))[0]
            outputs.append(x)
        return outputs

    def run(
        self, x: np.ndarray, start: int = 0, stop: int | None = None, *, keeps_caches: bool = True
    ) -> tuple[np.ndarray, list[Any]]:
        """The layers ``start`` to ``stop``, exclusive, as they stand and not training: what comes
        out of the last, and the caches for :meth:`run_backward` where those are kept."""
        way, caches = Pass(keeps_caches=keeps_caches), []
        x = x if start else self._laid_out(x)
        for index in range(*slice(start, stop).indices(len(self.layers))):
            x, cache = self._step(index, x, way)
            if keeps_caches:
                caches.append(cache)
        return x, caches

    def run_backward(self, dy: np.ndarray, caches: list[Any], start: int = 0) -> np.ndarray:
        """The gradient by what layer ``start`` took in, for dy by what came out of the last."""
        for index in reversed(range(start, start + len(caches))):
            dy = self.layers[index].backward(dy, caches[index - start], need_dx=True)[0]
        return dy

    def _laid_out(self, x: np.ndarray) -> np.ndarray:
        if x.shape[1:] != self.input_shape:
            self._check_shape(x.shape)
        is_worth_it = x.ndim == 4 and len(x) >= FEWEST_SAMPLES and not is_batch_last(x)
        return batch_last(x) if is_worth_it else x

    def _check_shape(self, shape: Shape) -> None:
        """Whether a batch of another shape than the input shape's can go through."""
        if not self.takes_any_size or shape[1:2] != self.input_shape[:1] or len(shape) != 4:
            size = ("H", "W") if self.takes_any_size else self.input_shape[1:]
            expected = ", ".join(map(str, ("N", self.input_shape[0], *size)))
            raise ValueError(f"x is {shape}: expected ({expected})")
        for _ in _shapes(self.layers, shape[1:]):  # raises where a layer does not fit
            pass

    def _step(self, index: int, x: np.ndarray, way: Pass) -> tuple[np.ndarray, Any]:
        name, (param_keys, buffer_keys) = self.names[index], self._keys[index]
        params = {key: self.params[f"{name}.{key}"] for key in param_keys}
        buffers = {key: self.buffers[f"{name}.{key}"] for key in buffer_keys}
        return self.layers[index].forward(x, params, buffers, way)


def _names(layers: Sequence[Layer]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        yield f"{layer.kind}{counts[layer.kind]}"


def _shapes(layers: Sequence[Layer], shape: Shape) -> Iterator[Shape]:
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
        one, two = layers[index : index + 2]
        is_relu = isinstance(one, Activation) and one.function == "relu"
        if is_relu and isinstance(two, SlidingPool) and two.mode == "max":
            order[index : index + 2] = index + 1, index
    return tuple(order)
