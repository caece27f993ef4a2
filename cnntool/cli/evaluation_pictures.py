"""What `cnntool evaluate` draws: who is taken for whom, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from cnntool.choices import MOST_MISTAKES
from cnntool.cli.console import complain
from cnntool.cli.evaluation_tables import surest
from cnntool.cli.files import check_picture
from cnntool.datasets.images.dataset import Dataset
from cnntool.files.image import Frame, Image
from cnntool.files.images import save_image
from cnntool.training.report import ClassifierReport
from cnntool.visuals.fonts import drawable_names
from cnntool.visuals.heat import confusion_map
from cnntool.visuals.tiles import Captioned, contact_sheet, pixels_of


def check_outputs(confusion: str | None, mistakes: str | None, force: bool) -> dict[str, str]:
    """The pictures to write, by what they show; raises before any work where one cannot be."""
    named = {"confusion": confusion, "mistakes": mistakes}
    targets = {name: path for name, path in named.items() if path is not None}
    for name, path in targets.items():
        check_picture(f"--{name}", Path(path), force, f"{name}.png")
    if len({str(Path(path).resolve()) for path in targets.values()}) < len(targets):
        raise click.UsageError(f"--confusion and --mistakes both name {confusion}: use two files")
    return targets


def draw_confusion(
    confusion: np.ndarray, labels: Sequence[str], path: str, title: str, force: bool
) -> None:
    """Write a confusion matrix (K, K)."""
    _save(confusion_map(confusion, labels, title), path, force)


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
