"""`cnntool visualize saliency`: what the answer for one image rests on, over the image."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli import predict
from cnntool.cli.explain.options import taken_from
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
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from cnntool.imaging.image import Image
    from cnntool.networks.classifier import Classifier

METHODS = ("gradient", "grad-cam", "occlusion")
OF_METHOD = {"samples": "gradient", "seed": "gradient", "layer": "grad-cam", "patch": "occlusion"}
"""Options that one method alone takes."""

SAMPLES = 32
LIMIT = 99.0
"""Percentile of a gradient that has the hottest colour: a few pixels stand far above the others."""


@dataclass(frozen=True, eq=False)
class Finding:
    """A map (H, W) of what speaks for a class, and how to read it.

    limit: what has the hottest colour, 0 being the coldest. ends: their names. words: how the map
    was made.
    """

    values: np.ndarray
    limit: float
    ends: tuple[str, str]
    words: str


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
    type=click.Choice(METHODS),
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
    from cnntool.networks.classifier import load_classifier

    check_request(picture, images, method, settings)
    name = "stdin" if images[0] == STDIO else images[0]
    target = destination(picture, model, f"{Path(name).stem}-{method}")
    classifier = load_classifier(model)
    if settings["own_size"]:
        classifier = classifier.with_own_sizes()
    layer = layer_of(classifier, settings["layer"]) if method == "grad-cam" else ""
    index = None if settings["label"] is None else class_index(classifier, settings["label"])
    image, x = read_image(
        classifier, images[0], settings["white"], settings["max_pixels"], picture.quiet
    )
    probabilities = classifier.probabilities(x)[0]
    likeliest = int(probabilities.argmax())
    index = likeliest if index is None else index
    found = find(classifier, x, index, method, layer, settings, picture.quiet)
    labels = classifier.labels
    answer = f"{labels[likeliest]}, {probabilities[likeliest]:.1%}"
    title = f"{Path(name).name} through {Path(model).name}: {answer}"
    if index != likeliest:
        title += f"; {labels[index]}, {probabilities[index]:.1%}"
    if settings["as_json"]:
        print_entry(name, model, method, layer, labels, index, probabilities, found)
    pixels, heat = shown(image), heat_of(found)
    from cnntool.visuals.saliency_picture import saliency_picture

    words = title, found.words
    target.deliver(
        saliency_picture(pixels, heat, words, found.ends),
        print_path=not settings["as_json"],
        draw=lambda: draw_in_terminal(pixels, heat, words),
    )


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
    for name, owner in OF_METHOD.items():
        if settings[name] is not None and owner != method:
            raise click.UsageError(f"--{name} is for --method {owner}: leave it out")
    check_stdout(picture, settings["as_json"])


def layer_of(classifier: Classifier, layer: str | None) -> str:
    """The convolution of this name, the last one for None; errors as of Banks.layer_name."""
    from cnntool.networks.learned_kernels import Banks, kernels_of

    banks = Banks(classifier.name, kernels_of(classifier.network))
    return banks.layer_name(list(banks.layers)[-1] if layer is None and banks.layers else layer)


def class_index(classifier: Classifier, label: str) -> int:
    """The number of a class by its name; RequestError with those that there are."""
    from cnntool.errors import RequestError
    from cnntool.suggestions import did_you_mean

    labels = classifier.labels
    if label in labels:
        return labels.index(label)
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
    from cnntool.cli.places import Source
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


def find(
    classifier: Classifier,
    x: np.ndarray,
    index: int,
    method: str,
    layer: str,
    settings: dict,
    quiet: bool,
) -> Finding:
    """The map of a class by one of METHODS."""
    finder = {"gradient": _by_gradient, "grad-cam": _by_maps, "occlusion": _by_covering}[method]
    return finder(classifier, x, index, layer, settings, quiet)


def _by_gradient(classifier, x, index, layer, settings, quiet) -> Finding:
    import numpy as np

    from cnntool.networks.saliency import input_gradient, smooth_gradient, strength_of

    samples, label = settings["samples"] or SAMPLES, classifier.labels[index]
    words = f"how much each pixel changes the score of {label}: the size of its gradient"
    if samples == 1:
        values = strength_of(input_gradient(classifier.network, x, index)[0])
    else:
        gradient = smooth_gradient(
            classifier.network, x, index, samples, seed=settings["seed"] or 0
        )
        values = strength_of(gradient)
        words += f", mean of {samples} copies with noise"
    limit = float(np.percentile(values, LIMIT)) or float(values.max())
    return Finding(values, limit, ("nothing", "most"), words)


def _by_maps(classifier, x, index, layer, settings, quiet) -> Finding:
    from cnntool.networks.saliency import grad_cam

    values = grad_cam(classifier.network, x, index, layer)
    label, limit = classifier.labels[index], float(values.max())
    words = f"where the maps of {layer} speak for {label} (Grad-CAM)"
    if not limit:
        words = f"nothing in the maps of {layer} speaks for {label} (Grad-CAM)"
    return Finding(values, limit, ("nothing", "most"), words)


def _by_covering(classifier, x, index, layer, settings, quiet) -> Finding:
    from cnntool.cli.console import progress
    from cnntool.networks.batch_size import batch_size_for
    from cnntool.networks.saliency import occlusion, occlusion_places

    size = x.shape[2:]
    patch = settings["patch"] or max(1, round(min(size) / 5))
    stride = max(1, patch // 4)
    places = len(occlusion_places(size, patch, stride))
    steps = -(-places // batch_size_for(classifier.network, x.shape[1:]))
    with progress("covering", steps, quiet) as advance:
        values = occlusion(classifier.network, x, index, patch, stride, advance=advance)
    label, limit = classifier.labels[index], max(0.0, float(values.max()))
    words = (
        f"how far the probability of {label} falls where a square of {patch}x{patch} pixels is "
        f"covered, at {places:,} places"
    )
    if not limit:
        words = (
            f"covering a square of {patch}x{patch} pixels lowers the probability of {label} nowhere"
        )
    return Finding(values, limit, ("0", f"-{limit:.2g}"), words)


def heat_of(found: Finding) -> np.ndarray:
    """A map from 0 to 1, as it is coloured."""
    import numpy as np

    return np.clip(found.values / found.limit, 0, 1) if found.limit else 0 * found.values


def shown(image: Image) -> np.ndarray:
    """The first frame in colour, (H, W, 3) uint8, on white; no larger than it will be drawn."""
    from cnntool.datasets.pictures import picture_planes
    from cnntool.visuals.saliency_picture import PANEL

    height, width = image.frames[0].pixels.shape[:2]
    scale = min(1.0, PANEL / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return picture_planes(image, 3, size).transpose(1, 2, 0)


def draw_in_terminal(pixels: np.ndarray, heat: np.ndarray, words: Sequence[str]) -> None:
    """The map over the picture on stderr, below lines that say what it is."""
    from cnntool.cli.console import complain
    from cnntool.cli.terminal_picture import draw
    from cnntool.imaging.image import Frame, Image
    from cnntool.visuals.saliency_picture import panels

    for line in words:
        complain(line)
    draw(Image((Frame(panels(pixels, heat)[1]),), 255.0, "PNG"))


def print_entry(name, model, method, layer, labels, index, probabilities, found: Finding) -> None:
    """Print what was found, and every number of it, as JSON."""
    from cnntool.cli.console import print_json

    likeliest = int(probabilities.argmax())
    entry = {
        "image": name,
        "model": model,
        "method": method,
        "layer": layer or None,
        "class": {"label": labels[index], "probability": float(probabilities[index])},
        "likeliest": {"label": labels[likeliest], "probability": float(probabilities[likeliest])},
        "map": found.values.tolist(),
    }
    print_json(entry)
