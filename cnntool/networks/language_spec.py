"""The layers of a language model, and the text that stands for them in a model file.

    embedding 65 x 64; dropout 0.2; lstm 128; dropout 0.2; lstm 128; dropout 0.2; dense 65

Dropout stands on every connection that does not go through time: behind the embedding, between
layers and before the output (Zaremba, Sutskever, Vinyals, Recurrent neural network regularization,
arXiv:1409.2329, 2014). ``dense 65 tied`` has the embedding's table, transposed, for its weight
(Press, Wolf, Using the output embedding to improve language models, EACL 2017).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnntool.errors import RequestError
from cnntool.networks.layers.layer import Parameter, number_text
from cnntool.wording import counted

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Products of each cell, side by side in its weights."""

STATES = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}
"""What each cell carries from step to step."""

LARGEST = 1 << 20
"""Of any size."""

MOST_LAYERS = 64


@dataclass(frozen=True)
class Architecture:
    """What a language model is made of.

    cell: lstm, gru or rnn (tanh). vocabulary_size: V, embed_size: E, hidden_size: H of each of the
    ``layers``. dropout: the part of the units that are dropped. tie_weights: whether embedding and
    output share a table, which needs E = H.

    RequestError for what cannot be built.
    """

    cell: str
    vocabulary_size: int
    embed_size: int
    hidden_size: int
    layers: int = 1
    dropout: float = 0.0
    tie_weights: bool = False

    def __post_init__(self) -> None:
        if self.cell not in GATES:
            raise RequestError(f"no cell '{self.cell}': expected {', '.join(GATES)}")
        for name in ("vocabulary_size", "embed_size", "hidden_size"):
            size = getattr(self, name)
            if not 1 <= size <= LARGEST:
                raise RequestError(
                    f"{name.replace('_', ' ')} is {size:,}, expected 1 to {LARGEST:,}"
                )
        if not 1 <= self.layers <= MOST_LAYERS:
            raise RequestError(f"{self.layers:,} layers: expected 1 to {MOST_LAYERS}")
        if not 0 <= self.dropout < 1:
            raise RequestError(f"dropout is {self.dropout:g}, expected from 0 to below 1")
        if self.tie_weights and self.embed_size != self.hidden_size:
            raise RequestError(
                f"tied weights need an embedding as wide as the hidden state: embed size is "
                f"{self.embed_size}, hidden size {self.hidden_size}; set both to one number, or "
                "leave out --tie-weights"
            )

    @property
    def recurrent_names(self) -> tuple[str, ...]:
        """``lstm1``, ``lstm2``, ..."""
        return tuple(f"{self.cell}{number}" for number in range(1, self.layers + 1))

    @property
    def state_paths(self) -> tuple[tuple[str, ...], ...]:
        """``lstm1.h``, ``lstm1.c``: what is carried, layer by layer."""
        return tuple(
            tuple(f"{name}.{part}" for part in STATES[self.cell]) for name in self.recurrent_names
        )

    def input_size(self, layer: int) -> int:
        """Of a recurrent layer, counted from 0."""
        return self.hidden_size if layer else self.embed_size

    def parameters(self) -> dict[str, Parameter]:
        """What every parameter is like, by its path, in the order of the data."""
        vocabulary, hidden = self.vocabulary_size, self.hidden_size
        gates = GATES[self.cell] * hidden
        found = {"embedding.weight": Parameter((vocabulary, self.embed_size))}
        for layer, name in enumerate(self.recurrent_names):
            inputs = self.input_size(layer)
            found[f"{name}.w_input"] = Parameter((inputs, gates))
            found[f"{name}.w_hidden"] = Parameter((hidden, gates))
            found[f"{name}.bias"] = Parameter((gates,))
            if self.cell == "gru":
                found[f"{name}.hidden_bias"] = Parameter((gates,))
        if not self.tie_weights:
            found["dense1.weight"] = Parameter((hidden, vocabulary))
        found["dense1.bias"] = Parameter((vocabulary,))
        return found

    def __str__(self) -> str:
        drop = [f"dropout {number_text(self.dropout)}"] if self.dropout else []
        parts = [f"embedding {self.vocabulary_size} x {self.embed_size}", *drop]
        for _ in range(self.layers):
            parts += [f"{self.cell} {self.hidden_size}", *drop]
        tied = " tied" if self.tie_weights else ""
        return "; ".join([*parts, f"dense {self.vocabulary_size}{tied}"])


def parse_architecture(text: str) -> Architecture:
    """The architecture that a text stands for; RequestError for any other text."""
    number, rate = r"(\d{1,8})", r"(?:; dropout ([0-9.e-]{1,24}))?"
    found = re.fullmatch(
        rf"embedding {number} x {number}{rate}((?:; (?:lstm|gru|rnn) .*)?); dense {number}( tied)?",
        text,
        re.ASCII,
    )
    if found is None or not found[4]:
        raise _unknown(text)
    layers = re.findall(rf"; (lstm|gru|rnn) {number}{rate}", found[4], re.ASCII)
    if not layers:
        raise _unknown(text)
    try:
        architecture = Architecture(
            layers[0][0],
            int(found[1]),
            int(found[2]),
            int(layers[0][1]),
            len(layers),
            float(found[3] or 0),
            bool(found[6]),
        )
    except ValueError:
        raise _unknown(text) from None
    if str(architecture) != text:
        raise _unknown(text)
    return architecture


def _unknown(text: str) -> RequestError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return RequestError(
        f"'{shown}' is no language model: expected such as 'embedding 65 x 64; lstm 128; dense 65'"
    )


def architecture_lines(architecture: Architecture) -> list[str]:
    """One line a layer: its name, what it is, and its parameters."""
    counts: dict[str, int] = {}
    for path, parameter in architecture.parameters().items():
        name = path.partition(".")[0]
        counts[name] = counts.get(name, 0) + parameter.count
    words = {"embedding": str(architecture).partition(";")[0]}
    words |= dict.fromkeys(
        architecture.recurrent_names, f"{architecture.cell} {architecture.hidden_size}"
    )
    words["dense1"] = str(architecture).rpartition("; ")[2]
    rows = [(name, words[name], f"{count:,}") for name, count in counts.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    if architecture.dropout:
        lines.append(
            f"dropout {number_text(architecture.dropout)} before each of "
            f"{counted(architecture.layers + 1, 'layer')}"
        )
    return lines
