"""`cnntool train-translator`: train an encoder and a decoder: a text to another text."""

from __future__ import annotations

from functools import partial

from cnntool.cli.training.options import trainer
from cnntool.cli.training.sequence_options import TranslatorOptions


@trainer(
    "train-translator",
    TranslatorOptions,
    """\
DATA is a set that comes along, one file or two, a folder, or - for stdin:
  pronunciations       30,000 English words and how they are said
  sums:digits=3        two numbers added; made on the spot
  dates                dates in many ways, to 2024-03-05; made on the spot
  pairs                source<TAB>target; two files line by line; JSON lines
  words                a lexicon WORD P P P; SIGMORPHON's three columns

\b
Layers, for --layers, separated by ';' (? stands for a number that the data has):
  embedding ? x 64; gru 64 both => embedding ? x 64; gru 128; attend [additive]; dense ?
""",
    """\
  cnntool train-translator pronunciations -o say.npz
  cnntool train-translator sums:digits=3 -o sums.npz
  cnntool train-translator train.de train.en -o de-en.npz --hidden-size 256
  cnntool train-translator lemmas.tsv --attention none --beam 4
  cnntool train-translator --resume model.last.npz --epochs 20
""",
)
def command(options: TranslatorOptions) -> int:
    """Train an encoder and a decoder with attention on pairs of texts, many to many.

    A spelling becomes sounds, a sentence one of another language. The model with the best
    validation loss is kept in one file, that `cnntool predict` and other commands read; beside it,
    the run as it stands, to go on with. At the end it is judged by what it says itself, beside a
    copy of the source and the target of the nearest one it learned from.
    """
    from cnntool.cli.training.sequences import plan_samples
    from cnntool.cli.training.session import train

    return train("train-translator", partial(plan_samples, "translator"), options)
