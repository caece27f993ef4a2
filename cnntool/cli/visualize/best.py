"""`cnntool visualize best`: the patches of a data set that excite each filter most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.choices import PARTS
from cnntool.cli.console import progress
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, option, takes
from cnntool.cli.types import Choice, PathName, Spec, WholeNumber
from cnntool.cli.visualize.options import WHAT, Layer, Reported, target_of
from cnntool.errors import RequestError
from cnntool.wording import counted, figures, readable

if TYPE_CHECKING:
    import numpy as np

    from cnntool.datasets.images.dataset import Dataset
    from cnntool.networks.receptive_field import ReceptiveField
    from cnntool.study.layer_answers import Best
    from cnntool.visuals.tiles import PatchRow

MOST_FILTERS = 256
"""Rows of a picture."""

FILTERS = 16
"""That are shown where none are asked for, or all of a layer with fewer."""


@dataclass(frozen=True)
class Chosen:
    """Numbers of filters; of those that were not named one by one a layer may have fewer."""

    numbers: Sequence[int] = range(FILTERS)
    are_named: bool = False


def read_chosen(text: str) -> Chosen:
    """How many filters, ``16``, or which: ``8..23`` or ``3,7,12``."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}", text):
        count = int(text)
        if not 1 <= count <= MOST_FILTERS:
            raise ValueError(f"'{text}' is out of range: expected 1 to {MOST_FILTERS}")
        return Chosen(range(count))
    span = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", text)
    if span and int(span[1]) <= int(span[2]) < int(span[1]) + MOST_FILTERS:
        return Chosen(range(int(span[1]), int(span[2]) + 1), True)
    if re.fullmatch(r"\d{1,9}(\s*,\s*\d{1,9})+,?|\d{1,9},", text):
        numbers = [int(word) for word in text.split(",") if word]
        if len(numbers) <= MOST_FILTERS:
            return Chosen(numbers, True)
    raise ValueError(
        f"'{text}' names no filters: expected how many, such as 16, or which, such as 8..23 or "
        f"3,7,12, and at most {MOST_FILTERS}"
    )


@dataclass(frozen=True)
class Images(Model):
    """A network, and the images that it looks at."""

    section = WHAT
    data: str = option(
        "--data",
        PathName("a data set, such as digits"),
        "The images: what `cnntool evaluate` takes.",
        metavar="DATA",
        required=True,
    )
    part: str = option(
        "--part",
        Choice(PARTS, "part", "PART"),
        "validation, test, train or all.  [default: all]",
        default="all",
    )


@dataclass(frozen=True)
class Patches:
    """Which patches are shown."""

    section = WHAT
    top: int = option(
        "--top", WholeNumber(1, 64, "K"), "Patches of each filter.  [default: 9]", default=9
    )
    filters: Chosen | None = option(
        "--filters",
        Spec("N|A..B|A,B", read_chosen),
        "The first N filters, or those named: 8..23 or 3,7,12.  [default: 16]",
    )


@click.command(
    "best",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize best digits.npz --data digits
  cnntool visualize best digits.npz --layer conv2 --data digits --top 12
  cnntool visualize best digits.npz --data digits --filters 0..3 -o four.png
  cnntool visualize best digits.npz --data digits --show""",
)
@takes(Images, Layer, Patches, Reported)
def command(asked: Images, layer: Layer, patches: Patches, picture: Reported) -> None:
    """Show the patches of a data set that excite each filter most, a row a filter.

    Each patch is what one output of the layer sees of an image, its receptive field: cut out around
    the place of the filter's greatest answer, one place an image, the strongest left. What lies
    outside the image is grey. Left of each row stands the number of the filter, from 0, and its
    greatest answer: what the convolution gives, before normalisation and activation.
    """
    from cnntool.cli.evaluate import load_for
    from cnntool.cli.predictions import differences
    from cnntool.cli.terminal import draw_pixels
    from cnntool.networks.model import load_trained
    from cnntool.networks.summary import fields_of
    from cnntool.study.layer_answers import batch_count, best_places
    from cnntool.study.learned_kernels import Banks, kernels_of
    from cnntool.visuals.tiles import patch_grid, patch_sheet

    model, data = asked.model, asked.data
    picture.check()
    target = target_of(picture, model, layer.layer, "best", read={"--data": data})
    classifier = load_trained(model, "cnn")
    network = classifier.network
    banks = Banks(classifier.name, kernels_of(network))
    name = banks.layer_name(layer.layer)
    count = len(banks.layers[name])
    filters = check_filters(patches.filters or Chosen(), count, name)
    if patches.filters and (wanted := len(patches.filters.numbers)) > len(filters):
        has = f"{name} has {counted(count, 'filter')}"
        picture.note(f"{has}, fewer than {wanted}: all are shown")
    parts = load_for(classifier, data, False, picture.quiet)
    _, images = parts.chosen(asked.part, data)
    unlike = differences(data, images, classifier.preprocessing)
    picture.note(*parts.about, *images.notes, *unlike)
    with progress("looking", batch_count(network, images, name), picture.quiet) as advance:
        best = best_places(
            network, classifier.preprocessing, images, name, filters, patches.top, advance
        )
    field = fields_of(network)[network.names.index(name)]
    found = Found(model, data, name, count, images, filters, field, best)
    words, rows = caption(found), rows_of(found)
    target.deliver(
        patch_sheet(rows, words),
        draw=lambda: draw_pixels(patch_grid(rows), words),
        facts=lambda: entry(found),
    )


@dataclass(frozen=True, eq=False)
class Found:
    """The best places of some of a layer's ``count`` filters in a data set.

    field: what they see of an image; None for all of it.
    """

    model: str
    data: str
    layer: str
    count: int
    images: Dataset
    filters: Sequence[int]
    field: tuple[ReceptiveField, ReceptiveField] | None
    best: Best


def check_filters(chosen: Chosen, count: int, layer: str) -> Sequence[int]:
    """The numbers of the filters that are shown, of a layer that has ``count``.

    RequestError for one that is named and not there.
    """
    if not chosen.are_named:
        return chosen.numbers[:count]
    for number in chosen.numbers:
        if number >= count:
            raise RequestError(
                f"--filters names {number}, and {layer} has {counted(count, 'filter')}: expected "
                f"0 to {count - 1}"
            )
    return chosen.numbers


def rows_of(found: Found) -> list[PatchRow]:
    """A row of patches for each filter."""
    from cnntool.visuals.tiles import PatchRow

    best = found.best
    return [
        PatchRow(
            str(filter),
            figures(values[0]),
            [
                _patch(found, int(image), place)
                for image, place in zip(numbers, places, strict=True)
            ],
        )
        for filter, values, numbers, places in zip(
            found.filters, best.values, best.images, best.places, strict=True
        )
    ]


def _patch(found: Found, index: int, place: np.ndarray) -> np.ndarray:
    """What was seen, as (h, w) or (h, w, 3) uint8."""
    from cnntool.study.layer_answers import cut_out
    from cnntool.visuals.tiles import pixels_of

    image = found.images.light(slice(index, index + 1))[0]
    return pixels_of(cut_out(image, place, found.field))


def caption(found: Found) -> tuple[str, str]:
    """What is shown, and how to read it."""
    shown, which = len(found.filters), counted(found.count, "filter")
    if shown < found.count:
        which = f"{shown} of {which}"
    size = "the whole image, which they see"
    if found.field is not None:
        size = f"what they see, {found.field[0].size}x{found.field[1].size} pixels"
    return (
        f"{Path(found.model).name}, {found.layer}: {which} and the patches that excite them most, "
        f"of {counted(len(found.images), 'image')} of {found.data}",
        f"{size}, grey outside the image; at the left the filter's number and its greatest answer",
    )


def entry(found: Found) -> dict[str, Any]:
    """All places that were found, for JSON."""
    images, best = found.images, found.best

    def patch(value: float, image: int, place: np.ndarray) -> dict[str, Any]:
        facts = {"image": image, "label": images.labels[images.y[image]]}
        if images.files is not None:
            facts["file"] = readable(images.files[image])
        facts |= {"answer": value, "place": place}
        if found.field is not None:
            for key, axis, at in zip(("rows", "columns"), found.field, place, strict=True):
                seen = axis.seen(int(at))
                facts[key] = [seen.start, seen.stop]
        return facts

    each = zip(found.filters, best.values, best.images, best.places, strict=True)
    return {
        "model": readable(found.model),
        "data": readable(found.data),
        "layer": found.layer,
        "images": len(images),
        "filters": [
            {"filter": filter, "best": [patch(*one) for one in zip(*places, strict=True)]}
            for filter, *places in each
        ],
    }
