"""`cnntool predict`: what a trained network takes images for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnntool.cli.help import SectionedCommand, option
from cnntool.cli.options import INPUT, OUTPUT, RUN, FiniteFloat, PathName, PixelCount, WholeNumber

if TYPE_CHECKING:
    from cnntool.networks.model import Classifier


@click.command(
    "predict",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool predict digits.npz scan.png
  cnntool predict pets.npz photos/*.jpg --top 3
  cnntool predict pets.npz photos -r --json
  cat photo.jpg | cnntool predict pets.npz -
  cnntool predict pets.npz photos -r | awk -F'\\t' '$2 == "cat" && $3 > 0.9 {print $1}'""",
)
@click.argument("model", metavar="MODEL", type=PathName("a model file"))
@click.argument(
    "images",
    metavar="IMAGE...",
    nargs=-1,
    required=True,
    type=PathName("an image, a folder (-r) or -"),
)
@option(
    "-r",
    "--recursive",
    section=INPUT,
    is_flag=True,
    help="Go through folders: files with the extension of an image, hidden ones left out.",
)
@option(
    "--own-size",
    section=INPUT,
    is_flag=True,
    help="Leave images at their own size, where the network takes any.  [default: the size that "
    "it was trained on]",
)
@option(
    "--white",
    section=INPUT,
    type=FiniteFloat(above=0),
    default=255.0,
    metavar="V",
    help="What white is in float images.  [default: 255]",
)
@option(
    "--max-pixels",
    section=INPUT,
    type=PixelCount(),
    default=500_000_000,
    metavar="N",
    help="Refuse larger images, such as 20M.  [default: 500M]",
)
@option(
    "--top",
    "k",
    section=OUTPUT,
    type=WholeNumber(1),
    default=1,
    metavar="K",
    help="The K likeliest classes of each image.  [default: 1]",
)
@option("--json", "as_json", section=RUN, is_flag=True, help="One line of JSON an image.")
@option("-q", "--quiet", section=RUN, is_flag=True, help="No progress: only results and errors.")
def command(
    model: str,
    images: tuple[str, ...],
    recursive: bool,
    own_size: bool,
    white: float,
    max_pixels: int,
    k: int,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say what a trained network takes each image for: its path, class and probability.

    Each IMAGE is a file, a folder (with -r) or - for stdin, of any size, depth and colour: it is
    prepared as the images were that the network learned from. Transparent pixels are white, and of
    animations the first frame counts.

    Fields are separated by tabs; with --top there are K pairs of class and probability.
    """
    from cnntool.cli.predictions import Printer, run_predictions
    from cnntool.networks.model import load_classifier

    classifier: Classifier = load_classifier(model)
    if own_size:
        classifier = classifier.with_own_sizes()
    printer = Printer(classifier.labels, min(k, len(classifier.labels)), as_json)
    return run_predictions(classifier, images, printer, recursive, white, max_pixels, quiet)
