"""A network as a model file holds it: built from its text, with the parameters it learned."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cnntool.errors import InputError
from cnntool.networks.model_file import Model, load_model
from cnntool.networks.model_header import Header
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.wording import counted


def load_network(path: str | os.PathLike) -> tuple[Model, Network]:
    """A model file of images and its network; InputError, one line, whatever is wrong with it."""
    model = load_model(path, needs)
    return model, network_of(model)


def network_of(model: Model) -> Network:
    """The network of a model, with copies of its parameters and buffers."""
    header = model.header
    shape = (None,) if header.kind == "rnn" else header.input_shape
    network = Network(parse_layers(header.spec), shape)
    network.params = {name: array.copy() for name, array in model.params.items()}
    network.buffers = {name: array.copy() for name, array in model.buffers.items()}
    return network


def needs(header: Header) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The shape and dtype of every ``params/<path>`` and ``buffers/<path>`` of an architecture."""
    network = Network(parse_layers(header.spec), header.input_shape)
    if network.output_shape != (len(header.labels),):
        raise InputError(
            f"its network gives {network.output_shape}, and it names "
            f"{counted(len(header.labels), 'label')}"
        )
    kinds = {f"params/{path}": p.shape for path, p in network.parameters().items()}
    kinds |= {f"buffers/{path}": b.shape for path, b in network.buffers.items()}
    return {name: (shape, np.float32) for name, shape in kinds.items()}
