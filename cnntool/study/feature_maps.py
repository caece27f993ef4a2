"""What every layer of a network makes of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnntool.errors import RequestError, not_finite
from cnntool.networks.layers.layer import shape_text
from cnntool.networks.model import Classifier
from cnntool.wording import did_you_mean

SILENT = ("dropout", "flatten")
"""Layers that change no value where nothing is trained."""


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of a layer for one image: maps (C, H, W) or features (D,)."""

    name: str
    layer: str
    values: np.ndarray

    @property
    def shape(self) -> str:
        return shape_text(self.values.shape)


def feature_maps(classifier: Classifier, x: np.ndarray) -> tuple[list[FeatureMaps], np.ndarray]:
    """What every layer but the SILENT ones makes of a prepared image (1, C, H, W), in the order of
    the network, and the probabilities of the classes (K,).

    InputError where the image is too small, or values are not finite.
    """
    probabilities = classifier.probabilities(x)[0]
    network = classifier.network
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = network.outputs(x)
    found = [
        FeatureMaps(name, str(layer), np.asarray(output[0], np.float32))
        for (name, layer, _), output in zip(network.each(), outputs, strict=True)
        if layer.kind not in SILENT
    ]
    for each in found:
        if not np.isfinite(each.values).all():
            raise not_finite(f"{classifier.name}: {each.name}")
    return found, probabilities


def layer_named(classifier: Classifier, found: list[FeatureMaps], name: str) -> FeatureMaps:
    """The output of the layer with this name; RequestError with those that there are."""
    for each in found:
        if each.name == name:
            return each
    names = [each.name for each in found]
    near = did_you_mean(name, names)
    raise RequestError(
        f"{classifier.name} has no maps of a layer '{name[:60]}', only of {', '.join(names)}"
        f": {near or 'name one of those'}"
    )
