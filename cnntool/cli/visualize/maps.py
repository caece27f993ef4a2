"""`cnntool visualize maps`: what every layer makes of one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli import predict
from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import PathName
from cnntool.cli.visualize.options import (
    WHAT,
    Destination,
    PictureOptions,
    destination,
    picture_options,
    scale_option,
    taken_from,
)

if TYPE_CHECKING:
    import numpy as np

    from cnntool.networks.model import Classifier
    from cnntool.study.feature_maps import FeatureMaps
    from cnntool.visuals.map_sheet import Stage

TERMINAL_LINES = 12


@click.command(
    "maps",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize maps digits.npz sample_images/brick.png
  cnntool visualize maps digits.npz sample_images/brick.png --layer conv1 -o conv1.png
  cnntool visualize maps digits.npz sample_images/cat.jpg --scale each -o cat-maps.png
  cnntool visualize maps digits.npz sample_images/cat.jpg --show""",
)
@click.argument("model", metavar="MODEL", type=PathName("a model file"))
@click.argument("image", metavar="IMAGE", type=PathName("an image or -"))
@option(
    "--layer",
    section=WHAT,
    metavar="NAME",
    help="All maps of one layer at full size, such as conv2; `cnntool info MODEL` lists them.  "
    "[default: a sheet of all layers]",
)
@scale_option
@taken_from(predict.command, "own_size", "white", "max_pixels")
@picture_options
def command(
    picture: PictureOptions, model: str, image: str, layer: str | None, scale: str, **settings
) -> None:
    """Draw what every layer makes of one image: a sheet that reads from left to right.

    The image is prepared as those were that the network learned from. Layers that change no value,
    dropout and flatten, are left out, and of wide layers the first maps are shown: --layer shows
    them all. On the sheet each layer has a scale of its own.
    """
    from cnntool.networks.model import load_classifier
    from cnntool.study.feature_maps import feature_maps, layer_named

    name = "stdin" if image == "-" else image
    what = "-".join(filter(None, (Path(name).stem, layer, "maps")))
    target = destination(picture, model, what)
    classifier = load_classifier(model)
    if settings["own_size"]:
        classifier = classifier.with_own_sizes()
    planes = read_planes(
        classifier, image, settings["white"], settings["max_pixels"], picture.quiet
    )
    found, probabilities = feature_maps(classifier, planes)
    label, most = classifier.labels[probabilities.argmax()], float(probabilities.max())
    words = f"{Path(name).name} through {Path(model).name}: {label}, {most:.1%}"
    if layer is not None:
        _draw_layer(target, layer_named(classifier, found, layer), words, scale)
        return
    from cnntool.visuals.map_sheet import Stage, map_sheet

    shown = classifier.preprocessing.shown(planes)[0]
    size = " x ".join(map(str, planes.shape[1:]))
    stages = [Stage("input", "as the network sees it", size, shown, is_picture=True)]
    stages += [Stage(each.name, each.layer, each.shape, each.values) for each in found]
    stages.append(
        Stage("output", "softmax", "probabilities", probabilities, names=classifier.labels)
    )
    target.deliver(map_sheet(stages, words, scale), draw=lambda: _draw_stages(stages, words, scale))


def read_planes(
    classifier: Classifier, image: str, white: float, max_pixels: int, quiet: bool
) -> np.ndarray:
    """One image as the network takes it, (1, C, H, W); InputError where that cannot be."""
    import sys

    from cnntool.cli.console import complain
    from cnntool.cli.files import Source
    from cnntool.cli.predictions import prepared
    from cnntool.errors import InputError, RequestError

    if image == "-" and sys.stdin.isatty():
        raise RequestError("- reads an image from stdin, which is a terminal: pipe one in")
    if Path(image).is_dir():
        raise InputError(f"{image} is a folder: name one image")
    source = Source(None if image == "-" else Path(image))
    found = prepared(classifier, source, white, max_pixels)
    if found.planes is None:
        raise InputError(found.error)
    if found.note and not quiet:
        complain(found.note)
    return found.planes


def _draw_layer(target: Destination, maps: FeatureMaps, words: str, scale: str) -> None:
    """The maps of one layer, each with its number."""
    from cnntool.cli.terminal.grids import draw_grids
    from cnntool.cli.visualize.filters import check_size
    from cnntool.visuals.filter_sheet import Panel, filter_sheet

    values = maps.values if maps.values.ndim == 3 else maps.values[:, None, None]
    panel = Panel(values[:, None])  # (C, 1, H, W)
    check_size(panel.bank, maps.name)
    words = f"{words}; {maps.name} ({maps.layer}): {maps.shape}"
    target.deliver(
        filter_sheet([panel], words, scale, unit="map"),
        draw=lambda: draw_grids([panel], words, scale),
    )


def _draw_stages(stages: list[Stage], words: str, scale: str) -> None:
    """The sheet in the terminal: a line and some of the maps of each layer."""
    import numpy as np

    from cnntool.cli.terminal.grids import draw_grid, say
    from cnntool.cli.terminal.pictures import draw
    from cnntool.files.image import Frame, Image
    from cnntool.visuals.map_sheet import MOST_CLASSES, MOST_MAPS

    for stage in stages:
        say([f"{stage.name}: {stage.words}, {stage.shape}"])
        if stage.is_picture:
            pixels = np.clip(stage.values, 0, 1).transpose(1, 2, 0).astype(np.float32)
            pixels = pixels.repeat(max(1, 24 // len(pixels)), axis=0)
            pixels = pixels.repeat(max(1, 24 // (stage.values.shape[2])), axis=1)
            draw(Image((Frame(np.ascontiguousarray(pixels)),), 1.0, "PNG"), TERMINAL_LINES)
        elif stage.names:
            best = np.argsort(-stage.values, kind="stable")[:MOST_CLASSES]
            say([f"{stage.values[index]:6.1%}  {stage.names[index]}" for index in best])
        else:
            maps = stage.values if stage.values.ndim == 3 else stage.values[:, None, None]
            draw_grid(maps[:MOST_MAPS, None], scale, lines=TERMINAL_LINES)
    say([words])
