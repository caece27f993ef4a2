"""`cnntool train-tagger`: train a recurrent tagger: a tag for each word, row or frame."""

from __future__ import annotations

from functools import partial

from cnntool.cli.training.options import trainer
from cnntool.cli.training.sequence_options import TaggerOptions


@trainer(
    "train-tagger",
    TaggerOptions,
    """\
DATA is a set that comes along, a file, a folder, or - for stdin:
  addresses            US addresses, what each word is
  moving-digits        videos, which digit each frame shows
  words                CoNLL columns; CoNLL-U; word/tag lines; JSON lines
  rows and series      CSV with a label a row and --group; .npz with x (N, T, D) and y (N, T)
  videos               a folder of frames, GIF or PNG a clip, with labels.csv or a .txt a clip

\b
Layers, for --layers, separated by ';' (? stands for a number that the data has):
  embedding ? x 64 [letters ? x 24]; lstm, gru, rnn H [both]; dense ?
  each LAYER (on every frame, such as each conv 8 3x3)
""",
    """\
  cnntool train-tagger addresses -o address.npz
  cnntool train-tagger moving-digits -o video.npz
  cnntool train-tagger train.conll --test test.conll -o chunks.npz
  cnntool train-tagger steps.csv --group person --class-weights balanced
  cnntool train-tagger --resume model.last.npz --epochs 20
""",
)
def command(options: TaggerOptions) -> int:
    """Train a recurrent network to tag each word, row or frame, many to many.

    Each word of a sentence, row of a series or frame of a video gets a tag. The model with the best
    validation loss is kept in one file, that `cnntool predict` and other commands read; beside it,
    the run as it stands, to go on with. At the end its tags are counted beside the most frequent
    tag of each word, or beside those that the same network without recurrence gives to each frame.
    """
    from cnntool.cli.training.sequences import plan_samples
    from cnntool.cli.training.session import train

    return train("train-tagger", partial(plan_samples, "tagger"), options)
