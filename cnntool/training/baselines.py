"""What a network has to beat: always the most frequent class, and a linear classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

import numpy as np

from cnntool.datasets.batching import batches
from cnntool.datasets.dataset import Dataset
from cnntool.datasets.preprocessing import Preprocessing
from cnntool.engine import (
    adaptive_pool2d,
    dense,
    dense_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from cnntool.engine.blas import one_blas_thread
from cnntool.engine.dense_layer import DenseCache
from cnntool.training.flat import flatten, views_of
from cnntool.training.metrics import accuracy, predicted_classes
from cnntool.training.optimizers import make_optimizer
from cnntool.training.schedules import parse_schedule

STEPS = 1_000
BATCH_SIZE = 128
LARGEST_SIDE = 32
BLOCK_VALUES = 1 << 22

REACH = 0.64
"""The learning rate times the number of pixels. Adam's first steps change each weight by the rate
itself, so this is how far a logit may move in one step, whatever the size of the images."""


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
    with one_blas_thread():  # products this small are slower on two
        params = _trained(training, preprocessing, seed)
        predicted = [
            predicted_classes(_logits(validation, indices, preprocessing, params)[0])
            for indices in batches(len(validation), BATCH_SIZE)
        ]
    return accuracy(np.concatenate(predicted), validation.y)


def _trained(training: Dataset, preprocessing: Preprocessing, seed: int) -> dict[str, np.ndarray]:
    inputs, classes = training.x[0].size, len(training.labels)
    shapes = {"weight": (inputs, classes), "bias": (classes,)}
    vector, params = flatten({name: np.zeros(size, np.float32) for name, size in shapes.items()})
    gradient = np.zeros_like(vector)
    grads = views_of(gradient, params)
    optimizer, schedule = make_optimizer("adam", REACH / inputs), parse_schedule("cosine")
    state = optimizer.start(vector)
    for step, indices in enumerate(_batches(len(training), np.random.default_rng(seed))):
        logits, cache = _logits(training, indices, preprocessing, params)
        _, loss_cache = softmax_cross_entropy(logits, training.y[indices])
        dlogits = softmax_cross_entropy_backward(1.0, loss_cache)
        _, grads["weight"][...], grads["bias"][...] = dense_backward(dlogits, cache, need_dx=False)
        optimizer.step(vector, gradient, state, optimizer.learning_rate * schedule(step, STEPS))
    return params


def _batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The batches of as many epochs as :data:`STEPS` batches take."""
    epochs = (batches(count, BATCH_SIZE, rng) for _ in range(STEPS))
    return islice(chain.from_iterable(epochs), STEPS)


def _logits(
    data: Dataset, indices: np.ndarray, preprocessing: Preprocessing, params: dict[str, np.ndarray]
) -> tuple[np.ndarray, DenseCache]:
    x = preprocessing.normalized(data.x[indices], data.white)
    return dense(x.reshape(len(x), -1), params["weight"], params["bias"])


def _shrunk(data: Dataset) -> Dataset:
    """The images with no side above LARGEST_SIDE, averages of the pixels there were."""
    channels, *sides = data.image_shape
    size = tuple(min(side, LARGEST_SIDE) for side in sides)
    if size == tuple(sides):
        return data
    x = np.empty((len(data), channels, *size), np.float32)
    step = max(1, BLOCK_VALUES // data.x[0].size)
    for start in range(0, len(data), step):
        block = data.x[start : start + step].astype(np.float32)
        x[start : start + step] = adaptive_pool2d(block, size, "average")[0]
    return replace(data, x=x)
