"""Learning to tell images apart: a batch is some images in random order, changed at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.datasets.feeds import batches
from cnntool.datasets.images.augmentation import Augmentation, augment, parse_augmentation
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.engine.losses import softmax_cross_entropy, softmax_cross_entropy_backward
from cnntool.networks.network import Network
from cnntool.training.evaluation import logits_of, mean_cross_entropy
from cnntool.training.metrics import accuracy, predicted_classes
from cnntool.training.settings import Settings
from cnntool.training.task import Batch, Lesson


class ImageTask:
    """A :class:`~cnntool.training.task.Task`: a network of classes, and labelled images."""

    def __init__(
        self, network: Network, preprocessing: Preprocessing, parts: Parts, settings: Settings
    ) -> None:
        self.network, self.preprocessing = network, preprocessing
        self.parts, self.settings = parts, settings
        self.carried: dict[str, np.ndarray] = {}

    @property
    def samples(self) -> int:
        return len(self.parts.train)

    @property
    def steps(self) -> int:
        return -(-self.samples // self.settings.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """All images in random order, the last batch as small as it comes."""
        for number, indices in enumerate(batches(self.samples, self.settings.batch_size, rng), 1):
            yield Batch(number, indices, len(indices))

    def learner(self, grads: dict[str, np.ndarray]) -> ImageLearner:
        spec = self.settings.augment
        augmentation = parse_augmentation(spec) if spec else None
        return ImageLearner(
            self.network,
            self.preprocessing,
            self.parts.train,
            augmentation,
            self.settings.label_smoothing,
            grads,
        )

    def judge(self) -> tuple[float, float] | None:
        """Cross-entropy and accuracy on the validation part."""
        if self.parts.validation is None:
            return None
        logits = logits_of(self.network, self.preprocessing, self.parts.validation)
        y = self.parts.validation.y
        return mean_cross_entropy(logits, y), accuracy(predicted_classes(logits), y)

    def first_broken(self, batch: Batch) -> str | None:
        data, network = self.parts.train, self.network
        x = self.preprocessing.normalized(data.x[batch.indices], data.white)
        with np.errstate(all="ignore"):
            outputs = network.outputs(x)
        for name, layer, output in zip(network.names, network.layers, outputs, strict=True):
            if not np.isfinite(output).all():
                return f"the output of {name} ({layer})"
        return None

    def header(self) -> dict[str, Any]:
        return {
            "kind": "cnn",
            "spec": self.network.spec,
            "input_shape": self.network.input_shape,
            "preprocessing": self.preprocessing.to_json(),
            "labels": self.parts.train.labels,
        }


@dataclass(frozen=True)
class ImageLearner:
    """A network with what it learns from, and where gradients go: ``grads``, by path."""

    network: Network
    preprocessing: Preprocessing
    data: Dataset
    augmentation: Augmentation | None
    label_smoothing: float
    grads: dict[str, np.ndarray]

    def images(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The images of a batch as the network takes them, changed at random where asked for."""
        x = self.data.x[indices]
        if self.augmentation is not None:
            x = augment(x, self.augmentation, rng, self.data.white)
        return self.preprocessing.normalized(x, self.data.white)

    def learn(self, batch: Batch, share: float, seed: tuple[int, ...]) -> Lesson:
        """Put ``share`` times the gradient of the mean loss of some images into ``grads``."""
        rng = np.random.Generator(np.random.PCG64(seed))
        x, y = self.images(batch.indices, rng), self.data.y[batch.indices]
        with np.errstate(all="ignore"):  # what is not finite is found and said by the loop
            logits, caches = self.network.forward(x, training=True, rng=rng)
            loss, cache = softmax_cross_entropy(logits, y, label_smoothing=self.label_smoothing)
            dlogits = softmax_cross_entropy_backward(share, cache)
            for path, grad in self.network.backward(dlogits, caches).items():
                self.grads[path][...] = grad
        correct = int(np.count_nonzero(logits.argmax(axis=1) == y))
        return Lesson(loss, correct, bool(np.isfinite(loss)))
