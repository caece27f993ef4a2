"""`cnntool predict`: what a trained model takes images, texts, sentences or series for, or says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cnntool.choices import MOST_BEAM
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import (
    Limits,
    Model,
    OwnSize,
    Sources,
    Spread,
    argument,
    encoding_option,
    flag,
    option,
    refuse,
    takes,
)
from cnntool.cli.types import PathName, WholeNumber
from cnntool.errors import InputError

if TYPE_CHECKING:
    from cnntool.networks.model import AnyModel

OF_IMAGES = ("recursive", "white", "max_pixels")
OF_SENTENCES = ("columns",)
OF_TEXTS = ("encoding",)


@dataclass(frozen=True)
class Input(Limits, OwnSize, Sources, Model):
    """What goes through which network."""

    images: tuple[str, ...] = argument(
        "INPUT...", PathName("a file, a folder (-r) or -"), many=True
    )
    encoding: str | None = encoding_option("Of texts, such as utf-16", "Input")
    columns: bool = flag(
        "--columns",
        "Of sentences to be tagged: a word a line, in the first column, with a blank line behind "
        "each sentence.  [default: where the first line has a tab]",
        section="Input",
    )


@dataclass(frozen=True)
class Output:
    """What is printed."""

    top: int | None = option(
        "--top",
        WholeNumber(1, metavar="K"),
        "The K likeliest classes or tags of each; of a model that says texts, the K best that its "
        "beam found, with their probabilities.  [default: 1]",
    )
    beam: int | None = option(
        "--beam",
        WholeNumber(1, MOST_BEAM, metavar="N"),
        "Of a model that says texts: go on from the N likeliest beginnings, not from one.  "
        "[default: 1, or K]",
    )
    as_json: bool = flag("--json", "One line of JSON an answer.", section="Running")
    quiet: bool = flag("-q --quiet", "No progress: only results and errors.", section="Running")


@click.command(
    "predict",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool predict digits.npz scan.png
  cnntool predict pets.npz photos -r --json
  cat photo.jpg | cnntool predict pets.npz -
  cnntool predict pets.npz photos -r | awk -F'\\t' '$2 == "cat" && $3 > 0.9 {print $1}'
  cnntool predict mood.npz reviews.txt --top 2
  echo '12 Main St Springfield IL' | cnntool predict address.npz -
  echo through | cnntool predict say.npz - --beam 4 --top 3
  cnntool predict shapes.npz *.png""",
)
@takes(Input, Output, Spread)
def command(input: Input, output: Output, spread: Spread) -> int:
    """Ask a trained model: the class of an image, a text or a series, the tags of a sentence or a
    video, what a text becomes, or what a picture shows.

    For a model of images, and for one that puts pictures into words, each INPUT is an image, a
    folder (with -r) or - for stdin, of any size, depth and colour: it is prepared as the images
    were that the model learned from. Transparent pixels are white, and of animations the first
    frame counts. A line is its path, then class and probability, or what it shows.

    For a model of texts, each INPUT is a text file or -, and each line of it is a text, whole: its
    class and probability, or what it becomes. Of a tagger it is a sentence, its words parted by
    white space as in the data that the model learned from; a line of the answer is a word, its tag
    and the tag's probability, and a blank line stands behind each sentence. An empty line is
    answered by an empty one. Series are read from .ts files, or .npz archives with x and lengths;
    of videos each INPUT is an animation, or a folder of frames (with -r a folder of those).

    Fields are separated by tabs; with --top there are K pairs of an answer and its probability. Of
    texts that are said the best is the one whose tokens are likeliest on average.
    """
    from cnntool.cli.predictions import tell_of_all
    from cnntool.networks.model import Classifier, SequenceModel, TrainedText, load_trained

    model = load_trained(input.model)
    if isinstance(model, TrainedText):
        raise InputError(
            f"{input.model} is a text model, which goes on with texts: use cnntool generate"
        )
    _refuse_of_others(input, output, spread, model)

    if getattr(model, "writer", None) is None and not output.quiet:
        tell_of_all(output.top, model)
    if isinstance(model, Classifier):
        return _classes_of_images(input, output, spread, model)
    assert isinstance(model, SequenceModel)
    from cnntool.cli.sequence_predictions import (
        Asking,
        tell_pictures,
        tell_sequences,
        tell_videos,
    )

    asking = Asking(model, output.top, output.beam, output.as_json, output.quiet)
    if model.header.kind == "captioner":
        return tell_pictures(asking, input, input, spread)
    if model.reader.form == "frames":
        return tell_videos(asking, input.images, input.recursive, input)
    return tell_sequences(asking, input.images, input.encoding, input.columns or None)


def _refuse_of_others(input: Input, output: Output, spread: Spread, model: AnyModel) -> None:
    """UsageError for options that this model has no use for."""
    from cnntool.networks.model_file import KINDS

    kind, form = model.header.kind, model.header.preprocessing.get("form", "picture")
    reason = f"is of no use here: {model.name} is {KINDS[kind]}"
    if kind not in ("translator", "captioner"):
        refuse(output, ["beam"], reason)
    if kind != "cnn":
        refuse(input, ["own_size"], reason)
    if form != "picture":
        refuse(spread, ["shard"], reason)
    if kind != "cnn":
        refuse(spread, ["cluster"], reason)
    for forms, names in (
        (("picture", "frames"), OF_IMAGES),
        (("text", "words", "steps"), OF_TEXTS),
        (("words",), OF_SENTENCES),
    ):
        if form not in forms:
            refuse(input, names, reason)


def _classes_of_images(input: Input, output: Output, spread: Spread, classifier) -> int:
    from cnntool.cli.predictions import Printer, run_predictions

    if input.own_size:
        classifier = classifier.with_own_sizes()
    k = min(output.top or 1, len(classifier.labels))
    printer = Printer(classifier.labels, k, output.as_json)
    asked = classifier.preprocessing, classifier.probabilities, input, input
    return run_predictions(*asked, printer, output.quiet, spread, printer.expect)
