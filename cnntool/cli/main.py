"""The `cnntool` group: commands are imported when they are called, so help comes at once."""

from __future__ import annotations

import click

from cnntool import __version__
from cnntool.cli.help import LazyGroup

COMMANDS = {
    "convolve": "Filter images with edge, blur, line and other kernels.",
    "convolve1d": "Convolve signals: numbers, CSV, .npy or WAV, in a stream.",
    "pool": "Pool images: sum up windows by their largest, mean, median or norm.",
    "kernels": "List the kernels, or show one: its weights and what they do.",
    "explain": "Show the numbers of one step: a window, a gradient, a pooling, a geometry.",
    "train-cnn": "Train a convolutional network on labelled images.",
    "train-lstm": "Train a recurrent language model on a text.",
    "train-classifier": "Train a recurrent network to tell texts or series apart.",
    "train-tagger": "Train a recurrent network to tag each word, row or frame.",
    "train-translator": "Train an encoder and a decoder to turn one text into another.",
    "train-captioner": "Train convolutions and a decoder to say what pictures show.",
    "sweep": "Train with many settings, and compare what comes of them.",
    "evaluate": "Measure a trained model on labelled images or sequences, or on a text.",
    "predict": "Ask a trained network: the classes of images or texts, tags, or what it says.",
    "generate": "Have a language model write a text, or a translator or captioner say one.",
    "visualize": "Draw what a network learned: filters, feature maps, how they came to be.",
    "explore": "Make a page to walk through a network: every map, window, product and gradient.",
    "info": "Show a network layer by layer: shapes, parameters, work; and how it was trained.",
    "gradcheck": "Check the gradient of every operation of the engine, or of a model file.",
}


@click.group(
    cls=LazyGroup,
    commands_help=COMMANDS,
    package="cnntool.cli",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  cnntool convolve photo.jpg --kernel sobel
  cnntool train-cnn digits
  cnntool train-lstm text.txt
  cnntool convolve --help""",
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def cli() -> None:
    """Convolve images, and train small networks on images, texts and series, on one NumPy engine.

    Data goes to stdout, everything else to stderr; `-` is stdin or stdout.
    """
