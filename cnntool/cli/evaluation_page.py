"""What was measured on images as a page, whose mistakes open in the network, layer by layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.files import check_free
from cnntool.datasets.images.dataset import Dataset
from cnntool.files.atomic import atomic_write, check_writable
from cnntool.networks.model import Classifier
from cnntool.page.models import Shown, image_page, layers_up_to, one_of_each
from cnntool.training.report import Report
from cnntool.wording import plain

MOST_MISTAKES = 48
CURVES = "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"


def check_page(path: str, classifier: Classifier, force: bool) -> None:
    """Raise where the page cannot be written, or cannot hold the network, before any work."""
    check_free(Path(path), force)
    check_writable(path)
    layers_up_to(classifier, None)


def write_page(
    path: str,
    classifier: Classifier,
    report: Report,
    images: Dataset,
    entry: dict[str, Any],
    force: bool,
) -> None:
    """entry: what JSON has of the report."""
    target, mistakes = Path(path), report.mistakes[:MOST_MISTAKES]
    places = np.array([*(each.index for each in mistakes), *one_of_each(images)], np.intp)
    some = replace(images, x=images.x[places], y=images.y[places], files=None)
    x = classifier.preprocessing.normalized(some.x, some.scale)
    inputs = []
    for n, place in enumerate(places.tolist()):
        name = None if images.files is None else Path(images.files[place]).name
        label = classifier.labels[int(some.y[n])]
        inputs.append(Shown(name or f"image {place} of {images.name}", x[n : n + 1], label))
    facts = {
        "title": f"{Path(classifier.name).name} on {images.name}",
        "accuracy": report.accuracy,
        "count": report.count,
        "loss": report.loss,
        "k": report.k,
        "top": report.top_k,
        "classes": entry["classes"],
        "confusion": report.confusion,
        "history": [{key: row.get(key) for key in CURVES} for row in classifier.header.history],
        "wrong": len(report.mistakes),
        "mistakes": [
            {
                "input": n,
                "target": each.target,
                "predicted": each.predicted,
                "probability": each.probability,
            }
            for n, each in enumerate(mistakes)
        ],
    }
    content = image_page(classifier, inputs, report=plain(facts))
    with atomic_write(target, force) as file:
        file.write(content)
