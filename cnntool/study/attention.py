"""What a translator or a captioner looked at while it said its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.datasets.sequences.feeds import Pair
from cnntool.networks.decoding import Said, greedy
from cnntool.networks.joined import attention_of
from cnntool.networks.model import SequenceModel


@dataclass(frozen=True, eq=False)
class Looked:
    """What was said, and how much each of its tokens, the end among them, looked at each step of
    what was read, (T, S); those of a token are 1 together."""

    said: Said
    weights: np.ndarray


def looked_at(model: SequenceModel, source: Any, lengths: np.ndarray | None) -> Looked:
    """What is said greedily to a source, a batch of one, and what was looked at.

    InputError where the network's numbers are not finite.
    """
    assert model.writer is not None
    network, end = model.joined, model.writer.end
    said = greedy(network, source, lengths, end, model.longest)[0]
    given = np.array([end, *said.ids][: len(said.log_odds)])[:, None]
    weights = attention_of(network, Pair(source, given), lengths)[0]
    return Looked(said, weights)


def grid_of(model: SequenceModel) -> tuple[int, int] | None:
    """How the steps that a captioner looks at lie over a picture, (rows, columns): places of maps,
    or one row of bands; None where nothing makes steps of maps."""
    network = model.joined
    for index in reversed(range(network.joint)):
        kind = network.layers[index].kind
        if kind in ("places", "columns"):
            _, height, width = network.shapes[index]
            return (int(height or 1) if kind == "places" else 1), int(width or 1)
    return None


def place_names(model: SequenceModel, count: int) -> tuple[str, ...]:
    """What the steps are called that a captioner looks at: ``row 1, column 3``, or ``band 3``."""
    rows, columns = grid_of(model) or (1, count)
    if rows == 1:
        return tuple(f"band {number}" for number in range(1, count + 1))
    places = np.ndindex(rows, columns)
    return tuple(f"row {row + 1}, column {column + 1}" for row, column in places)
