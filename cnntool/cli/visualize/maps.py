"""`cnntool visualize maps`: what every layer makes of one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli.files import source_of
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, argument, option, takes
from cnntool.cli.types import PathName
from cnntool.cli.visualize.options import (
    WHAT,
    Picture,
    Preparing,
    Scale,
    Target,
    read_one,
    target_of,
)
from cnntool.errors import RequestError

if TYPE_CHECKING:
    import numpy as np

    from cnntool.datasets.images.preprocessing import Preprocessing
    from cnntool.networks.network import Network
    from cnntool.study.layer_answers import FeatureMaps
    from cnntool.visuals.map_sheet import Stage

TERMINAL_LINES = 12


@dataclass(frozen=True)
class Maps(Model):
    """A network, an image, and which of its layers."""

    section = WHAT
    image: str = argument("IMAGE", PathName("an image or -"))
    layer: str | None = option(
        "--layer",
        str,
        "All maps of one layer at full size, such as conv2; `cnntool info MODEL` lists them.  "
        "[default: a sheet of all layers]",
        metavar="NAME",
    )


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
@takes(Maps, Scale, Preparing, Picture)
def command(asked: Maps, scale: Scale, preparing: Preparing, picture: Picture) -> None:
    """Draw what every layer makes of one image: a sheet that reads from left to right.

    The image is prepared as those were that the network learned from; of a captioner the encoder is
    shown, which reads it. Layers that change no value,
    dropout and flatten, are left out, and of wide layers the first maps are shown: --layer shows
    them all. On the sheet each layer has a scale of its own.
    """
    from cnntool.networks.model_file import load_header
    from cnntool.study.layer_answers import feature_maps, layer_named

    model, layer = asked.model, asked.layer
    source = source_of(asked.image)
    target = target_of(picture, model, source.stem, layer, "maps", read={"IMAGE": asked.image})
    look = _caption if load_header(model).kind == "captioner" else _classify
    seen = look(asked, preparing, picture)
    found = feature_maps(seen.network, seen.planes, model)
    words = f"{Path(source.name).name} through {Path(model).name}: {seen.answer}"
    if layer is not None:
        layer = layer.removeprefix("encoder.")
        _draw_layer(target, layer_named(model, found, layer), words, scale.scale)
        return
    from cnntool.visuals.map_sheet import Stage, map_sheet

    shown = seen.preprocessing.shown(seen.planes)[0]
    shape = " x ".join(map(str, seen.planes.shape[1:]))
    stages = [Stage("input", "as the network sees it", shape, shown, is_picture=True)]
    stages += [Stage(each.name, each.layer, each.shape, each.values) for each in found]
    sheet = [*stages, *seen.output], words, scale.scale
    target.deliver(map_sheet(*sheet), draw=lambda: _draw_stages(*sheet))


@dataclass(frozen=True, eq=False)
class Seen:
    """An image as a network takes it, what it answers in words, and the stage of that, if any."""

    network: Network
    preprocessing: Preprocessing
    planes: np.ndarray
    answer: str
    output: tuple[Stage, ...] = ()


def _classify(asked: Maps, preparing: Preparing, picture: Picture) -> Seen:
    from cnntool.visuals.map_sheet import Stage

    classifier, _, planes = read_one(asked.model, asked.image, preparing, picture)
    odds, labels = classifier.probabilities(planes)[0], classifier.labels
    answer = f"{labels[odds.argmax()]}, {float(odds.max()):.1%}"
    output = Stage("output", "softmax", "probabilities", odds, names=labels)
    return Seen(classifier.network, classifier.preprocessing, planes, answer, (output,))


def _caption(asked: Maps, preparing: Preparing, picture: Picture) -> Seen:
    """Of a captioner what its encoder makes of the image, and the caption."""
    from cnntool.cli.one_input import one_input
    from cnntool.datasets.sequences.inputs import PixelInput
    from cnntool.networks.decoding import greedy
    from cnntool.networks.model import load_sequence_model

    model = load_sequence_model(asked.model)
    if preparing.own_size:
        raise RequestError(f"{asked.model} takes images of one size only: leave out --own-size")
    given = one_input(model, None, asked.image, limits=preparing)
    assert isinstance(model.reader, PixelInput)
    assert model.writer is not None
    said = greedy(model.joined, given.x, None, model.writer.end, model.longest)[0]
    answer = model.writer.text(said.ids)
    return Seen(model.joined.encoder, model.reader.preprocessing, given.x, answer)


def _draw_layer(target: Target, maps: FeatureMaps, words: str, scale: str) -> None:
    """The maps of one layer, each with its number."""
    from cnntool.cli.terminal import draw_grids
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

    from cnntool.cli.terminal import draw_grid, draw_pixels, say
    from cnntool.visuals.map_sheet import MOST_CLASSES, MOST_MAPS

    for stage in stages:
        say([f"{stage.name}: {stage.words}, {stage.shape}"])
        if stage.is_picture:
            pixels = np.clip(stage.values, 0, 1).transpose(1, 2, 0).astype(np.float32)
            pixels = pixels.repeat(max(1, 24 // len(pixels)), axis=0)
            pixels = pixels.repeat(max(1, 24 // (stage.values.shape[2])), axis=1)
            draw_pixels(np.ascontiguousarray(pixels), lines=TERMINAL_LINES, white=1.0)
        elif stage.names:
            best = np.argsort(-stage.values, kind="stable")[:MOST_CLASSES]
            say([f"{stage.values[index]:6.1%}  {stage.names[index]}" for index in best])
        else:
            maps = stage.values if stage.values.ndim == 3 else stage.values[:, None, None]
            draw_grid(maps[:MOST_MAPS, None], scale, lines=TERMINAL_LINES)
    say([words])
