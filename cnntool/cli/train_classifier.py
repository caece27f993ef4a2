"""`cnntool train-classifier`: train a recurrent network that gives texts or series a class."""

from __future__ import annotations

from functools import partial

from cnntool.cli.training.options import trainer
from cnntool.cli.training.sequence_options import ClassifierOptions


@trainer(
    "train-classifier",
    ClassifierOptions,
    """\
DATA is a set that comes along, a file, a folder, or - for stdin:
  names, vowels        first names by sex; series of a vowel by nine speakers
  lines                __label__x text; tab- or comma-separated columns; JSON lines
  folders and files    a folder of .txt files a class; CLASS.txt, an item a line
  series               .ts; .npz with x (N, T, D), lengths and y

\b
Layers, for --layers, separated by ';' (? stands for a number that the data has):
  embedding ? x 64 [letters ? x 24]; lstm, gru, rnn H [both]; last, mean-steps, max-steps; dense ?
""",
    """\
  cnntool train-classifier names -o names.npz
  cnntool train-classifier vowels -o vowels.npz --pool mean
  cnntool train-classifier reviews.tsv -o mood.npz --patience 3
  cnntool train-classifier reviews.tsv --layers 'embedding ? x 32; gru 64; last; dense ?' --dry-run
  cnntool train-classifier --resume model.last.npz --epochs 20
""",
)
def command(options: ClassifierOptions) -> int:
    """Train a recurrent network to tell texts or series apart, many to one.

    Each text, or series of any length, gets one of some classes. The model with the best validation
    loss is kept in one file, that `cnntool predict` and other commands read; beside it, the run as
    it stands, to go on with. At the end its accuracy stands beside that of Naive Bayes on words and
    pairs, or of the nearest neighbour of a series.
    """
    from cnntool.cli.training.sequences import plan_samples
    from cnntool.cli.training.session import train

    return train("train-classifier", partial(plan_samples, "classifier"), options)
