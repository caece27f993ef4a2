"""`cnntool predict`: what a trained network takes images for."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Limits, Model, OwnSize, Sources, flag, option, takes
from cnntool.cli.types import WholeNumber


@dataclass(frozen=True)
class Input(Limits, OwnSize, Sources, Model):
    """What goes through which network."""


@dataclass(frozen=True)
class Output:
    """What is printed."""

    top: int = option(
        "--top",
        WholeNumber(1, metavar="K"),
        "The K likeliest classes of each image.  [default: 1]",
        default=1,
    )
    as_json: bool = flag("--json", "One line of JSON an image.", section="Running")
    quiet: bool = flag("-q --quiet", "No progress: only results and errors.", section="Running")


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
@takes(Input, Output)
def command(input: Input, output: Output) -> int:
    """Say what a trained network takes each image for: its path, class and probability.

    Each IMAGE is a file, a folder (with -r) or - for stdin, of any size, depth and colour: it is
    prepared as the images were that the network learned from. Transparent pixels are white, and of
    animations the first frame counts.

    Fields are separated by tabs; with --top there are K pairs of class and probability.
    """
    from cnntool.cli.predictions import Printer, run_predictions
    from cnntool.networks.model import load_classifier

    classifier = load_classifier(input.model)
    if input.own_size:
        classifier = classifier.with_own_sizes()
    printer = Printer(classifier.labels, min(output.top, len(classifier.labels)), output.as_json)
    return run_predictions(classifier, input, input, printer, output.quiet)
