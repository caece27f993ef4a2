"""Two networks as one: an encoder that reads, and a decoder that says what it read.

    embedding 60 x 64; lstm 128  =>  embedding 45 x 64; lstm 128; attend; dense 45

The decoder is given what has been said so far and gives what comes next. It begins where the
encoder ended: its recurrences start from what the encoder came to, the last states of its last
recurrence; or its features, all its steps in a row where their number is known, else their mean.
Where that has as many numbers as the decoder's state it is that state, and a cell state goes to a
cell state; else ``h_0 = tanh(summary W + b)``, with W and b learned. And ``attend`` looks back at
all of the encoder's steps.

Sutskever, Vinyals, Le, Sequence to sequence learning with neural networks, NIPS 2014; Luong, Pham,
Manning, Effective approaches to attention-based neural machine translation, EMNLP 2015; Vinyals,
Toshev, Bengio, Erhan, Show and tell, CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from cnntool.datasets.sequences.feeds import Pair
from cnntool.engine.linear import dense, dense_backward
from cnntool.engine.time_pooling import time_pool, time_pool_backward
from cnntool.errors import RequestError
from cnntool.networks.initialisation import Fans
from cnntool.networks.layers.attend import Attend
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import Arrays, Layer, Parameter, Pass, Shape
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.layers.steps import TimePool
from cnntool.networks.network import (
    Caches,
    Network,
    behind_each_other,
    names_of,
    put,
    shapes_of,
)
from cnntool.networks.spec import has_layers, parse_layers
from cnntool.wording import shape_text

ENCODER, DECODER = "encoder.", "decoder."
"""What the names of the layers begin with."""

EXAMPLES = (
    "an encoder, such as 'embedding 9 x 4; gru 8'",
    "a decoder, such as 'embedding 7 x 4; gru 8; dense 7'",
)


@dataclass(frozen=True, eq=False)
class Encoded:
    """What an encoder made of a batch.

    states: what the decoder's layers begin with, by path.
    """

    states: Arrays
    y: np.ndarray  # (S, B, D) or (B, D)
    caches: Caches
    summary: Any  # the cache of a mean over steps, None where there is none
    starts: dict[str, Any]  # by the path of a state, the cache of the layer that made it, and h_0

    def __len__(self) -> int:
        """Sources of the batch."""
        return self.y.shape[-2]


class Joined(Network):
    """An encoder over samples of ``input_shape``, and a decoder over tokens.

    It takes a :class:`Pair`; all else is as of a network, layers and paths of both in one:
    ``encoder.lstm1.w_input``, ``decoder.dense1.weight``. ``joint`` is the number of the decoder's
    first layer: from there on :meth:`forward` takes ids (T, B) and the decoder's states.
    """

    def __init__(
        self, encoder: Sequence[Layer], decoder: Sequence[Layer], input_shape: Shape
    ) -> None:
        self.input_shape, self.joint = tuple(input_shape), len(encoder)
        first = behind_each_other(encoder)
        *before, self.encoded_shape = shapes_of(first, self.input_shape)
        if len(self.encoded_shape) > 2:
            raise RequestError(
                f"the encoder gives {shape_text(self.encoded_shape)}: end it with columns, places, "
                "a dense layer or a recurrence"
            )
        _check_decoder(decoder, self.encoded_shape)
        keys = self.encoded_shape[-1] if len(self.encoded_shape) == 2 else None
        second = behind_each_other(
            [replace(each, keys=keys) if isinstance(each, Attend) else each for each in decoder]
        )
        self.layers = first + second
        cells = [i for i, layer in enumerate(first) if isinstance(layer, Recurrent)]
        self._reader = cells[-1] if cells else None  # the encoder's last recurrence, by number
        self._bridges: dict[str, Parameter] = {}
        names = [ENCODER + name for name in names_of(first)]
        names += [DECODER + name for name in names_of(second)]
        self._wire(names, [*before, *shapes_of(second, (None,))])
        self._bridges = self._starts()

    @property
    def encoder(self) -> Network:
        """What reads, as a network of its own, with the same arrays."""
        found = Network(self.layers[: self.joint], self.input_shape)

        def own(arrays: Arrays) -> Arrays:
            start = len(ENCODER)
            return {path[start:]: a for path, a in arrays.items() if path.startswith(ENCODER)}

        return found.with_arrays(own(self.params), own(self.buffers))

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        first, second = self.shapes[1 : self.joint], self.shapes[self.joint + 1 :]
        return (*first, self.encoded_shape, *second)

    @property
    def spec(self) -> str:
        parts = self.layers[: self.joint], self.layers[self.joint :]
        return " => ".join("; ".join(map(str, part)) for part in parts)

    @property
    def attending(self) -> int | None:
        """The last layer that attends, by number."""
        found = [i for i, layer in enumerate(self.layers) if isinstance(layer, Attend)]
        return found[-1] if found else None

    def _starts(self) -> dict[str, Parameter]:
        """The parameters of the layers that make a state of the summary, by path."""
        found, size = {}, prod(size for size in self.encoded_shape if size)
        if self._reader is not None:
            size = self.output_shapes[self._reader][-1]
        for name, layer in zip(self.names[self.joint :], self.layers[self.joint :], strict=True):
            if isinstance(layer, Recurrent) and layer.units != size:
                weight = Parameter((size, layer.units), Fans(size, layer.units))
                found[f"{name}.start.weight"] = weight
                found[f"{name}.start.bias"] = Parameter((layer.units,))
        return found

    def parameters(self) -> dict[str, Parameter]:
        return super().parameters() | self._bridges

    def starts_of(self, name: str) -> dict[str, Parameter]:
        return {path: p for path, p in self._bridges.items() if path.startswith(f"{name}.")}

    def initialise(self, rng: np.random.Generator, rule: str | None = None) -> Joined:
        super().initialise(rng, rule)
        for path, parameter in self._bridges.items():
            self.params[path] = parameter.drawn(rng, rule or "glorot")
        return self

    def encoded(
        self,
        source: Any,
        lengths: np.ndarray | None = None,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
        keeps_caches: bool = False,
        outputs: list[np.ndarray] | None = None,
    ) -> Encoded:
        """What the encoder makes of sources, with the states that the decoder begins with; and
        what each of its layers gives, in their order, into ``outputs``."""
        way = Pass(training, rng, keeps_caches, lengths)
        within = range(self.joint)
        order = [index for index in self._order if index in within] if outputs is None else within
        y, caches = self._run(order, source, way, None, outputs)
        batch = y.shape[1] if y.ndim == 3 else len(y)
        states = self.start(batch)
        starts: dict[str, Any] = {}
        with np.errstate(over="ignore", invalid="ignore"):
            summary, cache = self._summarised(y, caches, lengths)
            for index in range(self.joint, len(self.layers)):
                layer, name = self.layers[index], self.names[index]
                if isinstance(layer, Attend):
                    ends = np.full(batch, len(y)) if lengths is None else lengths
                    states |= {f"{name}.keys": y.swapaxes(0, 1), f"{name}.lengths": ends}
                elif isinstance(layer, Recurrent):
                    states |= self._begun(layer, name, summary, caches, starts)
        return Encoded(states, y, caches, cache, starts)

    def _summarised(
        self, y: np.ndarray, caches: Caches, lengths: np.ndarray | None
    ) -> tuple[np.ndarray, Any]:
        if self._reader is not None:
            return self._last(caches.states, "h"), None
        if None in self.encoded_shape:
            return time_pool(y, "mean", lengths=lengths)
        return (y if y.ndim == 2 else y.swapaxes(0, 1).reshape(y.shape[1], -1)), None

    def _last(self, states: Arrays, key: str) -> np.ndarray:
        """The last states of the encoder's last recurrence, those of both directions in a row."""
        assert self._reader is not None
        start = f"{self.names[self._reader]}.{key}"
        parts = [array for path, array in states.items() if path in (start, f"{start}_reverse")]
        return np.concatenate(parts, axis=-1)

    def _begun(
        self, layer: Recurrent, name: str, summary: np.ndarray, caches: Caches, starts: dict
    ) -> Arrays:
        """The state that a recurrence of the decoder begins with, by path."""
        path = f"{name}.h"
        weight = self.params.get(f"{name}.start.weight")
        if weight is not None:
            y, cache = dense(summary, weight, self.params[f"{name}.start.bias"])
            starts[path] = cache, np.tanh(y)
            return {path: starts[path][1]}
        found = {path: summary}
        if self._hands_on_cell(layer):
            found[f"{name}.c"] = self._last(caches.states, "c")
        return found

    def _hands_on_cell(self, layer: Recurrent) -> bool:
        reader = None if self._reader is None else self.layers[self._reader]
        return isinstance(reader, Recurrent) and reader.cell == layer.cell == "lstm"

    def forward(
        self,
        x: Any,
        start: int = 0,
        stop: int | None = None,
        *,
        states: Arrays | None = None,
        lengths: np.ndarray | None = None,
        training: bool = False,
        rng: np.random.Generator | None = None,
        keeps_caches: bool = True,
    ) -> tuple[np.ndarray, Caches]:
        """As :meth:`Network.forward` of a :class:`Pair`, whose sources have the ``lengths``; from
        ``joint`` on of ids (T, B), whose states are those of :meth:`encoded` or of the caches."""
        how: dict[str, Any] = {"training": training, "rng": rng, "keeps_caches": keeps_caches}
        if start or not isinstance(x, Pair):
            return super().forward(x, start, stop, states=states, lengths=lengths, **how)
        before = self.encoded(x.source, lengths, **how)
        y, caches = super().forward(
            x.given, self.joint, stop, states=before.states, lengths=x.lengths, **how
        )
        caches.before = before
        return y, caches

    def backward(
        self,
        dy: Any,
        caches: Caches,
        *,
        dstates: Arrays | None = None,
        out: Arrays | None = None,
        grads: Arrays | None = None,
    ) -> Arrays:
        grads = super().backward(dy, caches, dstates=dstates, out=out, grads=grads)
        if (before := caches.before) is None:
            return grads
        by_state = {path: grads.pop(path) for path in before.states if path in grads}
        dencoded, dsummary = np.zeros_like(before.y), None
        dcell: np.ndarray | None = None
        for path, gradient in by_state.items():
            if path.endswith(".keys"):
                dencoded += gradient.swapaxes(0, 1)
            elif path.endswith(".c"):
                layer = self.layers[self.names.index(path.removesuffix(".c"))]
                has_start = path.removesuffix(".c") + ".h" in before.starts
                if isinstance(layer, Recurrent) and self._hands_on_cell(layer) and not has_start:
                    dcell = gradient if dcell is None else dcell + gradient
            else:
                part = self._start_backward(path, gradient, before, out, grads)
                dsummary = part if dsummary is None else dsummary + part
        return self._encoder_backward(dencoded, dsummary, dcell, before, out, grads)

    def _start_backward(
        self, path: str, gradient: np.ndarray, before: Encoded, out: Arrays | None, grads: Arrays
    ) -> np.ndarray:
        """The gradient by the summary, for that by a state that it became."""
        if path not in before.starts:
            return gradient
        cache, y = before.starts[path]
        dsummary, dweight, dbias = dense_backward(gradient * (1 - y * y), cache)
        assert dsummary is not None  # as it is needed
        assert dbias is not None
        start = f"{path.removesuffix('.h')}.start"
        put(f"{start}.weight", dweight, out, grads)
        put(f"{start}.bias", dbias, out, grads)
        return dsummary

    def _encoder_backward(
        self,
        dy: np.ndarray,
        dsummary: np.ndarray | None,
        dcell: np.ndarray | None,
        before: Encoded,
        out: Arrays | None,
        grads: Arrays,
    ) -> Arrays:
        dstates: Arrays | None = None
        if dsummary is not None and self._reader is not None:
            dstates = {path: np.zeros_like(a) for path, a in before.caches.states.items()}
            self._spread(dsummary, "h", dstates)
            if dcell is not None:
                self._spread(dcell, "c", dstates)
        elif dsummary is not None:
            if before.summary is not None:
                dsummary = time_pool_backward(dsummary, before.summary)
            elif dy.ndim == 3:
                dsummary = dsummary.reshape(dy.shape[1], len(dy), -1).swapaxes(0, 1)
            dy = dy + dsummary
        return super().backward(dy, before.caches, dstates=dstates, out=out, grads=grads)

    def _spread(self, gradient: np.ndarray, key: str, dstates: Arrays) -> None:
        assert self._reader is not None
        start, at = f"{self.names[self._reader]}.{key}", 0
        for path in (start, f"{start}_reverse"):
            if path in dstates:
                width = dstates[path].shape[-1]
                dstates[path] = gradient[:, at : at + width]
                at += width

    def outputs(
        self, x: Any, states: Arrays | None = None, lengths: np.ndarray | None = None
    ) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        begun = self.encoded(x.source, lengths, outputs=found).states
        way = Pass(keeps_caches=False, lengths=x.lengths)
        self._run(range(self.joint, len(self.layers)), x.given, way, begun, found)
        return found


def _check_decoder(layers: Sequence[Layer], encoded: Shape) -> None:
    """RequestError for layers that cannot say a text token by token."""
    for layer in layers:
        if isinstance(layer, Embedding) and layer.letters is not None:
            raise RequestError(f"the decoder's {layer} reads letters: leave that to an encoder")
        if isinstance(layer, TimePool) or (isinstance(layer, Recurrent) and layer.both):
            remedy = "leave out both" if isinstance(layer, Recurrent) else "leave it out"
            raise RequestError(
                f"the decoder's {layer} reads what has not been said yet, as a decoder says a text "
                f"from its beginning: {remedy}"
            )
        if isinstance(layer, Attend) and len(encoded) != 2:
            raise RequestError(
                f"{layer} looks back at steps, and the encoder gives {shape_text(encoded)}: end "
                "the encoder in places, columns or a recurrence"
            )
    if not any(isinstance(layer, Recurrent) for layer in layers):
        raise RequestError(
            "the decoder has no recurrence, so it knows nothing of what it was given: put one such "
            "as gru 64 behind its embedding"
        )


def attention_of(network: Joined, x: Pair, lengths: np.ndarray | None = None) -> np.ndarray:
    """(B, T, S): how much each step of what is said looked at each step of what was read, by the
    last layer that attends."""
    assert network.attending is not None  # it has one
    _, caches = network.forward(x, lengths=lengths)
    return caches.of(network.attending)[0].odds


def parse_network(text: str, input_shape: Shape) -> Network:
    """The network of a text: layers, or those of an encoder and of a decoder with ``=>`` between.

    RequestError where a layer is none, or does not fit into what comes before it.
    """
    parts = text.split("=>")
    if len(parts) == 1:
        return Network(parse_layers(text), input_shape)
    if len(parts) > 2:
        raise RequestError(
            f"the layers have {len(parts) - 1} '=>': expected one, between an encoder and a decoder"
        )
    for part, place, such_as in zip(parts, ("before", "behind"), EXAMPLES, strict=True):
        if not has_layers(part):
            raise RequestError(f"nothing stands {place} '=>': expected {such_as}")
    return Joined(parse_layers(parts[0]), parse_layers(parts[1]), input_shape)
