"""A language model's arrays with the shapes that a lecture gives them: what goes in, what is
multiplied, what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from cnntool.networks.language_spec import GATES, Architecture


@dataclass(frozen=True)
class ArrayShape:
    """One array: its name, its shape in words and in numbers, and how many of its numbers are
    trained. A shape has None for a batch of any size."""

    name: str
    meaning: str
    shape: tuple[int | None, ...]
    parameters: int = 0


def array_shapes(architecture: Architecture, batch: int | None) -> tuple[ArrayShape, ...]:
    """The arrays of one time step, in the order of the data.

    ``input`` is the batch as one-hot vectors, whose product with the embedding picks rows of it.
    """
    gates = GATES[architecture.cell]
    wide = f"{gates} hidden" if gates > 1 else "hidden"
    vocabulary, hidden = architecture.vocabulary_size, architecture.hidden_size
    sizes = {path: parameter.shape for path, parameter in architecture.parameters().items()}

    def trained(name: str, meaning: str, path: str) -> ArrayShape:
        return ArrayShape(name, meaning, sizes[path], prod(sizes[path]))

    found = [
        ArrayShape("input", "batch x input", (batch, vocabulary)),
        trained("embed", "input x embed", "embedding.weight"),
    ]
    for number, name in enumerate(architecture.recurrent_names):
        mark = f" {number + 1}" if architecture.layers > 1 else ""
        source = "hidden" if number else "embed"
        found.append(trained(f"ih{mark}", f"{source} x {wide}", f"{name}.w_input"))
        found.append(trained(f"hh{mark}", f"hidden x {wide}", f"{name}.w_hidden"))
        found.append(trained(f"bias{mark}", wide, f"{name}.bias"))
        if architecture.cell == "gru":
            found.append(trained(f"hidden bias{mark}", wide, f"{name}.hidden_bias"))
    if architecture.tie_weights:
        found.append(ArrayShape("decode", "hidden x output, embed's", (hidden, vocabulary)))
    else:
        found.append(trained("decode", "hidden x output", "dense1.weight"))
    found += [
        trained("decode bias", "output", "dense1.bias"),
        ArrayShape("output", "batch x output", (batch, vocabulary)),
        ArrayShape("target", "batch", (batch,)),
    ]
    return tuple(found)


def multiply_adds(architecture: Architecture) -> int:
    """Of one token, forward, in products: the embedding picks a row and multiplies nothing."""
    products = [
        parameter.count
        for path, parameter in architecture.parameters().items()
        if len(parameter.shape) == 2 and path != "embedding.weight"
    ]
    if architecture.tie_weights:
        products.append(architecture.hidden_size * architecture.vocabulary_size)
    return sum(products)
