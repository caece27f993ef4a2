"""A recurrent language model: embedding, recurrent layers, and a softmax over the vocabulary.

    e_t = table[w_t],  h_t = cell(e_t, h_(t-1)),  p(w_(t+1)) = softmax(h_t W + b)

Mikolov, Karafiát, Burget, Černocký, Khudanpur, Recurrent neural network based language model,
Interspeech 2010. Texts are read time first, ids (T, B): B texts side by side, T tokens of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.activations import dropout, dropout_backward
from cnntool.engine.cells.stack import recurrent, recurrent_backward, recurrent_step
from cnntool.engine.linear import embedding, embedding_backward
from cnntool.engine.losses import (
    VocabularyCache,
    vocabulary_cross_entropy,
    vocabulary_cross_entropy_backward,
)
from cnntool.networks.language_spec import Architecture
from cnntool.networks.layers.layer import Arrays, Parameter
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers

States = list[tuple[tuple[np.ndarray, ...]]]
"""What each layer carries in its one direction: (h, c) of an lstm, else (h,); each (B, H)."""

NOT_FINITE_IS_FOUND_LATER = np.errstate(over="ignore", invalid="ignore")
"""By whoever uses the numbers, in words of its own."""


@dataclass(frozen=True, eq=False)
class Read:
    """What a text read forward leaves for :meth:`LanguageModel.backward`."""

    embedding: Any
    dropped: Any  # of the embedded text
    stack: Any
    dropped_last: Any  # of the last layer's output
    shape: tuple[int, ...]  # (T, B, H)
    output: VocabularyCache


class LanguageModel:
    """An architecture with its parameters, by path: ``embedding.weight``, ``lstm1.w_input``, ...

    They are float32, or what they are replaced by: all is computed in their dtype.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.params: Arrays = {}
        self.buffers: Arrays = {}

    def __repr__(self) -> str:
        return f"<LanguageModel {self.spec}>"

    @property
    def spec(self) -> str:
        """The text that :func:`~cnntool.networks.language_spec.parse_architecture` reads."""
        return str(self.architecture)

    def parameters(self) -> dict[str, Parameter]:
        return self.architecture.parameters()

    def initialise(self, rng: np.random.Generator) -> LanguageModel:
        """Draw all parameters anew.

        Embeddings uniformly around 0, input and output weights by Glorot's rule, the weights of the
        state orthogonal gate by gate (Saxe, McClelland, Ganguli, ICLR 2014), so that nothing grows
        or vanishes in it at first; biases 0, but 1 of an lstm's forget gate.
        """
        network = Network(parse_layers(self.spec), (None,))
        self.params = network.initialise(rng).params
        return self

    def start(self, batch: int) -> States:
        """The states before the first token: 0."""
        shape = batch, self.architecture.hidden_size
        dtype = self.params["dense1.bias"].dtype
        return [
            (tuple(np.zeros(shape, dtype) for _ in paths),)
            for paths in self.architecture.state_paths
        ]

    @NOT_FINITE_IS_FOUND_LATER
    def step(self, ids: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        """One token of each text, ids (B,): the logits (B, V) of the next one, and the states."""
        x = self.params["embedding.weight"][ids]
        x, states = recurrent_step(x, states, self.layers(), cell=self.architecture.cell)
        return x @ self.output_weight + self.params["dense1.bias"], states

    @NOT_FINITE_IS_FOUND_LATER
    def hidden(self, ids: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        """The last layer's outputs (T, B, H) for ids (T, B), and the states behind them."""
        x = self.params["embedding.weight"][ids]
        (x, states), _ = recurrent(x, states, self.layers(), cell=self.architecture.cell)
        return x, states

    def surprisal(
        self,
        ids: np.ndarray,
        targets: np.ndarray,
        states: States,
        counts: np.ndarray | None = None,
    ) -> tuple[np.ndarray, int, States]:
        """``-log p(target)`` (T, B) in nats for ids and targets (T, B), how many targets were the
        likeliest, and the states. Where ``counts`` (T, B) is not true, nothing is counted."""
        x, states = self.hidden(ids, states)
        _, cache = vocabulary_cross_entropy(
            x.reshape(-1, x.shape[-1]),
            self.output_weight,
            self.params["dense1.bias"],
            targets.ravel(),
            None if counts is None or counts.all() else counts.ravel(),
            need_gradient=False,
        )
        return cache.losses.reshape(targets.shape), cache.correct, states

    def forward(
        self,
        ids: np.ndarray,
        targets: np.ndarray,
        states: States,
        *,
        rng: np.random.Generator | None = None,
    ) -> tuple[float, States, Read]:
        """The mean cross-entropy of targets (T, B) in nats, the states behind the text, and what
        :meth:`backward` needs. Units are dropped where there is an ``rng`` to draw them from."""
        rate = self.architecture.dropout if rng is not None else 0.0
        x, embedded = embedding(ids, self.params["embedding.weight"])
        x, dropped = dropout(x, rate, rng) if rate else (x, None)
        (x, states), stack = recurrent(
            x, states, self.layers(), cell=self.architecture.cell, dropout=rate, rng=rng
        )
        x, dropped_last = dropout(x, rate, rng) if rate else (x, None)
        loss, output = vocabulary_cross_entropy(
            x.reshape(-1, x.shape[-1]),
            self.output_weight,
            self.params["dense1.bias"],
            targets.ravel(),
        )
        return loss, states, Read(embedded, dropped, stack, dropped_last, x.shape, output)

    def backward(self, dloss: float, read: Read, out: Arrays | None = None) -> Arrays:
        """The gradient by every parameter, by path, for the gradient ``dloss`` by the loss.

        Written into ``out``, arrays by path, where that is given. The states that came in are
        constants: backpropagation through time is cut there.
        """
        grads = out or {path: np.empty_like(array) for path, array in self.params.items()}
        is_tied = self.architecture.tie_weights
        places = None if is_tied else grads["dense1.weight"], grads["dense1.bias"]
        dx, dweight, _ = vocabulary_cross_entropy_backward(dloss, read.output, out=places)
        dx = dx.reshape(read.shape)
        if read.dropped_last is not None:
            dx = dropout_backward(dx, read.dropped_last)
        dx, _, _ = recurrent_backward(dx, None, read.stack, out=self._layers_of(grads))
        if read.dropped is not None:
            dx = dropout_backward(dx, read.dropped)
        embedding_backward(dx, read.embedding, out=grads["embedding.weight"])
        if is_tied:
            grads["embedding.weight"] += dweight.T
        return grads

    def trace(self, ids: np.ndarray, layer: int) -> dict[str, np.ndarray]:
        """What the units of a layer do while a text of ids (T,) is read, each (T, H): the gates,
        the cell state ``c`` where there is one, and ``h``; layers count from 0."""
        x = self.params["embedding.weight"][ids][:, None]
        layers, states = self.layers()[: layer + 1], self.start(1)[: layer + 1]
        (h, _), cache = recurrent(x, states, layers, cell=self.architecture.cell)
        (own,) = cache.layers[-1]
        traces = own.gate_values() if hasattr(own, "gate_values") else {}
        if self.architecture.cell == "lstm":
            traces["c"] = own.cells()
        traces["h"] = h
        return {name: trace[:, 0] for name, trace in traces.items()}

    @property
    def output_weight(self) -> np.ndarray:
        """(H, V)."""
        if self.architecture.tie_weights:
            return self.params["embedding.weight"].T
        return self.params["dense1.weight"]

    def layers(self) -> list[tuple[tuple[np.ndarray, ...], ...]]:
        """The weights of each layer, of one direction."""
        return self._layers_of(self.params)

    def _layers_of(self, arrays: Arrays) -> list[tuple[tuple[np.ndarray, ...], ...]]:
        names = self.architecture.recurrent_names
        return [(tuple(arrays[path] for path in self._weight_paths(name)),) for name in names]

    def _weight_paths(self, name: str) -> tuple[str, ...]:
        last = ("hidden_bias",) if self.architecture.cell == "gru" else ()
        return tuple(f"{name}.{part}" for part in ("w_input", "w_hidden", "bias", *last))
