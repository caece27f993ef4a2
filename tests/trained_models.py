"""Model files for the tests: one that is trained in a moment, and one whose answers are known."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from training_runs import finished, image_task, trainer_of

from cnntool.datasets.images.parts import hold_out
from cnntool.datasets.images.preprocessing import fit_preprocessing
from cnntool.datasets.images.sources import load_images
from cnntool.networks.model_file import Header, Model, save_model
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.networks.zoo import build
from cnntool.training.loop import Epoch, Trainer
from cnntool.training.settings import Settings, Streams


def train_digits(path: Path) -> Path:
    """A network of any size, after two epochs of the digits with a tenth held out."""
    settings = Settings(epochs=2, batch_size=64, learning_rate=0.005, seed=3)
    streams = Streams(settings.seed)
    loaded = load_images("digits")
    parts = hold_out(loaded, streams["split"], 0.1)
    layers = "conv 8 3x3 pad 1; relu; max 2; conv 16 3x3; relu; global-max; dense 10"
    network = build(layers, (1, 8, 8)).initialise(streams["start"])
    preprocessing = replace(fit_preprocessing(parts.train), size=None)
    with Trainer(image_task(network, preprocessing, parts, settings), streams) as trainer:
        history = [step.to_json() for step in trainer.run() if isinstance(step, Epoch)]
        header = Header(
            network.spec,
            network.input_shape,
            preprocessing.to_json(),
            parts.train.labels,
            settings.seed,
            asdict(settings) | {"data": "digits", "val_split": 0.1},
            tuple(history),
            loaded.train.fingerprint,
        )
        save_model(path, Model(header, network.params, network.buffers))
    return path


def run_of_digits(path: Path) -> Path:
    """A network with two convolutions, after three epochs of some digits; all that its file of a
    finished run holds, and its log beside it, ``.jsonl``."""
    loaded = load_images("digits")
    parts = hold_out(
        loaded.map(lambda part: part.subset(np.arange(300))), np.random.default_rng(0), 0.2
    )
    layers = "conv 4 3x3 pad 1; relu; max 2; dropout 0.1; conv 6 3x3; relu; dense 10"
    with trainer_of(parts, layers=layers) as trainer:
        trainer.task.fingerprint = loaded.train.fingerprint
        model = finished(trainer)
    save_model(path, model)
    lines = [json.dumps({"event": "epoch", **row}) for row in trainer.history]
    path.with_suffix(".jsonl").write_text("\n".join(lines) + "\n")
    return path


def darkness_model(
    path: Path, channels: int = 1, labels=("dark", "light"), classes: int = 2, **facts
) -> Path:
    """A model for 4 x 4 images: ``softmax(0, 8 (mean - 0.5))``, so that grey 0.5 is even.

    More classes than two get 0 as well.
    """
    network = Network(parse_layers(f"flatten; dense {classes}"), (channels, 4, 4))
    weight = np.zeros((16 * channels, classes), np.float32)
    weight[:, 1] = 8 / len(weight)
    preprocessing = {
        "channels": channels,
        "size": [4, 4],
        "mean": [0.5] * channels,
        "std": [1.0] * channels,
    }
    params = {"dense1.weight": weight, "dense1.bias": np.zeros(classes, np.float32)}
    header = Header(network.spec, network.input_shape, preprocessing, labels, 0, **facts)
    save_model(path, Model(header, params))
    return path
