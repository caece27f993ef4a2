"""`cnntool visualize`: pictures of what a network learned."""

from __future__ import annotations

import click

from cnntool.cli.help import LazyGroup

SUBJECTS = {
    "filters": "The kernels of a layer, as a grid; beside their random start with --before.",
    "evolution": "How the first layer came from noise to what it is, an epoch a frame.",
    "stats": "Which filters are oriented edges, at which directions: measured, a row a filter.",
    "maps": "What every layer makes of one image, from left to right as the data flows.",
    "saliency": "What the answer for one image or one text rests on, in colour over it.",
    "best": "The patches of a data set that excite each filter most, cut out of its images.",
    "curves": "How loss, accuracy or perplexity went over the epochs, of one run or several.",
    "embedding": "The words of a model of text in the plane, and which are near each other.",
    "attention": "What each token looked at that a translator or a captioner said.",
    "states": "Gates, cells and hidden states of a recurrent layer over words or frames.",
}


@click.group(
    "visualize",
    cls=LazyGroup,
    commands_help=SUBJECTS,
    package="cnntool.cli.visualize",
    epilog="""\b
Examples:
  cnntool visualize filters digits.npz --before
  cnntool visualize evolution digits.npz
  cnntool visualize maps digits.npz sample_images/brick.png
  cnntool visualize stats digits.npz
  cnntool visualize saliency digits.npz sample_images/brick.png
  cnntool visualize best digits.npz --layer conv2 --data digits
  cnntool visualize curves digits.npz
  cnntool visualize embedding words.npz
  cnntool visualize attention say.npz through
  cnntool visualize states address.npz --text '123 Main St Springfield IL'""",
)
def command() -> None:
    """Draw what a network learned, from a model file or from weights of other tools.

    The examples take models that `cnntool train-cnn digits -o digits.npz` made, `train-lstm
    text.txt -o words.npz`, `train-translator pronunciations -o say.npz`, `train-captioner shapes -o
    shapes.npz`, `train-tagger addresses -o address.npz` and `train-classifier reviews.tsv -o
    mood.npz`.

    Each picture lands in this folder under a name that tells what it shows, and its path is
    printed. --show draws it in the terminal instead.
    """
