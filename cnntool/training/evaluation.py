"""What a network makes of a whole set of images."""

from __future__ import annotations

import numpy as np

from cnntool.datasets.feeds import batches
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.engine.losses import softmax_cross_entropy
from cnntool.networks.network import Network

BATCH_SIZE = 256


def logits_of(network: Network, preprocessing: Preprocessing, data: Dataset) -> np.ndarray:
    """The outputs (N, K) for all images of a set, in their order."""
    found = []
    for indices in batches(len(data), BATCH_SIZE):
        x = preprocessing.normalized(data.x[indices], data.white)
        found.append(network.predict(x))
    return np.concatenate(found)


def mean_cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """The mean of ``-log softmax(logits)[y]`` in nats."""
    return softmax_cross_entropy(logits, y)[0]
