"""The usual networks of sequences: many to one, many to many, one to many, each as text."""

from __future__ import annotations

from dataclasses import dataclass

from cnntool.networks.layers.layer import Shape
from cnntool.specs import number_text

MAPS = 16, 32, 64
"""Filters of the convolutions over pictures and frames, pooled behind all but the last; over strips
the first two."""

LOW = 16
"""Pixels up to which a strip is low: what tells signs of half as many apart is gone when they are
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
    """One to many: convolutions, and a decoder that looks at their places; at columns of strips."""
    _, height, width = inputs.shape
    if width >= 2 * height:
        encoder = [*_strip(height), *sizes.drop, "columns"]
        encoder += [f"{sizes.cell} {sizes.hidden_size} both", *sizes.drop]
    elif sizes.attention == "none":
        encoder = [*_convolutions(), *sizes.drop, f"dense {sizes.hidden_size}", "relu"]
    else:
        encoder = [*_convolutions(), *sizes.drop, "places"]
    return f"{'; '.join(encoder)} => {_decoder(vocabulary, sizes)}"


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


def _strip(height: int) -> list[str]:
    first, second = ([f"conv {filters} 3x3 pad 1", "relu"] for filters in MAPS[:2])
    return [*first, *(["max 2"] if height > LOW else []), *second, "max 2"]
