"""A trained network with what is done to an image before it, and the names of what comes out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np

from cnntool.datasets.images.dataset import shape_text
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.engine.losses import softmax
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.networks.model_file import Model
from cnntool.networks.model_header import Header
from cnntool.networks.network import Network
from cnntool.networks.trained import load_network


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model file that is ready to be used.

    preprocessing: images get the size that the network was trained on, also where it takes any.
    """

    name: str
    header: Header
    network: Network
    preprocessing: Preprocessing

    @property
    def labels(self) -> tuple[str, ...]:
        return self.header.labels

    def with_own_sizes(self) -> Classifier:
        """The same for images in the size that they have; RequestError where all need one."""
        if not self.network.takes_any_size:
            raise RequestError(
                f"the network of {self.name} takes images of "
                f"{shape_text(self.header.input_shape)} only: leave out --own-size"
            )
        return replace(self, preprocessing=replace(self.preprocessing, size=None))

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """(N, K) float32 for prepared images (N, C, H, W).

        InputError where they are too small for the layers of a network of any size.
        """
        if x.shape[1:] != self.network.input_shape:
            try:
                Network(self.network.layers, x.shape[1:])
            except RequestError as error:
                raise InputError(
                    f"the image, {shape_text(x.shape[1:])}, is too small for "
                    f"{str(error).partition(':')[0]}: enlarge it, or leave out --own-size"
                ) from None
        return softmax(self.outputs(x))

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """(N, K) for prepared images, before softmax; InputError where they are not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.network.predict(x)
        if not np.isfinite(logits).all():
            raise not_finite(f"{self.name}: its network")
        return logits


def load_classifier(path: str | os.PathLike) -> Classifier:
    """A model file of images; InputError, one line, whatever is wrong with it."""
    return classifier_of(*load_network(path), os.fspath(path))


def classifier_of(model: Model, network: Network, name: str) -> Classifier:
    """The classifier of a model file that has been read; InputError as for load_classifier."""
    header = model.header
    preprocessing = Preprocessing.from_json(header.preprocessing, name)
    channels, *size = header.input_shape
    fits = preprocessing.size in (tuple(size), None if network.takes_any_size else tuple(size))
    if preprocessing.channels != channels or not fits:
        made = "any size" if preprocessing.size is None else shape_text(preprocessing.size)
        raise InputError(
            f"{name}: its preprocessing gives images of {preprocessing.channels} x {made}, its "
            f"network takes {shape_text(header.input_shape)}: the file is damaged, train it again"
        )
    return Classifier(name, header, network, replace(preprocessing, size=tuple(size)))
