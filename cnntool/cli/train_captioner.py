"""`cnntool train-captioner`: train convolutions and a decoder: a picture to a sentence."""

from __future__ import annotations

from functools import partial

from cnntool.cli.training.options import trainer
from cnntool.cli.training.sequence_options import CaptionerOptions


@trainer(
    "train-captioner",
    CaptionerOptions,
    """\
DATA is a set that comes along, a file or a folder:
  shapes               pictures of two shapes, and a sentence; made on the spot
  digit-strings        pictures of some digits, and their number; made on the spot
  pictures             NAME.txt or NAME.gt.txt beside each; captions.txt, as Flickr8k has it
  lists                COCO's JSON; metadata.jsonl

\b
Layers, for --layers, separated by ';' (? stands for a number that the data has):
  conv 16 3x3 pad 1; relu; max 2; places | columns =>
    embedding ? x 32; gru 64; attend [additive]; dense ?
""",
    """\
  cnntool train-captioner shapes -o shapes.npz
  cnntool train-captioner digit-strings -o strings.npz
  cnntool train-captioner photos/ --resize 64x64 --attention additive
  cnntool train-captioner lines/ --level char -o reader.npz
  cnntool train-captioner --resume model.last.npz --epochs 20
""",
)
def command(options: CaptionerOptions) -> int:
    """Train convolutions and a decoder that says what a picture shows, one to many.

    A picture becomes a sentence, word by word, or a number, digit by digit. The model with the best
    validation loss is kept in one file, that `cnntool predict` and other commands read; beside it,
    the run as it stands, to go on with. At the end it is judged by what it says itself, beside the
    most frequent caption and that of the nearest picture.
    """
    from cnntool.cli.training.sequences import plan_samples
    from cnntool.cli.training.session import train

    return train("train-captioner", partial(plan_samples, "captioner"), options)
