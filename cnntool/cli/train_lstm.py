"""`cnntool train-lstm`: train a recurrent language model on a text and keep it in one file."""

from __future__ import annotations

from cnntool.cli.training.options import TextOptions, trainer


@trainer(
    "train-lstm",
    TextOptions,
    """\
The text is cut into rows that are read side by side, a window at a time: the gradient goes back
through a window, the state is carried from one to the next. Several files are one text.

\b
Words are what white space parts, and <eos> ends each line; characters and bytes are as they come.
Line ends of any kind, a missing last one and a byte-order mark change nothing.

\b
Layers, for --layers, separated by ';' (? stands for the number of different tokens):
  embedding ? x 64; lstm, gru, rnn H; dropout 0.2; dense ? [tied]
""",
    """\
  cnntool train-lstm text.txt
  cnntool train-lstm text.txt --level char --hidden-size 128 --num-epochs 5 -o chars.npz
  cnntool train-lstm train.txt --valid valid.txt --test test.txt --vocab-size 10000
  cat chapters/*.txt | cnntool train-lstm - --cell gru --layers 2 --dropout 0.2
  cnntool train-lstm text.txt --layers 'embedding ? x 64; lstm 128; gru 64; dense ?'
  cnntool train-lstm text.txt --dry-run
  cnntool train-lstm --resume model.last.npz --num-epochs 3
""",
)
def command(options: TextOptions) -> int:
    """Train a recurrent language model on TEXT: to say, after each word, which comes next.

    The model with the best validation loss is kept in one file, that `cnntool generate` and other
    commands read; beside it, the run as it stands, to go on with. At the end the model writes a
    sample, and its loss is compared with that of counting words and pairs.
    """
    from cnntool.cli.training.session import train
    from cnntool.cli.training.texts import plan_text

    return train("train-lstm", plan_text, options)
