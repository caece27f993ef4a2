"""`cnntool visualize saliency`: what the answer for one image rests on, over the image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli import predict
from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import PathName, WholeNumber
from cnntool.cli.visualize.options import (
    STDIO,
    WHAT,
    PictureOptions,
    check_stdout,
    destination,
    json_option,
    picture_options,
    taken_from,
)
from cnntool.cli.visualize.saliency_maps import FINDERS, OWNERS, SAMPLES, Question
from cnntool.wording import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from cnntool.cli.visualize.saliency_maps import Finding
    from cnntool.files.image import Image
    from cnntool.networks.model import Classifier


@click.command(
    "saliency",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize saliency digits.npz sample_images/brick.png
  cnntool visualize saliency digits.npz sample_images/cat.jpg --class 3
  cnntool visualize saliency digits.npz sample_images/cat.jpg --method grad-cam
  cnntool visualize saliency digits.npz sample_images/brick.png --show""",
)
@click.argument("model", metavar="MODEL", type=PathName("a model file"))
@click.argument("images", metavar="IMAGE", nargs=-1, required=True, type=PathName("an image or -"))
@option(
    "--method",
    section=WHAT,
    type=click.Choice(tuple(FINDERS)),
    default="gradient",
    metavar="HOW",
    help="gradient: how much the score changes with each pixel; grad-cam: where the maps of a "
    "convolution speak for the class; occlusion: how far the probability falls where a square is "
    "covered.  [default: gradient]",
)
@option(
    "--class",
    "label",
    section=WHAT,
    metavar="NAME",
    help="What speaks for this class.  [default: the likeliest one]",
)
@option(
    "--layer",
    section=WHAT,
    metavar="NAME",
    help="grad-cam: of this convolution, such as conv1.  [default: the last one]",
)
@option(
    "--patch",
    section=WHAT,
    type=WholeNumber(1),
    metavar="N",
    help="occlusion: the side of the square in pixels of the prepared image.  [default: a fifth of "
    "its shorter side]",
)
@option(
    "--samples",
    section=WHAT,
    type=WholeNumber(1, 4096),
    metavar="N",
    help=f"gradient: the mean of N copies with noise; 1 is the plain gradient.  "
    f"[default: {SAMPLES}]",
)
@option(
    "--seed",
    section=WHAT,
    type=WholeNumber(0, 2**63 - 1),
    metavar="N",
    help="gradient: of the noise.  [default: 0]",
)
@taken_from(predict.command, "own_size", "white", "max_pixels")
@picture_options
@json_option
def command(
    picture: PictureOptions, model: str, images: tuple[str, ...], method: str, **settings
) -> None:
    """Show what the answer for one image rests on, in colour over it.

    The image is prepared as those were that the network learned from. The hotter a colour, the more
    a place counts for the class: by the gradient of its score, smoothed (SmoothGrad), by the maps
    of a convolution weighted by their gradients (Grad-CAM), or by how far its probability falls
    where a grey square covers the place (occlusion). Below stand the likeliest class and its
    probability. With --json also every number of the map.
    """
    from cnntool.cli.console import print_json
    from cnntool.networks.model import load_classifier
    from cnntool.visuals.saliency_picture import saliency_picture

    check_request(picture, images, method, settings)
    name = "stdin" if images[0] == STDIO else images[0]
    target = destination(picture, model, f"{Path(name).stem}-{method}")
    classifier = load_classifier(model)
    if settings["own_size"]:
        classifier = classifier.with_own_sizes()
    layer = layer_of(classifier, settings["layer"]) if method == "grad-cam" else None
    index = class_index(classifier, settings["label"])
    limits = settings["white"], settings["max_pixels"]
    image, x = read_image(classifier, images[0], *limits, picture.quiet)
    probabilities = classifier.probabilities(x)[0]
    if index is None:
        index = int(probabilities.argmax())
    own = {key: settings[key] for key in ("patch", "samples", "seed")}
    asked = Question(classifier, x, index, layer, **own, quiet=picture.quiet)
    found = FINDERS[method](asked)
    pixels, words = shown(image), (title_of(name, asked, probabilities), found.words)
    target.deliver(
        saliency_picture(pixels, found.heat, words, found.ends),
        print_path=not settings["as_json"],
        draw=lambda: draw_in_terminal(pixels, found.heat, words),
    )
    if settings["as_json"]:
        print_json(entry(name, method, asked, probabilities, found, target.path))


def check_request(
    picture: PictureOptions, images: tuple[str, ...], method: str, settings: dict
) -> None:
    """Raise where several images are named, an option is of another method, or stdout has two
    tasks."""
    from cnntool.errors import RequestError

    if len(images) > 1:
        raise RequestError(
            f"saliency shows one image, and {len(images)} were named: run it once for each"
        )
    for name, owner in OWNERS.items():
        if settings[name] is not None and owner != method:
            raise click.UsageError(f"--{name} is for --method {owner}: leave it out")
    check_stdout(picture, settings["as_json"])


def layer_of(classifier: Classifier, layer: str | None) -> str:
    """The convolution of this name, the last one for None; errors as of Banks.layer_name."""
    from cnntool.networks.learned_kernels import Banks, kernels_of

    banks = Banks(classifier.name, kernels_of(classifier.network))
    return banks.layer_name(list(banks.layers)[-1] if layer is None and banks.layers else layer)


def class_index(classifier: Classifier, label: str | None) -> int | None:
    """The number of a class by its name; RequestError with those that there are."""
    from cnntool.errors import RequestError
    from cnntool.wording import did_you_mean

    labels = classifier.labels
    if label is None or label in labels:
        return None if label is None else labels.index(label)
    there = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
    near = did_you_mean(label, labels)
    raise RequestError(
        f"{classifier.name} has no class '{label[:60]}', only {there}: "
        f"{near or 'name one of those'}"
    )


def read_image(
    classifier: Classifier, name: str, white: float, max_pixels: int, quiet: bool
) -> tuple[Image, np.ndarray]:
    """One image, and what the network takes of it, (1, C, H, W)."""
    from cnntool.cli.console import complain
    from cnntool.cli.files import Source
    from cnntool.cli.predictions import opened, wrong_with
    from cnntool.errors import InputError, RequestError

    if name == STDIO and sys.stdin.isatty():
        raise RequestError("- reads an image from stdin, which is a terminal: pipe one in")
    if Path(name).is_dir():
        raise InputError(f"{name} is a folder: name one image")
    source = Source(None if name == STDIO else Path(name))
    image, note = opened(source, white, max_pixels)
    if note and not quiet:
        complain(note)
    try:
        return image, classifier.preprocessing.picture(image)
    except InputError as error:
        raise InputError(wrong_with(source.name, error)) from None


def title_of(name: str, asked: Question, probabilities: np.ndarray) -> str:
    """``scan.png through digits.npz: 3, 97.1%``; where another class is asked for, that too."""
    labels, likeliest = asked.classifier.labels, int(probabilities.argmax())
    answers = [likeliest] if asked.index == likeliest else [likeliest, asked.index]
    said = "; ".join(f"{labels[index]}, {probabilities[index]:.1%}" for index in answers)
    return f"{Path(name).name} through {Path(asked.classifier.name).name}: {said}"


def shown(image: Image) -> np.ndarray:
    """The first frame in colour, (H, W, 3) uint8, on white; no larger than it will be drawn."""
    from cnntool.datasets.images.preprocessing import picture_planes
    from cnntool.visuals.saliency_picture import PANEL

    height, width = image.frames[0].pixels.shape[:2]
    scale = min(1.0, PANEL / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return picture_planes(image, 3, size).transpose(1, 2, 0)


def draw_in_terminal(pixels: np.ndarray, heat: np.ndarray, words: Sequence[str]) -> None:
    """The map over the picture on stderr, below lines that say what it is.

    Without colours nobody could tell the map from the picture: there it stands alone.
    """
    import numpy as np

    from cnntool.cli.terminal.grids import say
    from cnntool.cli.terminal.pictures import draw, has_colour
    from cnntool.files.image import Frame, Image
    from cnntool.visuals.saliency_picture import panels, stretched

    say(words)
    if has_colour():
        draw(Image((Frame(panels(pixels, heat)[1]),), 255.0, "PNG"))
        return
    alone = stretched(heat, pixels.shape[:2])
    draw(Image((Frame(np.clip(alone, 0, 1)[..., None]),), 1.0, "PNG"))


def entry(
    name: str,
    method: str,
    asked: Question,
    probabilities: np.ndarray,
    found: Finding,
    path: Path | None,
) -> dict[str, Any]:
    """What was found, and every number of it, for JSON."""
    labels, likeliest = asked.classifier.labels, int(probabilities.argmax())
    answers = {
        key: {"label": labels[index], "probability": float(probabilities[index])}
        for key, index in (("class", asked.index), ("likeliest", likeliest))
    }
    return {
        "image": readable(name),
        "model": readable(asked.classifier.name),
        "method": method,
        "layer": asked.layer,
        **answers,
        "map": found.values.tolist(),
        "picture": readable(path),
    }
