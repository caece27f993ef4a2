"""Runs of training for the tests: small networks and few digits."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from cnntool.datasets.feeds import ImageFeed
from cnntool.datasets.images.augmentation import parse_augmentation
from cnntool.datasets.images.preprocessing import Preprocessing, fit_preprocessing
from cnntool.networks.model import network_of
from cnntool.networks.model_file import header_text
from cnntool.networks.zoo import build
from cnntool.training.checkpoint import model_of
from cnntool.training.loop import Trainer
from cnntool.training.measures import ACCURACY
from cnntool.training.settings import Settings, Streams
from cnntool.training.task import Task

PLAIN = "conv 4 3x3; relu; max 2; dropout 0.2; dense 10"
NORMED = "conv 4 3x3 pad 1 no-bias; batch-norm; relu; global-average; dense 10"
QUICK = Settings(epochs=3, batch_size=32, augment="shift=1,noise=0.02", clip=1.0)


def trainer_of(parts, settings=QUICK, layers=PLAIN):
    streams = Streams(settings.seed)
    network = build(layers, parts.train.image_shape, 10).initialise(streams["start"])
    return Trainer(image_task(network, fit_preprocessing(parts.train), parts, settings), streams)


def image_task(network, preprocessing, parts, settings):
    augmentation = parse_augmentation(settings.augment)
    feed = ImageFeed(parts.train, preprocessing, settings.batch_size, augmentation)
    held = None if parts.validation is None else ImageFeed(parts.validation, preprocessing, 256)
    return Task("cnn", network, feed, held, settings, ACCURACY)


def task_of(model, parts, settings):
    preprocessing = Preprocessing.from_json(model.header.preprocessing)
    return image_task(network_of(model), preprocessing, parts, settings)


def finished(trainer):
    """The model at the end of a run."""
    for _ in trainer.run():
        pass
    return model_of(trainer)


def kept(trainer):
    """The model of a run that goes on, which does not change with it."""
    return deepcopy(model_of(trainer))


def same(one, two):
    """Whether two models hold the same, bit for bit."""
    for group in ("params", "buffers", "state", "filters"):
        first, second = getattr(one, group), getattr(two, group)
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_array_equal(first[name], second[name], err_msg=str(name))
    assert header_text(one.header, []) == header_text(two.header, [])
