"""What the units of a recurrent layer did while a text, a clip or a picture was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.networks.joined import Joined
from cnntool.networks.layers.recurrent import REVERSE, Recurrent
from cnntool.networks.model import SequenceModel
from cnntool.wording import instead


@dataclass(frozen=True, eq=False)
class States:
    """A layer by its name, and of each direction what its units did, each (T, H): the gates, the
    cell state ``c`` where there is one, and ``h``; first from the beginning, then from the end."""

    layer: str
    cell: str
    directions: tuple[dict[str, np.ndarray], ...]


def states_of(
    model: SequenceModel, x: Any, lengths: np.ndarray | None, layer: str | None = None
) -> States:
    """Of a batch of one, in a recurrent layer of what reads, the last one for None.

    RequestError where there is none of this name, InputError where its numbers are not finite.
    """
    network, index = model.network, _place(model, layer)
    recurrent = network.layers[index]
    assert isinstance(recurrent, Recurrent)
    found = model.trace(index, x, lengths)
    forward = {name: values for name, values in found.items() if not name.endswith(REVERSE)}
    back = {name: found[name + REVERSE] for name in forward if name + REVERSE in found}
    directions = (forward, back) if back else (forward,)
    return States(network.names[index], recurrent.cell, directions)


def _place(model: SequenceModel, layer: str | None) -> int:
    network = model.network
    reads = network.joint if isinstance(network, Joined) else len(network.layers)
    places = {network.names[i]: i for i in range(reads) if isinstance(network.layers[i], Recurrent)}
    if not places:
        raise InputError(
            f"{model.name} reads without a recurrent layer, so there are no states: name another"
        )
    if layer is None:
        return list(places.values())[-1]
    for name, place in places.items():
        if layer in (name, name.rpartition(".")[2]):
            return place
    raise RequestError(
        f"{model.name} has no recurrent layer '{layer[:60]}' that reads, only "
        f"{instead(layer, list(places))}"
    )
