"""What was measured on images or texts as a page, whose mistakes open in the network itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.choices import MOST_MISTAKES
from cnntool.cli.files import check_page
from cnntool.datasets.images.dataset import Dataset
from cnntool.files.atomic import atomic_write
from cnntool.networks.model import Classifier, SequenceModel, Trained
from cnntool.page.models import (
    Shown,
    check_texts,
    image_page,
    layers_up_to,
    one_of_each,
    text_page,
)
from cnntool.training.report import ClassifierReport, class_facts
from cnntool.wording import counted, plain

CURVES = "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"


def check_report(path: str, model: Classifier | SequenceModel, force: bool) -> None:
    """Raise where the page cannot be written, or cannot hold the network, before any work."""
    check_page("--html", Path(path), force)
    if isinstance(model, Classifier):
        layers_up_to(model, None)
    else:
        check_texts(model)


def write_page(
    path: str,
    classifier: Classifier,
    report: ClassifierReport,
    images: Dataset,
    force: bool,
) -> None:
    """Of a report on images."""
    target, mistakes = Path(path), report.mistakes[:MOST_MISTAKES]
    places = np.array([*(each.index for each in mistakes), *one_of_each(images)], np.intp)
    some = replace(images, x=images.x[places], y=images.y[places], files=None)
    x = classifier.preprocessing.normalized(some.x, some.scale)
    inputs = []
    for n, place in enumerate(places.tolist()):
        name = None if images.files is None else Path(images.files[place]).name
        label = classifier.labels[int(some.y[n])]
        inputs.append(Shown(name or f"image {place} of {images.name}", x[n : n + 1], label))
    figures = [
        [f"{report.top_k:.1%}", f"among the {report.k} likeliest"],
        [f"{report.loss:.3f}", "loss, in nats an image"],
    ]
    facts = _facts(classifier, images.name, "image", report, figures)
    content = image_page(classifier, inputs, report=facts)
    with atomic_write(target, force) as file:
        file.write(content)


def write_text_page(
    path: str, model: SequenceModel, report: ClassifierReport, data: str, force: bool
) -> None:
    """The same of a classifier of texts."""
    target, mistakes = Path(path), report.mistakes[:MOST_MISTAKES]
    macro = report.scores.macro
    f1 = [f"{macro.f1:.3f}", f"F1, the mean over {counted(macro.classes['f1'], 'class')}"]
    facts = _facts(model, data, "text", report, [f1])
    texts = [each.given for each in mistakes] or list(report.texts or ())[:MOST_MISTAKES]
    content = text_page(model, texts, facts)
    with atomic_write(target, force) as file:
        file.write(content)


def _facts(
    model: Trained, data: str, noun: str, report: ClassifierReport, figures: list[list[str]]
) -> dict[str, Any]:
    """figures: what is said beside the accuracy."""
    number = {label: k for k, label in enumerate(report.labels)}
    facts = {
        "title": f"{Path(model.name).name} on {data}",
        "noun": noun,
        "classes": class_facts(report.labels, report.scores),
        "confusion": report.confusion,
        "history": [{key: row.get(key) for key in CURVES} for row in model.header.history],
        "figures": [
            [report.accuracy.text, f"right, of {counted(report.accuracy.count, noun)}"],
            *figures,
        ],
        "wrong": len(report.mistakes),
        "mistakes": [
            {
                "input": n,
                "target": number[each.reference],
                "predicted": number[each.answer],
                "probability": each.probability,
            }
            for n, each in enumerate(report.mistakes[:MOST_MISTAKES])
        ],
    }
    return plain(facts)
