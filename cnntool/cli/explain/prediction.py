"""`cnntool explain prediction`: the exact sum that the answer to an image is, or to a text."""

from __future__ import annotations

from dataclasses import dataclass

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, argument, option, takes
from cnntool.cli.types import PathName, WholeNumber
from cnntool.cli.visualize.options import Preparing, Reported, picture_path
from cnntool.errors import InputError, RequestError


@dataclass(frozen=True)
class Asked(Model):
    """What is asked of which network."""

    section = "What"
    given: str = argument("IMAGE|TEXT", PathName("an image, or of a model of texts a text"))
    label: str | None = option(
        "--class", str, "The score of this class.  [default: the likeliest one]", metavar="NAME"
    )
    against: str | None = option(
        "--against",
        str,
        "The score less that of this class: what decided between the two.",
        metavar="NAME",
    )
    word: int | None = option(
        "--word", WholeNumber(1), "Of a tagger: the tag of this word, from 1."
    )


@dataclass(frozen=True)
class Sheet(Reported):
    """A picture of the sum."""

    output: str | None = picture_path("no picture")


@click.command(
    "prediction",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool explain prediction digits.npz sample_images/brick.png
  cnntool explain prediction digits.npz sample_images/brick.png --against 7
  cnntool explain prediction digits.npz sample_images/brick.png --class 3 -o sheet.png
  cnntool explain prediction digits.npz sample_images/brick.png --json
  cnntool explain prediction mood.npz 'a good film'
  cnntool explain prediction mood.npz 'a good film' --against bad -o shares.png
  cnntool explain prediction address.npz '12 Main St' --word 2""",
)
@takes(Asked, Preparing, Sheet)
def command(asked: Asked, preparing: Preparing, picture: Sheet) -> None:
    """Show the sum that the answer is, for one image, or for one text.

    At one image a network of convolutions, dense layers, batch norm, pools and relus is one affine
    function: the score of a class is the sum of effective filter times pixel over all pixels, and
    of what each layer adds by its biases and running means. The sum is printed by layer beside the
    score, the pixels that speak most for it and against it, and how far the answer is from turning:
    the smallest step along the gradient that another answer comes of, by running the network.

    Where a layer is not linear piece by piece, such as tanh, it is named, and integrated gradients
    from the mean image are given instead, with what they miss of the score. Of a text each token
    has its share by integrated gradients, from vectors of 0.
    """
    from cnntool.networks.model_file import load_header

    picture.check()
    if not picture.is_asked_for:
        picture.refuse_font()
    kind = load_header(asked.model).kind
    if kind == "cnn":
        if asked.word is not None:
            raise RequestError("--word is for a tagger of texts: leave it out")
        from cnntool.cli.explain.image_prediction import explain_image

        named = asked.model, asked.given, asked.label, asked.against
        explain_image(*named, preparing, picture)
        return
    if kind == "rnn":
        raise InputError(
            f"{asked.model} is a language model: `cnntool generate {asked.model} --why` shows why "
            "it goes on as it does"
        )
    if kind not in ("classifier", "tagger"):
        raise InputError(
            f"{asked.model} is a {kind}, whose answers are texts: `cnntool explain attention` and "
            "`explain beam` show how they come about"
        )
    from cnntool.cli.explain.text_prediction import explain_text

    what = asked.model, asked.given, asked.label, asked.against, asked.word
    explain_text(*what, preparing, picture)
