"""The usual networks of sequences: many to one, many to many, one to many, each as text; and
language models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnntool.errors import RequestError
from cnntool.networks.layers.core import Activation, Dense, Dropout
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import Shape
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.network import Network
from cnntool.networks.spec import filled, parse_layers
from cnntool.specs import number_text

MAPS = 16, 32, 64
"""Filters of the convolutions over pictures and frames, pooled behind all but the last; over lines
of signs the first two."""

LOW = 16
"""Pixels up to which a line is low: what tells signs of half as many apart is gone when they are
pooled before two convolutions."""


@dataclass(frozen=True)
class Sizes:
    """What a network of sequences is made of, with dropout before recurrences and what comes out.

    one_way: whether its recurrences read from the beginning alone. pool: last, mean or max, of a
    classifier. attention: general, additive or none, of a decoder. letters: units over the letters
    of each word, 0 for none.
    """

    cell: str = "lstm"
    embed_size: int = 64
    hidden_size: int = 64
    layers: int = 1
    dropout: float = 0.0
    one_way: bool = False
    pool: str = "max"
    attention: str = "general"
    letters: int = 0

    @property
    def drop(self) -> list[str]:
        return [f"dropout {number_text(self.dropout)}"] if self.dropout else []

    def recurrences(self, one_way: bool | None = None) -> list[str]:
        both = "" if (self.one_way if one_way is None else one_way) else " both"
        found = [f"{self.cell} {self.hidden_size}{both}", *self.drop] * self.layers
        return found[:-1] if self.drop else found


@dataclass(frozen=True)
class Inputs:
    """What comes in: tokens of a vocabulary, their letters; else the shape of a step or picture."""

    vocabulary: int = 0
    letters: int = 0
    shape: Shape = ()


def classifier(inputs: Inputs, classes: int, sizes: Sizes) -> str:
    """Many to one: ``embedding 10000 x 32; lstm 64 both; max-steps; dense 2``."""
    pool = {"last": "last", "mean": "mean-steps", "max": "max-steps"}[sizes.pool]
    parts = [*_read(inputs, sizes), *sizes.recurrences(), pool, *sizes.drop, f"dense {classes}"]
    return "; ".join(parts)


def tagger(inputs: Inputs, tags: int, sizes: Sizes) -> str:
    """Many to many, aligned: ``embedding 10000 x 32; lstm 64 both; dense 17``."""
    return "; ".join([*_read(inputs, sizes), *sizes.recurrences(), *sizes.drop, f"dense {tags}"])


def translator(inputs: Inputs, vocabulary: int, sizes: Sizes) -> str:
    """Many to many: ``embedding 60 x 64; gru 64 both => embedding 45 x 64; gru 64; ...``."""
    encoder = [*_read(inputs, sizes), *sizes.recurrences()]
    return f"{'; '.join(encoder)} => {_decoder(vocabulary, sizes)}"


def captioner(inputs: Inputs, vocabulary: int, sizes: Sizes) -> str:
    """One to many: convolutions, and a decoder that looks at their places; at columns of lines."""
    _, height, width = inputs.shape
    if width >= 2 * height:
        encoder = [*_line(height), *sizes.drop, "columns"]
        encoder += [f"{sizes.cell} {sizes.hidden_size} both", *sizes.drop]
    elif sizes.attention == "none":
        encoder = [*_convolutions(), *sizes.drop, f"dense {sizes.hidden_size}", "relu"]
    else:
        encoder = [*_convolutions(), *sizes.drop, "places"]
    return f"{'; '.join(encoder)} => {_decoder(vocabulary, sizes)}"


def language_model(
    cell: str,
    vocabulary_size: int,
    embed_size: int,
    hidden_size: int,
    layers: int = 1,
    dropout: float = 0.0,
    tie_weights: bool = False,
) -> Network:
    """A recurrent language model, ``p(w_(t+1)) = softmax(h_t W + b)``: a tagger, from the beginning
    alone, whose tags are the tokens that come next; parameters not drawn yet.

    Dropout stands on every connection that does not go through time: behind the embedding, between
    layers and before the output. With tied weights embedding and output share a table. RequestError
    where their sizes do not let them.

    Sources: Mikolov, Karafiát, Burget, Černocký, Khudanpur, Interspeech 2010; Zaremba, Sutskever,
    Vinyals, arXiv:1409.2329, 2014 (dropout).
    """
    if tie_weights and embed_size != hidden_size:
        raise RequestError(
            f"tied weights need an embedding as wide as the hidden state: embed size is "
            f"{embed_size}, hidden size {hidden_size}; set both to one number, or leave out "
            "--tie-weights"
        )
    sizes = Sizes(cell, embed_size, hidden_size, layers, dropout, one_way=True)
    text = tagger(Inputs(vocabulary_size), vocabulary_size, sizes)
    return Network(parse_layers(text + (" tied" if tie_weights else "")), (None,))


def language_network(text: str, vocabulary_size: int) -> Network:
    """A recurrent language model of a text of layers, in which ? stands for the vocabulary's size:
    ``embedding ? x 64; lstm 128; gru 64; dense ?``; parameters not drawn yet. RequestError where it
    is none."""
    example = "such as 'embedding ? x 64; lstm 128; dense ?'"
    if "=>" in text:
        raise RequestError(
            f"--layers has '=>', and a language model no decoder: write it without, {example}"
        )
    network = Network(parse_layers(filled(text, vocabulary_size, 0, vocabulary_size)), (None,))
    first, last = network.layers[0], network.layers[-1]
    for layer in network.layers:
        if not isinstance(layer, Embedding | Recurrent | Dropout | Activation | Dense):
            raise RequestError(f"--layers: {layer} is no layer of a language model, {example}")
        if isinstance(layer, Recurrent) and layer.both:
            raise RequestError(
                f"--layers: {layer} would read what it is to foretell: leave out both, {example}"
            )
        if isinstance(layer, Embedding) and layer.letters:
            raise RequestError(f"--layers: {layer}: leave the letters out, {example}")
    if not any(isinstance(layer, Recurrent) for layer in network.layers):
        raise RequestError(f"--layers has no recurrence: add lstm, gru or rnn, {example}")
    sizes = [
        first.words if isinstance(first, Embedding) else 0,
        last.outputs if isinstance(last, Dense) else 0,
    ]
    if sizes != [vocabulary_size] * 2:
        raise RequestError(
            f"--layers is to begin with 'embedding ? x N' and to end with 'dense ?', where ? is "
            f"{vocabulary_size:,}, the tokens of the text"
        )
    return network


def language_sizes(network: Network) -> dict[str, Any]:
    """What :func:`language_model` takes to make such a network, by the names there."""
    first, last = network.layers[0], network.layers[-1]
    cells = [layer for layer in network.layers if isinstance(layer, Recurrent)]
    rates = [layer.rate for layer in network.layers if isinstance(layer, Dropout)]
    if not (isinstance(first, Embedding) and cells and isinstance(last, Dense)):
        raise ValueError(f"{network.spec} is no language model")
    return {
        "cell": cells[0].cell,
        "vocabulary_size": first.words,
        "embed_size": first.width,
        "hidden_size": cells[0].units,
        "layers": len(cells),
        "dropout": rates[0] if rates else 0.0,
        "tie_weights": last.is_tied,
    }


def _decoder(vocabulary: int, sizes: Sizes) -> str:
    attend = {"general": ["attend"], "additive": ["attend additive"], "none": []}
    parts = [f"embedding {vocabulary} x {sizes.embed_size}", *sizes.drop]
    parts += [*sizes.recurrences(one_way=True), *sizes.drop]  # a decoder attends to what is left
    parts += [*attend[sizes.attention], f"dense {vocabulary}"]
    return "; ".join(parts)


def _read(inputs: Inputs, sizes: Sizes) -> list[str]:
    if inputs.vocabulary:
        letters = f" letters {inputs.letters} x {sizes.letters}" if sizes.letters else ""
        return [f"embedding {inputs.vocabulary} x {sizes.embed_size}{letters}", *sizes.drop]
    if len(inputs.shape) == 1:
        return []
    layers = [*_convolutions(), "global-max", "flatten"]
    return [f"each {layer}" for layer in layers] + sizes.drop


def _convolutions() -> list[str]:
    found: list[str] = []
    for filters in MAPS:
        found += [*(["max 2"] if found else []), f"conv {filters} 3x3 pad 1", "relu"]
    return found


def _line(height: int) -> list[str]:
    first, second = ([f"conv {filters} 3x3 pad 1", "relu"] for filters in MAPS[:2])
    return [*first, *(["max 2"] if height > LOW else []), *second, "max 2"]
