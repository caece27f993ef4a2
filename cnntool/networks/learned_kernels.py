"""Banks of learned kernels: of a model file, or of weights that another tool saved."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.networks.classifier import Classifier, classifier_of
from cnntool.networks.layers.convolutions import Convolution
from cnntool.networks.network import Network
from cnntool.networks.trained import load_network
from cnntool.networks.weight_files import read_kernels
from cnntool.suggestions import did_you_mean

MOST_NAMES = 12
"""Of layers that a message lists."""


@dataclass(frozen=True, eq=False)
class Banks:
    """Kernels by layer.

    name: of the file.
    layers: (F, C, kh, kw) float32 by the layer's name, in the order of the network; C is that of
        one group, and kernels that a connection table leaves out are 0. Empty for a model without
        convolutions.
    model: that they are a part of; None for weights from elsewhere.
    epochs: the first layer's kernels as they were after so many epochs, 0 being the random start;
        empty where the file holds none.
    """

    name: str
    layers: dict[str, np.ndarray]
    model: Classifier | None = None
    epochs: dict[int, np.ndarray] = field(default_factory=dict)

    def layer_name(self, layer: str | None = None) -> str:
        """The layer of this name, the first one for None.

        InputError where there is no convolution at all, RequestError where none has the name.
        """
        if not self.layers:
            raise InputError(
                f"{self.name} has no convolution layer, so no filters: name a model that has"
            )
        if layer is None:
            return next(iter(self.layers))
        if layer not in self.layers:
            names = list(self.layers)
            there = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
            near = did_you_mean(layer, names)
            raise RequestError(
                f"{self.name} has no filters in a layer '{layer[:60]}', only in {there}"
                + (f": {near}" if near else ": name one of those")
            )
        return layer

    def bank(self, layer: str | None = None) -> np.ndarray:
        """The kernels (F, C, kh, kw) of a layer; errors as of :meth:`layer_name`.

        InputError also where a weight is NaN or infinite, as nothing can be shown or measured then.
        """
        name = self.layer_name(layer)
        bank = self.layers[name]
        bad = np.argwhere(~np.isfinite(bank))
        if len(bad):
            raise InputError(
                f"{self.name}: {name} holds {len(bad):,} of {bank.size:,} weights that are NaN or "
                f"infinite, the first in filter {bad[0][0]}: training went astray, or the file is "
                "damaged"
            )
        return bank


def load_banks(path: str | os.PathLike) -> Banks:
    """The kernels of a model file, or of weights: .npy, .npz or .safetensors, F x C x kh x kw.

    InputError, one line, whatever is wrong with the file.
    """
    name = os.fspath(path)
    if not _is_model(path):
        return Banks(name, read_kernels(path))
    model, network = load_network(path)
    return Banks(
        name, kernels_of(network), classifier_of(model, network, name), dict(model.filters)
    )


def kernels_of(network: Network) -> dict[str, np.ndarray]:
    """The kernels (F, C, kh, kw) of every convolution of a network, by the layer's name."""
    banks = {}
    for name, layer, _ in network.each():
        if isinstance(layer, Convolution):
            weight = network.params[f"{name}.weight"]
            if layer.table is not None:
                weight = weight * np.array(layer.table)[:, :, None, None]
            banks[name] = weight
    return banks


def _is_model(path: str | os.PathLike) -> bool:
    """Whether an archive has a model's header; what cannot be read is not one here."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "header.npy" in archive.namelist()
    except Exception:  # whatever zipfile meets; reading it as weights says what is wrong
        return False
