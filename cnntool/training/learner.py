"""What one step learns from a batch, or from one part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cnntool.datasets.augmentation import Augmentation, augment
from cnntool.datasets.dataset import Dataset
from cnntool.datasets.preprocessing import Preprocessing
from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.networks.network import Network


class Lesson(NamedTuple):
    """What a batch or a part of one gave, besides the gradient."""

    loss: float  # the mean over its images
    correct: int
    is_finite: bool


@dataclass(frozen=True)
class Learner:
    """A network with what it learns from, and where gradients go: ``grads``, by path."""

    network: Network
    preprocessing: Preprocessing
    data: Dataset
    augmentation: Augmentation | None
    label_smoothing: float
    grads: dict[str, np.ndarray]

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The images of a batch as the network takes them, changed at random where asked for."""
        x = self.data.x[indices]
        if self.augmentation is not None:
            x = augment(x, self.augmentation, rng, self.data.white)
        return self.preprocessing.normalized(x, self.data.white)

    def learn(self, indices: np.ndarray, share: float, seed: tuple[int, ...]) -> Lesson:
        """Put ``share`` times the gradient of the mean loss of some images into ``grads``."""
        rng = np.random.Generator(np.random.PCG64(seed))
        x, y = self.batch(indices, rng), self.data.y[indices]
        with np.errstate(all="ignore"):  # what is not finite is found and said by the loop
            logits, caches = self.network.forward(x, training=True, rng=rng)
            loss, cache = softmax_cross_entropy(logits, y, label_smoothing=self.label_smoothing)
            dlogits = softmax_cross_entropy_backward(share, cache)
            for path, grad in self.network.backward(dlogits, caches).items():
                self.grads[path][...] = grad
        correct = int(np.count_nonzero(logits.argmax(axis=1) == y))
        return Lesson(loss, correct, bool(np.isfinite(loss)))
