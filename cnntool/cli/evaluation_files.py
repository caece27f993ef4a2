"""What `cnntool evaluate` writes: who is taken for whom, the surest mistakes, and a page on which
these open in the network itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from cnntool.choices import MOST_MISTAKES
from cnntool.cli.console import complain, one_line
from cnntool.cli.evaluation_tables import place_of, surest
from cnntool.cli.files import check_page, check_picture
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.sequences.samples import Samples
from cnntool.files.atomic import atomic_write, check_writable
from cnntool.files.image import Frame, Image
from cnntool.files.images import save_image
from cnntool.networks.model import Classifier, SequenceModel, Trained
from cnntool.page.models import (
    Shown,
    check_texts,
    image_page,
    layers_up_to,
    one_of_each,
    text_page,
)
from cnntool.training.decoded_report import DecodedReport
from cnntool.training.report import ClassifierReport, Report, class_facts
from cnntool.visuals.fonts import drawable_names
from cnntool.visuals.heat import confusion_map
from cnntool.visuals.tiles import Captioned, contact_sheet, pixels_of
from cnntool.wording import counted, plain

CURVES = "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"


def check_files(confusion: str | None, mistakes: str | None, is_table: bool, force: bool) -> None:
    """Raise before any work where a picture, or of mistakes a table, cannot be written."""
    if is_table and mistakes is not None:
        if Path(mistakes).suffix.lower() != ".tsv":
            raise click.UsageError(
                f"--mistakes {mistakes}: of sequences a table is written, end it in .tsv"
            )
        check_writable(mistakes, force)
    named = {"confusion": confusion, "mistakes": None if is_table else mistakes}
    targets = {name: path for name, path in named.items() if path is not None}
    for name, path in targets.items():
        check_picture(f"--{name}", Path(path), force, f"{name}.png")
    if len({str(Path(path).resolve()) for path in targets.values()}) < len(targets):
        raise click.UsageError(f"--confusion and --mistakes both name {confusion}: use two files")


def check_report(path: str | None, model: Classifier | SequenceModel, force: bool) -> None:
    """Raise where the page cannot be written, or cannot hold the network, before any work."""
    if path is None:
        return
    check_page("--html", Path(path), force)
    if isinstance(model, Classifier):
        layers_up_to(model, None)
    else:
        check_texts(model)


def draw_confusion(report: ClassifierReport, path: str, title: str, force: bool) -> None:
    """Write the confusion matrix."""
    title = f"{title}: {report.accuracy.text} of {report.accuracy.count:,} right"
    _save(confusion_map(report.confusion, report.labels, title), path, force)


def draw_mistakes(
    report: ClassifierReport, images: Dataset, path: str, title: str, force: bool
) -> None:
    """Write a sheet of the mistakes, or say that there are none."""
    if not report.mistakes:
        complain(f"{path} is not written: there are no mistakes")
        return
    names = dict(zip(report.labels, drawable_names(report.labels), strict=True))
    tiles = []
    for mistake in report.mistakes[:MOST_MISTAKES]:
        pixels = pixels_of(images.light(slice(mistake.index, mistake.index + 1))[0])
        true, taken = names[mistake.reference], names[mistake.answer]
        place = Path(mistake.place).name if mistake.place else f"image {mistake.index}"
        lines = f"true: {true}", f"taken for: {taken}", f"{mistake.probability:.1%}"
        tiles.append(Captioned(pixels, lines, place))
    shown = surest(MOST_MISTAKES, len(report.mistakes))
    _save(contact_sheet(tiles, title=f"{title}: {shown}"), path, force)


def _save(pixels: np.ndarray, path: str, force: bool) -> None:
    save_image(Image((Frame(pixels),), 255.0, "PNG"), path, overwrite=force)


def write_mistakes(report: Report, samples: Samples, unit: str, path: str, force: bool) -> None:
    """All mistakes with the place, the input, all that would be right, the answer and its odds."""
    if not report.mistakes:
        complain(f"{path} is not written: there are no mistakes")
        return
    heads = "place", "input", "right", "answer", "probability"
    lines = ["\t".join(heads)]
    for each in report.mistakes:
        right = [each.reference]
        if isinstance(report, DecodedReport):
            right = list(samples.answers[each.index])
        p = "" if each.probability is None else f"{each.probability:.6g}"
        place = place_of(report, each, unit)
        fields = (place, each.given, " | ".join(right), each.answer, p)
        lines.append("\t".join(map(one_line, fields)))
    with atomic_write(path, force) as file:
        file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


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
